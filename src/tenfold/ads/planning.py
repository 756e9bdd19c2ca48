"""What each campaign may bid now: gathers what came, tick by tick, and plans anew when a tick of its own is over.

A campaign's day is a day, or all of its time if that is shorter, cut into ``TICKS``. A day's budget is what is left of
the whole, shared evenly over the days that are left. Until something was seen of prices, a campaign spends no more in a
tick than twice its even share.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tenfold.ads.bid import NO_CAP
from tenfold.ads.campaign import DAY_S, Campaign, CostPerAction, Objective, ReturnOnSpend
from tenfold.ads.candidates import MOST_BID_MICRO, Book, Chances
from tenfold.ads.pacing import Pacer, Plan
from tenfold.ads.price_curve import Curves, first_scale
from tenfold.ads.selling import Binding
from tenfold.ads.shading import Shading

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

TICKS = 48
FOLD = 256
"""Requests whose prices are gathered before they are counted."""

SALE_MICRO = 20e6
"""What a sale brings an advertiser who has told of none yet."""

_FREE_RANGE = 2.0**7
"""A multiplier so far above the usual price binds nothing."""


def cap_of(campaign: Campaign) -> float:
    """Most micro-dollars per value on average: per action, or per micro-dollar that actions bring."""
    if isinstance(campaign.cap, CostPerAction):
        return float(campaign.cap.micro)
    return 1.0 / campaign.cap.ratio if isinstance(campaign.cap, ReturnOnSpend) else NO_CAP


def book_of(campaigns: Sequence[Campaign], click: Chances, conversion: Chances) -> Book:
    """Make the arrays of campaigns that decisions are made of; ``Planning.write`` fills in their plans.

    Args:
        campaigns: in the order of the planning.
        click: what predicts clicks of each.
        conversion: what predicts conversions after one.
    """
    wants, count = [each.objective for each in campaigns], len(campaigns)
    return Book(
        click=click,
        conversion=conversion.only_where(np.array([want.needs_conversions for want in wants], dtype=bool)),
        is_seen_C=np.array([want is Objective.REACH for want in wants], dtype=np.float32),
        per_action_C=np.array(
            [SALE_MICRO if isinstance(each.cap, ReturnOnSpend) else 1.0 for each in campaigns], dtype=np.float32
        ),
        multiplier_C=np.zeros(count),
        cap_C=np.full(count, NO_CAP),
        spent_C=np.zeros(count),
        won_C=np.zeros(count),
        left_C=np.zeros(count),
        overdraft_C=np.zeros(count),
    )


@dataclass
class Line:
    """One campaign's bidding. ``spent``, ``won``: micro-dollars and value sold in its present day."""

    campaign: Campaign
    remaining: float
    day_began: float
    budget: float = 0.0
    spent: float = 0.0
    won: float = 0.0
    scale: float = float("nan")
    pacer: Pacer | None = None
    plan: Plan | None = None
    seen: Curves | None = None
    shading: Shading = field(default_factory=lambda: Shading(1))

    @property
    def day_s(self) -> float:
        """Seconds of a day of its own."""
        return max(1.0, min(DAY_S, self.campaign.ends_at - self.campaign.starts_at))

    def begin_day(self, now: float, remaining: float) -> None:
        """Share what is left over the days that are left."""
        self.day_began = now
        days = max(1.0, np.ceil((self.campaign.ends_at - now) / self.day_s - 1e-6))
        self.budget, self.spent, self.won = remaining / days, 0.0, 0.0
        if self.pacer is not None:
            self.pacer.budget_A = np.array([self.budget])

    def ticks_due(self, now: float) -> int:
        """Ticks that are over and not closed yet."""
        done = 0 if self.pacer is None else self.pacer.tick
        return min(TICKS, int((now - self.day_began) / self.day_s * TICKS)) - done

    @property
    def left(self) -> float:
        """What may be spent before the next plan."""
        has_seen = self.pacer is not None and self.pacer.has_seen
        return max(0.0, (self.budget if has_seen else 2.0 * self.budget / TICKS) - self.spent)


