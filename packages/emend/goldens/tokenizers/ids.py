"""Golden ids of the texts in strings.json by Python's `tokenizers` (0.23), for strings.test.ts.

    python ids.py DATA SMOLLM2      DATA holds gpt2/tokenizer.json and minimind/tokenizer.json; SMOLLM2 is a folder that transformers
                                    wrote from the GGUF of SmolLM2: AutoTokenizer.from_pretrained(folder, gguf_file=...).save_pretrained(SMOLLM2)

A row of ids is kept as the first 12 digits of the SHA-256 of the ids joined by commas: `content` for what a user wrote, in which no
token that was added comes out (but runs of white space); `whole` where special tokens do come out, for the texts in which this differs.
"""
import hashlib
import json
import os
import sys

from tokenizers import Tokenizer

here = os.path.dirname(os.path.abspath(__file__))
texts = json.load(open(os.path.join(here, "strings.json")))
# A lone surrogate is no text: it becomes U+FFFD.
texts = ["".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text) for text in texts]


def digest(ids):
    return hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()[:12]


def loaded(file):
    tokenizer = Tokenizer.from_str(json.dumps(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def row(path, smollm2=False):
    file = json.load(open(path))
    if smollm2:
        # transformers leaves out what the published file does with digits: each is a token.
        file["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, file["pre_tokenizer"]]}
    whole = loaded(file)
    file["added_tokens"] = [token for token in file["added_tokens"] if token["special"] or token["content"].strip(" \t\n▁") == ""]
    if file["model"]["type"] == "Unigram":
        # The model itself would find `</s>` in a text.
        for piece in file["model"]["vocab"]:
            piece[0] = "\U0010fffd" + piece[0] if piece[0] in ["<pad>", "</s>", "<unk>"] else piece[0]
        file["added_tokens"] = []
    content = loaded(file)
    content.encode_special_tokens = True
    ids = [content.encode(text, add_special_tokens=False).ids for text in texts]
    specials = [whole.encode(text, add_special_tokens=False).ids for text in texts]
    return {
        **({} if smollm2 else {"file_sha256": hashlib.sha256(open(path, "rb").read()).hexdigest()}),
        "tokens": sum(map(len, ids)),
        "content": [digest(one) for one in ids],
        "whole": {str(i): digest(one) for i, one in enumerate(specials) if one != ids[i]},
    }


rows = {name: row(os.path.join(sys.argv[1], name, "tokenizer.json")) for name in ["gpt2", "minimind"]}
rows["smollm2"] = row(os.path.join(sys.argv[2], "tokenizer.json"), smollm2=True)
for name in ["byte-level", "byte-fallback", "unigram"]:
    rows[name] = row(os.path.join(here, name, "tokenizer.json"))
with open(os.path.join(here, "ids.json"), "w") as file:
    json.dump(rows, file, separators=(",", ":"))
print({name: (one["tokens"], len(one["whole"])) for name, one in rows.items()})
