"""Goldens for src/safetensors.ts, written by the reference library: python reference.py

reference.safetensors holds every dtype that we read, a scalar, an empty tensor and metadata; reference.json the values.
"""
import json
import pathlib

import torch
from safetensors.torch import save_file

here = pathlib.Path(__file__).parent
tensors = {
    "model.layers.0.weight": torch.tensor([[1.5, -2.25, 3.0], [0.1, 1e-8, -1e30]], dtype=torch.float32),
    "double": torch.tensor([0.1, -2.5], dtype=torch.float64),
    "half": torch.tensor([0.5, -65504.0, 6e-8], dtype=torch.float16),
    "brain": torch.tensor([[1.0], [-3.140625], [3.3895313892515355e38]], dtype=torch.bfloat16),
    "long": torch.tensor([2**53 - 1, -(2**53) + 1, 0], dtype=torch.int64),
    "int": torch.tensor([2**31 - 1, -(2**31)], dtype=torch.int32),
    "byte": torch.tensor([0, 127, 255], dtype=torch.uint8),
    "flag": torch.tensor([[True, False, True]]),
    "scalar": torch.tensor(42.0),
    "empty": torch.zeros(0, 4),
    "größe 大": torch.tensor([7.0]),
}
save_file(tensors, here / "reference.safetensors", metadata={"format": "pt", "note": "made by reference.py"})
rows = {name: {"dtype": str(t.dtype).removeprefix("torch."), "shape": list(t.shape), "values": t.flatten().tolist()} for name, t in tensors.items()}
(here / "reference.json").write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
