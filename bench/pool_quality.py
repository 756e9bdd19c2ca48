"""Tenfold's policy against the field's rules and against bounds, on weeks that none was tuned on.

A fleet of one kind serves LLMs (half of it on average, peaks reach all of it), ranks (15%), and trains with what is
left: jobs as in a large company, and sixteen that never end. Every policy is tuned with the same budget on one week,
to the most useful training at 96% attainment for LLM services and 99.9% for ranking, and judged on others at 95% and
99.9%: services that are rougher than those tuned on attain less. Times are those of the week
(`tenfold.replay.generate`): a policy marked `warm` wakes loaded residents, others start processes.

    python bench/pool_quality.py [--rates week.json] [--weeks 2] [--slots 1000] [--steps 5040]

`--rates` takes requests per second of LLM services, in a JSON object with `step_s` and `rates` (name to list); they
become the LLM load of the weeks that are judged. Without it all load is generated. The last line is one JSON object:
useful training as a share of the clairvoyant bound with true move costs, and over that of the best-tuned kueue-like
rule, under the same start times (the lower of both warm and both cold) and with warm moves against its restarts; shares
are the worst of the judged weeks, attainment too.
"""

import argparse
import json
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tenfold.replay.bounds import Bound, clairvoyant, informed
from tenfold.replay.engine import replay
from tenfold.replay.generate import synthetic_week
from tenfold.replay.loads import DAY_S
from tenfold.replay.outcome import Outcome
from tenfold.replay.traces import Rates, read_rates
from tenfold.replay.tune import FLOORS, OURS, PEERS, Tunable, Tuned, tune
from tenfold.replay.week import Week

TUNING_SEED = 1
TUNED_TO = {**FLOORS, "llm": 0.96}
STEP_S = 120.0
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


def fleet(seed: int, slots: int, steps: int, rates: Rates | None) -> Week:
    """One week; of given rates the first day is what every policy knows before, and is not judged."""
    if rates is not None:
        steps = min(steps, int((rates.rates_ST.shape[1] * rates.step_s - DAY_S) / STEP_S))
    return synthetic_week(
        seed, slots, steps, llm_rates=rates, step_s=STEP_S, llm_share=0.5, ranking_share=0.15, training_share=0.3
    )


def judge(week: Week, tuned: Mapping[str, Tuned]) -> Judged:
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


def show_frontier(judged: Judged, tuned: Mapping[str, Tuned], make: Mapping[str, Tunable], tuning: Week) -> None:
    """Print attainment against training of the settings on each policy's frontier, on a judged week."""
    table = Table("policy", "LLM / ranking in time: training as a share of the bound", title="The frontier")
    for name, policy in tuned.items():
        points = []
        for trial in policy.frontier():
            outcome = replay(judged.week, make[name].make(tuning, trial.dials))
            share = outcome.useful_training_h / judged.bound.useful_training_h
            points.append(f"{outcome.attainment('llm'):.1%} / {outcome.attainment('ranking'):.2%}: {share:.1%}")
        table.add_row(name, "   ".join(points))
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
    began = time.process_time()
    rates = read_rates(options.rates) if options.rates else None
    make = {policy.name: policy for policy in (*PEERS, *OURS)}
    tuning = fleet(TUNING_SEED, options.slots, options.steps, None)
    tuned = {}
    for name, policy in make.items():
        tuned[name] = tune(tuning, policy, TUNED_TO)
        talk.print(f"  tuned {name}: {tuned[name].chosen.dials}", style="dim", markup=False)
    seeds = range(JUDGED_SEED, JUDGED_SEED + options.weeks)
    weeks = [fleet(seed, options.slots, options.steps, rates) for seed in seeds]
    judged = [judge(week, tuned) for week in weeks]
    print(
        f"{platform.machine()}, one thread; tuned on seed {TUNING_SEED}; "
        f"load of LLM services in the judged weeks: {options.rates or 'generated'}"
    )
    for week in judged:
        show(week)
    show_frontier(judged[0], tuned, make, tuning)
    print(f"{time.process_time() - began:.0f} CPU-seconds")
    print(json.dumps(result(judged)))


if __name__ == "__main__":
    main()
