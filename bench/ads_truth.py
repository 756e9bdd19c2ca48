"""Ads before people whose hidden truth is known: is what is predicted true, and do intervals hold.

    python bench/ads_truth.py [--days 10] [--per-day 400000] [--people 6000] [--live 40] [--repetitions 300] [--seed 1]

The world's people (their tastes, interests and tempers; programs among them) see pages, click and buy by truths that
only the world knows. The real ads code decides beside which page whose ad stands: heads on the shipped ranker's
embeddings, calibrations, delays, plans, bids, the auction and the draw of who is held out.

- **calibration**: predicted over true probability by tenths of what was predicted, of ads that were shown on days that
  come after those that are only learned from, each predicted before anything was learned of it. *Clicks*, and
  *conversions*: that the ad is clicked and the click leads to a purchase. *Held out*: advertisers of shops that no
  campaign was of, by their content alone.
- **A/A**: campaigns that add nothing, looked at every hour: how many are ever said to add or to take.
- **lift**: campaigns that add what is known: how many intervals hold the truth at every hour.
- **opportunities**: per CPU second of one core, all of the world's part included.

The last line is one JSON object.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from tenfold.core.paths import cache_dir
from tenfold.world.audience import CLICKS, Temper
from truth.lifts import Joined, Told, repetition
from truth.market import BEGAN, DAY_S, RUNS_DAYS, Market, Shown, items_of
from truth.people import Advertiser, People, draw_advertisers, draw_people

Floats = NDArray[np.floating]

LEARNED_FROM = 0.5
"""Part of the days that is only learned from."""
PAGES_EACH = 1000
"""Of each held-out advertiser."""
NEEDS_A_DAY = (Temper().needs, 0.02, 0.1)
LIFTS = (1.0, 4.0, 16.0)
PRICES = np.array([9.9, 14.5, 19.0, 24.9, 39.0, 49.0, 89.5, 129.0, 240.0])
_joined: list[Joined] = []


def tenths(predicted_N: Floats, true_N: Floats) -> list[float]:
    """Predicted over true, from the least that was predicted to the most."""
    parts = np.array_split(np.argsort(predicted_N, kind="stable"), 10)
    return [round(float(predicted_N[part].sum() / true_N[part].sum()), 3) for part in parts]


def of_shown(shown: Shown, since: float) -> dict[str, list[float]]:
    """Calibration of what was shown since a time."""
    late = shown.at >= since
    click, true_click = shown.click[late].astype(np.float64), shown.true_click[late].astype(np.float64)
    buy, true_buy = shown.buy[late].astype(np.float64), shown.true_buy[late].astype(np.float64)
    return {"clicks": tenths(click, true_click), "conversions": tenths(click * buy, true_click * true_buy)}


def of_held_out(market: Market, people: People, advertisers: Sequence[Advertiser], seed: int) -> dict[str, list[float]]:
    """Calibration on advertisers that nothing was learned of, on pages of all people."""
    rng = np.random.default_rng([seed, 8])
    clicks, buys = market.lessons.chances([each.account for each in advertisers], items_of(people, advertisers))
    found: list[list[Floats]] = [[], [], [], []]
    for row, each in enumerate(advertisers):
        who = np.searchsorted(np.cumsum(people.share_P), rng.random(PAGES_EACH)).clip(max=len(people) - 1)
        page = people.page_PKW[who, rng.integers(0, people.page_PKW.shape[1], PAGES_EACH)]
        told = (clicks.of_people(page)[:, row], people.click_PV(each)[who].mean(axis=1))
        told += (buys.of_people(page)[:, row], people.buy_P(each)[who])
        for column, values in zip(found, told, strict=True):
            column.append(values)
    click, true_click, buy, true_buy = (np.concatenate(column).astype(np.float64) for column in found)
    return {"clicks": tenths(click, true_click), "conversions": tenths(click * buy, true_click * true_buy)}


def joined_of(market: Market) -> list[Joined]:
    """Who was reached by each campaign that ran for all of its days, and what its ads would add to each."""
    found = []
    for row, campaign in enumerate(market.campaigns):
        here_P = np.isfinite(market.first_AP[row])
        if campaign.days < RUNS_DAYS or here_P.sum() < 500:
            continue
        # One ad a day is seen until the campaign ends.
        at_N = market.first_AP[row, here_P] - campaign.starts_at
        days_N = np.ceil(RUNS_DAYS - at_N / DAY_S)
        added_N = days_N * market.true_click_AP[row, here_P] * market.true_buy_AP[row, here_P]
        found.append(Joined(at_N, market.chance_AP[row, here_P], added_N))
    return found


def _repeat(asked: tuple[int, bool]) -> Told:
    number, is_null = asked
    return repetition(
        _joined[number % len(_joined)],
        lift=0.0 if is_null else LIFTS[number // 3 % 3],
        needs_a_day=NEEDS_A_DAY[number % 3],
        prices=PRICES,
        days=RUNS_DAYS,
        number=2 * number + is_null,
        in_usd=number % 2 == 0,
    )


def experiments(joined: list[Joined], repetitions: int) -> dict[str, float]:
    """Repeat A/A and lift, on two processes."""
    _joined[:] = joined
    with get_context("fork").Pool(2) as pool:
        null = pool.map(_repeat, [(number, True) for number in range(repetitions)], chunksize=10)
        real = pool.map(_repeat, [(number, False) for number in range(repetitions)], chunksize=10)
    held = [not each.misses_H.any() for each in real if each.said]
    at_end = [not each.misses_H[-1] for each in real if each.said]
    narrow = [each for each in real if each.said and each.is_sure_H[-1]]
    print(
        f"A/A: {sum(each.is_sure_H.any() for each in null)} of {repetitions} are ever said to differ, "
        f"{sum(each.said for each in null)} say anything. Lift: {sum(held)} of {len(held)} hold the truth at every "
        f"hour, {sum(at_end)} at the end; {len(narrow)} are sure in the end that something was added or taken"
    )
    return {
        "aa_false_positives": round(sum(bool(each.is_sure_H.any()) for each in null) / repetitions, 4),
        "lift_coverage": round(sum(held) / len(held), 4),
        "lift_coverage_at_end": round(sum(at_end) / len(at_end), 4),
        "lift_repetitions": len(held),
        "lift_found": len(narrow),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=6000)
    parser.add_argument("--live", type=int, default=40, help="campaigns at a time")
    parser.add_argument("--held-out", type=int, default=400, help="advertisers that are never shown")
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--per-day", type=int, default=400_000, help="opportunities")
    parser.add_argument("--clicks", type=float, default=CLICKS, help="mean chance of a click")
    parser.add_argument("--repetitions", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    began = time.monotonic()
    people = draw_people(cache_dir(), asked.people, asked.seed, Temper(clicks=asked.clicks))
    # As many begin each day as end.
    count = asked.live + asked.days * max(1, asked.live // RUNS_DAYS)
    known = draw_advertisers(count, asked.held_out, asked.seed)
    market = Market(people, [each for each in known if not each.is_held_out], asked.per_day, asked.live, asked.seed)
    shown = market.run(asked.days)
    per_s = market.opportunities / market.cpu_s
    print(
        f"{market.opportunities:,} opportunities in {asked.days} days, {asked.live} campaigns of {count} at a time: "
        f"{market.actions}; {per_s:,.0f} per CPU-s"
    )
    since = BEGAN + LEARNED_FROM * asked.days * DAY_S
    calibration = {"shown": of_shown(shown, since)}
    calibration["held_out"] = of_held_out(market, people, [each for each in known if each.is_held_out], asked.seed)
    for of, found in calibration.items():
        for what, ratios in found.items():
            print(f"predicted over true, {of}, {what}: {ratios}")
    worst = {
        f"{of}_{what}": max(ratios, key=lambda ratio: abs(ratio - 1.0))
        for of, found in calibration.items()
        for what, ratios in found.items()
    }
    told = experiments(joined_of(market), asked.repetitions)
    print(f"{time.monotonic() - began:.0f} s in all")
    print(
        json.dumps(
            {
                "calibration_deciles": calibration,
                "worst_decile": max(worst.values(), key=lambda ratio: abs(ratio - 1.0)),
                "worst_deciles": worst,
                **told,
                "opportunities_per_s_core": round(per_s),
            }
        )
    )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
