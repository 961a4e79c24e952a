"""The Python side of labels.mjs: difflib and tokenizers, asked one JSON line at a time.

{"load": tokenizer.json, "file": pairs} | {"diff": "words" | "characters", "pairs": n} | {"label": file to write}
    ->  {"tokenizers": version, "python": version} | {"seconds": s, "cpu": s, "edited": characters} | {"seconds": s, "cpu": s}
"""
import json
import re
import sys
import time
from bisect import bisect_right
from difflib import SequenceMatcher
from itertools import islice
from platform import python_version

import tokenizers

WORD = re.compile(r"\w+(?:['’]\w+)*|\s+|[^\w\s]")
BATCH = 256


def starts(pieces):
    at, offsets = 0, [0]
    for piece in pieces:
        at += len(piece)
        offsets.append(at)
    return offsets


def diff(draft, final):
    """Operations between two texts by their words, in characters."""
    a, b = WORD.findall(draft), WORD.findall(final)
    places, others = starts(a), starts(b)
    return [
        {'op': tag, 'draft': [places[i0], places[i1]], 'final': [others[j0], others[j1]]}
        for tag, i0, i1, j0, j1 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
        if tag != 'equal'
    ]


def by_character(draft, final):
    return [
        {'op': tag, 'draft': [i0, i1], 'final': [j0, j1]}
        for tag, i0, i1, j0, j1 in SequenceMatcher(None, draft, final, autojunk=False).get_opcodes()
        if tag != 'equal'
    ]


def side(encoding, ranges):
    """The tokens of one side; changed where one shares a character with one of the ranges."""
    ranges = [(start, end) for start, end in ranges if end > start]
    ends = [end for _, end in ranges]
    tokens = []
    for token, (start, end) in zip(encoding.ids, encoding.offsets):
        at = bisect_right(ends, start)
        changed = at < len(ranges) and ranges[at][0] < end
        tokens.append({'id': token, 'start': start, 'end': end, 'changed': changed})
    return tokens


def label(source, target, tokenizer):
    with open(source, encoding='utf-8') as lines, open(target, 'w', encoding='utf-8') as out:
        while batch := [json.loads(line) for line in islice(lines, BATCH)]:
            texts = [record[name] for record in batch for name in ('draft', 'final')]
            encodings = iter(tokenizer.encode_batch(texts, add_special_tokens=False))
            for record in batch:
                ops = diff(record['draft'], record['final'])
                draft = side(next(encodings), [op['draft'] for op in ops])
                final = side(next(encodings), [op['final'] for op in ops])
                n = len(draft) + len(final)
                changed = sum(token['changed'] for token in draft) + sum(token['changed'] for token in final)
                line = {
                    'edits': ops,
                    'edit_ratio': changed / n if n else 0,
                    'draft': {'tokens': draft},
                    'final': {'tokens': final},
                }
                out.write(json.dumps(line, ensure_ascii=False, separators=(',', ':')) + '\n')


def lengths(ops):
    return sum(end - start for op in ops for start, end in (op['draft'], op['final']))


def timed(work):
    start, cpu = time.perf_counter(), time.process_time()
    value = work()
    return value, {'seconds': time.perf_counter() - start, 'cpu': time.process_time() - cpu}


for line in sys.stdin:
    request = json.loads(line)
    if 'load' in request:
        file = request['file']
        tokenizer = tokenizers.Tokenizer.from_file(request['load'])
        tokenizer.no_truncation()
        tokenizer.no_padding()
        with open(file, encoding='utf-8') as lines:
            pairs = [(record['draft'], record['final']) for record in map(json.loads, lines)]
        answer = {'tokenizers': tokenizers.__version__, 'python': python_version()}
    elif 'diff' in request:
        compare = diff if request['diff'] == 'words' else by_character
        scripts, answer = timed(lambda: [compare(draft, final) for draft, final in pairs[: request['pairs']]])
        answer['edited'] = sum(map(lengths, scripts))
    else:
        _, answer = timed(lambda: label(file, request['label'], tokenizer))
    print(json.dumps(answer), flush=True)
