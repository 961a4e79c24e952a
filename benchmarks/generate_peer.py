"""The Python side of generate.mjs: transformers.generate on the same weights, asked one JSON line at a time.

{"load": folder, "threads": n} | {"ids": [[..]], "new": [n, ..]}  ->  {"transformers": version, ...} | {"seconds": s, "tokens": [[..]]}
"""
import json
import sys
import time
import warnings

import torch
import transformers

warnings.filterwarnings('ignore')
transformers.logging.set_verbosity_error()
torch.set_flush_denormal(True)
model = None


class EndsAt(transformers.StoppingCriteria):
    """Ends each row of a batch after so many tokens, as an end-of-text would."""

    def __init__(self, lengths):
        self.lengths = torch.tensor(lengths)

    def __call__(self, input_ids, scores, **kwargs):
        return input_ids.shape[1] >= self.lengths


for line in sys.stdin:
    request = json.loads(line)
    if 'load' in request:
        torch.set_num_threads(request['threads'])
        model = transformers.AutoModelForCausalLM.from_pretrained(request['load'], dtype=torch.float32).eval()
        # The model's own end-of-text must not cut the measurement short.
        model.generation_config = transformers.GenerationConfig(pad_token_id=0)
        answer = {'torch': torch.__version__, 'transformers': transformers.__version__, 'attention': model.config._attn_implementation}
    else:
        longest = max(map(len, request['ids']))
        ids = torch.tensor([[0] * (longest - len(row)) + row for row in request['ids']])
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in request['ids']])
        new = request['new']
        ends = [EndsAt([longest + n for n in new])] if min(new) < max(new) else []
        start = time.perf_counter()
        with torch.inference_mode():
            out = model.generate(ids, attention_mask=mask, do_sample=False, max_new_tokens=max(new), stopping_criteria=ends)
        seconds = time.perf_counter() - start
        answer = {'seconds': seconds, 'tokens': [row[longest:longest + n].tolist() for row, n in zip(out, new)]}
    print(json.dumps(answer), flush=True)
