"""The closed loop: the world changes what a good ranking is worth, nobody edits a price, and slots follow.

People come to the feed all day. A third into the day they change: from then on only a feed that pleases holds them,
where before they were gone the sooner the better they were served; after two thirds they are as before. So ranking's
worth rises and falls, while as many people come and ask for about as many lists. The pool is told none of it. It has
what the feed reports: what those watch who get ranked lists, less what as many of the holdout watch.

Each arm is a real `tenfold up` with a fresh home, and has the same day: ranking's price is measured; or it is fixed,
at what the world's truth says of the whole day, at three times that, and at a third. All arms are valued by the world's
truth: minutes watched beyond what as many people watch with the popular list, at the feed's USD per minute, and trained
tokens at their price. What people watch with the popular list is taken from the held-out people of all arms together.

    value_ratio                   measured over the better of the two wrong prices
    share_of_right_prices         measured over the right fixed price
    share_of_best_in_each_phase   measured over a pool that in each phase has the allocation of the fixed price that was
                                  best in that phase: what somebody would get who knew of each change beforehand
    moved_to_rank, moved_back     slots that ranking gained, and gave back, from phase to phase (medians of later parts)
    seconds_to_move               from a change until half of these slots had moved, the slower of both

Slots are small parts of the cores (`core_share`), so that ranking the feeds of some twenty visitors a second takes most
of them; the rest of the machine is for HTTP. What they do is measured first: visitors and USD per minute are set such
that all slots but two could rank all feeds, and that ranking is worth a training slot at 12 minutes a list. Training
keeps two slots: one that joins fetches 40 MB of parameters first, more CPU than a microbatch takes, so a trainer that
comes and goes looks dear.

    python bench/loop.py [--day 60s] [--seeds 1]

The default is made to take 8 minutes on 2 quiet cores. It needs them quiet: what was tried beside other work, and the
arithmetic behind the numbers here, is in docs/log.md. The last line is one JSON object.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import aiohttp
import numpy as np
from rich.console import Console

from flex import pool
from ready import ready
from tenfold.core.paths import cache_dir
from tenfold.core.written import parse_duration_s
from tenfold.feed.arms import EXPERIMENT
from tenfold.policy.value import LEAST_UTILISATION
from tenfold.pool.state import PoolState, WorkloadView
from tenfold.product.holdout import is_held_out
from tenfold.world.client import fetch_state
from tenfold.world.people import Crowd, Page, People, draw_crowd
from tenfold.world.person import Habit

WEAK = Habit(leaves=0.5, hold=-8.0, usual=0.6)
STRONG = Habit(leaves=0.7, hold=14.0, usual=0.65)
DAY = (WEAK, STRONG, WEAK)
WARM_S = 12.0
MEASURED_VISITS_PER_S = 20.0
PAGES_A_VISIT = 2.35
"""Ranked pages of a visit, as drawn on paper for both habits (docs/log.md)."""

PICKY, PEOPLE, REMEMBERED = 16.0, 1500, 8
SECONDS_PER_S = 20_000.0
HOLDOUT = 0.28
SLOTS, CORE_SHARE, TRAIN_FLOOR = 8, 0.12, 2
MEMORY_S = 20.0
TOKEN_USD = 3e-9
EVEN_MINUTES = 12.0
"""Minutes that a list must add for a slot to be worth as much in ranking as in training."""

WRONG = 3.0
talk = Console(stderr=True)


@dataclass(frozen=True)
class Scale:
    """What a slot does a second, and what follows."""

    lists: float
    tokens: float

    @property
    def even_usd(self) -> float:
        """USD a list at which a slot is worth as much in ranking as in training."""
        return self.tokens * TOKEN_USD / (LEAST_UTILISATION * self.lists)

    @property
    def minute_usd(self) -> float:
        return self.even_usd / EVEN_MINUTES

    @property
    def visits_per_s(self) -> float:
        lists_per_s = (SLOTS - TRAIN_FLOOR) * LEAST_UTILISATION * self.lists
        return 0.95 * lists_per_s / ((1 - HOLDOUT) * PAGES_A_VISIT)


@dataclass(frozen=True)
class Arm:
    """How ranking's price comes about; ``usd`` is where a measured one begins."""

    name: str
    price: str
    usd: float

    def toml(self, minute_usd: float) -> str:
        return f"""
[pool]
price_memory_s = {MEMORY_S}
queue_per_slot = 3
move_deadline_s = 10.0
[pool.kinds.cpu]
slots = {SLOTS}
core_share = {CORE_SHARE}
[train]
floor = {TRAIN_FLOOR}
price = "fixed"
value_per_unit_usd = {TOKEN_USD}
[rank]
price = "{self.price}"
value_per_unit_usd = {self.usd}
attains = 0.0
latency_target_s = 0.5
[feed]
usd_per_watched_minute = {minute_usd}
holdout = {HOLDOUT}
again_after_s = 5.0
rank_deadline_s = 1.0
"""


