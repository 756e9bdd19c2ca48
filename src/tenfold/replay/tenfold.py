"""Tenfold's own policy in a replay: the pool's forecast, values and water-filling, and nothing else."""

from dataclasses import dataclass

import numpy as np

from tenfold.pool.claims import Claims
from tenfold.pool.fill import fill
from tenfold.pool.forecast import CHANCES_D
from tenfold.pool.value import service_runs
from tenfold.replay.rule import Decision, View
from tenfold.replay.week import Floats, Ints


@dataclass(frozen=True, slots=True)
class Tenfold:
    """Slots go where they are worth most, by what may be asked and what it earns.

    ``worth``: what an answer in time of each family is worth, as a multiple of ``usd_per_request``; 1 if not named. The
    share of demand that is provided for follows from it. ``dwell_s``: how long a change is expected to last;
    ``job_dwell_s`` the same for a job, which is not started and stopped as often as a service grows and shrinks.
    """

    worth: tuple[tuple[str, float], ...] = ()
    dwell_s: float = 600.0
    job_dwell_s: float = 3600.0
    warm: bool = True

    @property
    def name(self) -> str:
        """What reports call it."""
        return "tenfold" if self.warm else "tenfold, cold starts"

    def decide(self, view: View) -> Decision:
        """Say how many slots everybody shall hold."""
        claims = self._claims(view)
        counts_W = fill(claims, int(view.week.slots_K[0]))
        services = len(view.week.services)
        return Decision(counts_W[:services, None], counts_W[services:, None], np.zeros(len(view.jobs_A), dtype=bool))
