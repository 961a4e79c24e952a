"""Writes the golden files beside it from Hugging Face `transformers` (reference: LlamaForCausalLM, LlamaForTokenClassification).

    pip install torch transformers safetensors && python make.py

Each folder is a Hugging Face model folder with random weights and a file `golden.safetensors`:
  ids [B, L]       right-padded sequences; response tokens of row i stand at start[i] .. end[i] - 1
                   (token 0 only as padding: the reference gives its embedding no gradient)
  start, end [B]
  logits [B, L, V] (or scores [B, L])
  loss             minus the mean of log softmax(logits / 0.7) at the response tokens (or the mean of the squared scores there)
  grad.NAME        its gradient for every parameter
and `greedy.json`: greedy continuations of single prompts, 12 new tokens.
"""
import json, pathlib
import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForTokenClassification

HERE = pathlib.Path(__file__).parent
IDS = torch.tensor([[5, 9, 33, 2, 60, 7, 7, 18, 41, 44, 63, 3], [8, 1, 50, 22, 22, 13, 4, 39, 3, 0, 0, 0], [62, 6, 17, 45, 11, 28, 3, 0, 0, 0, 0, 0]])
START, END = torch.tensor([4, 3, 5]), torch.tensor([12, 9, 7])
PROMPTS = [[5, 9, 33, 2], [8], [62, 6, 17, 45, 11, 28, 40], [20, 21, 22]]


def config(**over):
    base = dict(vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                max_position_embeddings=64, rms_norm_eps=1e-5, rope_theta=10000.0, tie_word_embeddings=True,
                bos_token_id=1, eos_token_id=3, pad_token_id=0, attention_dropout=0.0)
    return LlamaConfig(**{**base, **over})


def random_weights(model, seed):
    g = torch.Generator().manual_seed(seed)
    for name, p in sorted(model.named_parameters()):
        with torch.no_grad():
            if name.endswith('norm.weight'): p.copy_(1 + 0.2 * torch.randn(p.shape, generator=g))
            elif p.dim() == 1: p.copy_(0.3 * torch.randn(p.shape, generator=g))
            else: p.copy_(torch.randn(p.shape, generator=g) * p.shape[1] ** -0.5)


def write(name, model):
    folder = HERE / name
    model.save_pretrained(folder)
    model.eval()
    rows, columns = zip(*[(b, j) for b in range(len(IDS)) for j in range(START[b], END[b])])
    rows, columns = torch.tensor(rows), torch.tensor(columns)
    out = model(IDS).logits
    gold = dict(ids=IDS, start=START, end=END)
    if out.shape[-1] == 1:
        gold['scores'] = out[..., 0].detach().contiguous()
        loss = out[..., 0][rows, columns].square().mean()
    else:
        gold['logits'] = out.detach().contiguous()
        loss = -(out[rows, columns - 1] / 0.7).log_softmax(-1).gather(1, IDS[rows, columns][:, None]).mean()
    loss.backward()
    gold['loss'] = loss.detach()
    for n, p in model.named_parameters(): gold['grad.' + n] = p.grad
    save_file(gold, folder / 'golden.safetensors')
    if out.shape[-1] == 1: return
    greedy = []
    for prompt in PROMPTS:
        ids = torch.tensor([prompt])
        with torch.no_grad(): full = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=12)
        greedy.append(dict(prompt=prompt, continuation=full[0, len(prompt):].tolist()))
    (folder / 'greedy.json').write_text(json.dumps(greedy) + '\n')


tied = LlamaForCausalLM(config())
random_weights(tied, 1)
write('tied', tied)
small = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=1)
untied = LlamaForCausalLM(config(**small, head_dim=8, rope_theta=500.0, rms_norm_eps=1e-3, tie_word_embeddings=False, eos_token_id=[3, 2]))
random_weights(untied, 2)
write('untied', untied)
scalar = LlamaForTokenClassification(config(**small, num_labels=1, classifier_dropout=0.0))
random_weights(scalar, 3)
write('scalar', scalar)
