"""What a campaign really added: people who would be shown it, and were, against those who would be and were not.

A share of people is drawn out of each campaign beforehand. When the auction would show them its ad, the next best is
shown, and they are noted (ghost ads: Johnson, Lewis and Nubbemeyer 2017). So both arms are people whom the campaign
would reach, and their conversions, whoever's click they are of, differ by what it added. The chance predicted at the
first time takes luck of the draw out (CUPED), and the interval holds whenever somebody looks.
"""

import math
from dataclasses import dataclass, field

import sqlalchemy as sa
from pydantic import Field
from sqlalchemy import Connection

from tenfold.ads.campaign import DAY_S, MICROS, Campaign, Objective
from tenfold.ads.tables import conversions, draws
from tenfold.core.frozen import Frozen
from tenfold.experiment.compare import LEAST_PEOPLE, Comparison, compare
from tenfold.experiment.moments import Moments, moments_of

MIXING = 100.0
"""Intervals are narrowest where some hundred conversions were seen, and hardly wider at ten thousand."""

UNSEEN = 2.0
"""Each arm is as uncertain as if it had had so many conversions more. Who is held out is few, and at first none of them
buys: without this, 7 to 11 of 100 campaigns that add nothing were said to add something at some hour."""


class Added(Frozen):
    """What clicks are credited with, beside what was added. An interval holds with 95% at all times together."""

    counted: str = Field(description="what is counted: conversions, or dollars of sales")
    attributed: float = Field(description="of clicks in time, among all who were shown it")
    incremental: float | None = Field(description="beyond what those held out did, for all who were shown it")
    low: float | None
    high: float | None
    relative: float | None = Field(description="incremental as a part of what those held out did")


class LiftOut(Added):
    """Of conversions; they are told sooner than dollars, of which a few large sales are much."""

    shown_people: int
    held_out_people: int
    more_s: float | None = Field(
        description="seconds at the pace until now until as much as clicks are credited with would be told from "
        "nothing; none where it is sure, or that cannot be said"
    )
    more_people: int | None = Field(description="who would be reached by then, beyond those until now")
    said: str
    dollars: Added | None = Field(description="the same of dollars, where sales are wanted")


@dataclass
class _Arm:
    """People of one arm: what each brought, what was predicted of them, and its parts. ``credited``: to clicks."""

    outcomes: list[float] = field(default_factory=list)
    chances: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    credited: float = 0.0

    def moments(self) -> Moments:
        return moments_of(self.outcomes, pasts=self.chances, steps=self.steps)


def lift_of(connection: Connection, campaign: Campaign, now: float) -> LiftOut:
    """Compare the two arms of a campaign, ``now`` in Unix seconds."""
    # By what is counted, and by whether people are held out.
    arms = {(in_usd, held_out): _Arm() for in_usd in (False, True) for held_out in (False, True)}
    began, did = now, _did(connection, campaign)
    people = sa.select(draws.c.person, draws.c.held_out, draws.c.chance, draws.c.at)
    for row in connection.execute(people.where(draws.c.campaign == campaign.id)):
        began = min(began, row.at)
        mine = [each for each in did.get(row.person, ()) if each[0] >= row.at]
        for in_usd in (False, True):
            worths = [value / MICROS if in_usd else 1.0 for _, value, _ in mine]
            arm = arms[in_usd, bool(row.held_out)]
            arm.outcomes.append(sum(worths))
            arm.chances.append(row.chance)
            arm.steps += worths
            arm.credited += sum(worth for worth, (_, _, of) in zip(worths, mine, strict=True) if of == campaign.id)
    told, found = _added("conversions", arms[False, False], arms[False, True])
    dollars = _added("dollars of sales", arms[True, False], arms[True, True])[0]
    shown, held_out = (len(arms[False, held_out].outcomes) for held_out in (False, True))
    more = None if found is None or not shown else _times_more(found, told.attributed / shown)
    return LiftOut(
        **told.model_dump(),
        shown_people=shown,
        held_out_people=held_out,
        more_s=None if more is None else more * (now - began),
        more_people=None if more is None else math.ceil(more * (shown + held_out)),
        said=_said(told, found, shown, held_out, more, now - began, campaign.ends_at - now),
        dollars=dollars if campaign.objective is Objective.SALES else None,
    )


