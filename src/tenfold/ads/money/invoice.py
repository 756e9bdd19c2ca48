"""Credits, and invoices: what an account owes for a span of time, each charge and each credit on one invoice."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.ads.money.budget import campaign_node, move, path_of
from tenfold.ads.money.charge import BILLED, CREDITED, HOUSE
from tenfold.ads.tables import charges, credits, invoices


@dataclass(frozen=True, slots=True)
class Invoice:
    """What an account owes for what was billed to it before ``until`` and is on no other invoice."""

    id: str
    account: str
    until: float
    charged_micro: int
    credited_micro: int
    made_at: float

    @property
    def due_micro(self) -> int:
        """What is to be paid; below zero where credits of charges on earlier invoices are more."""
        return self.charged_micro - self.credited_micro


def credit(connection: Connection, events: Sequence[str], why: str, now: float) -> int:
    """Give charges back, each at most once; the money may be spent again. Gives how much that was."""
    columns = charges.c.event, charges.c.account, charges.c.campaign, charges.c.price_micro
    query = sa.select(*columns).where(charges.c.event.in_(events), charges.c.state == BILLED)
    rows = connection.execute(query).all()
    by_campaign: dict[str, int] = {}
    for row in rows:
        by_campaign[row.campaign] = by_campaign.get(row.campaign, 0) + row.price_micro
    for campaign, micro in by_campaign.items():
        move(connection, path_of(connection, campaign_node(campaign)), billed_micro=-micro)
    if rows:
        given = [
            {"event": row.event, "account": row.account, "campaign": row.campaign, "micro": row.price_micro}
            | {"why": why, "at": now, "invoice": None}
            for row in rows
        ]
        connection.execute(credits.insert(), given)
        mine = charges.c.event.in_([row.event for row in rows])
        connection.execute(sa.update(charges).where(mine).values(state=CREDITED, why=why))
    return sum(by_campaign.values())


def invoice(connection: Connection, account: str, until: float, now: float) -> Invoice | None:
    """Put all that was taken before ``until`` and is on no invoice on a new one; none where there is nothing."""
    open_charges = (
        (charges.c.account == account)
        & charges.c.invoice.is_(None)
        & (charges.c.taken_at < until)
        & (charges.c.state != HOUSE)
    )
    open_credits = (credits.c.account == account) & credits.c.invoice.is_(None) & (credits.c.at < until)
    # A charge that was credited before it was on any invoice stands there with its credit.
    charged = connection.execute(sa.select(sa.func.sum(charges.c.price_micro)).where(open_charges)).scalar()
    credited = connection.execute(sa.select(sa.func.sum(credits.c.micro)).where(open_credits)).scalar()
    if charged is None and credited is None:
        return None
    made = Invoice(secrets.token_hex(8), account, until, int(charged or 0), int(credited or 0), now)
    connection.execute(sa.update(charges).where(open_charges).values(invoice=made.id))
    connection.execute(sa.update(credits).where(open_credits).values(invoice=made.id))
    row = {
        name: getattr(made, name) for name in ("id", "account", "until", "charged_micro", "credited_micro", "made_at")
    }
    connection.execute(invoices.insert().values(row))
    return made


def invoices_of(connection: Connection, account: str) -> list[Invoice]:
    """An account's invoices, the oldest first."""
    columns = [invoices.c[name] for name in ("id", "account", "until", "charged_micro", "credited_micro", "made_at")]
    query = sa.select(*columns).where(invoices.c.account == account).order_by(invoices.c.made_at)
    return [Invoice(*row) for row in connection.execute(query)]
