"""How fast ads are decided, in process and over HTTP.

In process: one decision is one person's request with 200 campaigns of 64-wide embeddings: chances of click and
conversion, calibrated, values, bids within budget and cap, frequency caps, exclusions, and a second-price auction.
`decisions_per_s_core` decides 64 requests at a time, as requests that wait together are, in CPU seconds of one core;
`p99_ms` is the 99th percentile of decisions made one by one, with all that was sold told to the next.

    python bench/ads_speed.py [--campaigns 200] [--width 64] [--together 64] [--seconds 5]

The last line is one JSON object.
"""

import argparse
import json
import os
import time

import numpy as np

from tenfold.ads.auction import Rules
from tenfold.ads.candidates import Book, Chances, decide, look_up


def a_book(rng: np.random.Generator, campaigns: int, width: int) -> Book:
    """Campaigns of all objectives, half of them with a cap."""
    table_K = look_up(lambda logit: logit)

    def chances(base: float) -> Chances:
        return Chances.of(
            0.1 * rng.standard_normal((campaigns, width)), np.full(campaigns, base), np.zeros(width), table_K
        )

    return Book(
        click=chances(-3.5),
        conversion=chances(-2.5),
        needs_click_C=rng.random(campaigns) < 0.8,
        needs_conversion_C=rng.random(campaigns) < 0.4,
        per_action_C=np.ones(campaigns, dtype=np.float32),
        multiplier_C=rng.uniform(1e5, 1e6, campaigns),
        cap_C=np.where(rng.random(campaigns) < 0.5, 8e5, 1e60),
        spent_C=np.zeros(campaigns),
        won_C=np.zeros(campaigns),
        left_C=np.full(campaigns, 1e12),
        overdraft_C=np.zeros(campaigns),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--campaigns", type=int, default=200)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--together", type=int, default=64, help="requests decided at a time")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each part")
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    book = a_book(rng, asked.campaigns, asked.width)
    rules = Rules(places=1, reserve=50.0, floor=1e-4)
    person_RD = rng.standard_normal((4096, asked.width)).astype(np.float32)
    not_here_RC = rng.random((4096, asked.campaigns)) < 0.1
    seen_enough_RC = rng.random((4096, asked.campaigns)) < 0.02

    def decided(begin: int, count: int) -> None:
        rows = slice(begin % 4096, begin % 4096 + count)
        found = decide(book, person_RD[rows], not_here_RC[rows], seen_enough_RC[rows], rules)
        for winners, prices, values in zip(
            found.outcome.winner_RS, found.outcome.price_RS, found.value_RC, strict=True
        ):
            for winner, price in zip(winners.tolist(), prices.tolist(), strict=True):
                if winner >= 0:
                    book.sold(winner, price, float(values[winner]))

    decided(0, asked.together)
    made, began = 0, time.process_time()
    while time.process_time() - began < asked.seconds:
        decided(made, asked.together)
        made += asked.together
    per_s = made / (time.process_time() - began)
    took_s = []
    began = time.process_time()
    while time.process_time() - began < asked.seconds:
        start = time.perf_counter()
        decided(len(took_s), 1)
        took_s.append(time.perf_counter() - start)
    alone = len(took_s) / (time.process_time() - began)
    p50_ms, p99_ms = 1e3 * np.percentile(took_s, [50, 99])
    print(f"{asked.campaigns} campaigns, {asked.width} wide, {asked.together} at a time: {per_s:,.0f} decisions/CPU-s")
    print(f"one by one: {alone:,.0f} decisions/CPU-s, median {p50_ms:.3f} ms, 99% within {p99_ms:.3f} ms")
    print(
        json.dumps(
            {
                "decisions_per_s_core": round(per_s),
                "decisions_per_s_core_one_by_one": round(alone),
                "p99_ms": round(float(p99_ms), 4),
                "p50_ms": round(float(p50_ms), 4),
            }
        )
    )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