def told_apart(shown: Moments, held_out: Moments) -> Comparison | None:
    """Compare who was shown a campaign with who was held out; none while an arm has too few people."""
    return compare(shown, held_out, mixing=MIXING, unseen=UNSEEN)


def _added(counted: str, shown: _Arm, held_out: _Arm) -> tuple[Added, Comparison | None]:
    """What was added, as far as it can be told; the comparison, unless too few are in an arm."""
    told = Added(counted=counted, attributed=shown.credited, incremental=None, low=None, high=None, relative=None)
    found = told_apart(shown.moments(), held_out.moments())
    if found is None or not math.isfinite(found.difference.high):
        return told, found
    difference, people = found.difference, len(shown.outcomes)
    total, low, high = (people * each for each in (difference.estimate, difference.low, difference.high))
    relative = found.relative.estimate if found.treated and found.control else None
    return told.model_copy(update={"incremental": total, "low": low, "high": high, "relative": relative}), found


def _times_more(found: Comparison, effect: float) -> float | None:
    """How many times as much as until now must still come; none where it is sure, or that cannot be said."""
    if found.difference.is_sure or not math.isfinite(found.difference.high):
        return None
    times = found.times_until_sure(effect)
    return times - 1.0 if math.isfinite(times) else None


def _did(connection: Connection, campaign: Campaign) -> dict[str, list[tuple[float, int, str | None]]]:
    """What people in the campaign's experiment did on its account's pages: time, value and whose click it was of."""
    drawn = sa.select(draws.c.person).where(draws.c.campaign == campaign.id)
    columns = conversions.c.person, conversions.c.at, conversions.c.value_micro, conversions.c.campaign
    query = sa.select(*columns).where(conversions.c.account == campaign.account, conversions.c.person.in_(drawn))
    found: dict[str, list[tuple[float, int, str | None]]] = {}
    for person, at, value, of in connection.execute(query):
        found.setdefault(person, []).append((at, value, of))
    return found


def _said(
    told: Added,
    found: Comparison | None,
    shown: int,
    held_out: int,
    more: float | None,
    lasted_s: float,
    left_s: float,
) -> str:
    """What an interval says, and when it would say more; or what there is too little of for one."""
    if found is None:
        have = f"{shown:,} were shown it and {held_out:,} held out"
        return f"too few people yet: {have}; it takes {LEAST_PEOPLE} of each"
    if told.incremental is None:
        return f"no interval yet: nobody of either group has brought {told.counted}; it takes one"
    if found.difference.is_sure:
        return "more than without it" if found.difference.estimate > 0 else "less than without it"
    return _not_sure(told.attributed, more, shown + held_out, lasted_s, left_s)


def _not_sure(attributed: float, more: float | None, people: int, lasted_s: float, left_s: float) -> str:
    """When an interval that holds 0 would say more."""
    if not attributed:
        return "not sure yet: no click has led to any, so how long it takes cannot be said"
    if more is None:
        return "not sure, and will not be at this pace: reach more people, or hold out more of them"
    if more <= 0:
        return "not sure; had clicks added all that they are credited with, it would be seen by now"
    when = (
        f"what clicks are credited with would be told from nothing after {_long(more * lasted_s)} more at this pace, "
        f"with {math.ceil(more * people):,} people more"
    )
    if more * lasted_s <= left_s:
        return f"not sure yet: {when}"
    return f"not sure, and it {'ended' if left_s <= 0 else 'ends'} too soon to be: {when}"


def _long(seconds: float) -> str:
    for name, unit_s in (("days", DAY_S), ("hours", 3600.0)):
        if seconds >= 2 * unit_s:
            return f"{math.ceil(seconds / unit_s):,} {name}"
    return f"{math.ceil(seconds / 60.0):,} minutes"
