"""What Hugging Face's models give for three tiny shapes: logits, and gradients along three random directions.

The default tests need no transformers: they compare with ``hugging_face.safetensors``, which this script writes. Run it
where transformers is installed; ``bench/train_speed.py`` compares live, at its own size.

    python tests/llama/hugging_face.py
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from tenfold.llama.shape import ModelShape, VisionShape

FIXTURE = Path(__file__).with_suffix(".safetensors")
VISION = VisionShape(
    hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=12, patch_size=3, projector_output_dim=24,
    image_token_index=7,
)  # fmt: skip
SIZES = {
    "vocab_size": 257, "hidden_size": 16, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
    "intermediate_size_mlp": 24, "intermediate_size": 20, "rope_theta": 5000.0,
}  # fmt: skip
SHAPES = {
    "llama4": ModelShape(**SIZES, num_local_experts=4),
    "llama4_images": ModelShape(**SIZES, num_local_experts=4, vision=VISION),
    "llama": ModelShape(
        **SIZES, num_local_experts=0, use_qk_norm=False, no_rope_layer_interval=0, tie_word_embeddings=True
    ),
}
DIRECTIONS = 3


def drawn(seed: int, *size: int) -> Tensor:
    """Normal numbers that are the same on every machine."""
    return torch.from_numpy(np.random.default_rng(seed).normal(size=size).astype(np.float32))


def tokens_BT() -> Tensor:
    """Two sentences with a place for an image in each."""
    tokens = torch.from_numpy(np.random.default_rng(5).integers(8, 257, (2, 20)))
    tokens[:, 3:7] = VISION.image_token_index
    return tokens


def images_IMSS() -> Tensor:
    return drawn(6, 2, 3, VISION.image_size, VISION.image_size)


def fill(named: dict[str, Tensor]) -> None:
    """Give every parameter numbers by the order of the names."""
    with torch.no_grad():
        for index, name in enumerate(sorted(named)):
            parameter = named[name]
            is_scale = parameter.dim() == 1 and not name.endswith("bias")
            parameter.copy_(is_scale + (0.1 if is_scale else 0.3) * drawn(100 + index, *parameter.shape))


def along(named: dict[str, Tensor]) -> Tensor:
    """Each gradient along some directions, shape (names, DIRECTIONS)."""
    rows = []
    for index, name in enumerate(sorted(named)):
        gradient = named[name].grad
        rows.append([float((gradient.double() * drawn(1000 + 10 * index + way, *gradient.shape)).sum())
                     for way in range(DIRECTIONS)])  # fmt: skip
    return torch.tensor(rows, dtype=torch.float64)


def oracle(shape: ModelShape) -> torch.nn.Module:
    from transformers import (
        Llama4Config,
        Llama4ForCausalLM,
        Llama4ForConditionalGeneration,
        Llama4TextConfig,
        LlamaConfig,
        LlamaForCausalLM,
    )

    rope = {"rope_type": "default", "rope_theta": shape.rope_theta}
    told = shape.model_dump(exclude={"expert_bias", "vision", "rope_theta", "num_local_experts", "use_qk_norm"})
    told |= {"rope_parameters": rope, "attn_implementation": "eager", "pad_token_id": None}
    if shape.is_dense:
        return LlamaForCausalLM(LlamaConfig(**told | {"intermediate_size": shape.intermediate_size_mlp}))
    told |= {"num_local_experts": shape.num_local_experts, "use_qk_norm": shape.use_qk_norm}
    if shape.vision is None:
        return Llama4ForCausalLM(Llama4TextConfig(**told))
    vision = shape.vision.model_dump(exclude={"rope_theta", "image_token_index"}) | {
        "intermediate_size": shape.vision.intermediate_size,
        "projector_input_dim": shape.vision.projector_output_dim,
        "vision_output_dim": shape.vision.projector_output_dim,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.vision.rope_theta},
        "attn_implementation": "eager",
    }
    config = Llama4Config(text_config=told, vision_config=vision, image_token_index=shape.vision.image_token_index)
    return Llama4ForConditionalGeneration(config)


def main() -> None:
    from transformers.models.llama4 import modeling_llama4

    # transformers 5.24 asks an output of text for its images, and fails without this.
    modeling_llama4.MoeCausalLMOutputWithPast.image_outputs = None
    told = {}
    for name, shape in SHAPES.items():
        model = oracle(shape).eval()
        named = dict(model.named_parameters())
        fill(named)
        pictures = {} if shape.vision is None else {"pixel_values": images_IMSS()}
        logits_BTV = model(tokens_BT(), **pictures).logits
        (logits_BTV * drawn(7, *logits_BTV.shape)).mean().backward()
        told |= {f"{name}.logits": logits_BTV.detach()[:, ::3].contiguous(), f"{name}.gradients": along(named)}
        print(name, len(named), float(logits_BTV.detach().std()))
    save_file(told, FIXTURE)


if __name__ == "__main__":
    main()
