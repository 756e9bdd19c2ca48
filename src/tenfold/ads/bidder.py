"""Answers with ads: who bids for a person's page, who wins, what is sold; and learns from what becomes of it.

Everything is in memory, in the one thread of the loop. Once a second it plans what is due, takes up campaigns that have
changed, learns from ads that were seen long enough ago to have been clicked, and asks rank for embeddings.
"""

import math
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tenfold.ads.asked import Asked, AskedPage
from tenfold.ads.auction import Pricing, Reason, Rules
from tenfold.ads.campaign import DAY_S, Campaign, Objective, ReturnOnSpend
from tenfold.ads.candidates import Book, Decided, decide
from tenfold.ads.contract import VariantOut
from tenfold.ads.forecast import Forecast, forecast
from tenfold.ads.lessons import Lessons
from tenfold.ads.planning import SALE_MICRO, Line, Planning, book_of, cap_of
from tenfold.ads.price_curve import PER_OCTAVE
from tenfold.ads.selling import Decision, Seller
from tenfold.ads.vectors import WIDTH, Vectors, words_of

Singles = NDArray[np.float32]
Flags = NDArray[np.bool_]

_GHOST = len(Reason)

MOST_FORECAST = 600


@dataclass(frozen=True, slots=True)
class Page:
    """What is asked for: ads beside the items of a page.

    ``items``, ``genres``: of the organic items. ``personal``: whether what the person did may count; ``by_rank``:
    whether rank's embeddings may.
    """

    person: str
    surface: str
    slots: int
    items: tuple[int | str, ...]
    genres: tuple[str, ...]
    personal: bool = True
    by_rank: bool = True


@dataclass(frozen=True, slots=True)
class Sold:
    """An ad to show, and why it won."""

    campaign: Campaign
    variant: VariantOut
    token: str
    decision: Decision


@dataclass(frozen=True, slots=True)
class _Unseen:
    """An ad that was sold ``at`` a time for a line, until it is too late to be seen."""

    event: str
    at: float
    line: Line
    price_micro: int
    value: float


Choose = Callable[[str, Sequence[VariantOut], Singles], tuple[VariantOut, float, int]]
"""Chooses a variant for a person: with its propensity, and the segment that the person is in."""


