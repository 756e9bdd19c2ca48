"""A LoRA adapter (Hu et al. 2021): beside each matrix of the layers two small ones, which alone are learned.

Names of the saved folder as PEFT has them (``adapter_config.json``, ``adapter_model.safetensors``), so that others'
software loads it; ``adapter.gguf`` is the same for llama.cpp.

Shape letters: R rank, I channels in, O channels out.
"""

import json
import math
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tenfold.core.gguf import write_gguf
from tenfold.llama.checkpoint import Span
from tenfold.llama.model import LlamaForCausalLM
from tenfold.llama.release.gguf import adapter_tensors
from tenfold.llama.shape import ModelShape
from tenfold.llama.vectors import Layout

MATRICES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
GGUF_FILE = "adapter.gguf"
_PEFT_PREFIX = "base_model.model."


class Adapted(nn.Module):
    """A matrix that stays, and the two that are learned beside it."""

    def __init__(self, linear: nn.Linear, rank: int, scale: float) -> None:
        super().__init__()
        self.weight, self.scale = linear.weight, scale
        self.lora_A = nn.Parameter(torch.empty(rank, linear.in_features))
        self.lora_B = nn.Parameter(torch.empty(linear.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """Transform the last axis."""
        low = functional.linear(x, self.lora_A.type_as(x))
        return functional.linear(x, self.weight) + functional.linear(low, self.lora_B.type_as(x)) * self.scale


def attach(network: LlamaForCausalLM, rank: int, scale: float) -> None:
    """Put an adapter beside each matrix of each layer."""
    for module in list(network.model.layers.modules()):
        for name, child in list(module.named_children()):
            if name in MATRICES and isinstance(child, nn.Linear):
                setattr(module, name, Adapted(child, rank, scale))


def adapter_layout(network: LlamaForCausalLM) -> Layout:
    """Where each of the adapter's matrices lies in a flat vector."""
    spans, start = [], 0
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            spans.append(Span(name, tuple(parameter.shape), start, "matrix"))
            start += parameter.numel()
    return Layout(tuple(spans), start, start, start)


def initial_adapter(layout: Layout, seed: int) -> NDArray[np.float32]:
    """Parameters at step 0, shape (P,): A is drawn, B is 0, so that the model is at first as it was."""
    generator = torch.Generator().manual_seed(seed)
    parameters_P = torch.zeros(layout.size)
    for span in layout.spans:
        if span.name.endswith("lora_A"):
            bound = math.sqrt(3.0 / span.shape[1])
            parameters_P[span.part].uniform_(-bound, bound, generator=generator)
    return parameters_P.numpy()


def save_adapter(
    folder: Path,
    layout: Layout,
    parameters_P: NDArray[np.float32],
    shape: ModelShape,
    *,
    rank: int,
    alpha: float,
    name: str,
    model: str,
) -> None:
    """Write the adapter for PEFT and for llama.cpp.

    Args:
        folder: where to.
        layout: of ``parameters_P``.
        parameters_P: what was learned.
        shape: of the model that was taught.
        rank: of the adapter.
        alpha: rank times the factor that its product is scaled by.
        name: of the adapter.
        model: name of the model that was taught.
    """
    weights = {span.name: parameters_P[span.part].reshape(span.shape) for span in layout.spans}
    saved = {f"{_PEFT_PREFIX}{key}.weight": weight for key, weight in weights.items()}
    (folder / "adapter_model.safetensors").write_bytes(safetensors.numpy.save(saved, metadata={"format": "pt"}))
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": model,
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "target_modules": sorted({span.name.split(".")[-2] for span in layout.spans}),
    }
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n")
    told = {
        "general.architecture": "llama",
        "general.type": "adapter",
        "general.name": name,
        "adapter.type": "lora",
        "adapter.lora.alpha": float(alpha),
    }
    write_gguf(folder / GGUF_FILE, told, adapter_tensors(weights, shape))
