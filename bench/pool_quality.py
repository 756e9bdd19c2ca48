"""Tenfold's policy against the field's rules at equal attainment, on smooth weeks and on bursty ones.

A fleet of one kind serves LLMs (half of it on average, peaks reach all of it), ranks (15%), and trains with what is
left: jobs as in a large company, and sixteen that never end. On smooth weeks ranking follows people's day; on bursty
ones it is counts with sudden surges of up to twenty times and more (`bursts`). The policy was tuned on
`posts` and `news` with other seeds; `storms`, `cascades` and `sparse` were kept.

Equal attainment: Tenfold runs as it is shipped, steered to 95% of LLM requests and 99.9% of ranking, and attains what
it attains. Each rule, with the same warm moves as Tenfold's, is then tuned on that very week, which nobody could do
beforehand: both dials are halved, twelve replays a rule, to the most useful training among the settings that attain
what Tenfold does in every family, within a tenth of a point of LLM requests and a fiftieth of ranking. Where a rule
attains as much with no setting, it is taken at the setting that comes closest, and Tenfold is steered to what that one
attains, by lower targets that are found in the same way with as many replays: so attainment is equal both ways. Such a
rule is marked. The best rule is the one with the least ratio.

    python bench/pool_quality.py [--full] [--seeds 1] [--processes 2] [--rates llm.json] [--ranking-rates counts.json]

By default five weeks of three days on 300 slots in 5-minute steps; `--full`: seven days on 1,000 slots in 100-second
steps, all six sources, two seeds. `--rates` and `--ranking-rates` take requests per second in JSON (`step_s`, and
`rates` by name) for the LLM services of all weeks, and for the ranking of one more bursty week. The last line is one
JSON object: Tenfold's useful training over that of the best rule, the worst week of the smooth and of the bursty ones;
on smooth weeks its share of the clairvoyant bound, work lost to moves and attainment, the worst week each; and what one
burst in a smooth week (ranking asked six times as much for 20 minutes) costs of its training, and for how many hours.
"""

import argparse
import json
import math
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from bursts import SOURCES, with_burst
from synthetic_week import synthetic_week
from tenfold.replay.bounds import clairvoyant
from tenfold.replay.engine import replay
from tenfold.replay.outcome import Outcome
from tenfold.replay.rule import Rule
from tenfold.replay.rules import Dials, HpaLike, KueueLike, LyraLike, Priority
from tenfold.replay.tenfold import Tenfold
from tenfold.replay.traces import Rates, read_rates
from tenfold.replay.tune import FLOORS
from tenfold.replay.week import Week

JUDGED_SEED = 101
TARGETS: Dials = tuple(FLOORS.items())
FAMILIES = tuple(FLOORS)

RULES: Mapping[str, Callable[[Dials], Rule]] = {
    "lyra-like, warm": lambda dials: LyraLike(dials, warm=True),
    "hpa-like, warm": lambda dials: HpaLike(dials, warm=True),
    "kueue-like, warm": lambda dials: KueueLike(dials, warm=True),
    "priority, warm": lambda dials: Priority(dials, warm=True),
}

SLACK = (0.001, 0.0002)
"""By so much a rule may miss what Tenfold attains of LLM requests and ranking, as its dials are halved a few times."""

SCANNED = (1.0, 0.7, 0.45, 0.25, 0.1)
HALVINGS = 7
MOST_GENEROUS, LEAST_GENEROUS = 0.02, 1.4
BURST_AT_S, BURST_MINUTES = 24 * 3600.0, 20.0

talk = Console(stderr=True)


@dataclass(frozen=True)
class Setting:
    """A week by its recipe, so that processes make it themselves."""

    source: str
    seed: int
    slots: int
    steps: int
    step_s: float
    llm: Rates | None = None
    counts: Rates | None = None

    @property
    def bursty(self) -> bool:
        return self.source not in ("smooth", "one burst")

    def week(self) -> Week:
        small = self.slots < 1000
        made = synthetic_week(
            self.seed,
            self.slots,
            self.steps,
            services=12 if small else 30,
            jobs=200 if small else 1000,
            llm_rates=self.llm,
            step_s=self.step_s,
            llm_share=0.5,
            ranking_share=0.15,
            training_share=0.3,
            ranking=self.counts or SOURCES.get(self.source),
        )
        return with_burst(made, "ranking", BURST_AT_S, BURST_MINUTES) if self.source == "one burst" else made


