"""What a served network remembers of a person, and what it answers from that.

A state holds keys and values of all events, which no query changes. Reading a history anew gives the same state as
appending its events one by one (a test holds it).

Shapes: L events read, P places kept (start token and events), D width, H heads, C width of a head, K candidates,
A actions, Q quantiles.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import nn

from tenfold.rank.inference import Block, Floats, Kept, floats, sigmoid, standard
from tenfold.rank.network import LEAST_SHARE, LONGEST_GAP, WATCH_EDGES, Network
from tenfold.rank.stream import Events

Vectors = Floats

_WATCH_EDGES = np.array(WATCH_EDGES)


@dataclass(frozen=True, slots=True)
class PersonState:
    """One person's history as the trunk keeps it.

    ``kept``: per block, keys and values (H, P, C) of the start token and all events. ``tokens_LD``: tokens of the
    events, of which queries are made, and a state of several blocks anew once it is full; ``surface_L``: their
    surfaces.
    """

    kept: tuple[Kept, ...]
    tokens_LD: Floats
    surface_L: npt.NDArray[np.int64]
    at: float | None

    def __len__(self) -> int:
        """Events in it."""
        return len(self.tokens_LD)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of each candidate, probabilities of the actions (K, A) and quantiles of the share watched (K, Q).

    Either has no columns where the data do not tell.
    """

    actions_KA: Vectors
    watched_KQ: Vectors


