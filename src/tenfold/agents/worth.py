"""What conversations earn, and what of it the language model's words earned beyond the templates.

A conversation that is known to be resolved is worth what its business says, and one that sold earns the margin of what
it sold. A share of people, by a hash of their thread's name, always gets templates: what the others earn beyond them,
per person, is what serve's tokens are worth. Everybody is answered from the same evidence; only the words differ.
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.agents.business_settings import BusinessSettings
from tenfold.agents.orders import Line
from tenfold.agents.tables import Business, change_thread, read_thread, threads
from tenfold.catalog.item import Offer
from tenfold.catalog.money import MICROS
from tenfold.product.holdout import earned_by_share, is_held_out

EXPERIMENT = "agents: worded by serve or by templates"


def draw(business: str, person: str, share: float) -> bool:
    """Whether a person always gets templates."""
    return is_held_out(f"{business}/{person}", share, EXPERIMENT)


def resolve(connection: Connection, business: Business, thread: str, by: str) -> None:
    """Note how a conversation is known to be resolved, or (empty) that it is not; it is worth that once."""
    found = read_thread(connection, business.id, thread)
    if found is None or found.resolved_by == by or (found.resolved_by == "order" and by != "order"):
        return
    worth = BusinessSettings.model_validate(business.settings).usd_per_resolved
    change = worth * (bool(by) - bool(found.resolved_by))
    values = {"resolved_by": by, "earned_usd": threads.c.earned_usd + change}
    change_thread(connection, business.id, thread, **values)


def sell(
    connection: Connection, business: Business, thread: str, lines: Sequence[Line], offers: Mapping[str, Offer]
) -> None:
    """Note that a conversation has sold something: its margin, and that it is resolved."""
    margin = BusinessSettings.model_validate(business.settings).margin
    prices = [offers[line.variant].price.micros * line.quantity for line in lines if line.variant in offers]
    earned = margin * sum(prices) / MICROS
    change_thread(connection, business.id, thread, earned_usd=threads.c.earned_usd + earned)
    resolve(connection, business, thread, "order")


def has_untold(connection: Connection) -> bool:
    """Whether anything was earned since it was last told."""
    changed = (threads.c.share > 0) & (threads.c.earned_usd != threads.c.told_usd)
    return connection.execute(sa.select(threads.c.id).where(changed).limit(1)).first() is not None


def take_untold(connection: Connection) -> float | None:
    """Give what serve's words earned since the last time, and count all as told; none where there is nothing to tell.

    While one of the two groups has nobody, nothing is known of what the words add: then what was earned is never told.
    People of different shares are not compared.
    """
    untold = sa.func.sum(threads.c.earned_usd - threads.c.told_usd)
    query = sa.select(threads.c.share, threads.c.held_out, sa.func.count().label("people"), untold.label("usd"))
    rows = connection.execute(query.where(threads.c.share > 0).group_by(threads.c.share, threads.c.held_out)).all()
    if not any(row.usd for row in rows):
        return None
    changed = threads.c.earned_usd != threads.c.told_usd
    connection.execute(sa.update(threads).where(changed).values(told_usd=threads.c.earned_usd))
    groups = {(row.share, bool(row.held_out)): (row.people, row.usd) for row in rows}
    earned = earned_by_share(groups)
    return sum(earned.values()) if earned else None
