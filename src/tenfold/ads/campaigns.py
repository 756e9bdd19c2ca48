"""Campaigns in the database: made, read, changed. Each change is one transaction, and raises the edition."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.ads.campaign import Campaign, Status
from tenfold.ads.contract import CampaignOut, Edit, MoneyOut, NewCampaign, Source, Wish
from tenfold.ads.money.budget import Budget, account_node, add_node, campaign_node, read_budget, set_limit
from tenfold.ads.money.lease import CLOSED
from tenfold.ads.tables import budgets, campaigns, leases, sources, top_ups, variants
from tenfold.core.errors import InfeasibleError, UsageError


class NoCampaign(UsageError):
    """There is no such campaign, or it is not the asker's."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A campaign with what the database knows beside it."""

    campaign: Campaign
    wish: Wish
    budget: Budget
    made_at: float


_NODE = sa.literal("campaign/").concat(campaigns.c.id)
_ALL = sa.select(campaigns, budgets.c.limit_micro, budgets.c.billed_micro, budgets.c.leased_micro).join(
    budgets, budgets.c.node == _NODE
)


def add(connection: Connection, new: NewCampaign, account: str, account_limit_micro: int, now: float) -> str:
    """Make a campaign as a draft, and its account if this is its first; gives its id."""
    if read_budget(connection, account_node(account)) is None:
        add_node(connection, account_node(account), None, account_limit_micro)
    made = secrets.token_hex(6)
    add_node(connection, campaign_node(made), account_node(account), new.wish.budget_micro)
    row = {"id": made, "account": account, "name": new.wish.name, "status": Status.DRAFT.value, "edition": 1}
    told = {"wish": new.wish.model_dump(mode="json"), "made_at": now, "live_since": None}
    connection.execute(campaigns.insert().values(row | told))
    if new.sources:
        rows = [{"campaign": made, "name": source.name, "text": source.text} for source in new.sources]
        connection.execute(sources.insert(), rows)
    return made


def read(connection: Connection, id: str, now: float) -> Kept:
    """Read one.

    Raises:
        NoCampaign: there is none of this id.
    """
    row = connection.execute(_ALL.where(campaigns.c.id == id)).first()
    if row is None:
        raise NoCampaign(f"there is no campaign {id!r}", next_step="tenfold ads list")
    return _kept(row, now)


def read_all(connection: Connection, now: float, account: str | None = None) -> list[Kept]:
    """All campaigns, or those of an account, the newest first."""
    query = _ALL if account is None else _ALL.where(campaigns.c.account == account)
    rows = connection.execute(query.order_by(campaigns.c.made_at.desc(), campaigns.c.id))
    return [_kept(row, now) for row in rows]


def edition_of_all(connection: Connection) -> tuple[int, int]:
    """Changes whenever any campaign does."""
    row = connection.execute(sa.select(sa.func.count(), sa.func.sum(campaigns.c.edition))).one()
    return int(row[0]), int(row[1] or 0)


def sources_of(connection: Connection, id: str) -> dict[str, str]:
    """What a campaign's copy is written from: texts by file name."""
    query = sa.select(sources.c.name, sources.c.text).where(sources.c.campaign == id).order_by(sources.c.name)
    return {row.name: row.text for row in connection.execute(query)}


def replace_sources(connection: Connection, id: str, given: Sequence[Source]) -> None:
    """Write a campaign's copy from something else from now on."""
    connection.execute(sources.delete().where(sources.c.campaign == id))
    rows = [{"campaign": id, "name": source.name, "text": source.text} for source in given]
    connection.execute(sources.insert(), rows)


def set_status(connection: Connection, id: str, status: Status, now: float) -> None:
    """Take a campaign live, pause it, go on, or end it.

    Raises:
        InfeasibleError: it has ended, or is no draft any more and should be one, or has nothing that may be shown.
    """
    found = read(connection, id, now).campaign
    if found.status is Status.ENDED and status is not Status.ENDED:
        raise InfeasibleError(f"campaign {id!r} has ended", next_step="make a new one by 'tenfold ads create'")
    if status is Status.PAUSED and found.status is Status.DRAFT:
        raise InfeasibleError(f"campaign {id!r} is a draft: nothing of it is shown", next_step="take it live first")
    if status is Status.LIVE and not _may_be_shown(connection, id):
        raise InfeasibleError(
            f"campaign {id!r} has no variant that may be shown", next_step=f"approve one of 'tenfold ads preview {id}'"
        )
    values: dict[str, object] = {"status": status.value, "edition": campaigns.c.edition + 1}
    if status is Status.LIVE and found.status is Status.DRAFT:
        values["live_since"] = now
    connection.execute(sa.update(campaigns).where(campaigns.c.id == id).values(values))


