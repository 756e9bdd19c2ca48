"""Causal grouped-query attention, with rotary positions and query-key norm, or with neither.

Shape letters: B sequences, T positions, D width, H query heads, K key-value heads, C channels of a head, G = B x K
groups of query heads that share a key, S = T x H / K.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tenfold.llama.kernels import BLOCK, Attended, Heads, Normed
from tenfold.llama.shape import ModelShape

WHOLE_SCORES = 1024
"""Positions up to which the CPU keeps all scores; beyond, they would take more memory than they save time."""


@dataclass(frozen=True, slots=True)
class Positions:
    """What attention knows of T positions.

    ``cos_TC``, ``sin_TC``: rotation of each pair of channels, shape (T, C / 2).
    ``future_TT``: 0 where position t may look at position s, minus infinity where s > t.
    """

    cos_TC: Tensor
    sin_TC: Tensor
    future_TT: Tensor

    @classmethod
    def of(cls, count: int, shape: ModelShape, device: torch.device) -> "Positions":
        """Of ``count`` positions of a model."""
        channels = torch.arange(0, shape.head_dim, 2, dtype=torch.float32, device=device)
        places_T = torch.arange(count, device=device, dtype=torch.float32)
        # As Hugging Face computes it: the reciprocal of a power, to the bit.
        angles_TC = torch.outer(places_T, 1.0 / shape.rope_theta ** (channels / shape.head_dim))
        future_TT = torch.full((count, count), float("-inf"), device=device).triu(1)
        return cls(angles_TC.cos(), angles_TC.sin(), future_TT)


class RMSNorm(nn.Module):
    """Root-mean-square norm with a learned scale, which stays in float32; the sum of squares is in float32 too."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps
        self.by_kernels = False

    def add(self, x_BTD: Tensor, added_BTD: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``x_BTD + added_BTD``, and that normalised."""
        if self.by_kernels:
            sum_ND, out_ND = Normed.apply(x_BTD.flatten(0, 1), added_BTD.flatten(0, 1), self.weight, self.eps)
            return sum_ND.view_as(x_BTD), out_ND.view_as(x_BTD)
        sum_BTD = x_BTD + added_BTD
        return sum_BTD, self(sum_BTD)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Normalise along the last axis; the result has the type of ``x_BTD``."""
        return (unit_rms(x_BTD.float(), self.eps) * self.weight).type_as(x_BTD)


def unit_rms(x: Tensor, eps: float) -> Tensor:
    """Scale the last axis to a root mean square of 1."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)


class Attention(nn.Module):
    """Causal grouped-query attention; with rotary positions and query-key norm, or with neither (NoPE)."""

    def __init__(self, shape: ModelShape, *, rope: bool) -> None:
        super().__init__()
        self.shape, self.rope = shape, rope
        query, key = shape.num_attention_heads * shape.head_dim, shape.num_key_value_heads * shape.head_dim
        self.q_proj = nn.Linear(shape.hidden_size, query, bias=False)
        self.k_proj = nn.Linear(shape.hidden_size, key, bias=False)
        self.v_proj = nn.Linear(shape.hidden_size, key, bias=False)
        self.o_proj = nn.Linear(query, shape.hidden_size, bias=False)
        self.by_kernels = False

    def forward(self, x_BTD: Tensor, positions: Positions) -> Tensor:
        """Mix each position with those before it."""
        b, t, _ = x_BTD.shape
        shape = self.shape
        if self.by_kernels and t % BLOCK == 0:
            rows_BTW = functional.linear(x_BTD, torch.cat((self.q_proj.weight, self.k_proj.weight, self.v_proj.weight)))
            tables = (positions.cos_TC, positions.sin_TC) if self.rope else (None, None)
            return self.o_proj(Attended.apply(rows_BTW, Heads(shape, *tables)))
        q_BHTC = self.q_proj(x_BTD).view(b, t, shape.num_attention_heads, shape.head_dim).transpose(1, 2)
        k_BKTC = self.k_proj(x_BTD).view(b, t, shape.num_key_value_heads, shape.head_dim).transpose(1, 2)
        v_BKTC = self.v_proj(x_BTD).view(b, t, shape.num_key_value_heads, shape.head_dim).transpose(1, 2)
        if self.rope:
            q_BHTC, k_BKTC = self._place(q_BHTC, positions), self._place(k_BKTC, positions)
        mixed_BHTC = mix(q_BHTC, k_BKTC, v_BKTC, positions.future_TT)
        return self.o_proj(mixed_BHTC.transpose(1, 2).reshape(b, t, -1))

    def _place(self, x_BHTC: Tensor, positions: Positions) -> Tensor:
        """Turn channels by position, in float32, and scale to unit length if the model does."""
        turned = (turn_halves if self.shape.is_dense else turn_pairs)(
            x_BHTC.float(), positions.cos_TC, positions.sin_TC
        )
        if self.shape.use_qk_norm:
            turned = unit_rms(turned, self.shape.rms_norm_eps)
        return turned.type_as(x_BHTC)


def mix(q_BHTC: Tensor, k_BKTC: Tensor, v_BKTC: Tensor, future_TT: Tensor | None) -> Tensor:
    """Weigh the values of all positions, or of earlier ones where ``future_TT`` is given, by softmax of the scores.

    On a CPU as two products: at T = 256 the bfloat16 backward of torch's fused attention is 1.8 times slower, and in
    an eager step it was 15% of the time. The softmax sums in float32 whatever its type.
    """
    b, h, t, c = q_BHTC.shape
    if q_BHTC.is_cuda or t > WHOLE_SCORES:
        return functional.scaled_dot_product_attention(
            q_BHTC, k_BKTC, v_BKTC, is_causal=future_TT is not None, enable_gqa=True
        )
    groups = b * k_BKTC.shape[1]
    q_GSC = q_BHTC.reshape(groups, -1, c) * c**-0.5
    scores_GSTT = (q_GSC @ k_BKTC.reshape(groups, t, c).mT).view(groups, -1, t, t)
    if future_TT is not None:
        scores_GSTT = scores_GSTT + future_TT.to(q_GSC.dtype)
    shares_GSTT = torch.softmax(scores_GSTT, dim=-1)
    return (shares_GSTT.view(groups, -1, t) @ v_BKTC.reshape(groups, t, c)).view(b, h, t, c)


def turn_pairs(x_BHTC: Tensor, cos_TC: Tensor, sin_TC: Tensor) -> Tensor:
    """Rotate neighbouring pairs of channels by an angle (Su et al. 2021), as Llama 4 does."""
    pairs = x_BHTC.unflatten(-1, (-1, 2))
    even, odd = pairs[..., 0], pairs[..., 1]
    return torch.stack((even * cos_TC - odd * sin_TC, even * sin_TC + odd * cos_TC), dim=-1).flatten(-2)


def turn_halves(x_BHTC: Tensor, cos_TC: Tensor, sin_TC: Tensor) -> Tensor:
    """Rotate channel i with channel i + C / 2, as Hugging Face's Llama orders them."""
    first, second = x_BHTC.chunk(2, dim=-1)
    return torch.cat((first * cos_TC - second * sin_TC, second * cos_TC + first * sin_TC), dim=-1)
