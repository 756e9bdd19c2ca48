"""Tiny weeks, and a rule that does as it is told."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tenfold.replay.rule import Decision, View
from tenfold.replay.week import Job, Kind, Service, Times, Week


@dataclass(frozen=True)
class Told:
    """Gives what the step's line says: slots of services, then of jobs in the order of the week; kills by name."""

    lines: Sequence[Sequence[int]]
    kills: dict[int, set[str]] = field(default_factory=dict)
    warm: bool = True
    name: str = "told"

    def decide(self, view: View) -> Decision:
        line = np.array(self.lines[min(view.step, len(self.lines) - 1)], dtype=np.int64)
        count = len(view.week.services)
        killed = [view.week.jobs[job].name in self.kills.get(view.step, set()) for job in view.jobs_A]
        return Decision(line[:count, None], line[count:][view.jobs_A, None], np.array(killed, dtype=bool))


def service(rates: Sequence[float], **changes) -> Service:
    known = {
        "name": "chat",
        "family": "llm",
        "capacity_K": np.array([1.0]),
        "usd_per_request": 1.0,
        "times": Times(start_s=0.0, wake_s=0.0, sleep_s=0.0),
    }
    return Service(rates_T=np.array(rates, dtype=float), **(known | changes))


def job(**changes) -> Job:
    known = {
        "name": "train",
        "arrival_s": 0.0,
        "work": np.inf,
        "least": 1,
        "most": 100,
        "speed_K": np.array([1.0]),
        "usd_per_s": 1.0,
        "times": Times(start_s=0.0, wake_s=0.0, sleep_s=0.0),
        "checkpoint_s": 0.0,
    }
    return Job(**(known | changes))


def week(services: Sequence[Service], jobs: Sequence[Job] = (), slots: int = 10, step_s: float = 100.0, **kind) -> Week:
    return Week("small", step_s, (Kind("a", slots, **kind),), tuple(services), tuple(jobs))
