"""The unified model against the model of before, by the feed's own experiment over HTTP, against the world's truth.

A real `tenfold up`; people with hidden tastes go over the feed's four surfaces of films. By the feed's experiment
half of them get lists that know what they did anywhere, half (control, as before) lists that know what they did on
the surface that asks. Each person has chosen some items that they like, on all surfaces, before the day.

Printed: what the feed says (minutes watched a visit, its always-valid interval); the same as the world counts it, for
the same people; and the truth without the luck of what people open: how much they like the cards of ranked pages,
which only the world knows, with an interval over people. And what ranking held in the pool meanwhile, at which price.

    python bench/feed_unified.py [--day 100s] [--people 1200] [--correlation 1] [--seed 1]

The last line is one JSON object: `feed_gain` with `feed_low` and `feed_high`, `world_gain`, `liked_gain` with
`liked_low` (all relative), `truth_inside` (whether the feed's interval holds what the world counted), `rank_slots`,
`rank_list_minutes` (the price of a list in minutes watched).
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import time
from collections import defaultdict

import aiohttp
import numpy as np
from rich.console import Console

from flex import pool
from ready import ready
from tenfold.core.paths import cache_dir
from tenfold.core.written import parse_duration_s
from tenfold.rank.dataset import load_movielens
from tenfold.world.client import fetch_state
from tenfold.world.people import Crowd, Page, People, draw_crowd, surfaces_shown
from tenfold.world.person import Habit

EXPERIMENT, BEFORE, UNIFIED = "unified", "before", "unified"
SECONDS_PER_S = 20_000.0
REMEMBERED, PICKY = 12, 16.0
HABIT = Habit(leaves=0.5, hold=10.0, usual=0.6, roams=0.4)
MINUTE_USD = 1e-6
CATALOG_DEADLINE_S = 60.0
TOML = f"""
[feed]
usd_per_watched_minute = {MINUTE_USD}
holdout = 0.1
again_after_s = 5.0
rank_deadline_s = 2.0
[feed.experiments.{EXPERIMENT}]
control = "{BEFORE}"
[feed.experiments.{EXPERIMENT}.arms.{BEFORE}]
share = 0.5
history = "surface"
[feed.experiments.{EXPERIMENT}.arms.{UNIFIED}]
share = 0.5
history = "all"
"""
talk = Console(stderr=True)


async def remember(session: aiohttp.ClientSession, people: People, crowd: Crowd, seed: int) -> None:
    """Let each person have opened items that they like, each on its own surface, an hour ago."""
    random, began = np.random.default_rng([seed, 21]), time.time() - 3600.0
    surface_of = [film.surface() for film in load_movielens(cache_dir()).catalog.items]
    events: list[dict[str, object]] = []
    for person in range(len(crowd.tastes)):
        like_I = crowd.tastes.like_PI[person].astype(np.float64)
        rows = random.choice(len(like_I), REMEMBERED, replace=False, p=like_I / like_I.sum()).tolist()
        for place, row in enumerate(rows):
            surface = surface_of[row] if surface_of[row] in crowd.surfaces else crowd.surfaces[0]
            found = {"id": f"before {row}", "person": people.name(person), "surface": surface, "action": "opened"}
            events.append({**found, "item": crowd.items[row], "at": began + 60.0 * place})
    for first in range(0, len(events), 1000):
        async with session.post("/v1/feed/events", json={"events": events[first : first + 1000]}) as answer:
            answer.raise_for_status()


async def day(url: str, options: argparse.Namespace, duration_s: float) -> tuple[People, dict, list[tuple[int, float]]]:
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)) as session:
        ends_s = time.monotonic() + CATALOG_DEADLINE_S
        while len(shown := await surfaces_shown(session)) < 2:
            if time.monotonic() > ends_s:
                raise SystemExit(f"after {CATALOG_DEADLINE_S:.0f} s the feed shows one surface: no item names any")
            await asyncio.sleep(1.0)
        drawn = {"surfaces": shown, "correlation": options.correlation}
        crowd = draw_crowd(cache_dir(), options.people, options.seed, PICKY, **drawn)
        people = People(session, crowd, seconds_per_s=SECONDS_PER_S, habit=lambda: HABIT, seed=options.seed)
        await remember(session, people, crowd, options.seed)
        visits = np.linspace(0.0, duration_s, max(1, round(options.visits_per_s * duration_s))).tolist()
        coming = asyncio.create_task(people.come(visits))
        looks: list[tuple[int, float]] = []
        while not coming.done():
            rank = next(each for each in (await fetch_state(url)).workloads if each.workload == "rank")
            looks.append((rank.held, rank.price.usd if rank.price else 0.0))
            await asyncio.sleep(1.0)
        await coming
        async with session.get("/v1/feed/experiments") as answer:
            told = (await answer.json())["experiments"]
    return people, next(each for each in told if each["name"] == EXPERIMENT), looks


def by_arm(pages: list[Page]) -> dict[str, dict[int, list[Page]]]:
    """Each arm's pages, by person; those that had to come from the popular list too."""
    found: dict[str, dict[int, list[Page]]] = defaultdict(lambda: defaultdict(list))
    for page in pages:
        if EXPERIMENT in page.arms:
            found[page.arms[EXPERIMENT]][page.person].append(page)
    return found


