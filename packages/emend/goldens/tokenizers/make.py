"""Golden ids, offsets and decodings by Python's `tokenizers` (0.23), for tokenizer.golden.test.ts.

    python make.py FOLDER      FOLDER holds gpt2/tokenizer.json and minimind/tokenizer.json

Texts are encoded without special tokens in them, truncation and padding off. Decoding is of broken-off ids, so that characters are
cut at both ends.
"""
import hashlib
import json
import os
import sys

from tokenizers import Tokenizer

TEXTS = [
    "",
    "Hello, world!",
    "  Tagging, or using gates,\n\nhas been used.  ",
    "I don't think so: 12.50 at 10:30 — it's O'Brien's.",
    "café cafe\u0301 naïve Straße İstanbul",
    "so 😀 and 😁! 👨‍👩‍👧 🇩🇪 👍🏽",
    "我喜欢猫。狗也不错",
    "שלום עולם مرحبا بالعالم",
    "नमस्ते दुनिया ไทยไม่มีช่องว่าง",
    "\u0000\u0007\t\r\n\u2028\ufeffx\u200d",
    "def f(x):\n        return x ** 2  # done",
    "\ufffd replacement, 𝒳 astral, \U0010ffff last",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "word " * 80,
]

out = {}
for name in ["gpt2", "minimind"]:
    path = os.path.join(sys.argv[1], name, "tokenizer.json")
    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    rows = []
    for text in TEXTS:
        encoding = tokenizer.encode(text, add_special_tokens=False)
        cuts = [encoding.ids[a:b] for a, b in [(0, 3), (1, None), (2, -1)]]
        rows.append({"text": text, "ids": encoding.ids, "cuts": [{"ids": c, "text": tokenizer.decode(c, skip_special_tokens=False)} for c in cuts]})
    out[name] = {"file_sha256": hashlib.sha256(open(path, "rb").read()).hexdigest(), "rows": rows}

here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "python.json"), "w") as file:
    json.dump(out, file, ensure_ascii=True, separators=(",", ":"))
