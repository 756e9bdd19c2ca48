"""Plans on futures that they have not seen: made anew every period, held as they are, and had the future been known.

Each instance is a company. What its plan commits to now is done; then ``tenfold.plan.simulate`` follows it along
futures with a seed of their own, once re-planned every period and once static. Both are charged for
the same futures by the same account. *Known*: the least that each future could cost, had it been known from the start;
no way of deciding comes below it.

    python bench/plan_quality.py [--instances 12] [--futures 1000] [--jobs 2]

Five minutes of one quiet core. The last line is one JSON object. Savings are shares of the static plan's mean cost;
intervals are 95%, paired over futures.
"""

import argparse
import json
import os
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from synthetic_study import synthetic_study
from tenfold.plan import examples
from tenfold.plan.simulate import simulate
from tenfold.plan.simulation import Simulation
from tenfold.plan.solve import Effort
from tenfold.plan.study import Study
from tenfold.plan.study_file import load_study

NODES = 200
EFFORT = Effort(gap=0.01, seconds=10.0)
SEED = 3003
talk = Console(stderr=True, width=150)


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


def run(study: Study, futures: int) -> tuple[Simulation, float]:
    """The simulation of a study, and its CPU-seconds."""
    began = time.process_time()
    tree = study.tree.model_copy(update={"nodes": min(study.tree.nodes, NODES)})
    return simulate(study.model_copy(update={"tree": tree}), futures, SEED, EFFORT), time.process_time() - began


def report(results: list[tuple[Simulation, float]]) -> None:
    names = ("re-planned", "static", "known", "the tree says")
    columns = ("instance", *(f"{name}, $M" for name in names), "saved", "worst 5%", "above known", "buffer", "CPU s")
    table = Table(*columns)
    saved, tail, above = [], [], []
    for found, cpu_s in results:
        costs = [found.replanned.cost_usd, found.static.cost_usd, found.foreseen_usd, found.plan_cost_usd]
        static = costs[1].mean
        saved.append(found.saved.usd / static)
        tail.append(1 - found.replanned.cvar_usd / found.static.cvar_usd)
        above.append(costs[0].mean / costs[2].mean - 1)
        interval = f"[{found.saved.low_usd / static:.1%}, {found.saved.high_usd / static:.1%}]"
        table.add_row(
            found.study.name,
            *(f"{cost.mean / 1e6:,.4g}" for cost in costs),
            f"{saved[-1]:.1%} {interval}",
            f"{tail[-1]:.1%}",
            f"{above[-1]:.1%}",
            f"{found.buffer:.0%}",
            f"{cpu_s:.0f}",
        )
    talk.print(table)
    row = {
        "instances": len(results),
        "futures": results[0][0].futures,
        "saved": round(float(np.mean(saved)), 4),
        "saved_least": round(min(saved), 4),
        "saved_in_tail": round(float(np.mean(tail)), 4),
        "surely_saved": sum(found.saved.low_usd > 0 for found, _ in results),
        "above_known": round(float(np.mean(above)), 4),
        "cpu_s": round(sum(cpu_s for _, cpu_s in results)),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "highspy": version("highspy"),
    }
    print(json.dumps(row))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, help="only the first so many")
    parser.add_argument("--futures", type=int, default=1000, help="of each instance")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="instances at a time")
    args = parser.parse_args()
    studies = instances()[: args.instances]
    with ProcessPoolExecutor(args.jobs) as workers:
        asked = [workers.submit(run, study, args.futures) for study in studies]
        for study, answer in zip(studies, asked, strict=True):
            found, cpu_s = answer.result()
            talk.print(f"{study.name}: saved {found.saved.share or 0:.1%}, {cpu_s:.0f} s")
    report([answer.result() for answer in asked])


if __name__ == "__main__":
    main()
