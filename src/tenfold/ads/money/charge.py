"""Charges: each impression is taken once, by its event, and billed to the lease that it was sold from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.ads.money.lease import CLOSED, Lease, leases_of, settle
from tenfold.ads.tables import campaigns, charges

Outcome = Literal["billed", "repeated", "house"]
BILLED, CREDITED, HOUSE = "billed", "credited", "house"
"""``house``: nobody pays, since the ad was seen too late, or more was sold than was leased."""


@dataclass(frozen=True, slots=True)
class Impression:
    """An ad that was seen, as it was signed when it was sold. ``decision``: why it won, for whoever asks later."""

    event: str
    lease: str
    campaign: str
    variant: str
    person: str
    surface: str
    price_micro: int
    decided_at: float
    expires_at: float
    decision: Mapping[str, object]


def take(connection: Connection, seen: Sequence[Impression], now: float) -> dict[str, Outcome]:
    """Charge impressions, within the caller's transaction; gives what became of each event.

    They may come late, again and in any order. One that comes after its time, after its lease is closed, or where its
    lease has too little left goes to the house: it is kept, and nobody pays.
    """
    once = {each.event: each for each in seen}
    known = set(connection.execute(sa.select(charges.c.event).where(charges.c.event.in_(list(once)))).scalars())
    new = [each for event, each in once.items() if event not in known]
    if not new:
        return dict.fromkeys(once, "repeated")
    held = leases_of(connection, list({each.lease for each in new}))
    accounts = _accounts_of(connection, {each.campaign for each in new})
    spent: dict[str, int] = {}
    rows: list[dict[str, object]] = []
    outcomes: dict[str, Outcome] = dict.fromkeys(known, "repeated")
    for each in new:
        why = _why_not(each, held.get(each.lease), spent.get(each.lease, 0), now)
        if not why:
            spent[each.lease] = spent.get(each.lease, 0) + each.price_micro
        outcomes[each.event] = HOUSE if why else BILLED
        rows.append(_row(each, accounts.get(each.campaign, ""), why, now))
    settle(connection, spent, {lease: held[lease].campaign for lease in spent})
    connection.execute(charges.insert(), rows)
    return outcomes


def _why_not(seen: Impression, lease: Lease | None, spent_micro: int, now: float) -> str:
    if lease is None or lease.campaign != seen.campaign:
        return "there is no such lease"
    if now > seen.expires_at:
        return "it was seen after its time"
    if lease.state == CLOSED:
        return "its lease is closed"
    if seen.price_micro > lease.left_micro - spent_micro:
        return "its lease has too little left"
    return ""


def _row(seen: Impression, account: str, why: str, now: float) -> dict[str, object]:
    return {
        "event": seen.event,
        "lease": seen.lease,
        "account": account,
        "campaign": seen.campaign,
        "variant": seen.variant,
        "person": seen.person,
        "surface": seen.surface,
        "price_micro": seen.price_micro,
        "state": HOUSE if why else BILLED,
        "why": why,
        "decision": dict(seen.decision),
        "decided_at": seen.decided_at,
        "taken_at": now,
        "invoice": None,
    }


def _accounts_of(connection: Connection, ids: set[str]) -> dict[str, str]:
    rows = connection.execute(sa.select(campaigns.c.id, campaigns.c.account).where(campaigns.c.id.in_(ids)))
    return {row.id: row.account for row in rows}
