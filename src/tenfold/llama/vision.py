"""The part that reads images, as in Llama 4: patches, a vision transformer, pixel shuffle, a projector.

Names of parameters as in Hugging Face's ``Llama4VisionModel`` and ``Llama4MultiModalProjector``.

Shape letters: I images, M channels of colour, S pixels of a side, P patches and a class token, D width, H heads, C
channels of a head, W tokens of an image.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from tenfold.llama.attention import mix, turn_pairs
from tenfold.llama.shape import VisionShape


class Affine(nn.Linear):
    """A matrix and a bias; the bias stays in float32 and is rounded where it is added."""

    def forward(self, input: Tensor) -> Tensor:
        """Transform the last axis."""
        return functional.linear(input, self.weight) + self.bias.type_as(input)


class LayerNorm(nn.LayerNorm):
    """Layer norm, computed in float32 whatever the type of its input."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise the last axis; the result has the type of ``input``."""
        return super().forward(input.float()).type_as(input)


class VisionAttention(nn.Module):
    """Attention over all patches of an image, placed by row and column."""

    def __init__(self, shape: VisionShape) -> None:
        super().__init__()
        self.heads = shape.num_attention_heads
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            self.add_module(name, Affine(shape.hidden_size, shape.hidden_size))

    def forward(self, x_IPD: Tensor, cos_PC: Tensor, sin_PC: Tensor) -> Tensor:
        """Mix all patches of each image."""
        i, p, _ = x_IPD.shape
        q_IHPC, k_IHPC, v_IHPC = (
            self.get_submodule(name)(x_IPD).view(i, p, self.heads, -1).transpose(1, 2)
            for name in ("q_proj", "k_proj", "v_proj")
        )
        q_IHPC, k_IHPC = (turn_pairs(x.float(), cos_PC, sin_PC).type_as(x) for x in (q_IHPC, k_IHPC))
        mixed_IHPC = mix(q_IHPC, k_IHPC, v_IHPC, None)
        return self.get_submodule("o_proj")(mixed_IHPC.transpose(1, 2).reshape(i, p, -1))


class VisionFeedForward(nn.Module):
    """Two matrices with GELU between them; with ``last`` also after them, and then without biases."""

    def __init__(self, width: int, inner: int, out: int, *, last: bool = False) -> None:
        super().__init__()
        self.last = last
        self.fc1 = nn.Linear(width, inner, bias=False) if last else Affine(width, inner)
        self.fc2 = nn.Linear(inner, out, bias=False) if last else Affine(inner, out)

    def forward(self, x: Tensor) -> Tensor:
        """Transform the last axis."""
        x = self.fc2(functional.gelu(self.fc1(x)))
        return functional.gelu(x) if self.last else x


class VisionLayer(nn.Module):
    """Attention, then feed-forward, each on the normed stream."""

    def __init__(self, shape: VisionShape) -> None:
        super().__init__()
        self.self_attn = VisionAttention(shape)
        self.mlp = VisionFeedForward(shape.hidden_size, shape.intermediate_size, shape.hidden_size)
        self.input_layernorm = LayerNorm(shape.hidden_size)
        self.post_attention_layernorm = LayerNorm(shape.hidden_size)

    def forward(self, x_IPD: Tensor, cos_PC: Tensor, sin_PC: Tensor) -> Tensor:
        """Return the stream after this layer."""
        x_IPD = x_IPD + self.self_attn(self.input_layernorm(x_IPD), cos_PC, sin_PC)
        return x_IPD + self.mlp(self.post_attention_layernorm(x_IPD))


class VisionModel(nn.Module):
    """Images to ``VisionShape.image_tokens`` vectors each: ``vision_model.*`` of the checkpoint."""

    def __init__(self, shape: VisionShape) -> None:
        super().__init__()
        self.shape = shape
        pixels = shape.num_channels * shape.patch_size**2
        self.patch_embedding = nn.Module()
        self.patch_embedding.linear = nn.Linear(pixels, shape.hidden_size, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(shape.hidden_size))
        self.positional_embedding_vlm = nn.Parameter(torch.empty(shape.patches_side**2 + 1, shape.hidden_size))
        self.layernorm_pre = LayerNorm(shape.hidden_size)
        self.layernorm_post = LayerNorm(shape.hidden_size)
        self.model = nn.ModuleDict(
            {"layers": nn.ModuleList(VisionLayer(shape) for _ in range(shape.num_hidden_layers))}
        )
        out = shape.projector_output_dim
        self.vision_adapter = nn.ModuleDict({"mlp": VisionFeedForward(shape.intermediate_size, out, out, last=True)})

    def forward(self, images_IMSS: Tensor) -> Tensor:
        """Return the images as vectors, shape (I, W, projector_output_dim)."""
        patches_IPX = functional.unfold(images_IMSS, self.shape.patch_size, stride=self.shape.patch_size).mT
        weight_DX = self.patch_embedding.get_parameter("linear.weight")
        x_IPD = functional.linear(patches_IPX.to(weight_DX.dtype), weight_DX)
        x_IPD = torch.cat([x_IPD, self.class_embedding.type_as(x_IPD).expand(len(x_IPD), 1, -1)], dim=1)
        x_IPD = self.layernorm_pre(x_IPD + self.positional_embedding_vlm.type_as(x_IPD))
        cos_PC, sin_PC = _turns(self.shape, x_IPD.device)
        for layer in self.model["layers"].children():
            x_IPD = layer(x_IPD, cos_PC, sin_PC)
        x_IPD = self.layernorm_post(x_IPD)[:, :-1]
        return self.vision_adapter["mlp"](_shuffle(x_IPD, self.shape))


def _turns(shape: VisionShape, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosine and sine of a patch's angles, half of a head's pairs by column, half by row; the class token's are 0."""
    half = shape.hidden_size // shape.num_attention_heads // 2
    rates_C = 1.0 / shape.rope_theta ** (torch.arange(0, half, 2, device=device).float() / half)
    places_P = torch.arange(shape.patches_side**2, device=device)
    columns_P1, rows_P1 = (places_P % shape.patches_side + 1)[:, None], (places_P // shape.patches_side + 1)[:, None]
    angles_PC = functional.pad(torch.cat([columns_P1 * rates_C, rows_P1 * rates_C], dim=-1), (0, 0, 0, 1))
    return angles_PC.cos(), angles_PC.sin()


def _shuffle(x_IPD: Tensor, shape: VisionShape) -> Tensor:
    """Join squares of neighbouring patches to one token of as many times the width."""
    i, side, by = len(x_IPD), shape.patches_side, shape.shuffle
    wide = x_IPD.reshape(i, side, side // by, -1).permute(0, 2, 1, 3)
    return wide.reshape(i, side // by, side // by, -1).permute(0, 2, 1, 3).reshape(i, shape.image_tokens, -1)
