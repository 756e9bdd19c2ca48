"""The tree of budgets: an account, and its campaigns below it. Every move is made on a campaign and all above it.

Of each node's limit a part is billed, a part is leased to processes that bid with it, and the rest is free. The
database refuses a move after which billed and leased together are above the limit, whoever made it.
"""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.ads.tables import budgets
from tenfold.core.errors import InfeasibleError


@dataclass(frozen=True, slots=True)
class Budget:
    """One node: an account or a campaign."""

    limit_micro: int
    billed_micro: int
    leased_micro: int

    @property
    def free_micro(self) -> int:
        """What is neither billed nor leased."""
        return self.limit_micro - self.billed_micro - self.leased_micro


def account_node(account: str) -> str:
    """How an account's node is called."""
    return f"account/{account}"


def campaign_node(campaign: str) -> str:
    """How a campaign's node is called."""
    return f"campaign/{campaign}"


def add_node(connection: Connection, node: str, parent: str | None, limit_micro: int) -> None:
    """Add a node of which nothing is spent."""
    row = {"node": node, "parent": parent, "limit_micro": limit_micro, "billed_micro": 0, "leased_micro": 0}
    connection.execute(budgets.insert().values(row))


def read_budget(connection: Connection, node: str) -> Budget | None:
    """Read a node."""
    columns = budgets.c.limit_micro, budgets.c.billed_micro, budgets.c.leased_micro
    row = connection.execute(sa.select(*columns).where(budgets.c.node == node)).first()
    return None if row is None else Budget(*row)


def path_of(connection: Connection, node: str) -> list[str]:
    """A node and all above it."""
    path = [node]
    parent = sa.select(budgets.c.parent)
    while (above := connection.execute(parent.where(budgets.c.node == path[-1])).scalar_one()) is not None:
        path.append(above)
    return path


def free_on_path(connection: Connection, path: list[str]) -> int:
    """What could be leased of the first node of ``path``: the least that is free on it."""
    free = sa.func.min(budgets.c.limit_micro - budgets.c.billed_micro - budgets.c.leased_micro)
    return int(connection.execute(sa.select(free).where(budgets.c.node.in_(path))).scalar_one())


def move(connection: Connection, path: list[str], *, billed_micro: int = 0, leased_micro: int = 0) -> None:
    """Add to what is billed and leased of every node of ``path``; either may be below zero.

    Raises:
        sqlalchemy.exc.IntegrityError: a node would be beyond its limit, or below zero.
    """
    if billed_micro or leased_micro:
        values = {
            "billed_micro": budgets.c.billed_micro + billed_micro,
            "leased_micro": budgets.c.leased_micro + leased_micro,
        }
        connection.execute(sa.update(budgets).where(budgets.c.node.in_(path)).values(values))


def set_limit(connection: Connection, node: str, limit_micro: int) -> None:
    """Change a limit.

    Raises:
        InfeasibleError: it is below what is billed, or leased for ads on their way.
    """
    found = read_budget(connection, node)
    assert found is not None, node
    spent = found.billed_micro + found.leased_micro
    if limit_micro < spent:
        raise InfeasibleError(
            f"{node} cannot have a limit of {limit_micro / 1e6:.2f} USD: {found.billed_micro / 1e6:.2f} USD are billed,"
            f" and {found.leased_micro / 1e6:.2f} USD are reserved for ads on their way",
            next_step=f"give at least {spent / 1e6:.2f} USD, or pause the campaign and try again in some minutes",
        )
    connection.execute(sa.update(budgets).where(budgets.c.node == node).values(limit_micro=limit_micro))
