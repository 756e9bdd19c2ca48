"""Campaigns of real ads code before the world's people, some hundred opportunities at a time.

What decides is what decides in a pool: heads and calibrations that learn from what was seen, clicked and bought
(``Lessons``), the plan of each campaign (``Planning``), bids and the auction (``decide``), and the draw of who is held
out. What this adds is the clock, the people, and arrays in place of HTTP, tokens and a database.

Letters: R opportunities, C campaigns that are live, A all that ever are, P people, W width, V variants.
"""

import asyncio
import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tenfold.ads.auction import Reason, Rules
from tenfold.ads.campaign import Campaign, FrequencyCap, Objective, Status
from tenfold.ads.candidates import Book, Chances, Decided, decide
from tenfold.ads.lessons import Lessons
from tenfold.ads.planning import Planning, book_of
from tenfold.ads.price_curve import PER_OCTAVE
from tenfold.ads.selling import lift_experiment
from tenfold.ads.vectors import WIDTH, words_of
from tenfold.product.holdout import is_held_out
from tenfold.world.day import diurnal
from tenfold.world.shoppers import BUYS_AFTER_S, READS_S
from truth.people import Advertiser, People

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DAY_S = 86_400.0
BEGAN = 20_000 * DAY_S
RUNS_DAYS = 5
HELD_OUT = 0.1
RESERVE_MICRO = 100.0
TOGETHER = 256
STUDY_EVERY_S = 300.0
OBJECTIVES = (Objective.TRAFFIC, Objective.SALES, Objective.TRAFFIC, Objective.LEADS, Objective.REACH)


@dataclass(frozen=True)
class Shown:
    """Ads that people saw: what was predicted of each before, and what was true. Programs are left out."""

    at: Floats
    advertiser: Ints
    person: Ints
    click: Floats
    true_click: Floats
    buy: Floats
    true_buy: Floats


