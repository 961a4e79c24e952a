"""Writes shaping.json: distributions as Hugging Face `transformers` shapes them, with the processors in its own order.

    pip install torch transformers && python make.py
"""
import json, pathlib
import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM
from transformers.generation import LogitsProcessorList

VOCABULARY, ROWS = 40, 3
g = torch.Generator().manual_seed(5)
logits = [[round(x, 3) for x in row] for row in (2.5 * torch.randn(ROWS, VOCABULARY, generator=g)).tolist()]
seen = torch.randint(0, VOCABULARY, (ROWS, 12), generator=g)
settings = [
    {},
    {'temperature': 0.6},
    {'temperature': 1.7},
    {'repetitionPenalty': 1.3},
    {'repetitionPenalty': 0.8},
    {'topK': 7},
    {'topP': 0.8},
    {'topP': 0.35},
    {'minP': 0.1},
    {'temperature': 0.8, 'topK': 20, 'topP': 0.9},
    {'temperature': 1.4, 'topP': 0.95, 'minP': 0.05},
    {'repetitionPenalty': 1.2, 'temperature': 0.7, 'topK': 12, 'topP': 0.9, 'minP': 0.02},
    {'repetitionPenalty': 1.1, 'temperature': 1.3, 'topK': 30, 'minP': 0.15},
]
model = LlamaForCausalLM(LlamaConfig(vocab_size=VOCABULARY, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1))
cases = []
for chosen in settings:
    config = GenerationConfig(
        do_sample=True, temperature=chosen.get('temperature', 1.0), top_k=chosen.get('topK', 0), top_p=chosen.get('topP', 1.0),
        min_p=chosen.get('minP'), repetition_penalty=chosen.get('repetitionPenalty', 1.0))
    processors = model._get_logits_processor(config, input_ids_seq_length=seen.shape[1], logits_processor=LogitsProcessorList())
    shaped = processors(seen, torch.tensor(logits)).log_softmax(-1)
    cases.append({'shaping': chosen, 'logprobs': [[None if x == float('-inf') else round(x, 6) for x in row] for row in shaped.tolist()]})
out = pathlib.Path(__file__).parent / 'shaping.json'
out.write_text(json.dumps({'logits': logits, 'seen': seen.tolist(), 'cases': cases}, separators=(',', ':')) + '\n')