def liked(of: dict[int, list[Page]]) -> tuple[np.ndarray, np.ndarray]:
    """Sum of the liking of ranked pages, and how many there are, by person."""
    ranked = [[page.liked for page in pages if page.by == "rank"] for pages in of.values()]
    return np.array([sum(likes) for likes in ranked]), np.array([len(likes) for likes in ranked])


def liked_gain(arms: dict[str, dict[int, list[Page]]], rounds: int = 4000) -> tuple[float, float, float]:
    """How much more the unified arm's cards are liked, relative, with a bootstrap interval over people."""
    random, means, draws = np.random.default_rng(0), {}, {}
    for arm in (UNIFIED, BEFORE):
        total, count = liked(arms[arm])
        means[arm] = total.sum() / count.sum()
        chosen = random.integers(len(total), size=(rounds, len(total)))
        draws[arm] = total[chosen].sum(axis=1) / count[chosen].sum(axis=1)
    low, high = np.quantile(draws[UNIFIED] / draws[BEFORE] - 1, (0.025, 0.975))
    return float(means[UNIFIED] / means[BEFORE] - 1), float(low), float(high)


def minutes_a_visit(of: dict[int, list[Page]]) -> float:
    pages = [page for mine in of.values() for page in mine]
    return sum(page.watched_s for page in pages) / 60 / len({page.visit for page in pages})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--day", default="100s", help="what the day takes")
    parser.add_argument("--people", type=int, default=1200)
    parser.add_argument("--visits-per-s", type=float, default=10.0)
    parser.add_argument("--correlation", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    ready()
    with pool(TOML) as url:
        people, told, looks = asyncio.run(day(url, options, parse_duration_s(options.day)))
    report, arms = people.report(), by_arm(people.truth.pages)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores; {report.people:,} people, {report.visits:,} visits, "
        f"{report.pages:,} pages ({report.ranked:,} ranked, {report.failed} failed), {report.lost_events} events lost"
    )
    for arm in told["arms"]:
        did = f"{arm['people']} people, {arm['visits']} visits, {arm['watched_minutes']:.0f} minutes"
        print(f"{arm['arm']:<8} {arm['gets']}: {did}")
    treated = next(arm for arm in told["arms"] if arm["arm"] == UNIFIED)
    metrics = {metric["metric"]: metric for metric in treated["against_control"]}
    print(json.dumps(metrics, indent=1))
    world_gain = minutes_a_visit(arms[UNIFIED]) / minutes_a_visit(arms[BEFORE]) - 1
    gain, low, high = liked_gain(arms)
    print(f"the world: {world_gain:+.1%} minutes a visit; cards liked {gain:+.1%} [{low:+.1%}, {high:+.1%}] more")
    per_visit = next((metric for name, metric in metrics.items() if "visit" in name), None)
    relative = (per_visit or {}).get("relative") or {"estimate": None, "low": None, "high": None}
    ends = [relative[name] for name in ("low", "high")]
    inside = None if None in ends else ends[0] <= world_gain <= ends[1]
    result = {
        "feed_gain": relative["estimate"],
        "feed_low": ends[0],
        "feed_high": ends[1],
        "world_gain": world_gain,
        "liked_gain": gain,
        "liked_low": low,
        "truth_inside": inside,
        "rank_slots": statistics.fmean(slots for slots, _ in looks),
        "rank_list_minutes": statistics.fmean(price for _, price in looks) / MINUTE_USD,
    }
    print(json.dumps({name: round(value, 4) if isinstance(value, float) else value for name, value in result.items()}))


if __name__ == "__main__":
    main()
