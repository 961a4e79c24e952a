"""Reads goldens/written.safetensors, which src/safetensors.test.ts writes, with the reference library: python written.py"""
import pathlib

import torch
from safetensors import safe_open

expected = {
    "model.weight": torch.tensor([[1.5, -2.25], [0.1, 3e38]]),
    "brain": torch.tensor([1, -3.140625], dtype=torch.bfloat16),
    "half": torch.tensor([0.5, -65504], dtype=torch.float16),
    "double": torch.tensor([0.1], dtype=torch.float64),
    "long": torch.tensor([2**53 + 1, -1]),
    "int": torch.tensor([-(2**31)], dtype=torch.int32),
    "byte": torch.tensor([0, 255, 7], dtype=torch.uint8),
    "flag": torch.tensor([True, False]),
    "scalar": torch.tensor(42.0),
    "empty": torch.zeros(0, 4),
    "größe 大": torch.tensor([7.0]),
}
with safe_open(pathlib.Path(__file__).parent / "written.safetensors", "pt") as file:
    assert file.metadata() == {"made": "by us", 'ключ "1"': "значение"}, file.metadata()
    assert set(file.keys()) == set(expected)
    for name, value in expected.items():
        got = file.get_tensor(name)
        assert got.dtype == value.dtype and got.shape == value.shape and torch.equal(got, value), name
print(f"{len(expected)} tensors as expected")
