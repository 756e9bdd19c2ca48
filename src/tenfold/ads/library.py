"""Variants in the database: what was written, and what may be shown. Approval never changes by itself."""

from collections.abc import Sequence
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.ads.campaign import Approval
from tenfold.ads.campaigns import NoCampaign
from tenfold.ads.contract import VariantOut
from tenfold.ads.tables import campaigns, variants

State = Literal["waiting", "approved", "rejected"]


def put(connection: Connection, campaign: str, written: Sequence[VariantOut], approval: Approval, now: float) -> int:
    """Keep what was newly written of a campaign; gives how many of it are new.

    What is there already stays as it is, whatever was decided of it. Nothing is added to a campaign that is locked, but
    for its first variants, which wait for a yes.
    """
    mine = sa.select(variants.c.id).where(variants.c.campaign == campaign)
    known = set(connection.execute(mine).scalars())
    if approval is Approval.LOCKED and known:
        return 0
    state: State = "approved" if approval is Approval.AUTO else "waiting"
    rows = [
        {"id": each.id, "campaign": campaign, "state": state, "made_at": now}
        | {"body": each.model_dump(mode="json", exclude={"id", "state"})}
        for each in written
        if each.id not in known
    ]
    if rows:
        connection.execute(variants.insert(), rows)
        _changed(connection, campaign)
    return len(rows)


def variants_of(connection: Connection, campaign: str) -> list[VariantOut]:
    """All variants of a campaign, in the order in which they were written."""
    query = sa.select(variants).where(variants.c.campaign == campaign).order_by(variants.c.made_at, variants.c.id)
    return [VariantOut(id=row.id, state=row.state, **row.body) for row in connection.execute(query)]


def judge(connection: Connection, campaign: str, variant: str, state: State) -> None:
    """Say yes or no to a variant; ``variant`` may be ``all`` for those that wait.

    Raises:
        NoCampaign: there is no such variant.
    """
    which = variants.c.campaign == campaign
    which &= (variants.c.state == "waiting") if variant == "all" else (variants.c.id == variant)
    if not connection.execute(sa.update(variants).where(which).values(state=state)).rowcount and variant != "all":
        raise NoCampaign(
            f"campaign {campaign!r} has no variant {variant!r}", next_step=f"see 'tenfold ads preview {campaign}'"
        )
    _changed(connection, campaign)


def _changed(connection: Connection, campaign: str) -> None:
    edition = {"edition": campaigns.c.edition + 1}
    connection.execute(sa.update(campaigns).where(campaigns.c.id == campaign).values(edition))
