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
import torch
from torch import Tensor

from tenfold.rank.network import LONGEST_GAP, WATCH_EDGES, GatedBlock, Network
from tenfold.rank.stream import Events

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PersonState:
    """One person's history as the trunk keeps it.

    ``kept``: per block, keys and values (H, P, C) of the start token and all events. ``tokens_LD``: tokens of the
    events, of which queries are made, and a state of several blocks anew once it is full; ``surface_L``: their
    surfaces.
    """

    kept: tuple[tuple[Tensor, Tensor], ...]
    tokens_LD: Tensor
    surface_L: tuple[int, ...]
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
    """A network that is done learning, as serving uses it; ``length`` latest events are read."""

    def __init__(self, network: Network, length: int) -> None:
        self._network = network.eval()
        self.length = length

    @torch.inference_mode()
    def read(self, events: Events, vector_LD: Vectors) -> PersonState:
        """Read one person's events, oldest first; ``vector_LD`` are their items' vectors."""
        latest = slice(-self.length, None)
        tokens_LD = self._tokens([column[latest] for column in token_columns(events)], vector_LD[latest])
        surfaces = tuple(int(surface) for surface in events.surface_E[latest])
        return self._state(tokens_LD, surfaces, float(events.at_E[-1]) if len(events) else None)

    @torch.inference_mode()
    def append(self, state: PersonState, event: Events, vector_D: Vectors) -> PersonState:
        """The state after one more event (of length 1); ``vector_D`` is its item's vector."""
        x_1D = token_1D = self._tokens(token_columns(event, state.at), vector_D[None])
        tokens_LD, surfaces = torch.cat([state.tokens_LD, token_1D]), (*state.surface_L, int(event.surface_E[0]))
        at = float(event.at_E[0])
        full = len(tokens_LD) > self.length
        if full:
            tokens_LD, surfaces = tokens_LD[1:], surfaces[1:]
            # Of one block, keys and values are of a token alone; of more, the forgotten event is in those that follow.
            if len(self._network.blocks) > 1:
                return self._state(tokens_LD, surfaces, at)
        kept = []
        for block, old in zip(self._network.blocks, state.kept, strict=True):
            new = (part[0] for part in block.keys_values(x_1D[None]))
            key, value = (torch.cat(pair, dim=1) for pair in zip(old, new, strict=True))
            if block is not self._network.blocks[-1]:  # What the last block makes of it is asked for, not kept.
                x_1D = block(x_1D[None], key[None], value[None], block.bias(key.shape[1], 1))[0]
            if full:  # The oldest event goes; the start token stays.
                key, value = (torch.cat([part[:, :1], part[:, 2:]], dim=1) for part in (key, value))
            kept.append((key, value))
        return PersonState(tuple(kept), tokens_LD, surfaces, at)

    @torch.inference_mode()
    def query(self, state: PersonState, surface: int | None) -> Vectors:
        """What is expected next on a surface (or anywhere), (D,), of length 1; compared with items by dot product."""
        x_1D = self._asked(state, surface)[None]
        for block, (key, value) in zip(self._network.blocks, state.kept, strict=True):
            x_1D = block(x_1D[None], key[None], value[None], self._bias(block, state, surface))[0]
        return self._expected(x_1D)[0]

    @torch.inference_mode()
    def without_each(self, state: PersonState, surface: int | None) -> Vectors:
        """What would be expected if the network did not look at one event: for each of those read, (L, D)."""
        event_L = torch.arange(len(state))
        x_LD = self._asked(state, surface).repeat(len(state), 1)
        for event in self._asking(state, surface):
            x_LD[event] = self._asked(state, surface, without=event)
        for block, (key, value) in zip(self._network.blocks, state.kept, strict=True):
            bias_HLP = self._bias(block, state, surface).repeat(1, len(state), 1)
            bias_HLP[:, event_L, event_L + 1] = float("-inf")
            x_LD = block(x_LD[None], key[None], value[None], bias_HLP)[0]
        return self._expected(x_LD)

    @torch.inference_mode()
    def judge(self, state: PersonState, surface: int, vector_KD: Vectors) -> Judgement:
        """How likely each action is for each candidate, and how long each is watched; candidates by their vectors."""
        network = self._network
        surface_1K = torch.full((1, len(vector_KD)), surface)
        candidate_KD = network.candidate_tokens(torch.from_numpy(vector_KD)[None], surface_1K)[0]
        for block, (key, value) in zip(network.blocks, state.kept, strict=True):
            bias_H1P = self._bias(block, state, surface)
            candidate_KD = block(candidate_KD[None], key[None], value[None], bias_H1P)[0]
        judged_KD = network.after(candidate_KD)
        none = np.zeros((len(vector_KD), 0), np.float32)
        return Judgement(
            none if network.acts is None else network.action_logits(judged_KD).sigmoid().numpy(),
            none if network.watches is None else network.watch_quantiles(judged_KD).numpy(),
        )

    def _asked(self, state: PersonState, surface: int | None, without: int | None = None) -> Tensor:
        """The query's token, (D,), as the network's forward pass makes it; ``without`` one of the events."""
        asking = self._asking(state, surface, without)
        if not asking:
            there_D = latest_D = self._network.start
        else:
            there_D, latest_D = state.tokens_LD[asking[0]], state.tokens_LD[asking[-1]]
        told, weight = self._network.next_on_surface, self._network.latest_weight
        if told is None or weight is None:
            return latest_D
        asked, of_latest = self._place_of(surface), self._place_of(state.surface_L[asking[-1]] if asking else None)
        return there_D + weight[asked, of_latest] * latest_D + told.weight[asked]

    @staticmethod
    def _asking(state: PersonState, surface: int | None, without: int | None = None) -> tuple[int, ...]:
        """Places of the events that a query is made of: the latest on its surface, if any is there, and of all."""
        places = [place for place in range(len(state)) if place != without]
        there = [place for place in places if state.surface_L[place] == surface]
        return (*there[-1:], *places[-1:])

    def _bias(self, block: GatedBlock, state: PersonState, surface: int | None) -> Tensor:
        """Bias of a query after all events on each place, (H, 1, P)."""
        bias_H1P = block.bias(len(state) + 1, 1)
        events_1L = torch.tensor([state.surface_L], dtype=torch.int64)
        of_surfaces = self._network.bias_of_surfaces(torch.tensor([[self._place_of(surface)]]), events_1L)
        return bias_H1P if of_surfaces is None else bias_H1P + of_surfaces[0]

    def _place_of(self, surface: int | None) -> int:
        return self._network.shape.surfaces if surface is None else surface

    def _expected(self, x_QD: Tensor) -> Vectors:
        return torch.nn.functional.normalize(self._network.after(x_QD), dim=-1).numpy()

    def _state(self, tokens_LD: Tensor, surfaces: tuple[int, ...], at: float | None) -> PersonState:
        network = self._network
        x_1PD = torch.cat([network.start[None], tokens_LD])[None]
        kept = []
        for block in network.blocks:
            key, value = block.keys_values(x_1PD)
            kept.append((key[0], value[0]))
            if block is not network.blocks[-1]:
                x_1PD = block(x_1PD, key, value, block.bias(x_1PD.shape[1]))
        return PersonState(tuple(kept), tokens_LD, surfaces, at)

    def _tokens(self, columns: Sequence[npt.NDArray[np.int64]], vector_LD: Vectors) -> Tensor:
        surface, actions, watched, gap = (torch.from_numpy(np.array(column))[None] for column in columns)
        vector_1LD = torch.from_numpy(np.ascontiguousarray(vector_LD, np.float32))[None]
        return self._network.event_tokens(vector_1LD, surface, actions, watched, gap)[0]


def token_columns(events: Events, before_at: float | None = None) -> Sequence[npt.NDArray[np.int64]]:
    """Surface, actions, watch bucket and gap bucket of events, (E,) each.

    Args:
        events: of any number of people.
        before_at: when the event before the first was; none: there was none.
    """
    unknown_E = np.isnan(events.watched_E)
    watched_E = np.where(unknown_E, len(WATCH_EDGES) + 1, np.digitize(events.watched_E, WATCH_EDGES))
    gap_E = np.diff(events.at_E, prepend=np.nan if before_at is None else before_at)
    gap_E[np.flatnonzero(np.diff(events.person_E)) + 1] = np.nan
    bucket_E = np.minimum(1 + np.floor(np.log2(np.maximum(np.nan_to_num(gap_E), 1))), LONGEST_GAP)
    gap_bucket_E = np.where(np.isnan(gap_E), 0, bucket_E)
    return events.surface_E, events.actions_E, watched_E.astype(np.int64), gap_bucket_E.astype(np.int64)
