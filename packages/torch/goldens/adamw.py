"""Goldens for src/optim, from PyTorch's own AdamW and clip_grad_norm_: python adamw.py > adamw.json

Three parameters over six steps; the second has no gradient at step 2, the learning rate changes at step 3. The optimizer
is PyTorch's plain loop (not the fused kernel that ours calls), so that the two are independent.
"""
import json

import torch

torch.manual_seed(3)
torch.set_num_threads(1)
shapes = {"embedding.weight": [4, 3], "norm.weight": [5], "scale": []}
params = {name: torch.nn.Parameter(torch.randn(shape)) for name, shape in shapes.items()}
options = {"lr": 0.01, "betas": [0.9, 0.95], "eps": 1e-6, "weightDecay": 0.1}
optimizer = torch.optim.AdamW(params.values(), lr=options["lr"], betas=tuple(options["betas"]), eps=options["eps"],
                              weight_decay=options["weightDecay"], foreach=False, fused=False)
values = lambda: {name: p.detach().flatten().tolist() for name, p in params.items()}
initial, steps = values(), []
for step in range(6):
    if step == 3:
        optimizer.param_groups[0]["lr"] = 0.003
    gradients = {}
    for name, p in params.items():
        p.grad = None if (step == 2 and name == "norm.weight") else torch.randn_like(p)
        gradients[name] = None if p.grad is None else p.grad.flatten().tolist()
    optimizer.step()
    steps.append({"lr": optimizer.param_groups[0]["lr"], "gradients": gradients, "after": values()})

clip = []
for scale, limit in [(1.0, 1.0), (0.01, 1.0), (100.0, 0.5)]:
    gradients = {name: torch.randn(shape) * scale for name, shape in shapes.items()}
    for name, p in params.items():
        p.grad = gradients[name].clone()
    norm = torch.nn.utils.clip_grad_norm_(params.values(), limit)
    clip.append({"limit": limit, "norm": norm.item(), "gradients": {k: g.flatten().tolist() for k, g in gradients.items()},
                 "after": {k: p.grad.flatten().tolist() for k, p in params.items()}})
print(json.dumps({"torch": torch.__version__, "shapes": shapes, "options": options, "initial": initial, "steps": steps, "clip": clip}))
