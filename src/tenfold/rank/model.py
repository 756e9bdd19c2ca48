"""The ranker's network: one gated causal attention block over a history, a dot product with every item.

Shapes: B sequences, L positions (a start token, then items oldest first), D width, H heads, I items, G genres,
N items to score. No part of it knows a user: whoever has a history can be ranked for.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from tenfold.rank.recipe import Recipe

_INITIAL_STD = 0.05


class GatedBlock(nn.Module):
    """Self-attention with a learned bias per distance and a gate, then SwiGLU.

    The distance bias and the gate on what was attended are HSTU's (Zhai 2024); SwiGLU is Shazeer's (2020).
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        width = recipe.width
        self.heads = recipe.heads
        self.before_attention = nn.RMSNorm(width)
        self.query_key_value_gate = nn.Linear(width, 4 * width, bias=False)
        self.attended = nn.Linear(width, width, bias=False)
        self.distance_bias = nn.Parameter(torch.zeros(recipe.heads, recipe.length + 1))
        self.before_widen = nn.RMSNorm(width)
        self.widen = nn.Linear(width, 4 * width, bias=False)
        self.narrow = nn.Linear(2 * width, width, bias=False)
        self.dropout = nn.Dropout(recipe.dropout)

    def forward(self, x_BLD: Tensor) -> Tensor:
        """Mix each position with those before it; same shape out."""
        sequences, length, width = x_BLD.shape
        *attention, gate_BLD = self.query_key_value_gate(self.before_attention(x_BLD)).chunk(4, dim=-1)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in attention)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=self._bias_HLL(length))
        mixed_BLD = mixed.transpose(1, 2).reshape(sequences, length, width)
        x_BLD = x_BLD + self.dropout(self.attended(mixed_BLD * functional.silu(gate_BLD)))
        wide, gate = self.widen(self.before_widen(x_BLD)).chunk(2, dim=-1)
        return x_BLD + self.dropout(self.narrow(wide * functional.silu(gate)))

    def _bias_HLL(self, length: int) -> Tensor:
        place_L = torch.arange(length)
        distance_LL = place_L[:, None] - place_L[None, :]
        return self.distance_bias[:, distance_LL.clamp(min=0)].masked_fill(distance_LL < 0, float("-inf"))


class SequenceRanker(nn.Module):
    """Says, after each prefix of a history, how likely each item comes next (SASRec's task, Kang 2018).

    An item is its own embedding plus the mean of its genres'. A start token stands before the first item, so that
    the empty history has an answer of its own: what people begin with.
    """

    genre_share_IG: Tensor

    def __init__(self, recipe: Recipe, genre_share_IG: Tensor) -> None:
        super().__init__()
        items, genres = genre_share_IG.shape
        self.item = nn.Embedding(items, recipe.width)
        self.genre = nn.Embedding(genres, recipe.width)
        self.start = nn.Parameter(torch.randn(recipe.width) * _INITIAL_STD)
        self.block = GatedBlock(recipe)
        self.after = nn.RMSNorm(recipe.width)
        self.item_bias = nn.Parameter(torch.zeros(items))
        self.dropout = nn.Dropout(recipe.dropout)
        self.register_buffer("genre_share_IG", genre_share_IG)
        nn.init.normal_(self.item.weight, std=_INITIAL_STD)
        nn.init.normal_(self.genre.weight, std=_INITIAL_STD)

    def items_ID(self) -> Tensor:
        """Vector of every item, the same for reading a history and for scoring."""
        return self.item.weight + self.genre_share_IG @ self.genre.weight

    def forward(self, row_BL: Tensor, items_ID: Tensor) -> Tensor:
        """Read histories, padded at the end, as catalog rows.

        Returns:
            What is expected after the start token and after each item, shape (B, L + 1, D).
        """
        start_B1D = self.start.expand(len(row_BL), 1, -1)
        x_BLD = torch.cat([start_B1D, functional.embedding(row_BL, items_ID)], dim=1)
        x_BLD = x_BLD * x_BLD.shape[-1] ** 0.5
        return self.after(self.block(self.dropout(x_BLD)))
