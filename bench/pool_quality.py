"""Tenfold's policy against the field's rules and against bounds, on weeks that none was tuned on.

A fleet of one kind serves LLMs (half of it on average, peaks reach all of it), ranks (15%), and trains with what is
left: jobs as in a large company, and sixteen that never end. Every policy is tuned with the same budget on one week,
to the most useful training at 95% attainment for LLM services and 99.9% for ranking, and judged on others. There the
others get the best of the settings on their frontier that attain as much to half a point of LLM requests and a
twentieth of ranking, or else the one that misses least, which nobody could know beforehand; Tenfold keeps the one it
was tuned to. Times are those of the week (`tenfold.replay.generate`): a policy marked `warm` wakes loaded residents,
others start processes.

    python bench/pool_quality.py [--rates week.json] [--weeks 2] [--slots 1000] [--steps 5040]

`--rates` takes requests per second of LLM services, in a JSON object with `step_s` and `rates` (name to list); they
become the LLM load of the weeks that are judged. Without it all load is generated. It uses all processors. The last
line is one JSON object: useful training as a share of the clairvoyant bound with true move costs, and over that of the
kueue-like rule, under the same start times (the lower of both warm and both cold) and with warm moves against its
restarts; shares are the worst of the judged weeks, attainment too.
"""

import argparse
import json
import platform
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tenfold.replay.bounds import Bound, clairvoyant, informed
from tenfold.replay.engine import replay
from tenfold.replay.generate import synthetic_week
from tenfold.replay.loads import DAY_S
from tenfold.replay.outcome import Outcome
from tenfold.replay.traces import Rates, read_rates
from tenfold.replay.tune import FLOORS, OURS, PEERS, Trial, Tuned, tune
from tenfold.replay.week import Week

TUNING_SEED = 1
STEP_S = 120.0
JUDGED_SEED = 101
POLICIES = {policy.name: policy for policy in (*PEERS, *OURS)}
STEERED = {policy.name for policy in OURS}

SLACK: Mapping[str, float] = {"llm": 0.005, "ranking": 0.0005}
"""By so much the others may miss what is asked, as their dials have few settings."""

NEAR = 5
"""So many settings of each policy's frontier are played on the judged weeks: those nearest to what is asked of LLMs."""

talk = Console(stderr=True)


@dataclass(frozen=True)
class Judged:
    """One week: what each policy made of it with its settings, the one it is judged by, and what none could exceed."""

    week: Week
    settings: Mapping[str, Sequence[Trial]]
    outcomes: Mapping[str, Outcome]
    bounds: tuple[Bound, ...]

    @property
    def bound(self) -> Bound:
        """The clairvoyant one with true move costs."""
        return self.bounds[1]

    def ratio(self, name: str, other: str) -> float:
        return self.outcomes[name].useful_training_h / max(1e-9, self.outcomes[other].useful_training_h)


def fleet(seed: int, slots: int, steps: int, rates: Rates | None) -> Week:
    """One week; of given rates the first day is what every policy knows before, and is not judged."""
    if rates is not None:
        steps = min(steps, int((rates.rates_ST.shape[1] * rates.step_s - DAY_S) / STEP_S))
    return synthetic_week(
        seed, slots, steps, llm_rates=rates, step_s=STEP_S, llm_share=0.5, ranking_share=0.15, training_share=0.3
    )


def tuned(week: Week, name: str) -> Tuned:
    found = tune(week, POLICIES[name], FLOORS)
    talk.print(f"  tuned {name}: {found.chosen.dials}", style="dim", markup=False)
    return found


def play(week: Week, name: str, trial: Trial, tuning: Week) -> Trial:
    """What a setting makes of a week that it was not tuned on."""
    return Trial(trial.dials, replay(week, POLICIES[name].make(tuning, trial.dials)))


