"""The network: one causal trunk over a person's events on all surfaces, and what is read off it.

An event's token is its item's vector and what the person did with it. "What comes next, on that surface?" is asked at
every place of a history in one pass: the query is the token of the latest event there with a learned part of the
latest of all, told the surface, and looks at all events up to its place, with a learned bias for each pair of the
surface asked for and an event's. So half of the heads begin as a model of that surface alone would have them, and the
others read all surfaces alike. To what the blocks make of it the mean of all events up to that place is added, by a
learned weight: what a person likes on the whole, whatever the order. What comes out is compared with the vectors of
items (retrieval); candidates can also be read as tokens of their own, which see the history and never each other
(judgement: how likely is each action, how long will it be watched).

No part of it knows a person: whoever has a history can be ranked for. The distance bias and the gate on what was
attended are HSTU's (Zhai 2024), SwiGLU is Shazeer's (2020).

Shapes: B histories, L places (a start token, then events oldest first), D width, H heads, C width of a head, I items,
N items to encode, K candidates, S surfaces, A actions, Q quantiles.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tenfold.rank.recipe import Recipe, Shape
from tenfold.rank.unit import unit

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Of the share of an item's length that is watched."""
WATCH_EDGES = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.1)
"""Between buckets of the share watched; one more bucket stands for not known."""
LONGEST_GAP = 26
"""Bucket of the longest time between two events: 2**25 s, about a year, and more."""

_INITIAL_STD = 0.02
LEAST_SHARE = 1e-9
"""What shares in a mean are divided by where there are none."""
_LATEST = 0.5
"""Weight with which the latest event of all begins beside the latest on the surface asked for."""
_SAME_SURFACE = 3.0
"""Bias with which half of the heads begin on events of the surface asked for."""
_OTHER_SURFACE = -1.0
"""Log of the weight with which an event begins in the mean of all, where another surface is asked for."""


@dataclass(frozen=True, slots=True)
class Features:
    """What is known of every item beside its id: attributes as one flat list, and its embedded text.

    ``attribute``: indices, item by item; ``start_I``: where each item's begin, (I + 1,); ``content_IC`` (I, C).
    ``known_I``: which items have events to learn from.
    """

    attribute: Tensor
    start_I: Tensor
    content_IC: Tensor
    known_I: Tensor


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a batch of histories is, beside the items: all (B, L), padded at the end with zeros.

    ``next_surface`` is (B, L + 1), the start token's first; the number of surfaces stands for "anywhere".
    ``gap`` is the bucket of the time since the event before.
    """

    surface: Tensor
    actions: Tensor
    watched: Tensor
    gap: Tensor
    next_surface: Tensor


@dataclass(frozen=True, slots=True)
class Candidates:
    """Items that are judged, one at each place of the histories: (B, L + 1, D) and (B, L + 1).

    ``surface``: where each is shown; not that which a list is asked for, which may be "anywhere".
    """

    vector_BLD: Tensor
    surface: Tensor


class Dropout(nn.Module):
    """Dropout by masks cut at random places out of one long mask.

    Drawing a mask anew took a tenth of training.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self._mask = torch.zeros(0)

    def train(self, mode: bool = True) -> "Dropout":
        """Draw a new long mask, so that an epoch depends on no other."""
        self._mask = torch.zeros(0)
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        """Drop a share of ``x`` while training."""
        if not self.training or not self.share:
            return x
        if len(self._mask) < 2 * x.numel():
            self._mask = torch.empty(max(1 << 20, 4 * x.numel())).bernoulli_(1 - self.share).div_(1 - self.share)
        start = int(torch.randint(len(self._mask) - x.numel(), ()))
        return x * self._mask[start : start + x.numel()].view(x.shape)


