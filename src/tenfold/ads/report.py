"""What a campaign did, as stored: what was shown, clicked, bought and paid, by day and variant, and what bound it."""

from collections import Counter

import sqlalchemy as sa
from pydantic import Field
from sqlalchemy import Connection

from tenfold.ads.campaign import DAY_S, Objective
from tenfold.ads.campaigns import Kept
from tenfold.ads.choosing import ChoosingOut, choosing_of
from tenfold.ads.lift import LiftOut, lift_of
from tenfold.ads.money.charge import BILLED, CREDITED, HOUSE
from tenfold.ads.tables import charges, clicks, conversions, ticks
from tenfold.ads.why import why_spent
from tenfold.core.frozen import Frozen

MOST_POINTS = 240
"""Points of a chart."""


class Totals(Frozen):
    """What came of a campaign, or of a part of it."""

    impressions: int = 0
    clicks: int = 0
    conversions: int = Field(0, description="of clicks in time")
    value_micro: int = Field(0, description="what those brought the advertiser")
    billed_micro: int = 0


class VariantTotals(Totals):
    """What came of one variant."""

    variant: str
    headline: str = ""


class DayTotals(Totals):
    """What came of one day; ``at``: its beginning."""

    at: float


class Minute(Frozen):
    """What was decided in a span of time. Multipliers are dollars bid per dollar of expected worth."""

    at: float
    chances: int = Field(description="auctions that it could have won")
    won: int
    sold_micro: int
    budget_multiplier: float | None
    cap_multiplier: float | None
    binding: str


class ReportOut(Frozen):
    """What a campaign did, why, and what it really added."""

    campaign: str
    name: str
    totals: Totals
    credited_micro: int = Field(description="given back, as invalid traffic")
    house: int = Field(description="ads that were seen too late, which nobody pays")
    cost_per_action_micro: int | None
    return_on_spend: float | None
    plan_micro: int = Field(description="what an even spending would have billed by now")
    days: tuple[DayTotals, ...]
    variants: tuple[VariantTotals, ...] = Field(description="without those that too few people saw")
    hidden_variants: int = Field(description="variants that too few people saw")
    minutes: tuple[Minute, ...]
    bound_by: dict[str, int] = Field(description="chances, by what held the bids down")
    lost: dict[str, int] = Field(description="auctions that were not won, by reason")
    lift: LiftOut
    choosing: ChoosingOut | None = Field(description="what choosing among variants brought; none: too little to say")


class Spent(Frozen):
    """One impression, and why it cost what it did."""

    event: str
    at: float
    variant: str
    price_micro: int
    state: str
    why: str


class SpentOut(Frozen):
    """The latest impressions of a campaign, the latest first."""

    spent: tuple[Spent, ...]


def report(connection: Connection, kept: Kept, now: float, least_people: int) -> ReportOut:
    """Make the report of a campaign."""
    campaign = kept.campaign
    totals = _totals(connection, campaign.id)
    variants, hidden = _variants(connection, campaign.id, least_people)
    minutes, lost, bound = _minutes(connection, campaign.id)
    by_state = _by_state(connection, campaign.id)
    actions = {
        Objective.REACH: totals.impressions,
        Objective.TRAFFIC: totals.clicks,
    }.get(campaign.objective, totals.conversions)
    share = (now - campaign.starts_at) / max(1.0, campaign.ends_at - campaign.starts_at)
    return ReportOut(
        campaign=campaign.id,
        name=campaign.name,
        totals=totals,
        credited_micro=by_state.get(CREDITED, (0, 0))[1],
        house=by_state.get(HOUSE, (0, 0))[0],
        cost_per_action_micro=totals.billed_micro // actions if actions else None,
        return_on_spend=totals.value_micro / totals.billed_micro if totals.billed_micro else None,
        plan_micro=round(campaign.budget_micro * min(1.0, max(0.0, share))),
        days=_days(connection, campaign.id),
        variants=variants,
        hidden_variants=hidden,
        minutes=minutes,
        bound_by=bound,
        lost=lost,
        lift=lift_of(connection, campaign, now),
        choosing=choosing_of(connection, campaign.id),
    )


def spent(connection: Connection, campaign: str, most: int) -> SpentOut:
    """Say of the latest impressions why each cost what it did."""
    query = sa.select(charges).where(charges.c.campaign == campaign).order_by(charges.c.number.desc()).limit(most)
    return SpentOut(
        spent=tuple(
            Spent(
                event=row.event,
                at=row.decided_at,
                variant=row.variant,
                price_micro=row.price_micro,
                state=row.state,
                why=f"{row.why}: nobody pays" if row.state != BILLED else why_spent(row.decision, row.price_micro),
            )
            for row in connection.execute(query)
        )
    )


def _by_state(connection: Connection, campaign: str) -> dict[str, tuple[int, int]]:
    columns = charges.c.state, sa.func.count(), sa.func.sum(charges.c.price_micro)
    rows = connection.execute(sa.select(*columns).where(charges.c.campaign == campaign).group_by(charges.c.state))
    return {state: (int(count), int(micro)) for state, count, micro in rows}