class Reader:
    """A network that is done learning, as serving uses it.

    Args:
        network: whose weights it copies.
        length: latest events that are read.
    """

    def __init__(self, network: Network, length: int) -> None:
        self.length = length
        self._blocks = tuple(Block(block, length + 1) for block in network.blocks)
        self._scale = np.float32(network.width**0.5)
        self._anywhere = network.shape.surfaces
        self._start_1D = floats(network.start[None])
        self._candidate_D = floats(network.candidate)
        self._after_D, self._epsilon = floats(network.after.weight), network.after.eps
        self._on_surface_SD, self._next_SD = _table(network.on_surface), _table(network.next_on_surface)
        self._watched_WD, self._gap_GD = _table(network.watched), _table(network.after_gap)
        self._did_AD = None if network.did is None else floats(network.did.weight.T)
        self._action_A = np.arange(network.shape.actions)
        self._surface_bias_SHS = None if network.surface_bias is None else floats(network.surface_bias.transpose(0, 1))
        self._latest_SS = None if network.latest_weight is None else floats(network.latest_weight)
        self._mean_S = floats(network.mean_weight)
        self._mean_SS = None if network.mean_bias is None else np.exp(floats(network.mean_bias))
        self._acts, self._watches = _linear(network.acts), _linear(network.watches)

    def read(self, events: Events, vector_LD: Vectors) -> PersonState:
        """Read one person's events, oldest first; ``vector_LD`` are their items' vectors."""
        latest = slice(-self.length, None)
        tokens_LD = self._tokens([column[latest] for column in token_columns(events)], vector_LD[latest])
        surface_L = events.surface_E[latest].copy()  # A view would keep the whole history in memory.
        return self._state(tokens_LD, surface_L, float(events.at_E[-1]) if len(events) else None)

    def append(self, state: PersonState, event: Events, vector_D: Vectors) -> PersonState:
        """The state after one more event (of length 1); ``vector_D`` is its item's vector."""
        x_1D = token_1D = self._tokens(token_columns(event, state.at), vector_D[None])
        full = len(state) == self.length
        oldest = int(full)  # Events that go for this one; the start token stays.
        tokens_LD = np.concatenate([state.tokens_LD[oldest:], token_1D])
        surface_L = np.concatenate([state.surface_L[oldest:], event.surface_E])
        at = float(event.at_E[0])
        # Of one block, keys and values are of a token alone; of more, the forgotten event is in those that follow.
        if full and len(self._blocks) > 1:
            return self._state(tokens_LD, surface_L, at)
        kept = []
        for block, old in zip(self._blocks, state.kept, strict=True):
            key, value = (
                np.concatenate([was[:, :1], was[:, 1 + oldest :], new], axis=1)
                for was, new in zip(old, block.keys_values(x_1D), strict=True)
            )
            if block is not self._blocks[-1]:  # What the last block makes of it is asked for, not kept.
                x_1D = block.answer(x_1D, (key, value), self._distance_bias(block, key.shape[1]))
            kept.append((key, value))
        return PersonState(tuple(kept), tokens_LD, surface_L, at)

    def query(self, state: PersonState, surface: int | None) -> Vectors:
        """What is expected next on a surface (or anywhere), (D,), of length 1; compared with items by dot product."""
        x_1D = self._asked(state, surface)[None]
        for block, kept in zip(self._blocks, state.kept, strict=True):
            x_1D = block.answer(x_1D, kept, self._bias(block, state, surface))
        return self._expected(x_1D + self._mean(state, self._shares(state, surface)[None], surface))[0]

    def without_each(self, state: PersonState, surface: int | None) -> Vectors:
        """What would be expected if the network did not look at one event: for each of those read, (L, D)."""
        event_L = np.arange(len(state))
        x_LD = np.repeat(self._asked(state, surface)[None], len(state), axis=0)
        for event in self._asking(state, surface):
            x_LD[event] = self._asked(state, surface, without=event)
        for block, kept in zip(self._blocks, state.kept, strict=True):
            bias_HLP = np.repeat(self._bias(block, state, surface), len(state), axis=1)
            bias_HLP[:, event_L, event_L + 1] = -np.inf
            x_LD = block.answer(x_LD, kept, bias_HLP)
        share_LL = np.where(event_L[:, None] == event_L, np.float32(0), self._shares(state, surface))
        return self._expected(x_LD + self._mean(state, share_LL, surface))

    def judge(self, state: PersonState, surface: int, vector_KD: Vectors) -> Judgement:
        """How likely each action is for each candidate, and how long each is watched; candidates by their vectors."""
        told_D = self._candidate_D if self._on_surface_SD is None else self._candidate_D + self._on_surface_SD[surface]
        candidate_KD = vector_KD * self._scale + told_D
        for block, kept in zip(self._blocks, state.kept, strict=True):
            candidate_KD = block.answer(candidate_KD, kept, self._bias(block, state, surface))
        judged_KD = self._after(candidate_KD)
        none = np.zeros((len(vector_KD), 0), np.float32)
        return Judgement(
            none if self._acts is None else sigmoid(self._acts.of(judged_KD)),
            none if self._watches is None else _rising(self._watches.of(judged_KD)),
        )

    def _asked(self, state: PersonState, surface: int | None, without: int | None = None) -> Floats:
        """The query's token, (D,), as the network's forward pass makes it; ``without`` one of the events."""
        asking = self._asking(state, surface, without)
        if not asking:
            there_D = latest_D = self._start_1D[0]
        else:
            there_D, latest_D = state.tokens_LD[asking[0]], state.tokens_LD[asking[-1]]
        if self._next_SD is None or self._latest_SS is None:
            return latest_D
        asked, of_latest = self._place_of(surface), self._place_of(state.surface_L[asking[-1]] if asking else None)
        return there_D + self._latest_SS[asked, of_latest] * latest_D + self._next_SD[asked]

    def _shares(self, state: PersonState, surface: int | None) -> Floats:
        """Of each event in the mean of all, (L,), before they are made to sum to 1."""
        if self._mean_SS is None:
            return np.ones(len(state), dtype=np.float32)
        return self._mean_SS[self._place_of(surface)][state.surface_L]

    def _mean(self, state: PersonState, share_QL: Floats, surface: int | None) -> Floats:
        """The mean of the events by their shares, times its weight, (Q, D); 0 of none."""
        total_Q1 = np.maximum(share_QL.sum(axis=1, keepdims=True), np.float32(LEAST_SHARE))
        weight = self._mean_S[0 if self._mean_SS is None else self._place_of(surface)]
        return weight * (share_QL @ state.tokens_LD) / total_Q1

    @staticmethod
    def _asking(state: PersonState, surface: int | None, without: int | None = None) -> tuple[int, ...]:
        """Places of the events that a query is made of: the latest on its surface, if any is there, and of all."""
        surfaces = state.surface_L.tolist()
        places = [place for place in range(len(surfaces)) if place != without]
        there = [place for place in places if surfaces[place] == surface]
        return (*there[-1:], *places[-1:])

    def _bias(self, block: Block, state: PersonState, surface: int | None) -> Floats:
        """Bias of a query after all events on each place, (H, 1, P)."""
        bias_H1P = self._distance_bias(block, len(state) + 1)
        if self._surface_bias_SHS is None:
            return bias_H1P
        bias_H1P = bias_H1P.copy()
        bias_H1P[:, 0, 1:] += self._surface_bias_SHS[self._place_of(surface)][:, state.surface_L]
        return bias_H1P

    @staticmethod
    def _distance_bias(block: Block, places: int) -> Floats:
        """Bias of a query at the last place on each place, (H, 1, P)."""
        return block.bias_HPP[:, places - 1 : places, :places]

    def _place_of(self, surface: int | None) -> int:
        return self._anywhere if surface is None else surface

    def _expected(self, x_QD: Floats) -> Vectors:
        after_QD = self._after(x_QD)
        return after_QD / np.sqrt(np.vecdot(after_QD, after_QD))[:, None]

    def _after(self, x_ND: Floats) -> Floats:
        return standard(x_ND, self._epsilon) * self._after_D

    def _state(self, tokens_LD: Floats, surface_L: npt.NDArray[np.int64], at: float | None) -> PersonState:
        x_PD = np.concatenate([self._start_1D, tokens_LD])
        kept = []
        for block in self._blocks:
            kept.append(block.keys_values(x_PD))
            if block is not self._blocks[-1]:
                x_PD = block.answer(x_PD, kept[-1], block.bias_HPP[:, : len(x_PD), : len(x_PD)])
        return PersonState(tuple(kept), tokens_LD, surface_L, at)

    def _tokens(self, columns: Sequence[npt.NDArray[np.int64]], vector_LD: Vectors) -> Floats:
        """Tokens of events by their ``token_columns``, (L, D), as ``Network.event_tokens`` makes them."""
        surface_L, actions_L, watched_L, gap_L = columns
        x_LD = vector_LD * self._scale
        tables = ((self._on_surface_SD, surface_L), (self._watched_WD, watched_L), (self._gap_GD, gap_L))
        for table, place_L in tables:
            if table is not None:
                x_LD += table[place_L]
        if self._did_AD is not None:
            x_LD += ((actions_L[:, None] >> self._action_A) & 1).astype(np.float32) @ self._did_AD
        return x_LD


