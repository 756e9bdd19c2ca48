"""What a campaign really added: people who would be shown it, and were, against those who would be and were not.

A share of people is drawn out of each campaign beforehand. When the auction would show them its ad, the next best is
shown, and they are noted (ghost ads: Johnson, Lewis and Nubbemeyer 2017). So both arms are people whom the campaign
would reach, and their conversions, whoever's click they are of, differ by what it added. The chance predicted at the
first time takes luck of the draw out (CUPED), and the interval holds whenever somebody looks.
"""

import math

import sqlalchemy as sa
from pydantic import Field
from sqlalchemy import Connection

from tenfold.ads.campaign import DAY_S, MICROS, Campaign, Objective
from tenfold.ads.tables import conversions, draws
from tenfold.core.frozen import Frozen
from tenfold.experiment.compare import LEAST_PEOPLE, Comparison, Interval, compare
from tenfold.experiment.moments import moments_of


class LiftOut(Frozen):
    """Attributed beside incremental. An interval holds with 95% at all times together."""

    counted: str = Field(description="what is counted: conversions, or dollars of them")
    shown_people: int
    held_out_people: int
    attributed: float = Field(description="of clicks in time, among all who were shown it")
    incremental: float | None = Field(description="beyond what those held out did, for all who were shown it")
    low: float | None
    high: float | None
    relative: float | None = Field(description="incremental as a part of what those held out did")
    more_s: float | None = Field(
        None,
        description="seconds at the pace until now until as much as clicks are credited with would be told from "
        "nothing; none where it is sure, or that cannot be said",
    )
    said: str


def lift_of(connection: Connection, campaign: Campaign, now: float) -> LiftOut:
    """Compare the two arms of a campaign, ``now`` in Unix seconds."""
    in_usd = campaign.objective is Objective.SALES
    outcomes: dict[bool, list[float]] = {False: [], True: []}
    chances: dict[bool, list[float]] = {False: [], True: []}
    steps: dict[bool, list[float]] = {False: [], True: []}
    attributed, began = 0.0, now
    did = _did(connection, campaign)
    people = sa.select(draws.c.person, draws.c.held_out, draws.c.chance, draws.c.at)
    for row in connection.execute(people.where(draws.c.campaign == campaign.id)):
        arm, began = bool(row.held_out), min(began, row.at)
        mine = [each for each in did.get(row.person, ()) if each[0] >= row.at]
        worths = [value / MICROS if in_usd else 1.0 for _, value, _ in mine]
        outcomes[arm].append(sum(worths))
        chances[arm].append(row.chance)
        steps[arm] += worths
        if not arm:
            attributed += sum(worth for worth, (_, _, of) in zip(worths, mine, strict=True) if of == campaign.id)
    shown, held_out = (moments_of(outcomes[arm], pasts=chances[arm], steps=steps[arm]) for arm in (False, True))
    counted = "dollars of sales" if in_usd else "conversions"
    found, left_s = compare(shown, held_out), campaign.ends_at - now
    return _out(counted, shown.people, held_out.people, attributed, found, now - began, left_s)


def _did(connection: Connection, campaign: Campaign) -> dict[str, list[tuple[float, int, str | None]]]:
    """What people in the campaign's experiment did on its account's pages: time, value and whose click it was of."""
    drawn = sa.select(draws.c.person).where(draws.c.campaign == campaign.id)
    columns = conversions.c.person, conversions.c.at, conversions.c.value_micro, conversions.c.campaign
    query = sa.select(*columns).where(conversions.c.account == campaign.account, conversions.c.person.in_(drawn))
    found: dict[str, list[tuple[float, int, str | None]]] = {}
    for person, at, value, of in connection.execute(query):
        found.setdefault(person, []).append((at, value, of))
    return found


def _out(
    counted: str,
    shown: int,
    held_out: int,
    attributed: float,
    found: Comparison | None,
    lasted_s: float,
    left_s: float,
) -> LiftOut:
    people = LiftOut(
        counted=counted,
        shown_people=shown,
        held_out_people=held_out,
        attributed=attributed,
        incremental=None,
        low=None,
        high=None,
        relative=None,
        said=f"too few people yet: {shown:,} were shown it and {held_out:,} held out; it takes {LEAST_PEOPLE} of each",
    )
    if found is None:
        return people
    difference = found.difference
    total, low, high = (shown * each for each in (difference.estimate, difference.low, difference.high))
    if not math.isfinite(high):
        return people.model_copy(update={"said": f"nobody has brought {counted} yet"})
    more_s = None if difference.is_sure else _more_s(found, attributed / shown, lasted_s)
    relative = found.relative.estimate if found.treated and found.control else None
    added = {"incremental": total, "low": low, "high": high, "relative": relative}
    said = _said(difference, attributed, more_s, lasted_s, left_s)
    return people.model_copy(update={**added, "more_s": more_s, "said": said})


def _more_s(found: Comparison, effect: float, lasted_s: float) -> float | None:
    times = found.times_until_sure(effect)
    return (times - 1.0) * lasted_s if math.isfinite(times) else None


def _said(difference: Interval, attributed: float, more_s: float | None, lasted_s: float, left_s: float) -> str:
    """What an interval says, and when it would say more."""
    if difference.is_sure:
        return "more than without it" if difference.estimate > 0 else "less than without it"
    if not attributed:
        return "not sure yet: no click has led to any, so how long it takes cannot be said"
    if more_s is None:
        return "not sure, and will not be at this pace: reach more people, or hold out more of them"
    if more_s <= 0:
        return "not sure; had clicks added all that they are credited with, it would be seen by now"
    when = (
        f"what clicks are credited with would be told from nothing after {_long(more_s)} more at this pace, "
        f"{1.0 + more_s / max(lasted_s, 1e-9):,.1f} times as long as until now"
    )
    if more_s <= left_s:
        return f"not sure yet: {when}"
    return f"not sure, and it {'ended' if left_s <= 0 else 'ends'} too soon to be: {when}"


def _long(seconds: float) -> str:
    for name, unit_s in (("days", DAY_S), ("hours", 3600.0)):
        if seconds >= 2 * unit_s:
            return f"{math.ceil(seconds / unit_s):,} {name}"
    return f"{math.ceil(seconds / 60.0):,} minutes"