@dataclass(frozen=True)
class Played:
    """One replay. ``attained``: by family, in the order of ``FAMILIES``."""

    dials: Dials
    outcome: Outcome

    @property
    def attained(self) -> tuple[float, ...]:
        return tuple(self.outcome.attainment(family) for family in FAMILIES)

    def shortfall(self, wanted: Sequence[float]) -> float:
        return sum(
            max(0.0, want - slack - found) for want, slack, found in zip(wanted, SLACK, self.attained, strict=True)
        )


@dataclass(frozen=True)
class Against:
    """A rule at its best setting, and Tenfold at the same attainment.

    ``reached``: whether a setting attains as much as Tenfold as it is shipped; else ``ours`` is steered to the rule's.
    """

    rule: Played
    ours: Played
    reached: bool

    @property
    def ratio(self) -> float:
        return self.ours.outcome.useful_training_h / max(1e-9, self.rule.outcome.useful_training_h)


def play_tenfold(setting: Setting, targets: Dials) -> Played:
    return Played(targets, replay(setting.week(), Tenfold(targets)))


def oppose(setting: Setting, name: str, ours: Played) -> Against:
    """Tune a rule on this very week to what Tenfold attained there."""
    week = setting.week()
    rule = best(tune_to(week, RULES[name], ours.attained), ours.attained)
    if rule.shortfall(ours.attained) <= 0:
        return Against(rule, ours, True)
    steered = tune_to(week, lambda dials: steered_below(dials, rule.attained), rule.attained)
    return Against(rule, best([ours, *steered], rule.attained), False)


def best(trials: Sequence[Played], wanted: Sequence[float]) -> Played:
    """Find the most training among those that attain what is wanted, or else what comes closest."""
    return min(trials, key=lambda trial: (trial.shortfall(wanted), -trial.outcome.useful_training_h))


def steered_below(dials: Dials, wanted: Sequence[float]) -> Tenfold:
    """Make Tenfold with targets such that each family may miss ``dials`` times what it may miss with ``wanted``.

    A policy that is steered owes only what slots could have answered, so it misses more than its target allows.
    """
    return Tenfold(
        tuple((family, 1.0 - times * (1.0 - most)) for (family, times), most in zip(dials, wanted, strict=True))
    )


def tune_to(week: Week, make: Callable[[Dials], Rule], wanted: Sequence[float]) -> list[Played]:
    """Scan utilisations with both dials alike, then halve each family's range; the thriftiest that attains is last."""
    trials: list[Played] = []

    def attains(utilisations: Sequence[float]) -> list[bool]:
        dials = tuple(zip(FAMILIES, utilisations, strict=True))
        trials.append(Played(dials, replay(week, make(dials))))
        return [found >= want - slack for found, want, slack in zip(trials[-1].attained, wanted, SLACK, strict=True)]

    low, high = [MOST_GENEROUS] * len(FAMILIES), [LEAST_GENEROUS] * len(FAMILIES)
    for utilisation in SCANNED:
        for place, enough in enumerate(attains([utilisation] * len(FAMILIES))):
            low[place] = max(low[place], utilisation) if enough else low[place]
    # Who is provided for too generously starves the others, so a family may miss below a dial that attains.
    high = [min((u for u in (*SCANNED, LEAST_GENEROUS) if u > edge), default=LEAST_GENEROUS) for edge in low]
    for halving in range(HALVINGS):
        last = halving == HALVINGS - 1
        middle = low if last else [math.sqrt(a * b) for a, b in zip(low, high, strict=True)]
        enough = attains(middle)
        low = [m if ok else a for a, m, ok in zip(low, middle, enough, strict=True)]
        high = [b if ok else m for b, m, ok in zip(high, middle, enough, strict=True)]
    return trials


def bound_h(setting: Setting) -> float:
    return clairvoyant(setting.week(), FLOORS, moves=True).useful_training_h


def back_after_h(calm: Outcome, burst: Outcome) -> float:
    """Hours from the burst's end until an hour's training is at most 3% below the same hour's without the burst."""
    end = round((BURST_AT_S + 60.0 * BURST_MINUTES) / calm.step_s)
    hour = max(1, round(3600.0 / calm.step_s))
    without_T, with_T = (
        np.convolve(outcome.training_slots_T, np.ones(hour) / hour, mode="valid")[end:] for outcome in (calm, burst)
    )
    back_T = with_T >= 0.97 * without_T
    return float(np.argmax(back_T) if back_T.any() else len(back_T)) * calm.step_s / 3600.0


