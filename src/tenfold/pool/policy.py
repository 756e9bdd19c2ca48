"""Who gets each slot: how many by water-filling, which ones by what moves least and crowds least.

Pure functions of the slots, the claims and the current allocation; the live controller and a replay call the same.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

Allocation = Mapping[str, str | None]
"""The workload awake on each slot, by slot name."""


@dataclass(frozen=True, slots=True)
class SlotPlace:
    """A slot as the policy sees it; slots of one ``share`` (a core, a host) contend with each other.

    ``suits``: workloads that can run there and are loaded.
    """

    slot: str
    share: str
    suits: frozenset[str]


@dataclass(frozen=True, slots=True)
class Change:
    """One slot changes hands. ``price_usd_per_s``: value that the receiver gains over what the donor loses."""

    slot: str
    source: str | None
    target: str
    price_usd_per_s: float
    because: str