class GatedBlock(nn.Module):
    """Attention with a learned bias per distance and a gate, then SwiGLU (unless the recipe has none).

    Queries need not be the tokens that are attended to, so that candidates can look at a history.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        width = recipe.width
        self.heads = recipe.heads
        self.before_attention = nn.LayerNorm(width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.query_gate = nn.Linear(width, 2 * width, bias=False)
        self.attended = nn.Linear(width, width, bias=False)
        self.distance_bias = nn.Parameter(torch.zeros(recipe.heads, recipe.length + 1))
        self.start_bias = nn.Parameter(torch.zeros(recipe.heads))
        inside = recipe.widen * width
        self.before_widen = nn.LayerNorm(width, bias=False) if inside else None
        self.widen = nn.Linear(width, 2 * inside, bias=False) if inside else None
        self.narrow = nn.Linear(inside, width, bias=False) if inside else None
        self.dropout = Dropout(recipe.dropout)

    def keys_values(self, normal_BLD: Tensor) -> tuple[Tensor, Tensor]:
        """What is attended to, (B, H, L, C) each, from tokens after ``before_attention``."""
        key, value = self.key_value(normal_BLD).chunk(2, dim=-1)
        return self._split(key), self._split(value)

    def forward(
        self,
        x_BLD: Tensor,
        key_BHLC: Tensor,
        value_BHLC: Tensor,
        bias_HLL: Tensor,
        normal_BLD: Tensor | None = None,
    ) -> Tensor:
        """Mix each place with those of the keys that ``bias_HLL`` lets it see; same shape out.

        Args:
            x_BLD: what asks.
            key_BHLC: keys of what is looked at.
            value_BHLC: values of it.
            bias_HLL: on each key.
            normal_BLD: ``x_BLD`` after ``before_attention``, where that is at hand.
        """
        normal_BLD = self.before_attention(x_BLD) if normal_BLD is None else normal_BLD
        # Queries are scaled by their weights, which are fewer numbers.
        query_DD, gate_DD = self.query_gate.weight.chunk(2)
        scaled_ED = torch.cat([query_DD * key_BHLC.shape[-1] ** -0.5, gate_DD])
        query, gate_BLD = functional.linear(normal_BLD, scaled_ED).chunk(2, dim=-1)
        score = torch.matmul(self._split(query), key_BHLC.transpose(-1, -2)) + bias_HLL
        mixed_BLD = torch.matmul(score.softmax(dim=-1), value_BHLC).transpose(1, 2).reshape(x_BLD.shape)
        x_BLD = x_BLD + self.dropout(self.attended(mixed_BLD * functional.silu(gate_BLD)))
        if self.before_widen is None or self.widen is None or self.narrow is None:
            return x_BLD
        wide, gate = self.widen(self.before_widen(x_BLD)).chunk(2, dim=-1)
        return x_BLD + self.dropout(self.narrow(wide * functional.silu(gate)))

    def bias(self, places: int) -> Tensor:
        """Bias of each query place on each key place, (H, L, L); minus infinity on what comes later.

        Place 0 is the start token, which is as near as the network likes.
        """
        place_L = torch.arange(places)
        distance_LL = place_L[:, None] - place_L[None, :]
        bias_HLL = self.distance_bias[:, distance_LL.clamp(0, self.distance_bias.shape[1] - 1)]
        bias_HLL = torch.cat([self.start_bias[:, None, None].expand(-1, places, 1), bias_HLL[:, :, 1:]], dim=2)
        return bias_HLL.masked_fill(distance_LL < 0, float("-inf"))

    def _split(self, x_BLD: Tensor) -> Tensor:
        return x_BLD.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Blocks(nn.ModuleList):
    """The trunk's blocks, in order."""

    def __iter__(self) -> Iterator[GatedBlock]:
        for block in super().__iter__():
            assert isinstance(block, GatedBlock), block
            yield block