def edit(connection: Connection, id: str, change: Edit, now: float) -> None:
    """Change what an advertiser asks for.

    Raises:
        InfeasibleError: the budget would be below what is spent, or the campaign has ended.
        UsageError: the changed wish makes no sense, e.g. two caps.
    """
    found = read(connection, id, now)
    if found.campaign.status is Status.ENDED:
        raise InfeasibleError(f"campaign {id!r} has ended", next_step="make a new one by 'tenfold ads create'")
    told = change.model_dump(mode="json", exclude_none=True, exclude={"no_cap", "budget_micro"})
    wish = found.wish.model_dump(mode="json")
    if change.no_cap or "cost_per_action_micro" in told or "return_on_spend" in told:
        wish |= {"cost_per_action_micro": None, "return_on_spend": None}
    if change.budget_micro is not None:
        set_limit(connection, campaign_node(id), change.budget_micro)
        wish["budget_micro"] = change.budget_micro
    try:
        changed = Wish.model_validate(wish | told)
    except ValueError as error:
        raise UsageError(f"campaign {id!r} cannot be changed so: {error}") from error
    _keep(connection, id, changed)


def top_up(connection: Connection, id: str, number: str, micro: int, now: float) -> bool:
    """Add to a budget; whether this is new and not one that was sent again."""
    found = read(connection, id, now)
    mine = (top_ups.c.campaign == id) & (top_ups.c.id == number)
    if connection.execute(sa.select(top_ups.c.micro).where(mine)).first() is not None:
        return False
    connection.execute(top_ups.insert().values(campaign=id, id=number, micro=micro, at=now))
    set_limit(connection, campaign_node(id), found.budget.limit_micro + micro)
    _keep(connection, id, found.wish.model_copy(update={"budget_micro": found.budget.limit_micro + micro}))
    return True


def end_those_over(connection: Connection, now: float) -> list[str]:
    """End campaigns whose last day is over and of which no ad is on its way; gives which."""
    over = [
        kept.campaign.id
        for kept in read_all(connection, now)
        if kept.campaign.status in (Status.LIVE, Status.PAUSED) and kept.campaign.ends_at <= now
    ]
    for id in over:
        set_ended = {"status": Status.ENDED.value, "edition": campaigns.c.edition + 1}
        connection.execute(sa.update(campaigns).where(campaigns.c.id == id).values(set_ended))
    return over


def out(connection: Connection, kept: Kept) -> CampaignOut:
    """A campaign as the API tells it."""
    states = sa.select(variants.c.state, sa.func.count()).where(variants.c.campaign == kept.campaign.id)
    counts: dict[str, int] = dict(connection.execute(states.group_by(variants.c.state)).all())
    campaign = kept.campaign
    return CampaignOut(
        id=campaign.id,
        account=campaign.account,
        status=campaign.status,
        edition=campaign.edition,
        made_at=kept.made_at,
        starts_at=campaign.starts_at,
        ends_at=campaign.ends_at,
        wish=kept.wish,
        money=money_out(kept.budget),
        variants=counts.get("approved", 0),
        waiting=counts.get("waiting", 0),
    )


def money_out(budget: Budget) -> MoneyOut:
    """Where a budget is, as the API tells it."""
    return MoneyOut(
        budget_micro=budget.limit_micro,
        billed_micro=budget.billed_micro,
        reserved_micro=budget.leased_micro,
        free_micro=budget.free_micro,
    )


def held_by_processes(connection: Connection) -> set[str]:
    """Campaigns of which some process holds money."""
    query = sa.select(leases.c.campaign).where(leases.c.state != CLOSED).distinct()
    return set(connection.execute(query).scalars())


def _may_be_shown(connection: Connection, id: str) -> bool:
    query = sa.select(variants.c.body).where(variants.c.campaign == id, variants.c.state == "approved")
    return any(not body.get("faults") for body in connection.execute(query).scalars())


def _keep(connection: Connection, id: str, wish: Wish) -> None:
    values = {"wish": wish.model_dump(mode="json"), "name": wish.name, "edition": campaigns.c.edition + 1}
    connection.execute(sa.update(campaigns).where(campaigns.c.id == id).values(values))


def _kept(row: sa.Row, now: float) -> Kept:  # type: ignore[type-arg]
    wish = Wish.model_validate(row.wish)
    campaign = wish.campaign(row.id, row.account, Status(row.status), row.edition, row.limit_micro, row.live_since, now)
    return Kept(campaign, wish, Budget(row.limit_micro, row.billed_micro, row.leased_micro), row.made_at)
