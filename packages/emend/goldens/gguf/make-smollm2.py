"""Goldens of SmolLM2-135M-Instruct (Q4_1), by transformers on the same GGUF file.

    pip install torch transformers gguf
    python make-smollm2.py FOLDER-OF-THE-GGUF           writes smollm2.json beside this file
    python make-smollm2.py FOLDER-OF-THE-GGUF --check   computes it again and compares

For each prompt: its ids, the log-probability of every token after the first, and 24 greedy tokens with their log-probabilities
and the margin between the two best logits; the same for what a user says, by the chat template. Of the tokenizer: ids of texts.

transformers cuts SmolLM2's text as GPT-2 does, because it does not know the name of its pre-tokenizer; llama.cpp and the
model's own tokenizer.json also cut every digit off. `reference` below is given what the model was trained with.
"""

import json
import pathlib
import sys

import torch
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = pathlib.Path(sys.argv[1])
name = next(folder.glob("*.gguf")).name
reference = AutoTokenizer.from_pretrained(folder, gguf_file=name)
reference.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
    [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
)
model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()

PROMPTS = [
    "The capital of France is",
    "<|im_start|>user\nName three rivers of Europe.<|im_end|>\n<|im_start|>assistant\n",
    "def fibonacci(n):\n    ",
]
CHATS = ["What is 12 times 12?", "Write a haiku about the sea.", "Explain <|im_end|> to me."]
TEXTS = [
    "Hello world", "  two  spaces ", "12345 and 3.14", "x  1\t22", "naïve café", "你好，世界", "مرحبا", "Ωμέγα", "🙂👩‍👩‍👧", "it's we'll I'D",
    "a\r\n\r\n\tb", "<|im_start|>system", "e\u0301", "\u0000\u0007", "1,000,000.00", "for i in range(10):\n        print(i)",
]



def read(text, ids):
    """Log-probabilities of the tokens given, and the greedy tokens that follow, up to the end of a turn."""
    with torch.no_grad():
        logprobs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        given = [logprobs[i, ids[i + 1]].item() for i in range(len(ids) - 1)]
        every, tokens, chosen, margins = list(ids), [], [], []
        for _ in range(24):
            last = model(torch.tensor([every])).logits[0, -1].log_softmax(-1)
            best = last.topk(2)
            token = best.indices[0].item()
            tokens.append(token)
            chosen.append(round(best.values[0].item(), 6))
            margins.append(round((best.values[0] - best.values[1]).item(), 6))
            every.append(token)
            if token == 2:
                break
    print(repr(reference.decode(tokens)), min(margins))
    given = [round(x, 6) for x in given]
    return {"text": text, "ids": ids, "logprobs": given, "greedy": tokens, "chosen": chosen, "margins": margins}


def asked(text):
    """Ids of what a user says; what spells a special token there stays text, as Emend and no tokenizer alone has it."""
    empty = reference.apply_chat_template([{"role": "user", "content": "@"}], add_generation_prompt=True, tokenize=False)
    before, after = empty.split("@")
    plain = reference.backend_tokenizer.encode_special_tokens
    ids = []
    for part, special in [(before, True), (text, False), (after, True)]:
        reference.backend_tokenizer.encode_special_tokens = not special
        ids += reference.backend_tokenizer.encode(part, add_special_tokens=False).ids
    reference.backend_tokenizer.encode_special_tokens = plain
    return ids


def same(a, b):
    """Equal, but for numbers that may be 1e-4 apart."""
    if isinstance(a, float) or isinstance(b, float):
        return abs(a - b) < 1e-4
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


found = {
    "prompts": [read(text, reference(text).input_ids) for text in PROMPTS],
    "chats": [read(text, asked(text)) for text in CHATS],
    "texts": [
        {"text": text, "ids": reference.backend_tokenizer.encode(text, add_special_tokens=False).ids} for text in TEXTS
    ],
}
path = pathlib.Path(__file__).parent / "smollm2.json"
if "--check" in sys.argv:
    equal = same(json.loads(path.read_text()), found)
    print("transformers says the same" if equal else f"transformers says something else than {path.name}")
    sys.exit(0 if equal else 1)
lists = [f'"{key}": [\n' + ",\n".join(json.dumps(one, ensure_ascii=False) for one in all) + "\n]" for key, all in found.items()]
path.write_text("{" + ",\n".join(lists) + "}\n")
