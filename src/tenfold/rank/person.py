"""What a served network remembers of a person, and what it answers from that.

A state holds keys and values of all events but the latest, whose token still has to be told the next surface. Reading
a history anew gives the same state as appending its events one by one (a test holds it).

Shapes: L events read, P places kept (start token and all events but the last), D width, H heads, C width of a head,
K candidates, A actions, Q quantiles.
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

    ``kept``: per block, keys and values (H, P, C) of the start token and all events but the latest; ``latest_D``: the
    token of the latest event (or the start token), before it is told a surface. ``tokens``: those of the events, and
    the surface each was told, from which a state of several blocks is read again once it is full.
    """

    kept: tuple[tuple[Tensor, Tensor], ...]
    latest_D: Tensor
    tokens_LD: Tensor
    told_L: tuple[int, ...]
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
        told = tuple(int(surface) for surface in events.surface_E[latest])
        return self._state(tokens_LD, told, float(events.at_E[-1]) if len(events) else None)

    @torch.inference_mode()
    def append(self, state: PersonState, event: Events, vector_D: Vectors) -> PersonState:
        """The state after one more event (of length 1); ``vector_D`` is its item's vector."""
        surface = int(event.surface_E[0])
        token_1D = self._tokens(token_columns(event, state.at), vector_D[None])
        tokens_LD, told = torch.cat([state.tokens_LD, token_1D]), (*state.told_L, surface)
        at = float(event.at_E[0])
        if len(tokens_LD) > self.length:
            tokens_LD, told = tokens_LD[1:], told[1:]
            # Of one block, keys and values are of a token alone; of more, the forgotten event is in those that follow.
            if len(self._network.blocks) > 1:
                return self._state(tokens_LD, told, at)
        kept = []
        x_1D = self._told(state.latest_D[None], surface)
        for block, old in zip(self._network.blocks, state.kept, strict=True):
            key, value = _longer(block, x_1D, *old)
            if block is not self._network.blocks[-1]:  # What the last block makes of it is asked for, not kept.
                x_1D = block(x_1D[None], key[None], value[None], block.bias(key.shape[1], 1))[0]
            if key.shape[1] > self.length:  # The oldest event goes; the start token is told what is now the first.
                start_1D = self._told(self._network.start[None], told[0])
                first = [part[0] for part in block.keys_values(start_1D[None])]
                kept.append((torch.cat([first[0], key[:, 2:]], dim=1), torch.cat([first[1], value[:, 2:]], dim=1)))
            else:
                kept.append((key, value))
        return PersonState(tuple(kept), token_1D[0], tokens_LD, told, at)

    @torch.inference_mode()
    def query(self, state: PersonState, surface: int | None) -> Vectors:
        """What is expected next on a surface (or anywhere), (D,), of length 1; compared with items by dot product."""
        x_1D = self._told(state.latest_D[None], surface)
        for block, (key, value) in zip(self._network.blocks, state.kept, strict=True):
            x_1D = self._mixed(block, x_1D, key, value, x_1D)[0]
        return torch.nn.functional.normalize(self._network.after(x_1D), dim=-1)[0].numpy()

    @torch.inference_mode()
    def without_each(self, state: PersonState, surface: int | None) -> Vectors:
        """What would be expected if the network did not look at one event: for each of those read, (L, D)."""
        earlier = torch.arange(len(state) - 1)
        x_1D = self._told(state.latest_D[None], surface)
        x_LD = x_1D.expand(len(earlier), -1)
        for block, old in zip(self._network.blocks, state.kept, strict=True):
            key, value = _longer(block, x_1D, *old)
            bias_H1P = block.bias(key.shape[1], 1)
            bias_HLP = bias_H1P.repeat(1, len(earlier), 1)
            bias_HLP[:, earlier, earlier + 1] = float("-inf")
            x_1D = block(x_1D[None], key[None], value[None], bias_H1P)[0]
            x_LD = block(x_LD[None], key[None], value[None], bias_HLP)[0]
        query_LD = torch.nn.functional.normalize(self._network.after(x_LD), dim=-1).numpy()
        return np.concatenate([query_LD, self.query(self._before(state), surface)[None]])

    def _before(self, state: PersonState) -> PersonState:
        """The state without its latest event; only to be asked, not to be appended to."""
        latest_D = state.tokens_LD[-2] if len(state) > 1 else self._network.start
        kept = tuple((key[:, :-1], value[:, :-1]) for key, value in state.kept)
        return PersonState(kept, latest_D, state.tokens_LD[:-1], state.told_L[:-1], None)

    @torch.inference_mode()
    def judge(self, state: PersonState, surface: int, vector_KD: Vectors) -> Judgement:
        """How likely each action is for each candidate, and how long each is watched; candidates by their vectors."""
        network = self._network
        surface_1K = torch.full((1, len(vector_KD)), surface)
        candidate_KD = network.candidate_tokens(torch.from_numpy(vector_KD)[None], surface_1K)[0]
        x_1D = self._told(state.latest_D[None], surface)
        for block, (key, value) in zip(network.blocks, state.kept, strict=True):
            told = [candidate_KD] if block is network.blocks[-1] else [candidate_KD, x_1D]
            candidate_KD, *further = self._mixed(block, x_1D, key, value, *told)
            x_1D = further[0] if further else x_1D
        judged_KD = network.after(candidate_KD)
        none = np.zeros((len(vector_KD), 0), np.float32)
        return Judgement(
            none if network.acts is None else network.action_logits(judged_KD).sigmoid().numpy(),
            none if network.watches is None else network.watch_quantiles(judged_KD).numpy(),
        )

    @staticmethod
    def _mixed(block: GatedBlock, x_1D: Tensor, key: Tensor, value: Tensor, *queries: Tensor) -> list[Tensor]:
        """Let each of ``queries`` (K, D) see what is kept and the latest token, from the latest's place."""
        key, value = _longer(block, x_1D, key, value)
        bias_H1L = block.bias(key.shape[1], 1)
        return [block(query[None], key[None], value[None], bias_H1L)[0] for query in queries]

    def _state(self, tokens_LD: Tensor, told: tuple[int, ...], at: float | None) -> PersonState:
        network = self._network
        all_LD = torch.cat([network.start[None], tokens_LD])
        x_PD = all_LD[:-1]
        if network.next_on_surface is not None:
            x_PD = x_PD + network.next_on_surface(torch.tensor(told, dtype=torch.int64))
        kept = []
        x_1PD = x_PD[None]
        for block in network.blocks:
            key, value = block.keys_values(x_1PD)
            kept.append((key[0], value[0]))
            if len(network.blocks) > 1 and len(x_PD):
                x_1PD = block(x_1PD, key, value, block.bias(len(x_PD)))
        return PersonState(tuple(kept), all_LD[-1], tokens_LD, told, at)

    def _tokens(self, columns: Sequence[npt.NDArray[np.int64]], vector_LD: Vectors) -> Tensor:
        surface, actions, watched, gap = (torch.from_numpy(np.array(column))[None] for column in columns)
        vector_1LD = torch.from_numpy(np.ascontiguousarray(vector_LD, np.float32))[None]
        return self._network.event_tokens(vector_1LD, surface, actions, watched, gap)[0]

    def _told(self, x_1D: Tensor, surface: int | None) -> Tensor:
        told = self._network.next_on_surface
        return (
            x_1D if told is None else x_1D + told.weight[self._network.shape.surfaces if surface is None else surface]
        )


def _longer(block: GatedBlock, x_1D: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values with those of one more token."""
    new_key, new_value = (part[0] for part in block.keys_values(x_1D[None]))
    return torch.cat([key, new_key], dim=1), torch.cat([value, new_value], dim=1)


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
