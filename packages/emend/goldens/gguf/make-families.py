"""Tiny GGUF files of every architecture, by the `gguf` package, and the logits of the models they hold, by transformers.

    pip install torch transformers gguf sentencepiece
    python make-families.py                  writes NAME.gguf and logits.json beside this file
    python make-families.py --check FOLDER   reads every NAME.gguf under FOLDER (Emend's) in transformers and compares

Names of tensors are the package's; the rest follows llama.cpp's convert_hf_to_gguf.py: rows of a Llama's q and k interleaved,
1 added to Gemma's norms, GPT-2's matrices transposed, norms and biases float32, the matrices of NAME in the type below.
"""

import json
import pathlib
import sys

import gguf
import numpy as np
import torch
from transformers import (AutoModelForCausalLM, Gemma2Config, Gemma3TextConfig, GPT2Config, LlamaConfig, Qwen2Config,
                          Qwen3Config)

HERE = pathlib.Path(__file__).parent
IDS = [[5, 9, 33, 2, 60, 7, 7, 18, 41, 44, 63, 3, 11, 12, 13, 14, 80, 95, 1, 0]]
Q = gguf.GGMLQuantizationType
SHAPE = dict(vocab_size=96, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             max_position_embeddings=64, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2, pad_token_id=0)
GEMMA = dict(SHAPE, head_dim=16, query_pre_attn_scalar=16, sliding_window=8)
LLAMA3 = dict(rope_type="llama3", rope_theta=500000.0, factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=8192)
CONFIGS = {
    "llama": (LlamaConfig(**SHAPE, attention_bias=True, tie_word_embeddings=False), Q.F16),
    "llama3": (LlamaConfig(**{**SHAPE, "head_dim": 32}, rope_parameters=LLAMA3, tie_word_embeddings=True), Q.F32),
    "qwen2": (Qwen2Config(**SHAPE, tie_word_embeddings=True,
                          rope_parameters=dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=16)), Q.BF16),
    "qwen3": (Qwen3Config(**SHAPE, head_dim=16, tie_word_embeddings=True), Q.Q8_0),
    "gemma2": (Gemma2Config(**GEMMA, attn_logit_softcapping=1.5, final_logit_softcapping=0.3), Q.F32),
    "gemma3": (Gemma3TextConfig(**GEMMA, layer_types=["sliding_attention"] * 2, rope_parameters={
        "full_attention": dict(rope_type="default", rope_theta=1e6), "sliding_attention": dict(rope_type="default", rope_theta=1e4)}), Q.F32),
    "gpt2": (GPT2Config(vocab_size=96, n_embd=32, n_head=4, n_layer=2, n_positions=64, n_inner=64, bos_token_id=1, eos_token_id=2,
                        pad_token_id=0), Q.F32),
}
ARCHES = dict(llama=gguf.MODEL_ARCH.LLAMA, llama3=gguf.MODEL_ARCH.LLAMA, qwen2=gguf.MODEL_ARCH.QWEN2, qwen3=gguf.MODEL_ARCH.QWEN3,
              gemma2=gguf.MODEL_ARCH.GEMMA2, gemma3=gguf.MODEL_ARCH.GEMMA3, gpt2=gguf.MODEL_ARCH.GPT2)
MERGES = ["a b", "c d", "ab cd"]


def permuted(w, heads):
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def vocabulary(writer):
    """96 byte-level tokens, three of them special, one added, the rest single characters and three merges."""
    tokens = ["<pad>", "<bos>", "<eos>", "<think>", "ab", "cd", "abcd"] + [chr(c) for c in range(33, 127) if chr(c) not in "<>{}|"]
    tokens = tokens[:95] + ["Ġ"]
    kinds = [3, 3, 3, 4] + [1] * 92
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(0)
    writer.add_chat_template("{{ messages[0].content }}")