@dataclass(frozen=True)
class Look:
    """The pool at a moment, seconds into the day."""

    at_s: float
    slots: int
    price_usd: float
    tokens: float


@dataclass(frozen=True)
class Phase:
    """A third of an arm's day: minutes of those served and held out, lists, tokens; mean slots and price of ranking."""

    served: float
    held_out: float
    lists: int
    tokens: float
    slots: float
    price_usd: float


@dataclass(frozen=True)
class Played:
    """What an arm made of the day. ``served`` and ``held_out``: how many people are in each group."""

    arm: Arm
    duration_s: float
    served: int
    held_out: int
    looks: tuple[Look, ...]
    phases: tuple[Phase, ...]

    def usd(self, minute_usd: float, popular: Sequence[float]) -> list[float]:
        """Value of each phase; ``popular``: minutes that the held-out people watch in each."""
        return [
            minute_usd * (phase.served - self.served / self.held_out * minutes) + TOKEN_USD * phase.tokens
            for phase, minutes in zip(self.phases, popular, strict=True)
        ]


def view(state: PoolState, workload: str) -> WorkloadView:
    return next(found for found in state.workloads if found.workload == workload)


def look(state: PoolState, at_s: float) -> Look:
    rank, train = view(state, "rank"), view(state, "train")
    return Look(at_s, rank.held, rank.price.usd if rank.price else 0.0, train.units_total)


async def remember(session: aiohttp.ClientSession, people: People, crowd: Crowd, seed: int) -> None:
    """Let each person have opened some items that they like before the day, so that ranking has something to go by."""
    random = np.random.default_rng([seed, 21])
    events: list[dict[str, object]] = []
    for person in range(len(crowd.tastes)):
        like_I = crowd.tastes.like_PI[person].astype(np.float64)
        for item in random.choice(len(like_I), REMEMBERED, replace=False, p=like_I / like_I.sum()):
            found = {"id": f"before {item}", "person": people.name(person), "surface": "home", "action": "opened"}
            events.append({**found, "item": crowd.items[item], "at": time.time() - 3600.0})
    for first in range(0, len(events), 1000):
        async with session.post("/v1/feed/events", json={"events": events[first : first + 1000]}) as answer:
            answer.raise_for_status()


async def day(url: str, crowd: Crowd, seed: int, visits_per_s: float, duration_s: float) -> tuple[People, list[Look]]:
    """Play a day, after a while in which all is as in its first third; looks are from the day's start."""
    began_s = time.monotonic() + 1e9

    def habit() -> Habit:
        into = (time.monotonic() - began_s) / duration_s
        return DAY[min(len(DAY) - 1, max(0, int(into * len(DAY))))]

    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)) as session:
        people = People(session, crowd, seconds_per_s=SECONDS_PER_S, habit=habit, seed=seed)
        await remember(session, people, crowd, seed)
        began_s = time.monotonic() + WARM_S
        # Evenly: how many come at once is no part of the question.
        coming = asyncio.create_task(people.come(np.arange(0.0, WARM_S + duration_s, 1 / visits_per_s).tolist()))
        looks: list[Look] = []
        while (at_s := time.monotonic() - began_s) < duration_s:
            if at_s >= 0:
                looks.append(look(await fetch_state(url), at_s))
            await asyncio.sleep(1.0)
        looks.append(look(await fetch_state(url), time.monotonic() - began_s))
        # Some stay long after the day's end; what they do then is not asked for.
        coming.cancel()
        with suppress(asyncio.CancelledError):
            await coming
        return people, looks