class Network(nn.Module):
    """Trunk, item vectors and heads.

    An item's vector is the sum of its own embedding, the mean of its attributes' and its projected text, brought to
    length 1. For an item that was never seen a learned vector stands in for its own embedding; training drops own
    embeddings at random, so that what is left is worth something.
    """

    attribute: Tensor
    attribute_start_I: Tensor
    content_IC: Tensor
    known_I: Tensor
    cold_lift: Tensor

    def __init__(self, recipe: Recipe, shape: Shape, features: Features) -> None:
        super().__init__()
        width = recipe.width
        self.shape, self.width, self.temperature = shape, width, recipe.temperature
        self.own = nn.Embedding(shape.items, width)
        self.unseen = nn.Parameter(torch.zeros(width))
        self.register_buffer("attribute", features.attribute)
        self.register_buffer("attribute_start_I", features.start_I)
        self.register_buffer("content_IC", features.content_IC)
        self.register_buffer("known_I", features.known_I)
        # What lifts items that nobody has had yet into lists, see ``cold``.
        self.register_buffer("cold_lift", torch.zeros(width))
        self.of_attribute = nn.EmbeddingBag(shape.attributes, width, mode="mean") if shape.attributes else None
        self.of_content = nn.Linear(shape.content, width, bias=False) if shape.content else None
        self.start = nn.Parameter(torch.randn(width))
        several = shape.surfaces > 1
        self.on_surface = nn.Embedding(shape.surfaces, width) if several else None
        # One more for "anywhere".
        self.next_on_surface = nn.Embedding(shape.surfaces + 1, width) if several else None
        # By head, surface asked for, surface of an event.
        self.surface_bias = nn.Parameter(_surface_bias(recipe.heads, shape.surfaces)) if several else None
        # By surface asked for, surface of the latest event of all (the last row and column: anywhere, start token).
        self.latest_weight = nn.Parameter(torch.full((shape.surfaces + 1,) * 2, _LATEST)) if several else None
        # Of the mean of all events, by surface asked for; and log weights in it by surface asked for and of an event.
        self.mean_weight = nn.Parameter(torch.ones(shape.surfaces + 1 if several else 1))
        self.mean_bias = nn.Parameter(_mean_bias(shape.surfaces)) if several else None
        self.did = nn.Linear(shape.actions, width, bias=False) if shape.judged else None
        self.watched = nn.Embedding(len(WATCH_EDGES) + 2, width) if shape.watched else None
        self.after_gap = nn.Embedding(LONGEST_GAP + 1, width) if shape.timed and recipe.gaps else None
        self.blocks = Blocks(GatedBlock(recipe) for _ in range(recipe.blocks))
        self.after = nn.LayerNorm(width, bias=False)
        self.dropout = Dropout(recipe.dropout)
        self.candidate = nn.Parameter(torch.zeros(width))
        self.acts = nn.Linear(width, shape.actions) if shape.judged else None
        self.watches = nn.Linear(width, len(QUANTILES)) if shape.watched else None
        for name, parameter in self.named_parameters():
            if "own" in name or "of_attribute" in name or "on_surface" in name or "gap" in name or "watched." in name:
                nn.init.normal_(parameter, std=_INITIAL_STD)

    def item_vectors(self, row_N: Tensor, own_ND: Tensor | None = None, dropped_N: Tensor | None = None) -> Tensor:
        """Vectors of items by their rows, (N, D), of length 1.

        Args:
            row_N: item rows.
            own_ND: their own embeddings, where somebody else holds them.
            dropped_N: which to treat as never seen.
        """
        own_ND = self.own(row_N) if own_ND is None else own_ND
        known_N = self.known_I[row_N] if dropped_N is None else self.known_I[row_N] & ~dropped_N
        if not known_N.all():
            own_ND = torch.where(known_N[:, None], own_ND, self.unseen)
        attribute, start_N = _ragged(self.attribute, self.attribute_start_I, row_N)
        content_NC = self.content_IC[row_N] if self.of_content is not None else self.content_IC
        return self._joined(own_ND, attribute, start_N, content_NC)

    def embed(self, features: Features) -> Tensor:
        """Vectors of items that it has never seen, from their content alone, (N, D), of length 1."""
        own_ND = self.unseen.expand(len(features.start_I) - 1, -1)
        return self._joined(own_ND, features.attribute, features.start_I[:-1], features.content_IC)

    def _joined(self, own_ND: Tensor, attribute: Tensor, start_N: Tensor, content_NC: Tensor) -> Tensor:
        vector_ND = own_ND
        if self.of_attribute is not None:
            vector_ND = vector_ND + self.of_attribute(attribute, start_N)
        if self.of_content is not None:
            vector_ND = vector_ND + self.of_content(content_NC)
        return unit(vector_ND)

    def event_tokens(
        self, vector_BLD: Tensor, surface_BL: Tensor, actions_BL: Tensor, watched_BL: Tensor, gap_BL: Tensor
    ) -> Tensor:
        """Tokens of events, (B, L, D)."""
        x_BLD = vector_BLD * self.width**0.5
        if self.on_surface is not None:
            x_BLD = x_BLD + self.on_surface(surface_BL)
        if self.did is not None:
            bits_BLA = (actions_BL[:, :, None] >> torch.arange(self.shape.actions)) & 1
            x_BLD = x_BLD + self.did(bits_BLA.to(x_BLD.dtype))
        if self.watched is not None:
            x_BLD = x_BLD + self.watched(watched_BL)
        if self.after_gap is not None:
            x_BLD = x_BLD + self.after_gap(gap_BL)
        return x_BLD

    def candidate_tokens(self, vector_BLD: Tensor, surface_BL: Tensor) -> Tensor:
        """Tokens of candidates: an event of which nothing is known but item and surface."""
        x_BLD = vector_BLD * self.width**0.5 + self.candidate
        return x_BLD if self.on_surface is None else x_BLD + self.on_surface(surface_BL)

    def forward(
        self, vector_BLD: Tensor, tokens: Tokens, candidates: Candidates | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Read histories; the candidate of a place sees the history up to that place, and no other candidate.

        Args:
            vector_BLD: vectors of the events' items.
            tokens: what the events are beside these, and the surface that is asked for at each place.
            candidates: what is judged at each place.

        Returns:
            What is expected after each place, (B, L + 1, D), of length 1; and what becomes of each candidate, the same.
        """
        x_BLD = self.event_tokens(vector_BLD, tokens.surface, tokens.actions, tokens.watched, tokens.gap)
        x_BLD = torch.cat([self.start.expand(len(x_BLD), 1, -1), x_BLD], dim=1)
        query_BLD = None if self.next_on_surface is None else self.dropout(self._asked(x_BLD, tokens))
        surface_bias_BHLL = self.bias_of_surfaces(tokens.next_surface, tokens.surface)
        candidate_BLD = candidate_bias_BHLL = None
        if candidates is not None:
            candidate_BLD = self.candidate_tokens(candidates.vector_BLD, candidates.surface)
            candidate_bias_BHLL = self.bias_of_surfaces(candidates.surface, tokens.surface)
        x_BLD = self.dropout(x_BLD)
        mean_BLD = self._mean(x_BLD, tokens)
        for block in self.blocks:
            normal_BLD = block.before_attention(x_BLD)
            key, value = block.keys_values(normal_BLD)
            bias_HLL = block.bias(x_BLD.shape[1])
            if candidate_BLD is not None:
                candidate_BLD = block(candidate_BLD, key, value, _plus(bias_HLL, candidate_bias_BHLL))
            if query_BLD is not None:
                query_BLD = block(query_BLD, key, value, _plus(bias_HLL, surface_bias_BHLL))
            if query_BLD is None or block is not self.blocks[-1]:
                x_BLD = block(x_BLD, key, value, bias_HLL, normal_BLD)
        judged = None if candidate_BLD is None else self.after(candidate_BLD)
        return unit(self.after((x_BLD if query_BLD is None else query_BLD) + mean_BLD)), judged

    def _asked(self, x_BLD: Tensor, tokens: Tokens) -> Tensor:
        """Queries, (B, L, D): at each place the latest event on the surface asked for, with the latest of all.

        Where nothing was done there yet, or it is asked for anywhere, both are the latest of all.
        """
        assert self.next_on_surface is not None
        assert self.latest_weight is not None
        place_L = torch.arange(x_BLD.shape[1])
        there_BLL = tokens.next_surface[:, :, None] == functional.pad(tokens.surface, (1, 0), value=-1)[:, None, :]
        there_BLL &= place_L[:, None] >= place_L
        latest_BL = (there_BLL * place_L).amax(dim=2)
        latest_BL = torch.where(latest_BL == 0, place_L, latest_BL)
        there_BLD = x_BLD.gather(1, latest_BL[:, :, None].expand_as(x_BLD))
        surface_BL = functional.pad(tokens.surface, (1, 0), value=self.shape.surfaces)
        weight_BL = self.latest_weight[tokens.next_surface, surface_BL]
        return there_BLD + weight_BL[:, :, None] * x_BLD + self.next_on_surface(tokens.next_surface)

    def _mean(self, x_BLD: Tensor, tokens: Tokens) -> Tensor:
        """At each place the weighted mean of the events up to it, times its weight, (B, L, D); 0 before the first."""
        place_L = torch.arange(x_BLD.shape[1])
        # The start token is no event.
        share_BLL = ((place_L[:, None] >= place_L) & (place_L > 0)).to(x_BLD.dtype)
        weight_BL1 = self.mean_weight
        if self.mean_bias is not None:
            bias_B1LL = self._on_surfaces(self.mean_bias[None], tokens.next_surface, tokens.surface)
            share_BLL = share_BLL * bias_B1LL[:, 0].exp()
            weight_BL1 = self.mean_weight[tokens.next_surface][:, :, None]
        share_BLL = share_BLL / share_BLL.sum(dim=-1, keepdim=True).clamp_min(LEAST_SHARE)
        return weight_BL1 * torch.matmul(share_BLL, x_BLD)

    def bias_of_surfaces(self, asked_BQ: Tensor, surface_BL: Tensor) -> Tensor | None:
        """Bias of queries by the surface that each asks for on events by theirs, (B, H, Q, L + 1).

        The start token, which comes first, is on no surface and has none.
        """
        return None if self.surface_bias is None else self._on_surfaces(self.surface_bias, asked_BQ, surface_BL)

    def _on_surfaces(self, bias_HSS: Tensor, asked_BQ: Tensor, surface_BL: Tensor) -> Tensor:
        # A product with ones and zeros: its gradient is one too, where that of an indexed table is a slow sum.
        is_on_BSL = functional.one_hot(surface_BL, self.shape.surfaces).to(bias_HSS.dtype).transpose(1, 2)
        asked_BHQS = bias_HSS[:, asked_BQ].transpose(0, 1)
        return torch.matmul(asked_BHQS, functional.pad(is_on_BSL, (1, 0))[:, None])

    def action_logits(self, judged_KD: Tensor) -> Tensor:
        """Logit of each action, (K, A)."""
        assert self.acts is not None, "data whose events all have the same actions foretell none"
        return self.acts(judged_KD)

    def watch_quantiles(self, judged_KD: Tensor) -> Tensor:
        """Quantiles of the share watched, (K, Q), rising."""
        assert self.watches is not None, "data without watch times foretell none"
        first, further = self.watches(judged_KD).split([1, len(QUANTILES) - 1], dim=-1)
        return torch.cat([first, first + functional.softplus(further).cumsum(dim=-1)], dim=-1)


def _surface_bias(heads: int, surfaces: int) -> Tensor:
    """Where biases by surface begin, (H, S + 1, S): half of the heads look at the surface asked for, others at all."""
    bias_HSS = torch.zeros(heads, surfaces + 1, surfaces)
    bias_HSS[: (heads + 1) // 2, :surfaces] = _SAME_SURFACE * torch.eye(surfaces)
    return bias_HSS


def _mean_bias(surfaces: int) -> Tensor:
    """Where log weights in the mean of all events begin, (S + 1, S)."""
    bias_SS = torch.zeros(surfaces + 1, surfaces)
    bias_SS[:surfaces] = _OTHER_SURFACE * (1 - torch.eye(surfaces))
    return bias_SS


def _plus(bias_HLL: Tensor, of_surfaces_BHLL: Tensor | None) -> Tensor:
    return bias_HLL if of_surfaces_BHLL is None else bias_HLL + of_surfaces_BHLL


def _ragged(flat: Tensor, start_I: Tensor, row_N: Tensor) -> tuple[Tensor, Tensor]:
    """The parts of ``flat`` that belong to some rows, one after another, and where each begins."""
    begin_N, count_N = start_I[row_N], start_I[row_N + 1] - start_I[row_N]
    start_N = count_N.cumsum(0) - count_N
    place = torch.arange(int(count_N.sum())) + (begin_N - start_N).repeat_interleave(count_N)
    return flat[place], start_N
