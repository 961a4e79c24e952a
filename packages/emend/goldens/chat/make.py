"""Golden texts and ids of conversations by transformers' `apply_chat_template`, for chat-template.test.ts.

    python make.py [SMOLLM2]   writes chats.json, and smollm2.json from a folder that transformers wrote from the GGUF of SmolLM2; templates.json holds the templates, in the style of those that models have
"""
import json
import os
import sys

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

here = os.path.dirname(os.path.abspath(__file__))
templates = json.load(open(os.path.join(here, "templates.json")))

user = lambda content: {"role": "user", "content": content}
assistant = lambda content: {"role": "assistant", "content": content}
system = lambda content: {"role": "system", "content": content}
CHATS = [
    [user("What is the capital of France?")],
    [user("What is the capital of France?"), assistant("The capital of France is Paris."), user("Thank you!")],
    [user("Write a function."), assistant("def f(x):\n    return x\n\nThat is all.\n")],
    [user("  spaces around  "), assistant("  and here\n"), user("\n\nnew lines\n\n"), assistant("end")],
    [user("我们昨天去了图书馆 😀"), assistant("今日は天気がいいので 👍🏽 é e\u0301"), user("مرحبا"), assistant("ok")],
    [user("a < b | c > d [INST ] <| |>"), assistant("<b>bold</b> 100 % {{ x }} {% y %}")],
    [user("?"), assistant("")],
    [user("reason"), assistant("<think>\nlet me see\n</think>\n\nan answer"), user("more"), assistant("<think>\nagain\n</think>\n\nanother")],
    [user("indent"), assistant("<think>\n\n  so\n\n</think>\n\n    code\n"), user("and"), assistant("\n  </think>\n \n  more")],
    [system("You are an editor."), user("Read the draft."), assistant("It is good.")],
]



def rows_of(name, template, tokenizer_object):
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer_object, clean_up_tokenization_spaces=False, **template["special_tokens"])
    rows = []
    for chat in CHATS:
        for prompt in [False, True]:
            text = tokenizer.apply_chat_template(chat, chat_template=template["chat_template"], add_generation_prompt=prompt, tokenize=False)
            ids = tokenizer.apply_chat_template(chat, chat_template=template["chat_template"], add_generation_prompt=prompt, tokenize=True)
            ids = list(ids["input_ids"] if hasattr(ids, "keys") else ids)
            rows.append({"template": name, "messages": chat, "prompt": prompt, "text": text, "ids": ids})
    return rows


def save(name, rows):
    with open(os.path.join(here, name), "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n")


own = lambda template: Tokenizer.from_file(os.path.join(here, "..", "tokenizers", template["tokenizer"], "tokenizer.json"))
save("chats.json", [row for name, template in templates.items() for row in rows_of(name, template, own(template))])
if len(sys.argv) > 1:
    file = json.load(open(os.path.join(sys.argv[1], "tokenizer.json")))
    # transformers leaves out what the published file does with digits: each is a token.
    digits = {"type": "Digits", "individual_digits": True}
    file["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [digits, file["pre_tokenizer"]]}
    save("smollm2.json", rows_of("smollm2", templates["smollm2"], Tokenizer.from_str(json.dumps(file))))
