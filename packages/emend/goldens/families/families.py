"""Goldens of every family, from Hugging Face `transformers`; and a check that it reads what Emend saved.

    pip install torch transformers safetensors
    python families.py                  writes the folders beside this file
    node resave.mjs FOLDER              loads each of them in Emend and saves it under FOLDER, in shards
    python families.py --check FOLDER   loads those in transformers and compares

Each folder is a Hugging Face model folder with random weights and settings that make the family's differences count
(a window and an original context shorter than the sequences, biases, uneven norms, fewer heads of keys than of queries),
and in `golden.safetensors`
  ids [2, L]       two sequences
  logits, bf16     [2, L, V] in float32 and by the model in bfloat16 (scores [2, L, 1] of a token classifier)
  loss             mean negative log-likelihood of the tokens after the first (mean squared score of a token classifier)
  grad.NAME        its gradient, for every tensor
and, for language models, `greedy.json`: greedy continuations of prompts of different lengths.
"""
import json, pathlib, re, sys
import torch
from safetensors.torch import load_file, save_file
from transformers import (AutoConfig, AutoModelForCausalLM, AutoModelForTokenClassification, Gemma2Config, Gemma3TextConfig,
                          GPT2Config, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config)

HERE = pathlib.Path(__file__).parent
VOCABULARY, LENGTH, NEW = 96, 40, 16
NO_TOKENS = dict(bos_token_id=1, eos_token_id=None, pad_token_id=0)
SHAPE = dict(vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64, rms_norm_eps=1e-5, **NO_TOKENS)
GEMMA = dict(SHAPE, head_dim=16, query_pre_attn_scalar=24, sliding_window=8)

CONFIGS = {
    'llama3': LlamaConfig(**SHAPE, tie_word_embeddings=False, rope_parameters=dict(
        rope_type='llama3', rope_theta=500.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)),
    'llama-linear': LlamaConfig(**SHAPE, tie_word_embeddings=True, attention_bias=True, mlp_bias=True, hidden_act='gelu', rope_parameters=dict(
        rope_type='linear', rope_theta=10000.0, factor=4.0)),
    'mistral': MistralConfig(**SHAPE, tie_word_embeddings=False, sliding_window=8),
    'qwen2': Qwen2Config(**SHAPE, tie_word_embeddings=True, use_sliding_window=True, sliding_window=8, max_window_layers=1, rope_parameters=dict(
        rope_type='yarn', rope_theta=10000.0, factor=4.0, original_max_position_embeddings=16)),
    'qwen3': Qwen3Config(**SHAPE, tie_word_embeddings=True, head_dim=16),
    'gemma2': Gemma2Config(**GEMMA, attn_logit_softcapping=1.5, final_logit_softcapping=0.3),
    'gemma3': Gemma3TextConfig(**GEMMA, layer_types=['sliding_attention', 'full_attention'], rope_parameters=dict(
        full_attention=dict(rope_type='linear', rope_theta=1000000.0, factor=8.0), sliding_attention=dict(rope_type='default', rope_theta=10000.0))),
    'gpt2': GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_inner=48, n_layer=2, n_head=4, n_positions=64, **NO_TOKENS),
}


def scalar(name, config):
    """The same family, smaller, with one label."""
    small = dict(n_embd=16, n_inner=24) if name == 'gpt2' else dict(hidden_size=16, intermediate_size=24, head_dim=8)
    return type(config)(**{**config.to_dict(), **small, 'num_labels': 1, 'classifier_dropout': 0.0, 'architectures': None})


CASES = {**{name: (AutoModelForCausalLM, config) for name, config in CONFIGS.items()},
         **{f'{name}-scalar': (AutoModelForTokenClassification, scalar(name, CONFIGS[name]))
            for name in ['mistral', 'qwen2', 'qwen3', 'gemma2', 'gpt2']}}