def show(setting: Setting, ours: Played, found: Mapping[str, Against]) -> None:
    """Print one week: Tenfold, and each rule at its best setting with Tenfold over it."""
    table = Table(
        "policy", "LLM", "ranking", "training h", "lost", "Tenfold over it", title=f"{setting.source} {setting.seed}"
    )
    table.add_row("tenfold", *_cells(ours), "")
    for name, against in found.items():
        note = f"{against.ratio:.3f}" + ("" if against.reached else " (attains less)")
        table.add_row(name, *_cells(against.rule), note, style="" if against.reached else "dim")
        if not against.reached:
            table.add_row("  tenfold, steered to it", *_cells(against.ours), "", style="dim")
    Console(width=130).print(table)


def _cells(played: Played) -> tuple[str, ...]:
    llm, ranking = played.attained
    hours, lost = played.outcome.useful_training_h, played.outcome.work_lost
    return f"{llm:.2%}", f"{ranking:.3%}", f"{hours:,.0f}", f"{lost:.2%}"


def settings_of(options: argparse.Namespace) -> list[Setting]:
    """The weeks that are judged."""
    slots, steps, step_s = (1000, 6048, 100.0) if options.full else (300, 864, 300.0)
    steps = options.steps or steps
    llm = read_rates(options.rates) if options.rates else None
    sources = ["smooth", "storms", "cascades", "sparse", *(["posts", "news"] if options.full else ["posts"])]
    seeds = range(JUDGED_SEED, JUDGED_SEED + (options.seeds or (2 if options.full else 1)))
    found = [Setting(source, seed, slots, steps, step_s, llm) for source in sources for seed in seeds]
    if options.ranking_rates:
        counts = read_rates(options.ranking_rates)
        found.append(Setting(options.ranking_rates.stem, JUDGED_SEED, slots, steps, step_s, llm, counts))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="whole weeks on 1,000 slots, all sources; hours")
    parser.add_argument("--seeds", type=int, help="how many of each source")
    parser.add_argument("--steps", type=int, help="how many are played")
    parser.add_argument("--processes", type=int, help="how many play at once; as many as there are cores if not given")
    parser.add_argument("--rates", type=Path, help="requests per second of LLM services")
    parser.add_argument("--ranking-rates", type=Path, help="counts per second of ranking services, for one more week")
    options = parser.parse_args()
    began = time.monotonic()
    settings = settings_of(options)
    names = list(RULES) if options.full else [name for name in RULES if not name.startswith("priority")]
    with ProcessPoolExecutor(options.processes) as processes:
        ours = list(processes.map(play_tenfold, settings, [TARGETS] * len(settings)))
        smooth = settings[0]
        one = processes.submit(
            play_tenfold,
            Setting("one burst", *(smooth.seed, smooth.slots, smooth.steps, smooth.step_s, smooth.llm)),
            TARGETS,
        )
        against: list[dict[str, Future[Against]]] = [
            {name: processes.submit(oppose, setting, name, played) for name in names}
            for setting, played in zip(settings, ours, strict=True)
        ]
        bounds = [processes.submit(bound_h, setting) for setting in settings if not setting.bursty]
        ratios: dict[bool, list[float]] = {False: [], True: []}
        print(f"{platform.machine()}; load of LLM services: {options.rates or 'generated'}")
        for setting, played, futures in zip(settings, ours, against, strict=True):
            found = {name: future.result() for name, future in futures.items()}
            show(setting, played, found)
            talk.print(f"  {time.monotonic() - began:.0f} s: {setting.source} {setting.seed}", style="dim")
            ratios[setting.bursty].append(min(each.ratio for each in found.values()))
        calm = [played.outcome for setting, played in zip(settings, ours, strict=True) if not setting.bursty]
        shares = [o.useful_training_h / bound.result() for o, bound in zip(calm, bounds, strict=True)]
        burst = one.result().outcome
    print(f"{time.monotonic() - began:.0f} seconds")
    result = {
        "vs_best_rule": round(min(ratios[False]), 3),
        "vs_best_rule_bursty": round(min(ratios[True]), 3),
        "share_of_clairvoyant": round(min(shares), 3),
        "work_lost": round(max(outcome.work_lost for outcome in calm), 4),
        "attainment_llm": round(min(outcome.attainment("llm") for outcome in calm), 4),
        "attainment_ranking": round(min(outcome.attainment("ranking") for outcome in calm), 5),
        "burst_costs": round(1.0 - burst.useful_training_h / calm[0].useful_training_h, 4),
        "burst_back_h": round(back_after_h(calm[0], burst), 2),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
