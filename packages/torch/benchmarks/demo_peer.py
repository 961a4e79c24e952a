"""Times an eager-PyTorch prototype's SFT, reward-model and PPO steps on given data: demo_peer.py MODULE DATA.json.

MODULE has Net(V, d, L, h), sft(net, data, epochs, lr, bs, rng), train_rm(net, pairs, kind, epochs, lr, bs, rng),
Pay(rm, kind, payment, prompts, responses) and ppo(net, pay, value, prompts, steps, rng, n=, mb=, max_new=, verbose=).
"""
import importlib.util
import json
import random
import sys
import time

import torch

path, file = sys.argv[1:]
spec = importlib.util.spec_from_file_location("peer", path)
peer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(peer)
given = json.load(open(file))
sizes, steps, data = given["sizes"], given["steps"], given["data"]
torch.set_num_threads(given["threads"])
torch.manual_seed(0)


def timed(n, run):
    start = time.perf_counter()
    result = run()
    return result, (time.perf_counter() - start) / n


net = peer.Net(sizes["vocab"], sizes["width"], sizes["layers"], sizes["heads"])
batch = sizes["batch"]
net, sft = timed(steps["sft"], lambda: peer.sft(net, data[: batch * steps["sft"]], 1, 3e-3, batch, random.Random(1)))
pairs = [(data[2 * i][0], data[2 * i][1], data[2 * i + 1][1]) for i in range(batch * steps["reward"])]
rm, reward = timed(steps["reward"], lambda: peer.train_rm(net, pairs, "sequence", 1, 1e-3, batch, random.Random(1)))
some = data[: sizes["rollouts"]]
pay = peer.Pay(rm, "sequence", "terminal", [p for p, _ in some], [r for _, r in some])
_, ppo = timed(
    steps["ppo"],
    lambda: peer.ppo(net, pay, rm, [p for p, _ in data], steps["ppo"], random.Random(1), n=sizes["rollouts"],
                     mb=sizes["minibatch"], max_new=sizes["newTokens"], verbose=False),
)
print(json.dumps({"sft": sft, "reward": reward, "ppo": ppo}))
