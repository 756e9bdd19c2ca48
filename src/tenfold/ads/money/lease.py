"""Leases: parts of a campaign's budget that one process may bid with, so that no auction waits for a database.

A process leases before it bids. What it wins is charged to the lease when the ad was seen, at the price paid. A process
that is gone can spend nothing more: its leases stay reserved until no ad that it sold can be seen any more, and then
what is left goes back to the campaign. So nothing that was sold is lost, and nothing is spent twice.

Each process has a number that no other ever gets. It is the fencing token: once a process counts as gone, whatever it
asks for under its number is refused, also if it was only asleep.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.ads.money.budget import campaign_node, free_on_path, move, path_of
from tenfold.ads.tables import charges, leases, workers

OPEN, ORPHANED, CLOSED = "open", "orphaned", "closed"
"""Of a process that bids; of one that is gone, for ads that it sold; of the past."""


class Fenced(Exception):
    """This process counts as gone: it must begin anew under another number, and with nothing."""


@dataclass(frozen=True, slots=True)
class Lease:
    """What a process holds of one campaign."""

    id: str
    campaign: str
    worker: int
    granted_micro: int
    settled_micro: int
    state: str

    @property
    def left_micro(self) -> int:
        """What may still be charged to it."""
        return self.granted_micro - self.settled_micro


_LEASE = sa.select(
    leases.c.id, leases.c.campaign, leases.c.worker, leases.c.granted_micro, leases.c.settled_micro, leases.c.state
)


def enlist(connection: Connection, now: float, place: str = "") -> int:
    """Give a new process its number; ``place``: where it is (``alive.place_here``)."""
    made = connection.execute(workers.insert().values(beat_at=now, gone=False, place=place)).inserted_primary_key
    assert made is not None
    return int(made[0])


def beat(connection: Connection, worker: int, now: float) -> None:
    """Show that a process is there, at a time by the database's clock.

    Raises:
        Fenced: it counts as gone.
    """
    mine = (workers.c.number == worker) & ~workers.c.gone
    if not connection.execute(sa.update(workers).where(mine).values(beat_at=now)).rowcount:
        raise Fenced(f"process {worker} counts as gone")


@dataclass(frozen=True, slots=True)
class Silent:
    """A process that is not gone and has not shown itself for a while."""

    number: int
    beat_at: float
    place: str


def silent(connection: Connection, since: float) -> list[Silent]:
    """Processes that are not gone and have not shown themselves since a time."""
    query = sa.select(workers.c.number, workers.c.beat_at, workers.c.place)
    rows = connection.execute(query.where(~workers.c.gone, workers.c.beat_at < since).order_by(workers.c.number))
    return [Silent(*row) for row in rows]


def open_leases(connection: Connection, worker: int) -> list[Lease]:
    """What a process holds."""
    mine = (leases.c.worker == worker) & (leases.c.state == OPEN)
    return [Lease(*row) for row in connection.execute(_LEASE.where(mine))]


def settled_since(connection: Connection, held: Sequence[str], number: int) -> list[tuple[int, str]]:
    """Impressions charged to some leases after charge ``number``: number and event of each, in order."""
    query = sa.select(charges.c.number, charges.c.event).where(charges.c.lease.in_(held), charges.c.number > number)
    return [(row.number, row.event) for row in connection.execute(query.order_by(charges.c.number))]


def grant(connection: Connection, worker: int, campaign: str, want_micro: int) -> int:
    """Lease more of a campaign to a process that ``beat`` has found to be there; gives how much that is.

    It is less than ``want_micro``, or nothing, where the campaign or its account has less.
    """
    path = path_of(connection, campaign_node(campaign))
    micro = min(want_micro, free_on_path(connection, path))
    if micro <= 0:
        return 0
    move(connection, path, leased_micro=micro)
    mine = (leases.c.worker == worker) & (leases.c.campaign == campaign) & (leases.c.state == OPEN)
    more = sa.update(leases).where(mine).values(granted_micro=leases.c.granted_micro + micro)
    if not connection.execute(more).rowcount:
        connection.execute(
            leases.insert().values(
                id=secrets.token_hex(8),
                campaign=campaign,
                worker=worker,
                granted_micro=micro,
                settled_micro=0,
                state=OPEN,
                closes_at=None,
            )
        )
    return micro


def give_back(connection: Connection, lease: Lease, micro: int) -> None:
    """Return a part of a lease that no ad on its way can need; of its own process only."""
    assert lease.state == OPEN and 0 <= micro <= lease.left_micro, (lease, micro)
    connection.execute(
        sa.update(leases).where(leases.c.id == lease.id).values(granted_micro=leases.c.granted_micro - micro)
    )
    move(connection, path_of(connection, campaign_node(lease.campaign)), leased_micro=-micro)


def orphan(connection: Connection, gone: Sequence[int], closes_at: float) -> int:
    """Count processes as gone; what they sold may still be charged until ``closes_at``. Gives how many leases."""
    connection.execute(sa.update(workers).where(workers.c.number.in_(gone)).values(gone=True))
    theirs = leases.c.worker.in_(gone) & (leases.c.state == OPEN)
    orphaned = sa.update(leases).where(theirs).values(state=ORPHANED, closes_at=closes_at)
    return int(connection.execute(orphaned).rowcount)


def close_orphans(connection: Connection, now: float) -> int:
    """Return what is left of leases whose time is over; gives how much."""
    due = _LEASE.where((leases.c.state == ORPHANED) & (leases.c.closes_at <= now))
    returned = 0
    for row in connection.execute(due).all():
        lease = Lease(*row)
        connection.execute(sa.update(leases).where(leases.c.id == lease.id).values(state=CLOSED))
        move(connection, path_of(connection, campaign_node(lease.campaign)), leased_micro=-lease.left_micro)
        returned += lease.left_micro
    return returned


def leases_of(connection: Connection, ids: Sequence[str]) -> dict[str, Lease]:
    """Read leases by id."""
    return {row.id: Lease(*row) for row in connection.execute(_LEASE.where(leases.c.id.in_(ids)))}


def settle(connection: Connection, micro_by_lease: Mapping[str, int], campaign_of: Mapping[str, str]) -> None:
    """Turn parts of leases into what is billed.

    Raises:
        sqlalchemy.exc.IntegrityError: a lease has less; callers look first.
    """
    by_campaign: dict[str, int] = {}
    for lease, micro in micro_by_lease.items():
        more = sa.update(leases).where(leases.c.id == lease).values(settled_micro=leases.c.settled_micro + micro)
        connection.execute(more)
        by_campaign[campaign_of[lease]] = by_campaign.get(campaign_of[lease], 0) + micro
    for campaign, micro in by_campaign.items():
        move(connection, path_of(connection, campaign_node(campaign)), billed_micro=micro, leased_micro=-micro)
