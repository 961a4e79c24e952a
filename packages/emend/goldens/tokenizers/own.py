"""Three small tokenizers of the project's own, trained on the texts below: each of a kind that real models have.

    python own.py          writes byte-level/, byte-fallback/ and unigram/, each with tokenizer.json; then ids.py must run again,
                           since training settles ties by chance

- byte-level: BPE over bytes, cut as Llama 3 and Qwen cut texts, with their special tokens and `<think>`, which is not special
- byte-fallback: BPE as SentencePiece makes it for Llama 2 and Mistral: `▁` for spaces, bytes for what it does not know
- unigram: as T5 has it: NFKC, Metaspace before the first word only, `<unk>` for what it does not know
"""
import json
import os

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

TEXTS = [
    "The people who write to us want an answer that is short, true and kind. They do not want a lecture.",
    "An editor reads the draft, changes what is wrong, and leaves the rest as it was. What was left is worth as much as what was changed.",
    "You are a helpful assistant. Answer the question in one sentence, then say how sure you are.",
    "What is the capital of France? The capital of France is Paris. Thank you very much for the help!",
    "The user asked for a list of three things: bread, butter and milk. The answer had four, so one of them was cut.",
    "def mean(values):\n    total = 0\n    for value in values:\n        total += value\n    return total / len(values)\n",
    "for (const [i, token] of tokens.entries()) {\n\tif (token.changed) count++\n}\nconsole.log(count, 'tokens of', tokens.length)\n",
    "In 1969 two people walked on the Moon; 12.5 % of the 3,000 letters about it came from children.",
    "Die Straße ist lang, und die Häuser sind alt. Wer hier wohnt, kennt jeden Baum und jeden Hund.",
    "Le café était fermé, alors nous sommes allés à la gare pour attendre le train de huit heures.",
    "Мы читали книгу вечером, а потом долго говорили о том, что в ней было правдой.",
    "Καλημέρα, τι κάνεις σήμερα; Ο ήλιος λάμπει και η θάλασσα είναι ήρεμη.",
    "我们昨天去了图书馆，借了三本书。今天下雨了，所以我们在家看书。",
    "今日は天気がいいので、公園を散歩しました。犬も猫もいました。",
    "السلام عليكم، كيف حالك اليوم؟ الطقس جميل جدا.",
    "नमस्ते, आप कैसे हैं? आज मौसम बहुत अच्छा है।",
    "😀 Good work! 👍 See you tomorrow ☕ and thank you ❤️",
]
here = os.path.dirname(os.path.abspath(__file__))


def save(name, tokenizer):
    os.makedirs(os.path.join(here, name), exist_ok=True)
    text = tokenizer if isinstance(tokenizer, str) else tokenizer.to_str()
    with open(os.path.join(here, name, "tokenizer.json"), "w") as file:
        json.dump(json.loads(text), file, ensure_ascii=False, separators=(",", ":"))


LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
byte_level = Tokenizer(models.BPE())
byte_level.pre_tokenizer = pre_tokenizers.Sequence([
    pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
])
byte_level.decoder = decoders.ByteLevel()
byte_level.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=600, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False))
byte_level.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]])
byte_level.add_tokens([AddedToken(name, normalized=False, special=False) for name in ["<think>", "</think>"]])
save("byte-level", byte_level)

# SentencePiece writes spaces as ▁ and cuts nowhere else than before one.
words = Tokenizer(models.BPE())
words.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
words.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=420, limit_alphabet=120, show_progress=False))
trained = json.loads(words.to_str())["model"]
names = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)] + list(trained["vocab"])
byte_fallback = Tokenizer(models.BPE(
    vocab={name: i for i, name in enumerate(names)},
    merges=[tuple(merge) for merge in trained["merges"]],
    unk_token="<unk>", fuse_unk=True, byte_fallback=True,
))
byte_fallback.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
byte_fallback.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
byte_fallback.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in ["<unk>", "<s>", "</s>"]])
save("byte-fallback", byte_fallback)

unigram = Tokenizer(models.Unigram())
unigram.normalizer = normalizers.NFKC()
unigram.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
unigram.decoder = decoders.Metaspace(prepend_scheme="first")
unigram.train_from_iterator(TEXTS, trainers.UnigramTrainer(vocab_size=500, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False))
save("unigram", unigram)
