"""How much of the best value in hindsight Tenfold's pacing wins within budget and cap, beside the field's rules.

Each rule bids for 48 advertisers on days that it has not seen; it may learn from the first day of a log, and from each
tick when it is over (every opportunity's price to win, as bidders learn it after they bid). The measure is the value
won, over what the best constant multiplier wins that keeps the day's budget and cap and is known only in hindsight:
the mean over advertisers and days. The excess is money spent over value won, above the cap, as a share of it; 0 where
it is not above. Every rule keeps the budget. A rule whose mean excess is above 1% is no peer: it wins by breaking caps.

    python bench/ads_value.py [--market DIR] [--seed 100] [--seeds 1] [--json FILE]

By default it judges on kinds of markets of its own (`market/kinds.py`): four on which constants were tuned, with other
seeds, and seven that were kept. `--market DIR` judges on somebody's log: `opportunities.parquet` (`day, tick,
opportunity, advertiser, value, price_to_win`) and `advertisers.csv` (`advertiser, budget, cpa`, for a day).

Beside the rules stand two that are told what nobody knows: how many opportunities are still to come today
(`told_volume`), and the curves of all that is to come (`told_curves`). They are not peers.

The last line is one JSON object. Over several markets `share_of_hindsight` and `mean_excess` are means and
`worst_excess` is the worst; all in percent.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from market import kinds
from market.judge import Maker, Seen, Told, judge
from market.log import BadMarket, Floats, Market, read_market
from market.peers import PEERS
from tenfold.ads.pacing import Pacer
from tenfold.ads.price_curve import Curves

MOST_EXCESS = 1.0
OURS = "tenfold"


class Tenfold:
    """Tenfold's pacer, as campaigns use it."""

    kind = Pacer

    def __init__(self, market: Market, scale_A: Floats, _seen: Seen) -> None:
        self.pacer = self.kind(market.budget_A, market.cpa_A, scale_A, market.ticks)

    def begin(self) -> None:
        """A pacer counts its ticks."""

    def multipliers(self, spent_A: Floats, won_A: Floats) -> tuple[Floats, Floats]:
        plan = self.pacer.plan(spent_A, won_A)
        return plan.multiplier_A, plan.overdraft_A

    def observe(self, seen: Curves) -> None:
        self.pacer.observe(seen)


def told_rules(told: Told) -> dict[str, Maker]:
    """Make the two rules that are told what is to come."""

    class VolumePacer(Pacer):
        def _rests(self) -> list[Curves]:
            count_A = sum((each.count_A for each in told.day[self.tick :]), np.zeros_like(self.scale_A))
            return [
                rest.times(np.divide(count_A, rest.count_A, out=np.zeros_like(count_A), where=rest.count_A > 0))
                for rest in super()._rests()
            ]

    class CurvePacer(Pacer):
        def _rests(self) -> list[Curves]:
            total = told.day[self.tick]
            for each in told.day[self.tick + 1 :]:
                total = total.plus(each)
            return [total.reached()]

    return {
        f"told_{name}": type(name, (Tenfold,), {"kind": kind})
        for name, kind in (("volume", VolumePacer), ("curves", CurvePacer))
    }


def judged(market: Market) -> dict[str, dict[str, float]]:
    """Figures of all rules on one market."""
    told = Told()
    makers: dict[str, Maker] = {OURS: Tenfold, **PEERS, **told_rules(told)}
    found = judge(market, makers, told)
    if not np.isfinite(found[OURS].share_RA).any():
        raise BadMarket(
            f"{market.name}: on no day but the first can anybody win anything within budget and cap, so there is no "
            "share to tell; give higher budgets or caps"
        )
    _tell(market, {name: {**one.figures(), "cpu_s": round(one.cpu_s, 1)} for name, one in found.items()})
    return {name: one.figures() for name, one in found.items()}


def _tell(market: Market, figures: dict[str, dict[str, float]]) -> None:
    rows, days = len(market.value_N), market.days - 1
    print(
        f"\n{market.name} ({market.kind}): {market.advertisers} advertisers, {rows:,} rows, {days} days judged, "
        f"{market.ticks} ticks a day",
    )
    print(f"{'rule':14}{'share of hindsight':>20}{'mean excess':>14}{'worst excess':>14}{'CPU-s':>8}")
    for name, of in figures.items():
        print(
            f"{name:14}{of['share_of_hindsight']:19.1f}%{of['mean_excess']:13.2f}%{of['worst_excess']:13.1f}%{of['cpu_s']:8.1f}"
        )
    sys.stdout.flush()


def together(markets: list[dict[str, dict[str, float]]]) -> dict[str, object]:
    """Join the figures of several markets."""
    rules = {
        name: {
            "share_of_hindsight": round(float(np.mean([of[name]["share_of_hindsight"] for of in markets])), 2),
            "mean_excess": round(float(np.mean([of[name]["mean_excess"] for of in markets])), 3),
            "worst_excess": max(of[name]["worst_excess"] for of in markets),
        }
        for name in markets[0]
    }
    peers = [rules[name]["share_of_hindsight"] for name in PEERS if rules[name]["mean_excess"] <= MOST_EXCESS]
    ours = rules.pop(OURS)
    return {**ours, "over_best_peer": round(ours["share_of_hindsight"] - max(peers), 2), "peers": rules}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--market", type=Path, action="append", help="a folder with somebody's log; may be repeated")
    parser.add_argument("--seed", type=int, default=100, help="of the first market of each kind")
    parser.add_argument("--seeds", type=int, default=1, help="markets of each kind")
    parser.add_argument("--kind", action="append", choices=list(kinds.KINDS), help="only these kinds")
    parser.add_argument("--json", type=Path, help="write the last line here too")
    asked = parser.parse_args()
    if asked.market:
        try:
            result = together([judged(read_market(folder)) for folder in asked.market])
        except BadMarket as error:
            sys.exit(f"ads_value: {error}")
    else:
        by_kind = {
            name: [judged(kinds.make(name, asked.seed + at)) for at in range(asked.seeds)]
            for name in asked.kind or kinds.KINDS
        }
        result = {
            **together([figures for markets in by_kind.values() for figures in markets]),
            "kinds": {name: together(markets) for name, markets in by_kind.items()},
        }
    line = json.dumps(result)
    if asked.json:
        asked.json.write_text(line + "\n")
    print(line)


if __name__ == "__main__":
    main()
