"""Tenfold's policy against the field's rules and against bounds, on weeks that none was tuned on.

A fleet of one kind serves LLMs, ranks, and trains what is left. Every policy is tuned with the same budget on one week,
to the most useful training at 95% attainment for LLM services and 99.9% for ranking, and judged on others. Times are
those of the week (`tenfold.replay.generate`): a policy marked `warm` wakes loaded residents, the others start processes.

    python bench/pool_quality.py [--rates week.json] [--weeks 2] [--slots 1000] [--page out.html]

`--rates` takes requests per second of LLM services, in a JSON object with `step_s` and `rates` (name to list); they
become the LLM load of the weeks that are judged. Without it all load is generated. The last line is one JSON object:
useful training as a share of the clairvoyant bound with true move costs, and over that of the best-tuned kueue-like
rule, under the same start times (the lower of both warm and both cold) and with warm moves against its restarts; shares
are the worst of the judged weeks, attainment too.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tenfold.replay.bounds import Bound, clairvoyant, informed
from tenfold.replay.engine import replay
from tenfold.replay.generate import synthetic_week
from tenfold.replay.outcome import Outcome
from tenfold.replay.traces import Rates, read_rates
from tenfold.replay.tune import FLOORS, OURS, PEERS, Tuned, tune
from tenfold.replay.week import Week

TUNING_SEED = 1
JUDGED_SEED = 101
talk = Console(stderr=True)


@dataclass(frozen=True)
class Judged:
    """One week: what each policy made of it, and what none could exceed."""

    week: Week
    outcomes: dict[str, Outcome]
    bounds: tuple[Bound, ...]

    @property
    def bound(self) -> Bound:
        """The clairvoyant one with true move costs."""
        return self.bounds[1]

    def ratio(self, name: str, other: str) -> float:
        return self.outcomes[name].useful_training_h / max(1e-9, self.outcomes[other].useful_training_h)


def judge(week: Week, tuned: dict[str, Tuned]) -> Judged:
    outcomes = {}
    for name, policy in tuned.items():
        outcomes[name] = replay(week, policy.rule)
        talk.print(f"  {week.name}: {name}", style="dim")
    bounds = (clairvoyant(week, FLOORS, moves=False), clairvoyant(week, FLOORS, moves=True), informed(week, FLOORS))
    return Judged(week, outcomes, bounds)


def show(judged: Judged) -> None:
    """Print a week's policies and bounds."""
    table = Table(
        "policy",
        "LLM",
        "ranking",
        "LLM steps in full",
        "training h",
        "of bound",
        "lost",
        "moves/day",
        "idle",
        title=judged.week.name,
    )
    for name, outcome in judged.outcomes.items():
        attains = all(outcome.attainment(family) >= floor for family, floor in FLOORS.items())
        table.add_row(
            name,
            f"{outcome.attainment('llm'):.2%}",
            f"{outcome.attainment('ranking'):.3%}",
            f"{outcome.steps_in_full('llm'):.1%}",
            f"{outcome.useful_training_h:,.0f}",
            f"{outcome.useful_training_h / judged.bound.useful_training_h:.1%}",
            f"{outcome.work_lost:.2%}",
            f"{outcome.moves_per_day:,.0f}",
            f"{outcome.idle_share:.1%}",
            style=None if attains else "dim",
        )
    table.add_section()
    for bound in judged.bounds:
        share = bound.useful_training_h / judged.bound.useful_training_h
        table.add_row(
            bound.name, "95.00%", "99.900%", "", f"{bound.useful_training_h:,.0f}", f"{share:.1%}", "", "", ""
        )
    Console(width=130).print(table)


def show_frontier(week: Week, tuned: dict[str, Tuned], bound: Bound) -> None:
    """Print attainment against training of every setting that tuning tried, on a judged week."""
    table = Table(
        "policy", "LLM / ranking / training as a share of the bound, from thrifty to generous", title=week.name
    )
    for name, policy in tuned.items():
        outcomes = [replay(week, policy.make(trial.dials)) for trial in policy.frontier()]
        points = [
            f"{o.attainment('llm'):.1%}/{o.attainment('ranking'):.2%}/{o.useful_training_h / bound.useful_training_h:.0%}"
            for o in outcomes
        ]
        table.add_row(name, "  ".join(points))
    Console(width=200).print(table)