def judge(week: Week, found: Mapping[str, Tuned], tuning: Week, processes: ProcessPoolExecutor) -> Judged:
    bounds = [
        processes.submit(clairvoyant, week, FLOORS, moves=False),
        processes.submit(clairvoyant, week, FLOORS, moves=True),
        processes.submit(informed, week, FLOORS),
    ]
    settings = {
        name: [processes.submit(play, week, name, trial, tuning) for trial in near(policy)]
        for name, policy in found.items()
    }
    played = {name: [trial.result() for trial in trials] for name, trials in settings.items()}
    talk.print(f"  judged on {week.name}", style="dim")
    outcomes = {
        name: next(trial for trial in trials if trial.dials == found[name].chosen.dials).outcome
        if name in STEERED
        else best(trials).outcome
        for name, trials in played.items()
    }
    return Judged(week, played, outcomes, tuple(bound.result() for bound in bounds))


def near(policy: Tuned) -> list[Trial]:
    """The settings on a policy's frontier that are nearest to what is asked, and the one it was tuned to."""
    frontier = sorted(policy.frontier(), key=lambda trial: abs(trial.outcome.attainment("llm") - FLOORS["llm"]))
    return list({trial.dials: trial for trial in (*frontier[:NEAR], policy.chosen)}.values())


def best(trials: Sequence[Trial]) -> Trial:
    """The one with the most training of those that all but attain, or else the one that misses least."""
    floors = {family: floor - SLACK[family] for family, floor in FLOORS.items()}
    return min(trials, key=lambda trial: (trial.shortfall(floors, "requests"), -trial.outcome.useful_training_h))


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


def show_frontiers(title: str, settings: Mapping[str, Sequence[Trial]]) -> None:
    """Print attainment against training of every policy's settings on one week."""
    table = Table("policy", "LLM / ranking in time: training h", title=title)
    for name, trials in settings.items():
        outcomes = [trial.outcome for trial in sorted(trials, key=lambda trial: trial.outcome.attainment("llm"))]
        points = [
            f"{outcome.attainment('llm'):.1%} / {outcome.attainment('ranking'):.2%}: {outcome.useful_training_h:,.0f}"
            for outcome in outcomes
        ]
        table.add_row(name, "   ".join(dict.fromkeys(points)))
    Console(width=150).print(table)


def result(judged: Sequence[Judged]) -> dict[str, float]:
    """The worst of the judged weeks."""
    ours = [week.outcomes["tenfold"] for week in judged]
    same = [
        min(week.ratio("tenfold", "kueue-like, warm"), week.ratio("tenfold, cold starts", "kueue-like"))
        for week in judged
    ]
    return {
        "share_of_clairvoyant": round(
            min(o.useful_training_h / week.bound.useful_training_h for o, week in zip(ours, judged, strict=True)), 3
        ),
        "vs_kueue_like_same_starts": round(min(same), 2),
        "vs_kueue_like_warm": round(min(week.ratio("tenfold", "kueue-like") for week in judged), 2),
        "work_lost": round(max(outcome.work_lost for outcome in ours), 4),
        "attainment_llm": round(min(outcome.attainment("llm") for outcome in ours), 4),
        "attainment_ranking": round(min(outcome.attainment("ranking") for outcome in ours), 5),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=Path, help="requests per second of LLM services, to judge on")
    parser.add_argument("--weeks", type=int, default=2, help="how many weeks are judged")
    parser.add_argument("--slots", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=5040)
    options = parser.parse_args()
    began = time.monotonic()
    rates = read_rates(options.rates) if options.rates else None
    tuning = fleet(TUNING_SEED, options.slots, options.steps, None)
    seeds = range(JUDGED_SEED, JUDGED_SEED + options.weeks)
    weeks = [fleet(seed, options.slots, options.steps, rates) for seed in seeds]
    with ProcessPoolExecutor() as processes:
        found = dict(zip(POLICIES, processes.map(partial(tuned, tuning), POLICIES), strict=True))
        judged = [judge(week, found, tuning, processes) for week in weeks]
    print(
        f"{platform.machine()}; tuned on seed {TUNING_SEED}; "
        f"load of LLM services in the judged weeks: {options.rates or 'generated'}"
    )
    show_frontiers("the frontiers on the tuning week", {name: policy.frontier() for name, policy in found.items()})
    for week in judged:
        show(week)
        show_frontiers(f"settings on {week.week.name}", week.settings)
    print(f"{time.monotonic() - began:.0f} seconds")
    print(json.dumps(result(judged)))


if __name__ == "__main__":
    main()
