"""1,000 texts over 20 scripts, with emoji, code, control characters, special tokens spelled out, lone surrogates and runs of white space.

    python strings.py          writes strings.json, the same every time
"""
import json
import os
import random

# A greeting, and a range of letters of each script.
SCRIPTS = {
    "Latin": ("the naïve café, Straße and œuvre don't İstanbul", 0x41, 0x24F),
    "Greek": ("καλημέρα κόσμε, τι κάνεις;", 0x391, 0x3C9),
    "Cyrillic": ("Доброе утро, мир; як справи?", 0x410, 0x45F),
    "Armenian": ("բարեւ աշխարհ", 0x531, 0x586),
    "Hebrew": ("שלום עולם, מה שלומך", 0x5D0, 0x5EA),
    "Arabic": ("مرحبا بالعالم، كيف حالك؟ ١٢٣", 0x621, 0x64A),
    "Syriac": ("ܫܠܡܐ ܥܠܟ", 0x710, 0x72C),
    "Devanagari": ("नमस्ते दुनिया, कैसे हो? १२३", 0x905, 0x94D),
    "Bengali": ("ওহে বিশ্ব কেমন আছো", 0x985, 0x9B9),
    "Tamil": ("வணக்கம் உலகம்", 0xB85, 0xBCD),
    "Thai": ("สวัสดีชาวโลกไม่มีช่องว่าง", 0xE01, 0xE4E),
    "Tibetan": ("བཀྲ་ཤིས་བདེ་ལེགས།", 0xF40, 0xF6C),
    "Georgian": ("გამარჯობა მსოფლიო", 0x10D0, 0x10FA),
    "Ethiopic": ("ሰላም ለዓለም", 0x1200, 0x1248),
    "Khmer": ("សួស្តី​ពិភពលោក", 0x1780, 0x17D3),
    "Mongolian": ("ᠰᠠᠶᠢᠨ ᠪᠠᠶᠢᠨ᠎ᠠ ᠤᠤ", 0x1820, 0x1877),
    "Hangul": ("안녕하세요 세계 \u1112\u1161\u11ab", 0xAC00, 0xD7A3),
    "Hiragana and Katakana": ("こんにちは世界、ﾊﾝｶｸカナ", 0x3041, 0x30FE),
    "Han": ("我喜欢猫。狗也不错，㐀𠀀𪜶", 0x4E00, 0x9FFF),
    "Deseret": ("𐐐𐐲𐑊𐐬 𝓌𝑜𝓇𝓁𝒹", 0x10400, 0x1044F),
}
EMOJI = ["😀", "👍🏽", "👨‍👩‍👧‍👦", "🇩🇪", "🇧🇷🇯🇵", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "❤️", "1️⃣", "🧑🏿‍🚀", "🤷🏻‍♀️", "🏳️‍🌈", "☕", "🫠", "👩🏾‍❤️‍💋‍👨🏼", "\U0001f3fb", "\u200d", "\ufe0f", "🇩"]
CODE = [
    "def f(x):\n        return x ** 2  # done\n", "for (let i = 0; i < n; i++) {\n\ta[i] += b[i]\n}", "SELECT * FROM t WHERE a='b';",
    "<div class=\"x\">&nbsp;</div>", "x->y::z(&w) != nullptr;", "#include <vector>", "λ x → x ∘ x", "0xDEADBEEF 1e-10 3.14159 10_000",
    "$ rm -rf build/* && echo \"done\" | tee log", "{\"a\": [1, 2.5, null], \"b\": \"\\u00e9\"}", "C:\\Users\\new\\table", "a\r\nb\r\n", "fn main() -> Result<(), Box<dyn Error>> {",
    "snake_case camelCase SCREAMING_CASE kebab-case", "https://example.org/a?b=c&d=%20#e", "if (a <= b && c >= d || !e) { f(); }",
]
SPECIALS = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<s>", "</s>", "<unk>", "[INST]", "[/INST]", "<pad>", "<|eot_id|>", "<|begin_of_text|>",
    "<think>", "</think>", "<tool_call>", "<|im_start|>system\n", "<|im_", "end|>", "<file_sep>", "<repo_name>", "[UNK]", "<0x0A>", "▁", "▁the", "Ġ", "Ċ", "<|endoftext|",
]
SPACES = [" ", "  ", "\t", "\n", "\n\n", "\r\n", "\u00a0", "\u2003", "\u3000", "\u2028", "\u200b", "\ufeff"]
WORDS = ["the", "cat", "sat", "on", "it's", "we'll", "42", "2026", "A", "re-use", "don’t", "…", "—", "fi", "½", "Å", "e\u0301", "ſ", "x²"]

rng = random.Random(20261121)


def letters(low, high):
    while True:
        text = "".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 8)))
        if text.isprintable():
            return text


def script_text(name):
    greeting, low, high = SCRIPTS[name]
    words = greeting.split(" ")
    parts = [rng.choice([rng.choice(words), letters(low, high), greeting]) for _ in range(rng.randint(1, 6))]
    return rng.choice([" ", " ", "", ", ", "\n", "  "]).join(parts)


def mixed(*pools, least=1, most=6, joints=("", "", " ")):
    return "".join(rng.choice(rng.choice(pools)) + rng.choice(joints) for _ in range(rng.randint(least, most)))


def control():
    return "".join(rng.choice([chr(rng.randint(0, 31)), chr(rng.randint(127, 159)), rng.choice(WORDS), rng.choice("\u200e\u200f\u202e\u2066\u00ad\ufffd\uffff\U0010ffff")]) for _ in range(rng.randint(1, 10)))


def lone():
    return "".join(rng.choice([chr(rng.randint(0xD800, 0xDFFF)), rng.choice(WORDS), rng.choice(EMOJI), " "]) for _ in range(rng.randint(1, 8)))


def spaces():
    runs = [rng.choice(SPACES) * rng.choice([1, 2, 3, 7, 16, 33, 200]) for _ in range(rng.randint(1, 4))]
    return "".join(run + rng.choice(["", rng.choice(WORDS)]) for run in runs)


texts = ["", " ", "a", "\n", "\ufffd"]


def add(count, make):
    """Adds `count` texts that are not there yet."""
    wanted = len(texts) + count
    while len(texts) < wanted:
        # A string of Python may hold two halves of a pair side by side; in UTF-16 they are a character.
        text = make().encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        if text not in texts:
            texts.append(text)


for script in SCRIPTS:
    add(25, lambda: script_text(script))
add(95, lambda: " ".join(script_text(rng.choice(list(SCRIPTS))) for _ in range(rng.randint(2, 4))))
add(100, lambda: mixed(EMOJI, EMOJI, WORDS))
add(80, lambda: mixed(CODE, CODE, WORDS, SPACES, most=4))
add(60, control)
add(80, lambda: mixed(SPECIALS, SPECIALS, WORDS))
add(40, lone)
add(40, spaces)
assert len(texts) == 1000, len(texts)

here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "strings.json"), "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(text, ensure_ascii=True) for text in texts) + "\n]\n")
