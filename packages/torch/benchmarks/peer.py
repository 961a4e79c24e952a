"""The Python side of the benchmarks: does on request what run.mjs does, on the same libtorch, and says how long it took.

Reads one JSON request a line: {"threads": n} | {"call": name, "n": n} | {"step": {...sizes}, "n": n}; answers one line each.
The decoder is the Llama shape as one writes it in plain PyTorch: nn.Linear, F.rms_norm, fused attention, AdamW(fused=True).
"""
import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_flush_denormal(True)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x, cos, sin):
        b, t, d = x.shape
        q, k, v = (p(x).view(b, t, self.heads, -1).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        q, k = (z * cos + torch.cat((-z[..., z.shape[-1] // 2:], z[..., :z.shape[-1] // 2]), -1) * sin for z in (q, k))
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o_proj(out.transpose(1, 2).reshape(b, t, d))


class Layer(nn.Module):
    def __init__(self, width, inner, heads):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = nn.RMSNorm(width, eps=1e-5), nn.RMSNorm(width, eps=1e-5)
        self.self_attn = Attention(width, heads)
        self.gate_proj, self.up_proj = nn.Linear(width, inner, bias=False), nn.Linear(width, inner, bias=False)
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x, cos, sin):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        y = self.post_attention_layernorm(x)
        return x + self.down_proj(F.silu(self.gate_proj(y)) * self.up_proj(y))


class Decoder(nn.Module):
    def __init__(self, vocab, width, inner, heads, layers, length):
        super().__init__()
        self.embed_tokens = nn.Embedding(vocab, width)
        self.layers = nn.ModuleList(Layer(width, inner, heads) for _ in range(layers))
        self.norm = nn.RMSNorm(width, eps=1e-5)
        half = width // heads // 2
        angles = torch.arange(length)[:, None] * 10000 ** (-torch.arange(half) / half)
        self.cos, self.sin = (torch.cat((f(angles), f(angles)), -1) for f in (torch.cos, torch.sin))

    def forward(self, ids):
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x, self.cos, self.sin)
        return F.linear(self.norm(x), self.embed_tokens.weight)


trainers = {}


def trainer(sizes):
    key = json.dumps(sizes)
    if key not in trainers:
        torch.manual_seed(0)
        model = Decoder(sizes["vocab"], sizes["width"], sizes["inner"], sizes["heads"], sizes["layers"], sizes["length"])
        for p in model.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, 0, 0.02)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
        ids = torch.randint(sizes["vocab"], (sizes["batch"], sizes["length"] + 1))
        trainers.clear()
        trainers[key] = (model, optimizer, ids[:, :-1].contiguous(), ids[:, 1:].reshape(-1))
    return trainers[key]


def step(model, optimizer, ids, targets):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(ids).flatten(0, 1), targets)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


small, row, square = torch.ones(8), torch.ones(64), torch.ones(16, 16)
parameter = torch.ones(16, 16, requires_grad=True)


def calls(name, n):
    with torch.set_grad_enabled(name == "matmul with grad"):
        start = time.perf_counter()
        if name == "add":
            for _ in range(n):
                small.add(small)
        elif name == "add_ scalar":
            for _ in range(n):
                small.add_(1)
        elif name == "view":
            for _ in range(n):
                row.view([8, 8])
        elif name == "sum dim":
            for _ in range(n):
                square.sum([1], True)
        elif name == "matmul":
            for _ in range(n):
                square.matmul(square)
        elif name == "matmul with grad":
            for _ in range(n):
                square.matmul(parameter)
        return time.perf_counter() - start


for line in sys.stdin:
    request = json.loads(line)
    if "threads" in request:
        torch.set_num_threads(request["threads"])
        answer = {"torch": torch.__version__, "file": torch.__file__, "python": sys.version.split()[0]}
    elif "call" in request:
        answer = {"seconds": calls(request["call"], request["n"])}
    else:
        state = trainer(request["step"])
        start = time.perf_counter()
        for _ in range(request["n"]):
            loss = step(*state)
        answer = {"seconds": time.perf_counter() - start, "loss": loss, "parameters": sum(p.numel() for p in state[0].parameters())}
    print(json.dumps(answer), flush=True)
