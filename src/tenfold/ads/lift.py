"""What a campaign really added: people who would be shown it, and were, against those who would be and were not.

A share of people is drawn out of each campaign beforehand. When the auction would show them its ad, the next best is
shown, and they are noted (ghost ads: Johnson, Lewis and Nubbemeyer 2017). So both arms are people whom the campaign
would reach, and their conversions, whoever's click they are of, differ by what it added. The chance predicted at the
first time takes luck of the draw out (CUPED), and the interval holds whenever somebody looks.
"""

import sqlalchemy as sa
from pydantic import Field
from sqlalchemy import Connection

from tenfold.ads.campaign import MICROS, Campaign, Objective
from tenfold.ads.tables import conversions, draws
from tenfold.core.frozen import Frozen
from tenfold.experiment.compare import Comparison, compare
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
    said: str


def lift_of(connection: Connection, campaign: Campaign) -> LiftOut:
    """Compare the two arms of a campaign."""
    in_usd = campaign.objective is Objective.SALES
    outcomes: dict[bool, list[float]] = {False: [], True: []}
    chances: dict[bool, list[float]] = {False: [], True: []}
    steps: dict[bool, list[float]] = {False: [], True: []}
    attributed = 0.0
    did = _did(connection, campaign)
    people = sa.select(draws.c.person, draws.c.held_out, draws.c.chance, draws.c.at)
    for row in connection.execute(people.where(draws.c.campaign == campaign.id)):
        arm = bool(row.held_out)
        mine = [each for each in did.get(row.person, ()) if each[0] >= row.at]
        worths = [value / MICROS if in_usd else 1.0 for _, value, _ in mine]
        outcomes[arm].append(sum(worths))
        chances[arm].append(row.chance)
        steps[arm] += worths
        if not arm:
            attributed += sum(worth for worth, (_, _, of) in zip(worths, mine, strict=True) if of == campaign.id)
    shown, held_out = (moments_of(outcomes[arm], pasts=chances[arm], steps=steps[arm]) for arm in (False, True))
    found = compare(shown, held_out)
    return _out("dollars of sales" if in_usd else "conversions", shown.people, held_out.people, attributed, found)


def _did(connection: Connection, campaign: Campaign) -> dict[str, list[tuple[float, int, str | None]]]:
    """What people in the campaign's experiment did on its account's pages: time, value and whose click it was of."""
    drawn = sa.select(draws.c.person).where(draws.c.campaign == campaign.id)
    columns = conversions.c.person, conversions.c.at, conversions.c.value_micro, conversions.c.campaign
    query = sa.select(*columns).where(conversions.c.account == campaign.account, conversions.c.person.in_(drawn))
    found: dict[str, list[tuple[float, int, str | None]]] = {}
    for person, at, value, of in connection.execute(query):
        found.setdefault(person, []).append((at, value, of))
    return found


def _out(counted: str, shown: int, held_out: int, attributed: float, found: Comparison | None) -> LiftOut:
    people = LiftOut(
        counted=counted,
        shown_people=shown,
        held_out_people=held_out,
        attributed=attributed,
        incremental=None,
        low=None,
        high=None,
        relative=None,
        said="too few people are in the comparison to say what was added",
    )
    if found is None:
        return people
    difference = found.difference
    total, low, high = (shown * each for each in (difference.estimate, difference.low, difference.high))
    is_sure = difference.is_sure
    said = "more than without it" if is_sure and total > 0 else "less than without it" if is_sure else "not sure yet"
    relative = found.relative.estimate if found.treated and found.control else None
    added = {"incremental": total, "low": low, "high": high, "relative": relative, "said": said}
    return people.model_copy(update=added)