def random_weights(model, seed):
    """Uneven weights. Logits deviate by 0.15: by 0.5, two kinds of attention in transformers already differ by 0.04 in bfloat16."""
    g = torch.Generator().manual_seed(seed)
    gemma = 'gemma' in model.config.model_type
    for name, p in sorted(model.named_parameters()):
        with torch.no_grad():
            noise = torch.randn(p.shape, generator=g)
            if re.search(r'(norm|ln_\w)\.weight$', name): p.copy_((0 if gemma else 1) + 0.2 * noise)
            elif p.dim() == 1: p.copy_(0.2 * noise)
            elif re.search(r'embed_tokens|lm_head|wte', name): p.copy_(0.15 * noise * p.shape[1] ** -0.5)
            elif 'wpe' in name: p.copy_(0.1 * noise)
            else: p.copy_(noise * (p.shape[0] if 'c_' in name else p.shape[1]) ** -0.5)


def make(kind, config, seed):
    model = kind.from_config(config, attn_implementation='eager').eval()
    random_weights(model, seed)
    return model


def greedy(model, prompt):
    """Greedy continuation; refuses goldens on which rounding would decide."""
    ids = list(prompt)
    for _ in range(NEW):
        with torch.no_grad(): best = model(torch.tensor([ids]), use_cache=False).logits[0, -1].topk(2)
        if best.values[0] - best.values[1] < 1e-3: return None
        ids.append(best.indices[0].item())
    generated = model.generate(torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long), do_sample=False, max_new_tokens=NEW)
    assert generated[0].tolist() == ids, 'generate with a cache disagrees'
    return ids[len(prompt):]


def write(name, kind, config, seed):
    folder = HERE / name
    model = make(kind, config, seed)
    g = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randint(2, VOCABULARY, shape, generator=g)
    ids = draw(2, LENGTH)
    out = model(ids, use_cache=False).logits
    classifier = out.shape[-1] == 1
    if classifier: loss = out.square().mean()
    else: loss = torch.nn.functional.cross_entropy(out[:, :-1].reshape(-1, out.shape[-1]), ids[:, 1:].reshape(-1))
    loss.backward()
    gold = dict(ids=ids, logits=out.detach().contiguous(), loss=loss.detach())
    gold |= {f'grad.{n}': p.grad for n, p in model.named_parameters()}
    if not classifier:
        continuations = []
        while len(continuations) < 4:
            prompt = draw(1 + 5 * len(continuations)).tolist()
            if new := greedy(model, prompt): continuations.append(dict(prompt=prompt, continuation=new))
    model.save_pretrained(folder)
    if not classifier: (folder / 'greedy.json').write_text(json.dumps(continuations) + '\n')
    half = kind.from_pretrained(folder, dtype=torch.bfloat16, attn_implementation='eager').eval()
    with torch.no_grad(): gold['bf16'] = half(ids, use_cache=False).logits.float().contiguous()
    save_file({k: v.contiguous() for k, v in gold.items()}, folder / 'golden.safetensors')
    print(f'{name}: logits {out.std():.2f} (largest {out.abs().max():.2f}), bf16 differs by {(gold["bf16"] - out).abs().max():.4f}')


def check(name, kind, folder):
    gold = load_file(HERE / name / 'golden.safetensors')
    model, info = kind.from_pretrained(folder / name, dtype=torch.float32, attn_implementation='eager', output_loading_info=True)
    wrong = {k: v for k, v in info.items() if v}
    with torch.no_grad(): out = model.eval()(gold['ids'], use_cache=False).logits
    theirs, ours = AutoConfig.from_pretrained(HERE / name).to_dict(), model.config.to_dict()
    settings = [k for k in theirs if theirs[k] != ours.get(k) and k not in SETTINGS_THAT_MAY_DIFFER]
    distance = (out - gold['logits']).abs().max().item()
    print(f'{name}: {type(model).__name__}, logits differ by {distance:.1e}, settings that differ: {settings or "none"}, loading: {wrong or "clean"}')
    return distance <= 1e-4 and not settings and not wrong


# Emend trains without dropout, leaves initialisation to whoever initialises, and the layer from which on a window would hold to those with one.
SETTINGS_THAT_MAY_DIFFER = {'_name_or_path', 'transformers_version', 'initializer_range', 'attn_pdrop', 'embd_pdrop', 'resid_pdrop', 'max_window_layers'}

if '--check' in sys.argv:
    folder = pathlib.Path(sys.argv[sys.argv.index('--check') + 1])
    results = [check(name, kind, folder) for name, (kind, _) in CASES.items()]
    sys.exit(0 if all(results) else 1)
for seed, (name, (kind, config)) in enumerate(CASES.items()): write(name, kind, config, seed + 1)