@dataclass
class Bidder:
    """Bids for the campaigns of a roster.

    Args:
        seller: sells what has won.
        vectors: where people and campaigns are.
        choose: chooses among the variants that may be shown.
        free_micro: what a campaign may be charged by this process now.
        remaining_micro: what is left of a campaign's budget.
        now: Unix seconds.
        pricing: of the auction.
        reserve_micro: the least price of an ad.
        floor: the least chance of a click.
        seen_within_s: an ad that was not seen so long after it was sold is not charged.
        rng: of the chance in bids, see ``_blurred``.
    """

    seller: Seller
    vectors: Vectors
    choose: Choose
    free_micro: Callable[[str], int]
    remaining_micro: Callable[[str], float]
    now: Callable[[], float]
    pricing: Pricing = "second"
    reserve_micro: float = 100.0
    floor: float = 0.0
    seen_within_s: float = 300.0
    rng: np.random.Generator = field(default_factory=np.random.default_rng)
    asked: Asked = field(init=False)
    lessons: Lessons = field(default_factory=lambda: Lessons(WIDTH))
    planning: Planning = field(init=False)
    _campaigns: dict[str, Campaign] = field(default_factory=dict)
    _variants: dict[str, tuple[VariantOut, ...]] = field(default_factory=dict)
    _items: dict[str, Singles] = field(default_factory=dict)
    _terms: dict[str, int] = field(default_factory=dict)
    _book: Book | None = None
    _unseen: deque[_Unseen] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.asked = Asked(self.rng)
        self.planning = Planning(shades=self.pricing == "first")

    # ---- campaigns

    def use(self, campaigns: Mapping[str, Campaign], variants: Mapping[str, tuple[VariantOut, ...]]) -> None:
        """Take up which campaigns are live, and what of each may be shown."""
        if self._book is not None:
            self._write_plans()
        now = self.now()
        self._campaigns = {id: each for id, each in campaigns.items() if each.is_running(now) and variants.get(id)}
        self._variants = {id: variants[id] for id in self._campaigns}
        self.planning.use(self._campaigns, {id: self.remaining_micro(id) for id in self._campaigns}, now)
        self._index_terms()
        self._write_book()

    def contents(self) -> dict[str, tuple[str, str]]:
        """Title and text of each campaign, for its embedding."""
        return {
            id: (self._variants[id][0].headline, " ".join(each.body for each in self._variants[id]))
            for id in self._campaigns
        }

    def _words(self, id: str) -> list[str]:
        text = " ".join(f"{each.headline} {each.body}" for each in self._variants[id])
        return [*self._campaigns[id].targeting.interests, *words_of(text)]

    def _index_terms(self) -> None:
        """Which words of a page, and which surfaces, keep which campaigns out, or are what they are for."""
        campaigns = list(self._campaigns.values())
        terms: dict[str, None] = {}
        for each in campaigns:
            terms.update(dict.fromkeys(word.casefold() for word in (*each.excluded, *each.targeting.interests)))
        self._terms = {term: at for at, term in enumerate(terms)}
        self._excluded_VC = np.zeros((len(terms), len(campaigns)), dtype=bool)
        self._wanted_VC = np.zeros((len(terms), len(campaigns)), dtype=bool)
        for row, each in enumerate(campaigns):
            for word in each.excluded:
                self._excluded_VC[self._terms[word.casefold()], row] = True
            for word in each.targeting.interests if not each.targeting.broad else ():
                self._wanted_VC[self._terms[word.casefold()], row] = True
        self._narrow_C = self._wanted_VC.any(axis=0)

    def _write_book(self) -> None:
        """Write the arrays that decisions are made of."""
        ids = list(self._campaigns)
        self._items = {id: self.vectors.campaign(id, self._words(id)) for id in ids}
        item_CD = np.array(list(self._items.values()), dtype=np.float32).reshape(len(ids), WIDTH)
        self._reasons_CR = np.zeros((len(ids), len(Reason) + 1), dtype=np.int64)
        self._share_C = np.ones(len(ids))
        self._book = book_of(list(self._campaigns.values()), *self.lessons.chances(ids, item_CD))
        self._write_plans()

    def _write_plans(self) -> None:
        book = self._book
        assert book is not None
        self.planning.write(book, self.free_micro)
        for row, line in enumerate(self.planning.lines):
            plan = line.plan
            self._share_C[row] = line.shading.share_C()[0] if self.pricing == "first" else 1.0
            tick = self.seller.tick(line.campaign.id)
            tick.budget_multiplier = math.inf if plan is None else float(plan.budget_A[0])
            tick.cap_multiplier = math.inf if plan is None else float(plan.cap_A[0])
            tick.binding = self.planning.binding(line)
            count_R = self._reasons_CR[row].tolist()
            tick.chances += sum(count_R)
            for reason in Reason:
                if count_R[reason] and reason is not Reason.WON:
                    tick.lost[reason.words] += count_R[reason]
            if count_R[_GHOST]:
                tick.lost["held out, for the comparison"] += count_R[_GHOST]
        self._reasons_CR[:] = 0

    # ---- deciding

    def answer(self, page: Page, stopped: Collection[str]) -> list[Sold]:
        """Decide one page, and sell what has won; the dearest first.

        Args:
            page: what is asked for.
            stopped: campaigns and accounts, as ``campaign/ID`` and ``account/ID``, of which this person wants no more.
        """
        book = self._book
        if page.slots < 1:
            return []
        person_D = self.vectors.person(page.items, page.genres, by_rank=page.personal and page.by_rank)
        if book is None or not book.campaigns:
            self._keep_page(page, person_D, self.reserve_micro)
            return []
        not_here_C = self._not_here(page)
        seen_enough_C = np.array(
            [
                self.seller.times_shown(each, page.person) >= each.frequency.impressions
                or (bool(stopped) and (f"campaign/{id}" in stopped or f"account/{each.account}" in stopped))
                for id, each in self._campaigns.items()
            ]
        )
        found, ghost_C = self._auction(page, person_D, not_here_C, seen_enough_C)
        self._keep_page(page, person_D, float(found.outcome.to_join_R[0]))
        self._note(found, ghost_C)
        places = zip(found.outcome.winner_RS[0].tolist(), found.outcome.price_RS[0].tolist(), strict=True)
        sold = [self._sell(page, found, row, price, person_D) for row, price in places if row >= 0]
        return [one for one in sold if one is not None]

    def _auction(self, page: Page, person_D: Singles, not_here_C: Flags, seen_enough_C: Flags) -> tuple[Decided, Flags]:
        """Decide; who is held out from a winner is shown the next best, as if there were no such campaign."""
        book = self._book
        assert book is not None
        rules = Rules(min(page.slots, book.campaigns), self.reserve_micro, self.floor, self.pricing)
        ghost_C = np.zeros(book.campaigns, dtype=bool)
        book = self._blurred(book)
        while True:
            found = decide(book, person_D[None, :], (not_here_C | ghost_C)[None, :], seen_enough_C[None, :], rules)
            ghosts = [
                row
                for row in found.outcome.winner_RS[0].tolist()
                if row >= 0
                and self.seller.is_held_out(
                    self.planning.lines[row].campaign.id, page.person, float(found.chance_RC[0, row])
                )
            ]
            if not ghosts:
                return found, ghost_C
            ghost_C[ghosts] = True

    def _blurred(self, book: Book) -> Book:
        """Bids with a bin's width of chance in them, shaded where winners pay what they bid.

        Plans tell prices apart by a bin's width. Where many are alike, as at the reserve, a bid without chance would
        win all of them or none.
        """
        blur_C = 2.0 ** (self.rng.uniform(-0.5, 0.5, book.campaigns) / PER_OCTAVE)
        return replace(book, multiplier_C=book.multiplier_C * blur_C * self._share_C)

    def _note(self, found: Decided, ghost_C: Flags) -> None:
        """Count why each lost, and keep what it took to win."""
        reason_C = found.outcome.reason_RC[0]
        self._reasons_CR[np.arange(len(reason_C)), np.where(ghost_C, _GHOST, reason_C)] += 1
        open_C = (reason_C == Reason.WON) | (reason_C == Reason.OUTBID) | (reason_C == Reason.BELOW_RESERVE)
        open_C |= reason_C == Reason.NO_MONEY
        # Where a share of the value is bid, winning takes a value of so much more.
        self.planning.keep(found.value_RC, found.outcome.to_win_RC / self._share_C, open_C[None, :])

    def _not_here(self, page: Page) -> Flags:
        at = [self._terms[word] for word in {genre.casefold() for genre in page.genres} if word in self._terms]
        excluded_C = self._excluded_VC[at].any(axis=0)
        meant_C = self._wanted_VC[at].any(axis=0) | ~self._narrow_C
        elsewhere_C = np.array(
            [
                bool(each.targeting.surfaces) and page.surface not in each.targeting.surfaces
                for each in self._campaigns.values()
            ]
        )
        return excluded_C | ~meant_C | elsewhere_C

    def _sell(self, page: Page, found: Decided, row: int, price: float, person_D: Singles) -> Sold | None:
        """Sell one place; none where its campaign has too little money here."""
        line, book = self.planning.lines[row], self._book
        assert book is not None
        campaign, value = line.campaign, float(found.value_RC[0, row])
        price_micro = max(1, math.ceil(price))
        variant, propensity, segment = self.choose(campaign.id, self._variants[campaign.id], person_D)
        tick = self.seller.tick(campaign.id)
        genres = {genre.casefold() for genre in page.genres}
        worth = min(book.cap_C[row], line.plan.budget_A[0] if line.plan else book.multiplier_C[row])
        decision = Decision(
            value_micro=value * worth,
            bid_micro=max(price_micro, math.floor(found.bid_RC[0, row])),
            price_micro=price_micro,
            budget_multiplier=tick.budget_multiplier,
            cap_multiplier=tick.cap_multiplier,
            binding=self.planning.binding(line),
            chance=float(found.chance_RC[0, row]),
            propensity=propensity,
            segment=segment,
            by_rank=page.by_rank and page.personal,
            interests=tuple(word for word in campaign.targeting.interests if word.casefold() in genres),
        )
        token = self.seller.sell(campaign.id, variant.id, page.person, page.surface, decision)
        if token is None:
            return None
        line.spent += price_micro
        line.won += value
        book.sold(row, price_micro, value)
        event = self.seller.signer.read_impression(token).event
        self.lessons.sold(event, campaign.id, page.person, person_D, float(found.relevance_RC[0, row]))
        self._unseen.append(_Unseen(event, self.now(), line, price_micro, value))
        return Sold(campaign, variant, token, decision)

    # ---- forecasts

    def _keep_page(self, page: Page, person_D: Singles, least_micro: float) -> None:
        kept = AskedPage(
            page.person, page.surface, tuple(each.casefold() for each in page.genres), person_D, least_micro
        )
        self.asked.note(kept, self.now())

    def forecast(self, campaign: Campaign, variants: Sequence[VariantOut]) -> Forecast | None:
        """Forecast a campaign on the pages of the last day, as if it had bid for them; none where they are too few."""
        asked = self.asked.pages
        some = self.rng.permutation(len(asked))[:MOST_FORECAST]  # Enough, and this runs where pages are answered.
        pages = [asked[at] for at in some if _may_stand(campaign, asked[at])]
        if not pages:
            return None
        words = [*campaign.targeting.interests, *(word for each in variants for word in words_of(each.body))]
        item_CD = self.vectors.campaign(campaign.id, words)[None, :]
        clicks, conversions = self.lessons.chances([campaign.id], item_CD)
        person_ND = np.array([page.person_D for page in pages])
        chance_N = np.ones(len(pages))
        if campaign.objective is not Objective.REACH:
            chance_N = chance_N * clicks.of_people(person_ND)[:, 0]
        if campaign.objective.needs_conversions:
            chance_N = chance_N * conversions.of_people(person_ND)[:, 0]
        per_day = self.asked.per_day(self.now()) * len(pages) / len(some)
        times = campaign.frequency.impressions * max(1.0, campaign.days * DAY_S / campaign.frequency.per_s)
        return forecast(
            chance_N * (SALE_MICRO if isinstance(campaign.cap, ReturnOnSpend) else 1.0),
            np.array([page.least_micro for page in pages]),
            chance_N,
            requests_per_day=per_day,
            days=campaign.days,
            budget_micro=float(campaign.budget_micro),
            cap=cap_of(campaign),
            most_impressions=len({page.person for page in pages}) / len(pages) * per_day * times,
        )

    # ---- turns

    def turn(self) -> None:
        """Plan what is due, and write down what decisions are made of; once a second."""
        if self._book is None:
            return
        self._take_back()
        self.planning.turn(self.now(), {id: self.remaining_micro(id) for id in self._campaigns})
        self._write_plans()

    def _take_back(self) -> None:
        """Plan with what was sold and never seen as if it had not been sold: nobody pays for it."""
        before = self.now() - self.seen_within_s
        while self._unseen and self._unseen[0].at < before:
            sold = self._unseen.popleft()
            if self.lessons.drop_unseen(sold.event) and sold.at >= sold.line.day_began:
                sold.line.spent -= sold.price_micro
                sold.line.won -= sold.value

    def study(self) -> None:
        """Learn from what became of ads, and take it up; now and then."""
        if self._book is None:
            return
        if self.lessons.learn(self._items, self.now()):
            self._write_book()


def _may_stand(campaign: Campaign, page: AskedPage) -> bool:
    """Whether an ad may stand on a page, and is for whoever looks at it."""
    target, genres = campaign.targeting, set(page.genres)
    wanted = {each.casefold() for each in target.interests}
    return (
        (not target.surfaces or page.surface in target.surfaces)
        and not genres & {each.casefold() for each in campaign.excluded}
        and (target.broad or not wanted or bool(genres & wanted))
    )
