"""Run by transformers' own Python: ``with_transformers.py CONFIG.json WEIGHTS.safetensors BATCH.npy ATTENTION HOW``.

HOW is ``compile`` or ``eager``.

Makes a Llama4ForCausalLM in bfloat16 with the given weights. For each line that comes in, a count of sequences to take
at a time, it computes loss and gradients of the whole batch once, and writes them with its CPU-seconds as one line of
JSON.
"""

import ctypes
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import Llama4ForCausalLM, Llama4TextConfig
from transformers.models.llama4 import modeling_llama4

# The peer gets what we give ourselves: glibc keeps freed memory (tenfold.llama.pace).
for parameter, value in {-3: 1 << 30, -1: (1 << 31) - 1, -2: 64 << 20, -8: 1}.items():
    ctypes.CDLL(None).mallopt(parameter, value)
# transformers 5.24 asks an output of text for its images, and fails without this.
modeling_llama4.MoeCausalLMOutputWithPast.image_outputs = None
torch.set_num_threads(1)
config, weights, batch, attention, compiled = sys.argv[1:]
told = json.loads(Path(config).read_text())
model = Llama4ForCausalLM(Llama4TextConfig(**told, attn_implementation=attention))
model.load_state_dict(load_file(weights), strict=True)
model = model.to(torch.bfloat16).train()
window_BT = torch.from_numpy(np.load(batch))


def loss_of(window_BT: torch.Tensor) -> torch.Tensor:
    logits_BTV = model(input_ids=window_BT[:, :-1], use_cache=False).logits
    return torch.nn.functional.cross_entropy(logits_BTV.flatten(0, 1).float(), window_BT[:, 1:].flatten())


if compiled == "compile":
    loss_of = torch.compile(loss_of, dynamic=False)

for line in sys.stdin:
    model.zero_grad(set_to_none=True)
    parts = window_BT.split(int(line))
    started, total = time.process_time(), 0.0
    for part in parts:
        loss = loss_of(part) / len(parts)
        loss.backward()
        total += float(loss.detach())
    spent = time.process_time() - started
    norm = float(sum(each.grad.float().square().sum() for each in model.parameters() if each.grad is not None)) ** 0.5
    print(json.dumps({"loss": total, "norm": norm, "cpu_s": spent}), flush=True)
