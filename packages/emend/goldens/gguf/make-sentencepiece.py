"""A GGUF file of a SentencePiece vocabulary only, and the ids that SentencePiece itself gives. `pip install gguf sentencepiece`.

Tokens, scores and kinds are written as llama.cpp's convert_hf_to_gguf.py takes them from a tokenizer.model.
"""

import io
import json
import pathlib

import gguf
import sentencepiece

HERE = pathlib.Path(__file__).parent
TEXTS = [
    "the quick brown fox jumps over the lazy dog", "  leading and  double spaces", "", " ", "naïve café über", "你好，世界 こんにちは",
    "🙂👩‍👩‍👧 emoji", "1234567890 3.14", "a\nb\tc", "the<s>the", "thethethe quickquick", "Ωμέγα и Привет", "trailing ", "x" * 40,
]
corpus = [" ".join(w * (1 + i % 3) for w in t.split()) for i, t in enumerate(pathlib.Path(__file__).read_text().split("\n"))] + TEXTS
model = io.BytesIO()
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(corpus * 4), model_writer=model, vocab_size=560, model_type="bpe", byte_fallback=True, character_coverage=0.98,
    normalization_rule_name="identity", remove_extra_whitespaces=False, user_defined_symbols=["<tool>"], minloglevel=2)
sp = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())

tokens, scores, kinds = [], [], []
for i in range(sp.vocab_size()):
    kind = 2 if sp.is_unknown(i) else 3 if sp.is_control(i) else 5 if sp.is_unused(i) else 6 if sp.is_byte(i) else 1
    tokens.append(sp.id_to_piece(i))
    scores.append(sp.get_score(i))
    kinds.append(4 if sp.id_to_piece(i) == "<tool>" else kind)
writer = gguf.GGUFWriter(HERE / "sentencepiece.gguf", "llama")
writer.add_context_length(64)
writer.add_tokenizer_model("llama")
writer.add_tokenizer_pre("default")
writer.add_token_list(tokens)
writer.add_token_scores(scores)
writer.add_token_types(kinds)
writer.add_bos_token_id(sp.bos_id())
writer.add_eos_token_id(sp.eos_id())
writer.add_unk_token_id(sp.unk_id())
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
goldens = [{"text": text, "ids": sp.encode(text)} for text in TEXTS]
(HERE / "sentencepiece.json").write_text(json.dumps(goldens, ensure_ascii=False, indent=0) + "\n")
print(sp.vocab_size(), goldens[1], goldens[9])
