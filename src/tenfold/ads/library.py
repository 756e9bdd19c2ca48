"""Variants in the database: what was written, and what may be shown. Approval never changes by itself."""

from collections.abc import Callable, Sequence
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
    own = [each.model_copy(update={"id": _own_id(campaign, each)}) for each in written]
    # What a person must look at first waits, whatever the mode.
    rows = [
        {"id": each.id, "campaign": campaign, "made_at": now}
        | {"state": "approved" if approval is Approval.AUTO and not each.regulated else "waiting"}
        | {"body": each.model_dump(mode="json", exclude={"id", "state"})}
        for each in own
        if each.id not in known
    ]
    if rows:
        connection.execute(variants.insert(), rows)
        _changed(connection, campaign)
    return len(rows)


def variants_of(connection: Connection, campaign: str) -> list[VariantOut]:
    """All variants of a campaign: those of one item stand together, the earlier ones first."""
    query = sa.select(variants).where(variants.c.campaign == campaign).order_by(variants.c.made_at, variants.c.id)
    found = [VariantOut(id=row.id, state=row.state, **row.body) for row in connection.execute(query)]
    return sorted(found, key=lambda each: each.subject)


def recheck(connection: Connection, campaign: str, faults_of: Callable[[VariantOut], tuple[str, ...]]) -> int:
    """Take down what facts no longer bear out, and put up again what they do; gives how many may be shown no more.

    What was decided of a variant stays: one that was approved comes back as such once its facts do.
    """
    taken_down = changed = 0
    for each in variants_of(connection, campaign):
        faults = faults_of(each)
        if faults != each.faults:
            changed += 1
            taken_down += bool(faults) and not each.faults and each.state == "approved"
            body = each.model_copy(update={"faults": faults}).model_dump(mode="json", exclude={"id", "state"})
            connection.execute(sa.update(variants).where(variants.c.id == each.id).values(body=body))
    if changed:
        _changed(connection, campaign)
    return taken_down


def _own_id(campaign: str, variant: VariantOut) -> str:
    """Two campaigns may say the same."""
    return variant.id if variant.id.startswith(f"{campaign}-") else f"{campaign}-{variant.id}"


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