@dataclass(frozen=True, slots=True)
class _Linear:
    weight_DO: Floats
    bias_O: Floats

    def of(self, x_ND: Floats) -> Floats:
        return x_ND @ self.weight_DO + self.bias_O


def _linear(layer: nn.Linear | None) -> _Linear | None:
    return None if layer is None else _Linear(floats(layer.weight.T), floats(layer.bias))


def _table(embedding: nn.Embedding | None) -> Floats | None:
    return None if embedding is None else floats(embedding.weight)


def _rising(step_KQ: Floats) -> Floats:
    """Quantiles as ``Network.watch_quantiles`` makes them: the first, and then steps above 0."""
    step_KQ[:, 1:] = np.logaddexp(0, step_KQ[:, 1:])
    return step_KQ.cumsum(axis=1)


def token_columns(events: Events, before_at: float | None = None) -> Sequence[npt.NDArray[np.int64]]:
    """Surface, actions, watch bucket and gap bucket of events, (E,) each.

    Args:
        events: of any number of people.
        before_at: when the event before the first was; none: there was none.
    """
    at_E, person_E = events.at_E, events.person_E
    # What is not known comes after all edges.
    watched_E = np.searchsorted(_WATCH_EDGES, events.watched_E, side="right") + np.isnan(events.watched_E)
    gap_E = np.full(len(events), np.nan)
    np.subtract(at_E[1:], at_E[:-1], out=gap_E[1:], where=person_E[1:] == person_E[:-1])
    if before_at is not None:
        gap_E[:1] = at_E[:1] - before_at
    bucket_E = np.minimum(1 + np.floor(np.log2(np.fmax(gap_E, 1))), LONGEST_GAP)
    gap_bucket_E = np.where(np.isnan(gap_E), 0, bucket_E).astype(np.int64)
    return events.surface_E, events.actions_E, watched_E, gap_bucket_E
