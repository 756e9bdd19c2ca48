"""Rules of the field, re-implemented to be compared with: each in a few lines, with its source."""

from dataclasses import dataclass

import numpy as np

from tenfold.replay.rule import Decision, View
from tenfold.replay.week import Floats, Ints


@dataclass(frozen=True, slots=True)
class Static:
    """Every service has a fixed number of slots for the whole week; jobs share what is left.

    ``slots_SK``: of each service.
    """

    slots_SK: Ints
    warm: bool = False
    notice_s: float = np.inf
    name: str = "static"

    def decide(self, view: View) -> Decision:
        """Give services what they always have, and the rest to jobs in the order of arrival."""
        left_K = view.week.slots_K - self.slots_SK.sum(axis=0)
        return Decision(self.slots_SK, share_out(view, left_K), np.zeros(len(view.jobs_A), dtype=bool))


def share_out(view: View, left_K: Ints) -> Ints:
    """Give jobs what is left, in the order of arrival: each as many as it can use, of its fastest kinds first."""
    week, granted_AK, left = view.week, np.zeros_like(view.job_slots_AK), left_K.copy()
    for row, job in enumerate(view.jobs_A):
        if not left.any():
            break
        usable_K: Floats = np.where(week.speed_JK[job] > 0, left, 0)
        if usable_K.sum() < week.least_J[job]:
            continue
        wanted = week.most_J[job]
        for kind in np.argsort(-week.speed_JK[job], kind="stable"):
            granted_AK[row, kind] = min(wanted, int(usable_K[kind]))
            wanted -= granted_AK[row, kind]
        left -= granted_AK[row]
    return granted_AK
