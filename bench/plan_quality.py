"""Plans on unseen futures: the planner's policy against rolling re-planning with a tuned demand buffer.

Each instance is a company. Both policies decide period by period along the same held-out demand paths, knowing demand
up to the period, and are charged by the same account. ``tenfold.plan.policy.learn`` makes both: the buffers of
re-planning (one per workload; flat, or rising with the root of the time ahead) and the cautions of the cuts (one per
workload) are tuned by the same search, on the same paths, to the same score, mean + 0.2 x CVaR95. On further paths it
then chooses: the policy is the cuts if they are surely better there, else re-planning itself, whose gain is 0. Held-out
paths have a seed of their own. The gain of the cuts alone, chosen or not, is printed too.

    python bench/plan_quality.py [--full] [--instances 12] [--paths 1000] [--jobs 2] [--keep results/]

The default looks at all instances with less work for each: fewer iterations of SDDP, and fewer paths to tune, to choose
and to judge on, so single figures move by some percent. It takes some 5 minutes on 2 quiet cores; --full, whose figures
are the ones to go by, some six times as long.

The last line is one JSON object. Gains are shares of re-planning's cost; intervals are 95%, bootstrapped over paths,
the same resample for both policies.
"""

import argparse
import json
import os
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from tenfold.plan import examples
from tenfold.plan.demand import DemandProcess
from tenfold.plan.model import template
from tenfold.plan.policy import Effort, Score, learn
from tenfold.plan.rolling import Forecast, Replan
from tenfold.plan.simulate import simulate
from tenfold.plan.study import Study
from tenfold.plan.study_file import load_study
from tenfold.plan.synthetic import synthetic_study

Floats = NDArray[np.float64]

FULL = Effort()
SHORT = Effort(iterations=150, tuning_paths=60, choice_paths=120)
FULL_PATHS, SHORT_PATHS = 1000, 300
ALPHA = 0.95
BOOTSTRAPS = 1000
talk = Console(stderr=True, width=150)


@dataclass(frozen=True)
class Result:
    name: str
    policy_usd_N: Floats
    replan_usd_N: Floats
    cuts_usd_N: Floats
    seen_usd: float
    bound_usd: float
    chosen: str
    learn_s: float
    cpu_s: float

    def gains(self) -> Floats:
        return gain(self.policy_usd_N, self.replan_usd_N)

    def resampled(self) -> Floats:
        """Gains of each resample, shape (BOOTSTRAPS, 3)."""
        rng, count = np.random.default_rng(0), len(self.policy_usd_N)
        picks = rng.integers(count, size=(BOOTSTRAPS, count))
        return np.array([gain(self.policy_usd_N[pick], self.replan_usd_N[pick]) for pick in picks])


def gain(policy_N: Floats, replan_N: Floats) -> Floats:
    """In mean, in CVaR95 and in the score that both are tuned to, shape (3,)."""
    tail = max(1, round((1 - ALPHA) * len(policy_N)))
    (mean, worst), (replan_mean, replan_worst) = (
        (cost_N.mean(), np.partition(cost_N, -tail)[-tail:].mean()) for cost_N in (policy_N, replan_N)
    )
    weight = Score().weight
    score, replan_score = mean + weight * worst, replan_mean + weight * replan_worst
    return 1 - np.array([mean / replan_mean, worst / replan_worst, score / replan_score])


def instances() -> list[Study]:
    """Companies of several sizes and shapes, fixed before any was run."""
    made = [
        synthetic_study(1, periods=8, sites=3),
        synthetic_study(2, periods=10, sites=2),
        spread(synthetic_study(5, periods=8, sites=3), 1.4),
        spread(synthetic_study(6, periods=8, sites=3), 0.5),
        without_jumps(synthetic_study(7, periods=8, sites=2)),
        rent(synthetic_study(8, periods=8, sites=2), limit=400_000, price=1.4),
        rent(synthetic_study(9, periods=8, sites=2), limit=10_000, price=1.0),
        slower(synthetic_study(10, periods=10, sites=2), months=6),
        scaled(synthetic_study(11, periods=8, sites=1), 0.02),
        synthetic_study(4, periods=8, sites=6),
        synthetic_study(3, periods=12, sites=3),
    ]
    shipped = sorted(Path(examples.__file__).parent.glob("*.yaml"))
    return [load_study(path) for path in shipped] + made