def phases_of(people: People, looks: Sequence[Look], duration_s: float, held_out: Sequence[bool]) -> list[Phase]:
    """Sum up each third of the day; what a page was watched belongs to when it was opened."""
    ends_s = duration_s * np.arange(len(DAY) + 1) / len(DAY)
    times = [each.at_s for each in looks]
    tokens = np.interp(ends_s, times, [each.tokens for each in looks])
    pages: list[list[Page]] = [[] for _ in DAY]
    for page in people.truth.pages:
        number = int((page.at_s - WARM_S) / duration_s * len(DAY) // 1)
        if 0 <= number < len(DAY):
            pages[number].append(page)
    found = []
    for number, mine in enumerate(pages):
        seen = [each for each in looks if ends_s[number] <= each.at_s < ends_s[number + 1]]
        found.append(
            Phase(
                served=sum(page.watched_s for page in mine if not held_out[page.person]) / 60.0,
                held_out=sum(page.watched_s for page in mine if held_out[page.person]) / 60.0,
                lists=sum(page.by == "rank" for page in mine),
                tokens=float(tokens[number + 1] - tokens[number]),
                slots=statistics.fmean(each.slots for each in seen),
                price_usd=statistics.fmean(each.price_usd for each in seen),
            )
        )
    return found


def play(arm: Arm, crowd: Crowd, seed: int, scale: Scale, duration_s: float) -> Played:
    with pool(arm.toml(scale.minute_usd)) as url:
        people, looks = asyncio.run(day(url, crowd, seed, scale.visits_per_s, duration_s))
    held_out = [is_held_out(people.name(person), HOLDOUT, EXPERIMENT) for person in range(PEOPLE)]
    phases = phases_of(people, looks, duration_s, held_out)
    report = people.report()
    talk.print(
        f"{arm.name}: {report.visits} visits, {report.pages} pages, {report.ranked} ranked, {report.failed} failed, "
        f"{report.lost_events} events lost; a feed p50 {report.feed_p50_s} s, p95 {report.feed_p95_s} s"
    )
    talk.print("  slots " + " ".join(str(each.slots) for each in looks))
    talk.print("  price " + " ".join(f"{each.price_usd / scale.minute_usd:.0f}" for each in looks))
    return Played(arm, duration_s, PEOPLE - sum(held_out), sum(held_out), tuple(looks), tuple(phases))


def measure(crowd: Crowd, seed: int) -> Scale:
    """Find what a slot does while ranking has as many as it can use."""
    with pool(Arm("", "fixed", 1e-6).toml(1e-6)) as url:
        asyncio.run(day(url, crowd, seed, MEASURED_VISITS_PER_S, 6.0))
        state = asyncio.run(fetch_state(url))
        return Scale(view(state, "rank").capacity_per_slot, view(state, "train").capacity_per_slot)


def truth_of(played: Played, minute_usd: float) -> float:
    """USD that a list earned over the whole day, as the world knows it."""
    served, held_out = (sum(getattr(phase, name) for phase in played.phases) for name in ("served", "held_out"))
    lists = sum(phase.lists for phase in played.phases)
    return minute_usd * (served - played.served / played.held_out * held_out) / lists


def moved(looks: Sequence[Look], duration_s: float) -> tuple[float, float, float]:
    """Slots that ranking gained in the second third and gave back in the last, and how long half of it took at most."""
    third_s = duration_s / len(DAY)
    had = [
        statistics.median(each.slots for each in looks if third_s * (n + 0.5) <= each.at_s < third_s * (n + 1))
        for n in range(len(DAY))
    ]
    seconds = []
    for number in (1, 2):
        half, rises = (had[number] + had[number - 1]) / 2, had[number] > had[number - 1]
        later = [each for each in looks if third_s * number <= each.at_s < third_s * (number + 1)]
        passed = [each.at_s - third_s * number for each in later if (each.slots > half) == rises]
        seconds.append(min(passed, default=third_s))
    return had[1] - had[0], had[1] - had[2], max(seconds)


def compare(seed: int, duration_s: float, scale: Scale) -> dict[str, float]:
    """Play the day in all arms and print them; gives the figures of one seed."""
    crowd = draw_crowd(cache_dir(), PEOPLE, seed, PICKY)
    measured = play(Arm("measured", "measured", scale.even_usd), crowd, seed, scale, duration_s)
    right_usd = truth_of(measured, scale.minute_usd)
    right = Arm("fixed, right", "fixed", max(right_usd, 0.01 * scale.even_usd))
    wrong = [replace(right, name=f"fixed, x {factor:.2g}", usd=right.usd * factor) for factor in (WRONG, 1 / WRONG)]
    fixed = [play(arm, crowd, seed, scale, duration_s) for arm in (right, *wrong)]
    everybody = [measured, *fixed]
    popular = [statistics.fmean(each.phases[number].held_out for each in everybody) for number in range(len(DAY))]
    usd = [each.usd(scale.minute_usd, popular) for each in everybody]
    print(f"seed {seed}: ranking's right price over the day is {right_usd / scale.minute_usd:.1f} minutes a list")
    print(f"{'':<14}" + "".join(f"{name:>32}" for name in ("weak", "strong", "weak")) + f"{'value':>10}")
    print(f"{'':<14}" + f"{'slots   price   lists/s    ktok':>32}" * len(DAY) + f"{'micro-USD':>10}")
    for each, value in zip(everybody, usd, strict=True):
        cells = "".join(
            f"{p.slots:>7.1f}{p.price_usd / scale.minute_usd:>8.1f}"
            f"{p.lists * len(DAY) / duration_s:>9.1f}{p.tokens / 1e3:>8.1f}"
            for p in each.phases
        )
        print(f"{each.arm.name:<14}{cells}{1e6 * sum(value):>10.1f}   {' '.join(f'{1e6 * v:.1f}' for v in value)}")
    best_in_each = sum(max(value[number] for value in usd[1:]) for number in range(len(DAY)))
    to_rank, back, seconds = moved(measured.looks, duration_s)
    return {
        "value_ratio": sum(usd[0]) / max(sum(value) for value in usd[2:]),
        "share_of_right_prices": sum(usd[0]) / sum(usd[1]),
        "moved_to_rank": to_rank,
        "moved_back": back,
        "seconds_to_move": seconds,
        "share_of_best_in_each_phase": sum(usd[0]) / best_in_each,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--day", default="60s", help="what a day takes")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    options = parser.parse_args()
    ready()
    duration_s = parse_duration_s(options.day)
    first = options.seeds[0]
    scale = measure(draw_crowd(cache_dir(), PEOPLE, first, PICKY), first)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {SLOTS} slots of {2 * CORE_SHARE / SLOTS:.3g} of a core: "
        f"{scale.lists:.1f} lists/s or {scale.tokens:.0f} tokens/s each; {scale.visits_per_s:.1f} visits/s, "
        f"{scale.minute_usd:.3g} USD a minute; a day in {options.day}"
    )
    found = [compare(seed, duration_s, scale) for seed in options.seeds]
    result = {name: round(statistics.fmean(each[name] for each in found), 3) for name in found[0]}
    result["seconds_to_move"] = round(max(each["seconds_to_move"] for each in found), 1)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
