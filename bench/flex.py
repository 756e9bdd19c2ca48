"""One compressed day on the fungible pool and on every static partition of the same slots.

Each arm is a real `tenfold up` with a fresh home and plays the same arrivals, drawn once from the capacities that the
pool measured. Attainment is that of the worse workload: the share of its requests, shed ones included, answered within
its latency target. The static partition to beat is the one with the most training among those that attain at least
what the pool does; if none does, the one that attains most. Reported: training tokens of the pool over those of that
partition.

    python bench/flex.py [--day 3m] [--seed 1]

The last line is one JSON object.
"""

import argparse
import asyncio
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tenfold.cli.traffic import run
from tenfold.load.client import day_for, fetch_state, run_day
from tenfold.load.day import Day, draw_day, parse_duration_s
from tenfold.load.report import DayReport, table

WORKLOADS = ("train", "serve", "rank")
talk = Console(stderr=True)


@dataclass(frozen=True)
class Arm:
    """One way to run the slots; ``split`` none is the pool."""

    name: str
    split: tuple[int, ...] | None

    def toml(self) -> str:
        if self.split is None:
            return ""
        floors = zip(WORKLOADS, self.split, strict=True)
        return '[pool]\npolicy = "static"\n' + "".join(f"[{name}]\nfloor = {count}\n" for name, count in floors)


def partitions(slots: int) -> list[Arm]:
    """Every split that gives each workload a slot: one without a slot would answer nobody."""
    splits = [s for s in itertools.product(range(1, slots), repeat=len(WORKLOADS)) if sum(s) == slots]
    return [Arm("static " + "/".join(map(str, split)), split) for split in splits]


@contextmanager
def pool(arm: Arm) -> Iterator[str]:
    """Bring up a pool for one arm; gives its address."""
    with tempfile.TemporaryDirectory(prefix="tenfold-flex-") as home:
        config = Path(home) / "tenfold.toml"
        config.write_text(arm.toml())
        environment = {**os.environ, "TENFOLD_HOME": home}
        command = [sys.executable, "-m", "tenfold.cli.main"]
        up = subprocess.Popen(
            [*command, "up", "--port", "0", "--json", "--config", str(config)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            yield json.loads(up.stdout.readline())["url"]
        finally:
            subprocess.run([*command, "down"], env=environment, check=False, capture_output=True)
            up.wait(30)


async def warm(url: str) -> None:
    """Let the pool measure what a slot does, under some load."""
    await run_day(url, draw_day(20.0, rank_peak_per_s=40.0, chat_burst_per_s=1.0, seed=7), lambda _: None)
    await asyncio.sleep(5)


async def play(arm: Arm, day: Day | None, duration_s: float, seed: int) -> tuple[Day, DayReport]:
    with pool(arm) as url:
        await warm(url)
        if day is None:
            day = day_for(await fetch_state(url), duration_s, seed=seed)
        talk.print(f"{arm.name}: {len(day.rank_at_s)} ranking, {len(day.chat_at_s)} chat requests")
        report = await run(url, day, talk)
        talk.print(table(report))
        return day, report


def worst_attainment(report: DayReport) -> float:
    return min(row.attainment for row in report.workloads if row.attainment is not None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--day", default="3m")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    duration_s = parse_duration_s(options.day)
    slots = 2 * len(os.sched_getaffinity(0))
    day, pool_report = asyncio.run(play(Arm("pool", None), None, duration_s, options.seed))
    arms = [(arm, asyncio.run(play(arm, day, duration_s, options.seed))[1]) for arm in partitions(slots)]

    wanted = worst_attainment(pool_report)
    equal = [entry for entry in arms if worst_attainment(entry[1]) >= wanted]
    best = max(equal, key=lambda e: e[1].training_tokens) if equal else max(arms, key=lambda e: worst_attainment(e[1]))
    print(f"{platform.machine()}, {os.cpu_count()} cores, {slots} slots, a day in {options.day}, seed {options.seed}")
    print(f"{'arm (train/serve/rank)':<24}{'training tokens':>16}{'chat in time':>14}{'ranking in time':>17}")
    for arm, report in [(Arm("pool", None), pool_report), *arms]:
        in_time = {row.workload: row.attainment for row in report.workloads}
        mark = " <- best static" if arm is best[0] else ""
        print(f"{arm.name:<24}{report.training_tokens:>16,.0f}{in_time['serve']:>14.1%}{in_time['rank']:>17.1%}{mark}")
    result = {
        "training_tokens_ratio": round(pool_report.training_tokens / best[1].training_tokens, 2),
        "attainment_pool": round(wanted, 4),
        "attainment_static": round(worst_attainment(best[1]), 4),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