@dataclass
class Market:
    """Runs days of a market.

    ``first_AP``: when each person would first have been shown a campaign, infinite for never; ``chance_AP``: predicted
    then, of what the campaign wants. ``cpu_s``: of the days, with the world's part.
    """

    people: People
    advertisers: Sequence[Advertiser]
    per_day: int
    live: int
    seed: int
    lessons: Lessons = field(default_factory=lambda: Lessons(WIDTH))
    planning: Planning = field(default_factory=Planning)
    opportunities: int = 0
    cpu_s: float = 0.0
    actions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("seen", "clicks", "programs", "bought"), 0))

    def __post_init__(self) -> None:
        people, count = self.people, len(self.people)
        self._rng = np.random.default_rng([self.seed, 7])
        self.campaigns = [self._campaign(number, each) for number, each in enumerate(self.advertisers)]
        self._click_APV = np.stack([people.click_PV(each) for each in self.advertisers])
        self._buy_AP = np.stack([people.buy_P(each) for each in self.advertisers])
        self._item_AW = items_of(people, self.advertisers)
        self._name_P = [f"person {number}" for number in range(count)]
        self._held_AP = np.array(
            [
                [is_held_out(name, HELD_OUT, lift_experiment(each.id)) for name in self._name_P]
                for each in self.campaigns
            ]
        )
        self.first_AP = np.full((len(self.campaigns), count), np.inf)
        self.chance_AP = np.zeros((len(self.campaigns), count))
        self._spent_A = np.zeros(len(self.campaigns))
        self._log: list[tuple[NDArray[np.generic], ...]] = []
        self._bought: list[tuple[float, str]] = []
        self._events = 0
        self._studied = 0.0

    def _campaign(self, number: int, of: Advertiser) -> Campaign:
        """Campaigns begin one after the other, so that some are new on each day."""
        begins = BEGAN + max(0, (number - self.live) // self._new_a_day + 1) * DAY_S
        days = 1 + number % RUNS_DAYS if number < self.live else RUNS_DAYS
        return Campaign(
            id=f"c{number}",
            account=of.account,
            name=of.headline,
            objective=OBJECTIVES[number % len(OBJECTIVES)],
            budget_micro=round(days * 1e6 * np.random.default_rng([self.seed, number]).lognormal(2.5, 0.7)),
            starts_at=begins,
            ends_at=begins + days * DAY_S,
            page="https://x.example",
            status=Status.LIVE,
            frequency=FrequencyCap(3, DAY_S),
        )

    @property
    def true_click_AP(self) -> NDArray[np.float32]:
        """True chance that each person clicks an ad of each campaign, over its variants."""
        return self._click_APV.mean(axis=2)

    @property
    def true_buy_AP(self) -> NDArray[np.float32]:
        """True chance that each person buys after a click."""
        return self._buy_AP

    @property
    def _new_a_day(self) -> int:
        return max(1, self.live // RUNS_DAYS)

    def run(self, days: int) -> Shown:
        """Let so many days pass; gives what was shown."""
        began = time.process_time()
        for day in range(days):
            self._day(BEGAN + day * DAY_S)
        self.cpu_s += time.process_time() - began
        return Shown(*(np.concatenate(each) for each in zip(*self._log, strict=True)))

    # ---- a day

    def _day(self, begins: float) -> None:
        self._at_C = np.array([at for at, each in enumerate(self.campaigns) if each.is_running(begins + 1.0)])
        running = {self.campaigns[at].id: self.campaigns[at] for at in self._at_C}
        self.planning.use(running, self._remaining(), begins)
        self._study(begins)
        self._shown_CP = np.zeros((len(self._at_C), len(self.people)), dtype=np.int8)
        minutes = (np.arange(1440) + 0.5) / 1440
        share = np.cumsum(diurnal(24 * minutes))
        at_N = begins + DAY_S * np.sort(np.interp(self._rng.random(self.per_day) * share[-1], share, minutes))
        person_N = np.searchsorted(np.cumsum(self.people.share_P), self._rng.random(self.per_day))
        person_N = np.minimum(person_N, len(self.people) - 1)
        page_N = self._rng.integers(0, self.people.page_PKW.shape[1], self.per_day)
        for begin in range(0, self.per_day, TOGETHER):
            rows = slice(begin, begin + TOGETHER)
            self._opportunities(float(at_N[begin]), at_N[rows], person_N[rows], page_N[rows])
        self.opportunities += self.per_day

    def _remaining(self) -> dict[str, float]:
        return {self.campaigns[at].id: self.campaigns[at].budget_micro - self._spent_A[at] for at in self._at_C}

    def _study(self, now: float) -> None:
        """Learn, and take it up, as ``Bidder.study`` does."""
        items = {self.campaigns[at].id: self._item_AW[at] for at in self._at_C}
        self.lessons.learn(items, now)
        running = [self.campaigns[at] for at in self._at_C]
        chances = self.lessons.chances([each.id for each in running], self._item_AW[self._at_C])
        self._book, self._buys = book_of(running, *chances), chances[1]
        self._studied = now

    def _opportunities(self, now: float, at_R: Floats, person_R: Ints, page_R: Ints) -> None:
        while self._bought and self._bought[0][0] <= now:
            self.lessons.converted(heapq.heappop(self._bought)[1], now)
        self.planning.turn(now, remaining := self._remaining())
        if now >= self._studied + STUDY_EVERY_S:
            self._study(now)
        self.planning.write(self._book, lambda id: max(0.0, remaining[id]))
        page_RW = self.people.page_PKW[person_R, page_R]
        found, ghost_RC = self._auction(self._book, at_R, person_R, page_RW)
        reason_RC = found.outcome.reason_RC
        open_RC = (reason_RC <= Reason.NO_MONEY) & ~ghost_RC
        self.planning.keep(found.value_RC, found.outcome.to_win_RC, open_RC)
        row_S = np.flatnonzero(found.outcome.winner_RS[:, 0] >= 0)
        self._sell(at_R[row_S], person_R[row_S], page_RW[row_S], found, row_S)

    def _auction(
        self, book: Book, at_R: Floats, person_R: Ints, page_RW: NDArray[np.float32]
    ) -> tuple[Decided, NDArray[np.bool_]]:
        """Decide; who is held out from a winner is shown the next best, as ``Bidder`` has it."""
        blur_C = 2.0 ** (self._rng.uniform(-0.5, 0.5, book.campaigns) / PER_OCTAVE)
        book = replace(book, multiplier_C=book.multiplier_C * blur_C)
        rules = Rules(1, RESERVE_MICRO)
        enough_RC = (self._shown_CP[:, person_R] >= 3).T
        ghost_RC = np.zeros(enough_RC.shape, dtype=np.bool_)
        found = decide(book, page_RW, ghost_RC, enough_RC, rules)
        while True:
            winner_R = found.outcome.winner_RS[:, 0]
            row_S = np.flatnonzero(winner_R >= 0)
            mine_S = self._at_C[winner_R[row_S]]
            self._draw(mine_S, person_R[row_S], at_R[row_S], found.chance_RC[row_S, winner_R[row_S]])
            held_S = row_S[self._held_AP[mine_S, person_R[row_S]]]
            if not len(held_S):
                return found, ghost_RC
            ghost_RC[held_S, winner_R[held_S]] = True
            again = decide(book, page_RW[held_S], ghost_RC[held_S], enough_RC[held_S], rules)
            for whole, part in (
                (found.outcome.winner_RS, again.outcome.winner_RS),
                (found.outcome.price_RS, again.outcome.price_RS),
                (found.outcome.to_win_RC, again.outcome.to_win_RC),
                (found.outcome.reason_RC, again.outcome.reason_RC),
            ):
                whole[held_S] = part

    def _draw(self, campaign_S: Ints, person_S: Ints, at_S: Floats, chance_S: NDArray[np.float32]) -> None:
        new_S = np.isinf(self.first_AP[campaign_S, person_S])
        self.first_AP[campaign_S[new_S], person_S[new_S]] = at_S[new_S]
        self.chance_AP[campaign_S[new_S], person_S[new_S]] = chance_S[new_S]

    def _sell(self, at_S: Floats, person_S: Ints, page_SW: NDArray[np.float32], found: Decided, row_S: Ints) -> None:
        place_S = found.outcome.winner_RS[row_S, 0]
        campaign_S, price_S = self._at_C[place_S], found.outcome.price_RS[row_S, 0]
        np.add.at(self._shown_CP, (place_S, person_S), 1)
        spent_C = np.bincount(place_S, price_S, len(self._at_C))
        won_C = np.bincount(place_S, found.value_RC[row_S, place_S], len(self._at_C))
        self._spent_A[self._at_C] += spent_C
        for line, spent, won in zip(self.planning.lines, spent_C.tolist(), won_C.tolist(), strict=True):
            line.spent += spent
            line.won += won
        variant_S = self._rng.integers(0, self._click_APV.shape[2], len(row_S))
        true_click_S = self._click_APV[campaign_S, person_S, variant_S]
        true_buy_S = self._buy_AP[campaign_S, person_S]
        is_program_S = self.people.is_program_P[person_S]
        clicks_S = (self._rng.random(len(row_S)) < true_click_S) | is_program_S
        buys_S = clicks_S & ~is_program_S & (self._rng.random(len(row_S)) < true_buy_S)
        buy_S = _of_own(self._buys, page_SW, place_S)
        click_S = found.relevance_RC[row_S, place_S]
        self._tell(at_S, campaign_S, person_S, page_SW, click_S, clicks_S, buys_S)
        mine = ~is_program_S
        columns = (at_S, campaign_S, person_S, click_S, true_click_S, buy_S, true_buy_S)
        self._log.append(tuple(each[mine] for each in columns))
        counts = (len(row_S), clicks_S[mine].sum(), is_program_S.sum(), buys_S.sum())
        for name, count in zip(self.actions, counts, strict=True):
            self.actions[name] += int(count)

    def _tell(
        self,
        at_S: Floats,
        campaign_S: Ints,
        person_S: Ints,
        page_SW: NDArray[np.float32],
        click_S: NDArray[np.float32],
        clicks_S: NDArray[np.bool_],
        buys_S: NDArray[np.bool_],
    ) -> None:
        """Tell ads what was sold, seen and clicked now, and what will be bought later."""
        lessons, names, chances = self.lessons, self._name_P, click_S.tolist()
        ids = [each.id for each in self.campaigns]
        for place, (at, campaign, person, clicks) in enumerate(
            zip(at_S.tolist(), campaign_S.tolist(), person_S.tolist(), clicks_S.tolist(), strict=True)
        ):
            self._events += 1
            event = str(self._events)
            lessons.sold(event, ids[campaign], names[person], page_SW[place], chances[place])
            lessons.seen(event, at)
            if clicks:
                lessons.clicked(event, at + READS_S)
                if buys_S[place]:
                    heapq.heappush(self._bought, (at + READS_S + self._rng.exponential(BUYS_AFTER_S), event))


def items_of(people: People, advertisers: Sequence[Advertiser]) -> NDArray[np.float32]:
    """Where advertisers are, as ads have it: asked of ranking, and words."""
    contents = {each.account: (each.headline, " ".join(each.texts)) for each in advertisers}
    while asyncio.run(people.vectors.fetch(contents)):
        pass
    return np.array([people.vectors.campaign(each.account, words_of(" ".join(each.texts))) for each in advertisers])


def _of_own(chances: Chances, page_SW: NDArray[np.float32], place_S: Ints) -> NDArray[np.float32]:
    """Chance of each person for one campaign each."""
    return chances.of_people(page_SW)[np.arange(len(place_S)), place_S]
