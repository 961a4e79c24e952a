"""The Python side of generate.mjs: transformers.generate on the same weights, asked one JSON line at a time.

{"load": folder, "threads": n} | {"ids": [[..]], "new": n}  ->  {"transformers": version, ...} | {"seconds": s, "tokens": [[..]]}
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
        start = time.perf_counter()
        with torch.inference_mode():
            out = model.generate(ids, attention_mask=mask, do_sample=False, max_new_tokens=request['new'])
        answer = {'seconds': time.perf_counter() - start, 'tokens': out[:, ids.shape[1]:].tolist()}
    print(json.dumps(answer), flush=True)