def write(name, model, config, kind):
    arch = ARCHES[name]
    names = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    writer = gguf.GGUFWriter(HERE / f"{name}.gguf", gguf.MODEL_ARCH_NAMES[arch])
    heads, kv = config.num_attention_heads, getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(64)
    writer.add_head_count(heads)
    if name == "gpt2":
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
    else:
        writer.add_head_count_kv(kv)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        rope = config.rope_parameters
        writer.add_rope_freq_base((rope.get("full_attention") or rope)["rope_theta"])
        if head_dim * heads != config.hidden_size:
            writer.add_key_length(head_dim)
            writer.add_value_length(head_dim)
    if name == "qwen2":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(4.0)
        writer.add_rope_scaling_orig_ctx_len(16)
    if name.startswith("gemma"):
        writer.add_sliding_window(config.sliding_window)
    if name == "gemma2":
        writer.add_attn_logit_softcapping(1.5)
        writer.add_final_logit_softcapping(0.3)
    vocabulary(writer)
    if name == "llama3":
        base = 500000.0 ** (-np.arange(0, head_dim, 2) / head_dim)
        factors = []
        for f in base:
            wavelength = 2 * np.pi / f
            smooth = (8192 / wavelength - 1) / (4 - 1)
            factors.append(1 if wavelength < 8192 / 4 else 32 if wavelength > 8192 else 1 / ((1 - smooth) / 32 + smooth))
        writer.add_tensor("rope_freqs.weight", np.array(factors, dtype=np.float32))
    for key, tensor in model.state_dict().items():
        if key == "lm_head.weight" and config.tie_word_embeddings or key.endswith((".attn.bias", ".masked_bias")):
            continue
        w = tensor.float().numpy()
        if name.startswith("llama") and ".q_proj." in key:
            w = permuted(w, heads)
        if name.startswith("llama") and ".k_proj." in key:
            w = permuted(w, kv)
        if name.startswith("gemma") and key.endswith("norm.weight"):
            w = w + 1
        if name == "gpt2" and key.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight")):
            w = w.T
        there = names.get_name(key, try_suffixes=(".weight", ".bias"))
        chosen = Q.F32 if w.ndim == 1 or there == "position_embd.weight" else kind
        writer.add_tensor(there, gguf.quants.quantize(np.ascontiguousarray(w), chosen), raw_dtype=chosen)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def logits(folder, name):
    # transformers leaves settings of the file aside (head_dim, scaling, caps): they are given, the weights are what it reads.
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=f"{name}.gguf", config=CONFIGS[name][0], dtype=torch.float32,
                                                 attn_implementation="eager")
    with torch.no_grad():
        return model.eval()(torch.tensor(IDS)).logits[0]


if sys.argv[1:2] == ["--check"]:
    for path in sorted(pathlib.Path(sys.argv[2]).glob("*.gguf")):
        expected = torch.tensor(json.loads((HERE / "logits.json").read_text())["logits"][path.stem])
        print(path.name, (logits(path.parent, path.stem) - expected).abs().max().item())
    sys.exit()

goldens = {}
for name, (config, kind) in CONFIGS.items():
    torch.manual_seed(4)
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.25)
            # What the file can hold, so that its reader has the same numbers.
            if parameter.ndim == 2 and parameter.shape[1] % 32 == 0 and name != "gpt2":
                data = gguf.quants.quantize(parameter.numpy(), kind)
                parameter.copy_(torch.from_numpy(gguf.quants.dequantize(data.view(np.uint8), kind).copy()))
        model.tie_weights()
        goldens[name] = [[round(x, 6) for x in row] for row in model(torch.tensor(IDS)).logits[0].tolist()]
    write(name, model, config, kind)
    try:
        print(name, "transformers reads it:", (logits(HERE, name) - torch.tensor(goldens[name])).abs().max().item())
    except Exception as error:
        print(name, "transformers:", repr(error)[:300])
(HERE / "logits.json").write_text(json.dumps({"ids": IDS[0], "logits": goldens}) + "\n")
