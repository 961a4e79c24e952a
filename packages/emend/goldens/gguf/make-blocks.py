"""Goldens of GGUF's tensor types: bytes, and what the reference makes of them. `pip install gguf numpy`, then run it here.

For the types that the `gguf` package can quantise, rows of random numbers; for the K types random bytes with sane scales.
`blocks.json` holds base64: `bytes` and the float32 `numbers` they stand for; `rows` is what was quantised.
"""

import base64
import json
import pathlib

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf.quants import dequantize, quantize

here = pathlib.Path(__file__).parent
rng = np.random.default_rng(4)
text = lambda array: base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()

rows = (rng.standard_normal((4, 512)) * 10.0 ** rng.integers(-4, 3, (4, 1))).astype(np.float32)
rows[0, :32] = 0
rows[0, 32:64] = 1.5
rows[1, :4] = [0.5, -127, 0.5, -0.5]  # halves, which are rounded away from zero
goldens = {"rows": text(rows)}
for kind in (T.F32, T.F16, T.BF16, T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1):
    data = quantize(rows, kind)
    goldens[kind.name] = {"bytes": text(data), "numbers": text(dequantize(data.view(np.uint8), kind))}
for kind, scales in ((T.Q4_K, (0, 2)), (T.Q5_K, (0, 2)), (T.Q6_K, (208,))):
    blocks = rng.integers(0, 256, (6, GGML_QUANT_SIZES[kind][1]), dtype=np.uint8)
    for at in scales:
        blocks[:, at : at + 2] = rng.standard_normal((6, 1)).astype(np.float16).view(np.uint8)
    goldens[kind.name] = {"bytes": text(blocks), "numbers": text(dequantize(blocks, kind))}

# float16's corners: largest, smallest, subnormal, ties, too large, and its neighbours.
corners = np.array(
    [0, -0.0, 65504, 65519.99, 65520, -1e9, 2**-14, 2**-15, 2**-24, 2**-25, 1.5 * 2**-25, 3 * 2**-25, 1 + 2**-11, 1 + 3 * 2**-11,
     2**-14 - 2**-26, 1e-38, np.inf, -np.inf, 3.3895e38], dtype=np.float32)
with np.errstate(over="ignore"):
    goldens["corners"] = {"rows": text(corners), "F16": text(quantize(corners, T.F16)), "BF16": text(quantize(corners, T.BF16))}
(here / "blocks.json").write_text(json.dumps(goldens, indent=0) + "\n")
