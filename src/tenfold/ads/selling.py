"""Sells what an auction has decided: reserves the price, signs the token, and notes what is told of it later.

All of it is in memory, for the loop that answers with ads. What must be on disk is taken by the next turn: who was
drawn into which arm of a campaign's experiment, and what each campaign's decisions came to.
"""

import math
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from tenfold.ads.campaign import Campaign
from tenfold.ads.money.cashier import Cashier
from tenfold.ads.money.charge import Impression
from tenfold.ads.tracking import Signer, new_event
from tenfold.product.holdout import is_held_out

Binding = Literal["budget", "cap", "nothing"]
"""What holds a campaign's bids down: its budget, its cap on the cost of an action, or neither."""

TICK_S = 60.0
"""What decisions came to is kept by the minute."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Why an ad won.

    ``value_micro``: what showing it was expected to be worth to the advertiser. ``bid_micro``: value times the lower of
    both multipliers. ``price_micro``: what it pays. ``chance``: predicted, of the action that the campaign wants.
    ``propensity``: with which its variant was chosen. ``interests``: words for why this person.
    """

    value_micro: float
    bid_micro: int
    price_micro: int
    budget_multiplier: float
    cap_multiplier: float
    binding: Binding
    chance: float
    propensity: float = 1.0
    segment: int = 0
    by_rank: bool = True
    interests: tuple[str, ...] = ()

    def told(self) -> dict[str, object]:
        """As it is signed and kept."""
        return {
            "value_micro": round(self.value_micro),
            "bid_micro": self.bid_micro,
            "budget_multiplier": _finite(self.budget_multiplier),
            "cap_multiplier": _finite(self.cap_multiplier),
            "binding": self.binding,
            "chance": round(self.chance, 9),
            "propensity": round(self.propensity, 6),
            "segment": self.segment,
            "by_rank": self.by_rank,
            "interests": list(self.interests),
        }


@dataclass
class Tick:
    """What a campaign's decisions came to in a minute. ``lost``: how often it did not win, by reason."""

    chances: int = 0
    won: int = 0
    sold_micro: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    budget_multiplier: float = math.inf
    cap_multiplier: float = math.inf
    binding: str = "nothing"

    def begun_anew(self) -> "Tick":
        """The next minute, which begins with the same plan."""
        return Tick(budget_multiplier=self.budget_multiplier, cap_multiplier=self.cap_multiplier, binding=self.binding)

    def told(self) -> dict[str, object]:
        """As it is kept."""
        return {
            "chances": self.chances,
            "won": self.won,
            "sold_micro": self.sold_micro,
            "lost": dict(self.lost),
            "budget_multiplier": _finite(self.budget_multiplier),
            "cap_multiplier": _finite(self.cap_multiplier),
            "binding": self.binding,
        }


@dataclass(frozen=True, slots=True)
class Draw:
    """Who would be shown a campaign for the first time, and in which arm they are. ``chance``: predicted then."""

    campaign: str
    person: str
    held_out: bool
    chance: float
    at: float


def lift_experiment(campaign: str) -> str:
    """What the draw of people for a campaign's lift is called."""
    return f"ads: lift of {campaign}"


class Seller:
    """Sells ads of one process.

    Args:
        cashier: its money.
        signer: signs what is sold.
        seen_within_s: seconds in which an ad that was sold must be seen.
        lift_holdout: share of people who are not shown a campaign, drawn anew for each.
    """

    def __init__(
        self,
        cashier: Cashier,
        signer: Signer,
        *,
        seen_within_s: float,
        lift_holdout: float,
    ) -> None:
        self._cashier = cashier
        self.signer = signer
        self._seen_within_s = seen_within_s
        self._lift_holdout = lift_holdout
        self._clock = cashier.now
        self._draws: dict[tuple[str, str], Draw] = {}
        self._drawn: set[tuple[str, str]] = set()
        self._ticks: dict[str, Tick] = {}
        self._tick_at = self._minute()
        self._shown: dict[tuple[str, str], deque[float]] = {}

    def is_held_out(self, campaign: str, person: str, chance: float) -> bool:
        """Whether a person who would now be shown a campaign is not, for the comparison; notes which.

        Args:
            campaign: which has won.
            person: who would see it.
            chance: predicted, of the action that the campaign wants.
        """
        held_out = is_held_out(person, self._lift_holdout, lift_experiment(campaign))
        key = campaign, person
        if key not in self._drawn and key not in self._draws:
            self._draws[key] = Draw(campaign, person, held_out, chance, self._clock())
        return held_out

    def sell(self, campaign: str, variant: str, person: str, surface: str, decision: Decision) -> str | None:
        """Sell an ad; gives the token for when it is seen, or none where there is too little money."""
        now = self._clock()
        event, until = new_event(), now + self._seen_within_s
        lease = self._cashier.sell(campaign, event, decision.price_micro, self._seen_within_s)
        tick = self.tick(campaign)
        if lease is None:
            tick.lost["money is used up here"] += 1
            return None
        tick.won += 1
        tick.sold_micro += decision.price_micro
        sold = Impression(
            event, lease, campaign, variant, person, surface, decision.price_micro, now, until, decision.told()
        )
        self._shown.setdefault((campaign, person), deque(maxlen=1000)).append(now)
        return self.signer.impression(sold)

    def tick(self, campaign: str) -> Tick:
        """What this minute's decisions of a campaign came to so far, to be added to."""
        return self._ticks.setdefault(campaign, Tick())

    def times_shown(self, campaign: Campaign, person: str) -> int:
        """How often a person was sold a campaign's ads in the span of its frequency cap."""
        times = self._shown.get((campaign.id, person))
        if times is None:
            return 0
        since = self._clock() - campaign.frequency.per_s
        while times and times[0] < since:
            times.popleft()
        if not times:
            del self._shown[campaign.id, person]
        return len(times)

    def note_shown(self, rows: Iterable[tuple[str, str, float]]) -> None:
        """Take up what others sold: campaign, person and time."""
        for campaign, person, at in rows:
            self._shown.setdefault((campaign, person), deque(maxlen=1000)).append(at)

    # ---- what the next turn takes to disk

    def take_draws(self) -> list[Draw]:
        """Draws that are not on disk; ``keep_draws`` says that they are."""
        return list(self._draws.values())

    def keep_draws(self, kept: Iterable[Draw]) -> None:
        """Note that some draws are on disk."""
        for draw in kept:
            key = draw.campaign, draw.person
            self._draws.pop(key, None)
            self._drawn.add(key)

    def take_ticks(self) -> tuple[float, Mapping[str, dict[str, object]]]:
        """The minute that is counted, and what each campaign's decisions in it came to so far."""
        at, told = self._tick_at, {campaign: tick.told() for campaign, tick in self._ticks.items()}
        if self._minute() > at:
            # What is planned holds on; what is counted begins anew.
            self._ticks = {campaign: tick.begun_anew() for campaign, tick in self._ticks.items()}
            self._tick_at = self._minute()
        return at, told

    def _minute(self) -> float:
        return self._clock() // TICK_S * TICK_S


def _finite(value: float) -> float | None:
    # JSON has no infinity; one that binds nothing is as good as none.
    return float(value) if math.isfinite(value) and value < 1e50 else None
