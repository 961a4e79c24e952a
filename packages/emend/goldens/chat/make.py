"""Golden texts and ids of conversations by transformers' `apply_chat_template`, for chat-template.test.ts.

    python make.py          writes chats.json; templates.json holds the templates, in the style of those that models have
"""
import json
import os

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
    [system("You are an editor."), user("Read the draft."), assistant("It is good.")],
]

rows = []
for name, template in templates.items():
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=os.path.join(here, "..", "tokenizers", template["tokenizer"], "tokenizer.json"),
        clean_up_tokenization_spaces=False, **template["special_tokens"])
    for i, chat in enumerate(CHATS):
        for prompt in [False, True]:
            try:
                text = tokenizer.apply_chat_template(chat, chat_template=template["chat_template"], add_generation_prompt=prompt, tokenize=False)
            except Exception as error:
                rows.append({"template": name, "messages": chat, "prompt": prompt, "error": str(error)})
                continue
            ids = tokenizer.apply_chat_template(chat, chat_template=template["chat_template"], add_generation_prompt=prompt, tokenize=True)
            rows.append({"template": name, "messages": chat, "prompt": prompt, "text": text, "ids": list(ids["input_ids"] if hasattr(ids, "keys") else ids)})
with open(os.path.join(here, "chats.json"), "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n")
print(len(rows), sum("error" in row for row in rows))
