"""Slots on their way from one holder to the next: when each becomes free, and who takes it then.

Letters: F batches of slots that nobody holds, R receivers, P pieces handed over.
"""

from dataclasses import dataclass

import numpy as np

from tenfold.replay.week import Floats, Ints


@dataclass(frozen=True, slots=True)
class Handed:
    """Slots handed over: to which receiver, how many, and when the one before lets them go (seconds of the week)."""

    receiver_P: Ints
    slots_P: Ints
    free_at_s_P: Floats


class Unheld:
    """Slots of one kind that nobody holds, by when they are free. Starts with all of them free."""

    def __init__(self, slots: int) -> None:
        self._free_at_s_F: Floats = np.zeros(1)
        self._slots_F: Ints = np.array([slots], dtype=np.int64)

    @property
    def slots(self) -> int:
        """How many there are, those included that are still being left."""
        return int(self._slots_F.sum())

    def put(self, free_at_s_F: Floats, slots_F: Ints, now_s: float) -> None:
        """Take back slots that will be free then."""
        free_at_s = np.concatenate((np.maximum(self._free_at_s_F, now_s), free_at_s_F))
        slots = np.concatenate((self._slots_F, slots_F))
        self._free_at_s_F, which = np.unique(free_at_s, return_inverse=True)
        self._slots_F = np.bincount(which, slots, len(self._free_at_s_F)).astype(np.int64)

    def take(self, wanted_R: Ints) -> Handed:
        """Hand over what is wanted, in the order of receivers, what is free soonest first.

        ``wanted_R`` sums to no more than there are.
        """
        until_R, until_F = np.cumsum(wanted_R), np.cumsum(self._slots_F)
        wanted = int(until_R[-1]) if len(until_R) else 0
        assert wanted <= until_F[-1], "more slots wanted than nobody holds"
        ends_P = np.union1d(until_R, until_F)
        ends_P = ends_P[(ends_P > 0) & (ends_P <= wanted)]
        handed = Handed(
            receiver_P=np.searchsorted(until_R, ends_P),
            slots_P=np.diff(ends_P, prepend=0),
            free_at_s_P=self._free_at_s_F[np.searchsorted(until_F, ends_P)],
        )
        self._slots_F = np.clip(until_F - wanted, 0, self._slots_F)
        return handed

    def draining_s(self, now_s: float, step_s: float) -> float:
        """Slot-seconds of the step that begins now in which they are still being left."""
        return float(self._slots_F @ np.clip(self._free_at_s_F - now_s, 0.0, step_s))