class Planning:
    """Plans for the campaigns of a book, by row.

    Args:
        shades: learn how far below their value to bid, as winners pay what they bid.
    """

    def __init__(self, *, shades: bool = False) -> None:
        self._shades = shades
        self.lines: list[Line] = []
        self._kept: list[tuple[Floats, Floats, Flags]] = []
        self._kept_requests = 0

    def use(self, campaigns: Mapping[str, Campaign], remaining: Mapping[str, float], now: float) -> None:
        """Take up which campaigns there are; those that stay keep what they have learned."""
        self.fold()
        known = {line.campaign.id: line for line in self.lines}
        self.lines = []
        for id, campaign in campaigns.items():
            line = known.get(id)
            if line is None:
                line = Line(campaign, remaining.get(id, 0.0), now)
                line.begin_day(now, remaining.get(id, 0.0))
            elif line.campaign != campaign:
                line.budget = max(line.spent, line.budget + self._more(line, campaign))
                line.campaign = campaign
                if line.pacer is not None:
                    line.pacer.cap_A = np.array([cap_of(campaign)])
                    line.pacer.budget_A = np.array([line.budget])
                    line.plan = line.pacer.plan(np.array([line.spent]), np.array([line.won]))
            self.lines.append(line)

    @staticmethod
    def _more(line: Line, campaign: Campaign) -> float:
        """What a changed budget adds to the present day: its share of the days that are left."""
        days = max(1.0, (campaign.ends_at - line.day_began) / line.day_s)
        return (campaign.budget_micro - line.campaign.budget_micro) / days

    def keep(self, value_RC: Floats, to_win_RC: Floats, open_RC: Flags) -> None:
        """Keep what requests would have been worth, and what it took to win them.

        Args:
            value_RC: of each request for each row.
            to_win_RC: the least bid that would have won.
            open_RC: whether the campaign could have bid at all.
        """
        self._kept.append((value_RC, to_win_RC, open_RC & (value_RC > 0)))
        self._kept_requests += len(value_RC)
        if self._kept_requests >= FOLD:
            self.fold()

    def fold(self) -> None:
        """Count what was kept into each campaign's curves."""
        if not self._kept:
            return
        value_NC, to_win_NC, open_NC = (np.concatenate(each) for each in zip(*self._kept, strict=True))
        self._kept.clear()
        self._kept_requests = 0
        request_M, row_M = np.nonzero(open_NC)
        value_M, price_M = value_NC[request_M, row_M].astype(np.float64), to_win_NC[request_M, row_M]
        found_A = first_scale(row_M, value_M, price_M, len(self.lines))
        for line, scale in zip(self.lines, found_A.tolist(), strict=True):
            if np.isnan(line.scale) and not np.isnan(scale):
                line.scale = scale
                budget_A, cap_A = np.array([line.budget]), np.array([cap_of(line.campaign)])
                line.pacer = Pacer(budget_A, cap_A, np.array([scale]), TICKS)
        scale_A = np.array([1.0 if np.isnan(line.scale) else line.scale for line in self.lines])
        curves = Curves.of(row_M, value_M, price_M, scale_A)
        if self._shades:
            self._teach_shading(row_M, value_M, price_M)
        for row, line in enumerate(self.lines):
            if curves.count_A[row]:
                rows = slice(row, row + 1)
                found = Curves(curves.cost_AG[rows], curves.value_AG[rows], curves.count_A[rows], scale_A[rows])
                line.seen = found if line.seen is None else line.seen.plus(found)

    def _teach_shading(self, row_M: Ints, value_M: Floats, price_M: Floats) -> None:
        """Learn what winning took, as a share of what each would bid where winners pay what others bid."""
        for row, line in enumerate(self.lines):
            mine_M = row_M == row
            if line.plan is not None and mine_M.any():
                share = line.shading.share_C()[0]
                value_N = value_M[mine_M] * line.plan.multiplier_A[0]
                line.shading.observe(np.zeros(len(value_N), dtype=np.int64), value_N, share * price_M[mine_M])

    def turn(self, now: float, remaining: Mapping[str, float]) -> None:
        """Close ticks that are over, and plan what is due."""
        self.fold()
        for line in self.lines:
            if line.pacer is None:
                if now >= line.day_began + line.day_s:
                    line.begin_day(now, remaining.get(line.campaign.id, 0.0))
                continue
            due = line.ticks_due(now)
            for _ in range(max(0, due)):
                line.pacer.observe(Curves.none(line.pacer.scale_A) if line.seen is None else line.seen)
                line.seen = None
                line.shading.forget()
            if due > 0 and not line.pacer.tick:
                line.begin_day(now, remaining.get(line.campaign.id, 0.0))
            if due > 0 or line.plan is None:
                line.plan = self._plan(line)

    def write(self, book: Book, free_micro: Callable[[str], float]) -> None:
        """Write the plans, and what is left, into a book that has these campaigns.

        Args:
            book: that decisions are made of.
            free_micro: what a campaign may be charged by this process now.
        """
        for row, line in enumerate(self.lines):
            plan = line.plan
            book.cap_C[row] = cap_of(line.campaign)
            # Before anything is known of prices, an action is bid for as if it cost the cap, or the place its reserve.
            first = min(book.cap_C[row], MOST_BID_MICRO) if plan is None else 0.0
            book.multiplier_C[row] = first if plan is None else plan.multiplier_A[0]
            book.overdraft_C[row] = 0.0 if plan is None else plan.overdraft_A[0]
            book.spent_C[row], book.won_C[row] = line.spent, line.won
            book.left_C[row] = min(line.left, free_micro(line.campaign.id))

    @staticmethod
    def _plan(line: Line) -> Plan | None:
        assert line.pacer is not None
        return line.pacer.plan(np.array([line.spent]), np.array([line.won]))

    def binding(self, line: Line) -> Binding:
        """What holds a campaign's bids down."""
        if line.plan is None or line.plan.multiplier_A[0] > _FREE_RANGE * line.scale:
            return "nothing"
        return "budget" if line.plan.budget_A[0] <= line.plan.cap_A[0] else "cap"
