"""Goldens of SmolLM2-135M-Instruct (Q4_1), by transformers on the same GGUF file: `make-smollm2.py FOLDER-OF-THE-GGUF`.

`pip install torch transformers gguf`. For each prompt: its ids, the log-probability of every token after the first, and 24
greedy tokens with their log-probabilities and the margin between the two best logits. Of the tokenizer: ids of texts.

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
TEXTS = [
    "Hello world", "  two  spaces ", "12345 and 3.14", "x  1\t22", "naïve café", "你好，世界", "مرحبا", "Ωμέγα", "🙂👩‍👩‍👧", "it's we'll I'D",
    "a\r\n\r\n\tb", "<|im_start|>system", "e\u0301", "\u0000\u0007", "1,000,000.00", "for i in range(10):\n        print(i)",
]

prompts = []
for text in PROMPTS:
    ids = reference(text).input_ids
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
    prompts.append({"text": text, "ids": ids, "logprobs": [round(x, 6) for x in given], "greedy": tokens, "chosen": chosen, "margins": margins})

texts = [{"text": text, "ids": reference.backend_tokenizer.encode(text, add_special_tokens=False).ids} for text in TEXTS]
out = pathlib.Path(__file__).parent / "smollm2.json"
out.write_text(json.dumps({"prompts": prompts, "texts": texts}, ensure_ascii=False, indent=1) + "\n")
for prompt in prompts:
    print(repr(reference.decode(prompt["greedy"])), min(prompt["margins"]))