def spread(study: Study, factor: float) -> Study:
    """Ranges wider or narrower by a factor, in the logarithm."""
    table = study.model_dump(exclude_unset=True)
    for workload in table["workloads"].values():
        for label, (low, middle, high) in workload["demand"]["ranges"].items():
            workload["demand"]["ranges"][label] = [
                middle * (low / middle) ** factor,
                middle,
                middle * (high / middle) ** factor,
            ]
    return renamed(table, f"{study.name}, spread x{factor}")


def without_jumps(study: Study) -> Study:
    table = study.model_dump(exclude_unset=True)
    for workload in table["workloads"].values():
        workload["demand"].pop("jumps", None)
    return renamed(table, f"{study.name}, no jumps")


def rent(study: Study, limit: float, price: float) -> Study:
    table = study.model_dump(exclude_unset=True)
    for offer in table["rent"].values():
        offer["limit"] = limit
        offer["usd_per_hour"] *= price
    return renamed(table, f"{study.name}, rent up to {limit:,.0f}")


def slower(study: Study, months: float) -> Study:
    """All accelerators and phases take longer."""
    table = study.model_dump(exclude_unset=True)
    for offer in table["accelerators"].values():
        offer["lead_months"] += months
    for site in table["sites"].values():
        for phase in site["phases"].values():
            phase["lead_months"] += months
    return renamed(table, f"{study.name}, leads +{months:g} months")


def scaled(study: Study, factor: float) -> Study:
    """A smaller company: demand, sites, fleets and limits."""
    table = study.model_dump(exclude_unset=True)
    for workload in table["workloads"].values():
        ranges = workload["demand"]["ranges"]
        workload["demand"]["ranges"] = {label: [factor * x for x in values] for label, values in ranges.items()}
    for offer in table["accelerators"].values():
        for owned in offer.get("owned", ()):
            owned["count"] *= factor
        if "limit_per_period" in offer:
            offer["limit_per_period"] *= factor
    for offer in table["rent"].values():
        offer["limit"] *= factor
    table["conversion"]["owned"] *= factor
    table["fit_out"]["done_mw"] *= factor
    for site in table["sites"].values():
        for phase in site["phases"].values():
            phase["power_mw"] *= factor
            phase["capex_usd"] *= factor
    return renamed(table, f"{study.name}, size x{factor}")


def renamed(table: dict[str, object], name: str) -> Study:
    return Study.model_validate({**table, "name": name})


def run(study: Study, effort: Effort, paths: int) -> Result:
    began = time.process_time()
    study = study.model_copy(update={"risk": study.risk.model_copy(update={"weight": 0.0})})
    process = DemandProcess.fit(study)
    largest_K = process.simulate(4000, np.random.default_rng(1001)).max(axis=(0, 1))
    node = template(study, largest_K)
    learned = learn(node, process, effort)
    took_s = time.process_time() - began

    held_out = process.simulate(paths, np.random.default_rng(3003))
    replan = simulate(node, learned.replan.policy, held_out).cost_usd_N
    cuts = simulate(node, learned.cuts.policy, held_out).cost_usd_N
    seeing = Replan.of(node, Forecast.of(process, np.random.default_rng(4004), paths=1))
    empty = np.zeros((len(held_out), study.periods, len(node.columns)))
    unit = node.columns.money_unit_usd
    return Result(
        name=study.name,
        policy_usd_N=cuts if learned.chosen is learned.cuts else replan,
        replan_usd_N=replan,
        cuts_usd_N=cuts,
        seen_usd=float(seeing.follow(0, empty, held_out)[1].mean()) * unit,
        bound_usd=learned.bound * unit,
        chosen=f"{'CUTS' if learned.chosen is learned.cuts else 'RE-PLAN'} of {learned.cuts}; {learned.replan}",
        learn_s=took_s,
        cpu_s=time.process_time() - began,
    )