def _totals(connection: Connection, campaign: str) -> Totals:
    count, micro = _by_state(connection, campaign).get(BILLED, (0, 0))
    valid = sa.select(sa.func.count()).where(clicks.c.campaign == campaign, clicks.c.valid)
    bought = sa.select(sa.func.count(), sa.func.sum(conversions.c.value_micro))
    number, value = connection.execute(bought.where(conversions.c.campaign == campaign)).one()
    return Totals(
        impressions=count,
        clicks=connection.execute(valid).scalar_one(),
        conversions=number,
        value_micro=int(value or 0),
        billed_micro=micro,
    )


def _days(connection: Connection, campaign: str) -> tuple[DayTotals, ...]:
    def by_day(at: sa.Column[float], value: sa.ColumnElement[int], *which: sa.ColumnElement[bool]) -> sa.Select:  # type: ignore[type-arg]
        day = sa.cast(sa.func.floor(at / DAY_S), sa.BigInteger)
        return sa.select(day, sa.func.count(), sa.func.sum(value)).where(*which).group_by(day)

    paid = by_day(charges.c.taken_at, charges.c.price_micro, charges.c.campaign == campaign, charges.c.state == BILLED)
    clicked = by_day(clicks.c.at, sa.literal(1), clicks.c.campaign == campaign, clicks.c.valid)
    bought = by_day(conversions.c.at, conversions.c.value_micro, conversions.c.campaign == campaign)
    found: dict[int, dict[str, int]] = {}
    for query, counted, summed in (
        (paid, "impressions", "billed_micro"),
        (clicked, "clicks", ""),
        (bought, "conversions", "value_micro"),
    ):
        for day, count, total in connection.execute(query):
            told = found.setdefault(int(day), {})
            told[counted] = int(count)
            if summed:
                told[summed] = int(total or 0)
    return tuple(DayTotals(at=day * DAY_S, **told) for day, told in sorted(found.items()))


def _variants(connection: Connection, campaign: str, least_people: int) -> tuple[tuple[VariantTotals, ...], int]:
    """What came of each variant; those that fewer than ``least_people`` saw are only counted."""
    mine = (charges.c.campaign == campaign) & (charges.c.state == BILLED)
    columns = charges.c.variant, sa.func.count(), sa.func.sum(charges.c.price_micro)
    people = sa.func.count(sa.distinct(charges.c.person))
    rows = connection.execute(sa.select(*columns, people).where(mine).group_by(charges.c.variant)).all()
    clicked_query = sa.select(clicks.c.variant, sa.func.count()).where(clicks.c.campaign == campaign, clicks.c.valid)
    clicked: dict[str, int] = dict(connection.execute(clicked_query.group_by(clicks.c.variant)).all())
    bought_query = (
        sa.select(clicks.c.variant, sa.func.count(), sa.func.sum(conversions.c.value_micro))
        .join(conversions, conversions.c.click == clicks.c.event)
        .where(clicks.c.campaign == campaign)
    )
    bought_rows = connection.execute(bought_query.group_by(clicks.c.variant))
    bought = {variant: (number, int(value or 0)) for variant, number, value in bought_rows}
    told = [
        VariantTotals(
            variant=variant,
            impressions=count,
            clicks=clicked.get(variant, 0),
            conversions=bought.get(variant, (0, 0))[0],
            value_micro=bought.get(variant, (0, 0))[1],
            billed_micro=int(micro),
        )
        for variant, count, micro, persons in rows
        if persons >= least_people
    ]
    return tuple(sorted(told, key=lambda each: -each.impressions)), len(rows) - len(told)


def _minutes(connection: Connection, campaign: str) -> tuple[tuple[Minute, ...], dict[str, int], dict[str, int]]:
    """Decisions in so many spans that a chart takes them; how often auctions were lost, and what bound the bids."""
    rows = connection.execute(sa.select(ticks).where(ticks.c.campaign == campaign).order_by(ticks.c.at)).all()
    lost: Counter[str] = Counter()
    bound: Counter[str] = Counter()
    at_once: dict[float, list[dict[str, object]]] = {}
    if rows:
        span = max(60.0, (rows[-1].at - rows[0].at) / MOST_POINTS)
        for row in rows:
            at = rows[0].at + (row.at - rows[0].at) // span * span
            at_once.setdefault(at, []).append(row.told)
            lost.update(row.told["lost"])
            bound[row.told["binding"]] += row.told["chances"]
    minutes = tuple(_minute(at, told) for at, told in at_once.items())
    return minutes, dict(lost), {name: count for name, count in bound.items() if count}


def _minute(at: float, told: list[dict[str, object]]) -> Minute:
    last = told[-1]
    sums = {name: sum(int(str(each[name])) for each in told) for name in ("chances", "won", "sold_micro")}
    return Minute(
        at=at,
        budget_multiplier=last["budget_multiplier"],  # type: ignore[arg-type]
        cap_multiplier=last["cap_multiplier"],  # type: ignore[arg-type]
        binding=str(last["binding"]),
        **sums,
    )
