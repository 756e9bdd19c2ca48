"""Clicks, and conversions: what people did after they saw an ad, each once, late or in any order."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.ads.campaign import DAY_S
from tenfold.ads.contract import ConversionIn, ConversionsOut
from tenfold.ads.money.charge import Impression
from tenfold.ads.tables import campaigns, clicks, conversions
from tenfold.ads.tracking import BadToken, Click, Signer

CLICK_PARAMETER = "tf_click"
"""What the address that a click leads to has its signed id in."""

TOO_QUICK_S = 0.2
"""Nobody reads an ad and clicks it so soon after it was chosen."""

AHEAD_S = 300.0
"""A clock may be so far ahead; what is told from later happens now."""


def with_click(url: str, click: str) -> str:
    """An address with the signed id of the click that led to it."""
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode({CLICK_PARAMETER: click}))))
    return urlunsplit(parts._replace(query=query))


def is_too_quick(seen: Impression, at: float) -> bool:
    """Whether an ad was clicked sooner than anybody can read it."""
    return at - seen.decided_at < TOO_QUICK_S


def take_click(connection: Connection, seen: Impression, now: float) -> tuple[Click, bool]:
    """Note a click on an ad that was taken as seen; gives it, and whether it is the first of this impression."""
    found = connection.execute(sa.select(clicks.c.at).where(clicks.c.event == seen.event)).scalar()
    if found is not None:
        return Click(seen.event, seen.campaign, found), False
    row = {"event": seen.event, "campaign": seen.campaign, "variant": seen.variant, "person": seen.person, "at": now}
    connection.execute(clicks.insert().values(row | {"valid": not is_too_quick(seen, now)}))
    return Click(seen.event, seen.campaign, now), True


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of conversions. ``clicks``: impressions whose clicks led to those that are new."""

    out: ConversionsOut
    clicks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Led:
    """The click that led to a conversion."""

    event: str
    campaign: str
    person: str
    variant: str


def take_conversions(
    connection: Connection, account: str, told: Sequence[ConversionIn], signer: Signer, click_days: float, now: float
) -> Taken:
    """Note conversions of an account, each once by its event.

    One belongs to the campaign of the click that it names, or else of the last click of its person, if that was within
    ``click_days`` before. One that belongs to none is kept too: what ads really add is seen in everybody's conversions.
    """
    once = {each.event: each for each in told}
    mine = (conversions.c.account == account) & conversions.c.event.in_(list(once))
    known = set(connection.execute(sa.select(conversions.c.event).where(mine)).scalars())
    rows: list[dict[str, object]] = []
    refused = 0
    for event, each in once.items():
        if event in known:
            continue
        at = now if each.at is None else min(each.at, now + AHEAD_S)
        try:
            led = _led_by(connection, account, each, signer, at, click_days)
        except BadToken:
            refused += 1
            continue
        rows.append(
            {
                "account": account,
                "event": event,
                "click": led.event if led else None,
                "campaign": led.campaign if led else None,
                "person": (led.person if led else each.person) or None,
                "value_micro": each.value_micro,
                "at": at,
                "taken_at": now,
            }
        )
    if rows:
        connection.execute(conversions.insert(), rows)
    attributed = sum(row["campaign"] is not None for row in rows)
    repeated = len(told) - len(rows) - refused
    out = ConversionsOut(attributed=attributed, others=len(rows) - attributed, repeated=repeated, refused=refused)
    return Taken(out, tuple(str(row["click"]) for row in rows if row["click"] is not None))


def _led_by(
    connection: Connection, account: str, told: ConversionIn, signer: Signer, at: float, click_days: float
) -> _Led | None:
    """The click that a conversion belongs to, if any.

    Raises:
        BadToken: it names a click that is none of ours.
    """
    if told.click:
        which = clicks.c.event == signer.read_click(told.click).event
    elif told.person:
        which = clicks.c.person == told.person
    else:
        return None
    columns = clicks.c.event, clicks.c.campaign, clicks.c.person, clicks.c.variant
    in_time = (clicks.c.at <= at + AHEAD_S) & (clicks.c.at >= at - click_days * DAY_S)
    query = sa.select(*columns).join(campaigns, campaigns.c.id == clicks.c.campaign)
    query = query.where(which, in_time, clicks.c.valid, campaigns.c.account == account)
    row = connection.execute(query.order_by(clicks.c.at.desc()).limit(1)).first()
    return None if row is None else _Led(*row)