def kept(study: Study, effort: Effort, paths: int, folder: Path | None) -> Result:
    """The result of an instance, from the folder if it is there."""
    if folder is None:
        return run(study, effort, paths)
    folder.mkdir(parents=True, exist_ok=True)
    work = f"{effort.iterations}-{effort.tuning_paths}-{effort.choice_paths}-{paths}"
    file = folder / f"{study.name.replace(' ', '-').replace(',', '')}-{work}.npz"
    if not file.exists():
        found = run(study, effort, paths)
        np.savez(file, **{name: getattr(found, name) for name in Result.__dataclass_fields__})
    with np.load(file) as saved:
        return Result(**{name: saved[name] if saved[name].ndim else saved[name].item() for name in saved.files})


def report(results: list[Result], *, full: bool) -> None:
    gained = ("mean gain", "CVaR95 gain", "score gain", "cuts' gains")
    table = Table("instance", "re-plan $M", "policy $M", "seen $M", *gained, "chosen", "CPU s")
    gain_I3 = np.array([result.gains() for result in results])
    cuts_I3 = np.array([gain(result.cuts_usd_N, result.replan_usd_N) for result in results])
    resample_IB3 = np.array([result.resampled() for result in results])
    for result, gain_3, cuts_3, resample_B3 in zip(results, gain_I3, cuts_I3, resample_IB3, strict=True):
        interval_23 = np.percentile(resample_B3, [2.5, 97.5], axis=0)
        table.add_row(
            result.name,
            *(f"{usd / 1e6:,.4g}" for usd in (result.replan_usd_N.mean(), result.policy_usd_N.mean(), result.seen_usd)),
            *(f"{x:.1%} [{low:.1%}, {high:.1%}]" for x, low, high in zip(gain_3, *interval_23, strict=True)),
            ", ".join(f"{x:.1%}" for x in cuts_3),
            result.chosen,
            f"{result.cpu_s:.0f}",
        )
    talk.print(table)
    mean_3, worst_3 = gain_I3.mean(axis=0).round(4).tolist(), gain_I3.min(axis=0).round(4).tolist()
    interval_32 = np.percentile(resample_IB3.mean(axis=0), [2.5, 97.5], axis=0).T.round(4).tolist()
    row = {
        "instances": len(results),
        "full": full,
        "paths": len(results[0].policy_usd_N),
        "mean_gain": mean_3[0],
        "mean_gain_ci": interval_32[0],
        "cvar95_gain": mean_3[1],
        "cvar95_gain_ci": interval_32[1],
        "score_gain": mean_3[2],
        "score_gain_ci": interval_32[2],
        "worst_instance_gain": worst_3[0],
        "worst_instance_cvar95_gain": worst_3[1],
        "worst_instance_score_gain": worst_3[2],
        "cuts_chosen": sum(result.chosen.startswith("CUTS") for result in results),
        "cuts_alone": dict(zip(("mean", "cvar95", "score"), cuts_I3.mean(axis=0).round(4).tolist(), strict=True)),
        "cuts_alone_worst_gain": round(float(cuts_I3.min(axis=0)[0]), 4),
        "cpu_s": round(sum(result.cpu_s for result in results)),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "highspy": version("highspy"),
    }
    print(json.dumps(row))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, help="only the first so many")
    parser.add_argument("--full", action="store_true", help="as much work for each as docs/results.md quotes")
    parser.add_argument("--paths", type=int, help=f"held-out paths of each: {SHORT_PATHS}, or {FULL_PATHS}")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="instances at a time")
    parser.add_argument("--keep", type=Path, help="folder of results; what is in it already is not run again")
    args = parser.parse_args()
    effort, paths = (FULL, FULL_PATHS) if args.full else (SHORT, SHORT_PATHS)
    studies = instances()[: args.instances]
    with ProcessPoolExecutor(args.jobs) as workers:
        asked = [workers.submit(kept, study, effort, args.paths or paths, args.keep) for study in studies]
        for study, answer in zip(studies, asked, strict=True):
            result = answer.result()
            mean, tail, _ = result.gains()
            talk.print(f"{study.name}: mean {mean:+.2%}, CVaR95 {tail:+.2%}; {result.chosen}; {result.cpu_s:.0f} s")
    results = [answer.result() for answer in asked]
    report(results, full=args.full)


if __name__ == "__main__":
    main()
