"""Run by transformers' own Python: ``with_transformers.py FOLDER IN.npz OUT.npz``.

Loads the release in FOLDER as a stranger would and writes the logits of the texts in IN (``tokens``, and ``pixels`` if
there are images), the name of the class that it made, and how it splits ``text``.
"""

import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import AutoConfig, AutoTokenizer
from transformers.models.llama4 import modeling_llama4

# transformers 5.24 asks an output of text for its images, and fails without this.
modeling_llama4.MoeCausalLMOutputWithPast.image_outputs = None

torch.set_num_threads(1)
folder, given, out = sys.argv[1:]
asked = np.load(given)
name = AutoConfig.from_pretrained(folder).architectures[0]
model, said = getattr(transformers, name).from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
wrong = {key: sorted(value) for key, value in said.items() if value}
if wrong:
    raise SystemExit(f"{folder} is not loaded whole: {wrong}")
more = {"pixel_values": torch.from_numpy(asked["pixels"])} if "pixels" in asked else {}
with torch.no_grad():
    logits = model(torch.from_numpy(asked["tokens"]), **more).logits.float().numpy()
split = AutoTokenizer.from_pretrained(folder)(str(asked["text"]))["input_ids"]
with Path(out).open("wb") as file:
    np.savez(file, logits=logits, split=np.array(split), name=np.array(type(model).__name__))
