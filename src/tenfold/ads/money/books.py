"""The books: whether what the tree of budgets says is what leases, charges and credits add up to."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.ads.money.budget import account_node, campaign_node
from tenfold.ads.money.charge import BILLED
from tenfold.ads.money.lease import CLOSED
from tenfold.ads.tables import budgets, campaigns, charges, leases


def check(connection: Connection) -> list[str]:
    """Add everything up again; gives what is wrong, in sentences, and nothing where all is right."""
    billed = _sums(connection, charges.c.campaign, charges.c.price_micro, charges.c.state == BILLED)
    left = leases.c.granted_micro - leases.c.settled_micro
    leased = _sums(connection, leases.c.campaign, left, leases.c.state != CLOSED)
    nodes = {row.node: row for row in connection.execute(sa.select(budgets))}
    owners = dict(connection.execute(sa.select(campaigns.c.id, campaigns.c.account)).all())
    wrong = []
    for campaign in owners:
        node = nodes[campaign_node(campaign)]
        wrong += _differences(node, billed.get(campaign, 0), leased.get(campaign, 0))
    for account in set(owners.values()):
        mine = [campaign for campaign, owner in owners.items() if owner == account]
        totals = (sum(sums.get(campaign, 0) for campaign in mine) for sums in (billed, leased))
        wrong += _differences(nodes[account_node(account)], *totals)
    return wrong


def _differences(node: sa.Row[tuple[object, ...]], billed_micro: int, leased_micro: int) -> Sequence[str]:
    told = {
        "billed": (node.billed_micro, billed_micro),
        "leased": (node.leased_micro, leased_micro),
    }
    wrong = [
        f"{node.node}: {what} are {has} micro-dollars, but its parts add up to {sums}"
        for what, (has, sums) in told.items()
        if has != sums
    ]
    if billed_micro + leased_micro > node.limit_micro:
        wrong.append(f"{node.node}: {billed_micro} billed and {leased_micro} leased exceed {node.limit_micro}")
    return wrong


def _sums(
    connection: Connection, key: sa.Column[str], value: sa.ColumnElement[int], which: sa.ColumnElement[bool]
) -> dict[str, int]:
    rows = connection.execute(sa.select(key, sa.func.sum(value)).where(which).group_by(key))
    return {name: int(micro) for name, micro in rows}
