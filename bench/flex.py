"""One compressed day on the fungible pool and on every static partition of the same slots.

Each arm is a real `tenfold up` with a fresh home and plays the same arrivals, drawn once per seed from the capacities
that the pool measured. Attainment is that of the worse workload: the share of its requests, shed ones included,
answered within its latency target. The static partition to beat is the one with the most training among those that
attain at least what the pool does; if none does, the one that attains most. Reported: training tokens of the pool over
those of that partition.

With `--neighbour` every arm plays the same days once more beside another program: from 14 to 22 o'clock, a third of the
day with its evening peak, it computes at ordinary priority for 10 ms of every 20 ms on the first core, which is half of
that core.

    python bench/flex.py [--day 60s] [--seeds 1] [--neighbour]

The default takes about 7 minutes on 2 cores; `--day 3m --seeds 1 2 3 --neighbour`, which docs/results.md shows, 90. The
last line is one JSON object: the worst seed of each set.
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
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tenfold.core.written import parse_duration_s
from tenfold.world.bar import run
from tenfold.world.client import day_for, fetch_state, run_day
from tenfold.world.day import Day, draw_day
from tenfold.world.report import DayReport, table

WORKLOADS = ("train", "serve", "rank")
NEIGHBOUR_HOURS = (14.0, 22.0)
NEIGHBOUR = """
import os, time
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
while True:
    until = time.monotonic() + 0.010
    while time.monotonic() < until:
        pass
    time.sleep(0.010)
"""
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


POOL = Arm("pool", None)


def partitions(slots: int) -> list[Arm]:
    """Every split that gives each workload a slot: one without a slot would answer nobody."""
    splits = [s for s in itertools.product(range(1, slots), repeat=len(WORKLOADS)) if sum(s) == slots]
    return [Arm("static " + "/".join(map(str, split)), split) for split in splits]


@contextmanager
def pool(toml: str) -> Iterator[str]:
    """Bring up a pool with a config; gives its address."""
    with tempfile.TemporaryDirectory(prefix="tenfold-flex-") as home:
        config = Path(home) / "tenfold.toml"
        config.write_text(toml)
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


@asynccontextmanager
async def neighbour(duration_s: float) -> AsyncIterator[None]:
    """Let another program take half of the first core in its hours of a day that begins now."""
    begin_s, end_s = (hour / 24 * duration_s for hour in NEIGHBOUR_HOURS)

    async def come_and_go() -> None:
        await asyncio.sleep(begin_s)
        program = await asyncio.create_subprocess_exec(sys.executable, "-c", NEIGHBOUR)
        try:
            await asyncio.sleep(end_s - begin_s)
        finally:
            program.kill()
            await program.wait()

    visit = asyncio.create_task(come_and_go())
    try:
        yield
    finally:
        visit.cancel()
        await asyncio.gather(visit, return_exceptions=True)


async def play(arm: Arm, day: Day | None, duration_s: float, seed: int, disturbed: bool) -> tuple[Day, DayReport]:
    with pool(arm.toml()) as url:
        await warm(url)
        if day is None:
            day = day_for(await fetch_state(url), duration_s, seed=seed)
        talk.print(f"{arm.name}: {len(day.rank_at_s)} ranking, {len(day.chat_at_s)} chat requests")
        async with neighbour(duration_s) if disturbed else nullcontext():
            report = await run(url, day, talk)
        talk.print(table(report))
        return day, report


def worst_attainment(report: DayReport) -> float:
    return min(row.attainment for row in report.workloads if row.attainment is not None)


def to_beat(pool_report: DayReport, statics: Sequence[DayReport]) -> DayReport:
    """The static partition that trains most at no less attainment than the pool's; else the one that attains most."""
    equal = [report for report in statics if worst_attainment(report) >= worst_attainment(pool_report)]
    return max(equal, key=lambda r: r.training_tokens) if equal else max(statics, key=worst_attainment)


def compare(day: Day | None, duration_s: float, seed: int, disturbed: bool) -> tuple[Day, dict[str, float]]:
    """Play one day on every arm, print the table, and give the day with its figures."""
    day, pool_report = asyncio.run(play(POOL, day, duration_s, seed, disturbed))
    slots = 2 * len(os.sched_getaffinity(0))
    statics = {arm.name: asyncio.run(play(arm, day, duration_s, seed, disturbed))[1] for arm in partitions(slots)}
    best = to_beat(pool_report, list(statics.values()))
    print(f"seed {seed}{', with a neighbour' if disturbed else ''}")
    print(f"{'arm (train/serve/rank)':<24}{'training tokens':>16}{'chat in time':>14}{'ranking in time':>17}")
    for name, report in [(POOL.name, pool_report), *statics.items()]:
        in_time = {row.workload: row.attainment for row in report.workloads}
        mark = " <- best static" if report is best else ""
        print(f"{name:<24}{report.training_tokens:>16,.0f}{in_time['serve']:>14.2%}{in_time['rank']:>17.2%}{mark}")
    return day, {
        "training_tokens_ratio": round(pool_report.training_tokens / best.training_tokens, 2),
        "attainment_pool": round(worst_attainment(pool_report), 4),
        "attainment_static": round(worst_attainment(best), 4),
    }


def worst_of(days: Sequence[dict[str, float]]) -> dict[str, float]:
    """The least ratio, and the attainments of the day where the pool's falls furthest behind."""
    behind = min(days, key=lambda found: found["attainment_pool"] - found["attainment_static"])
    return {**behind, "training_tokens_ratio": min(found["training_tokens_ratio"] for found in days)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--day", default="60s", help="what a day is compressed to")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--neighbour", action="store_true", help="play the days also beside another program")
    options = parser.parse_args()
    duration_s = parse_duration_s(options.day)
    cores = len(os.sched_getaffinity(0))
    print(f"{platform.machine()}, {cores} cores, {2 * cores} slots, a day in {options.day}")
    alone: list[dict[str, float]] = []
    beside: list[dict[str, float]] = []
    for seed in options.seeds:
        day, figures = compare(None, duration_s, seed, disturbed=False)
        alone.append(figures)
        if options.neighbour:
            beside.append(compare(day, duration_s, seed, disturbed=True)[1])
    result: dict[str, object] = {**worst_of(alone)}
    if beside:
        result["with_neighbour"] = worst_of(beside)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
