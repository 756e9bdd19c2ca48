"""How a business's agent does: what was asked and not answered, what was resolved, and what was handed over.

A conversation counts as resolved only where that is known: the customer said so (by the button, or with thanks as the
last word), or bought. One that just ends is counted by itself, since silence may be satisfaction or giving up.
"""

from collections import Counter

import sqlalchemy as sa
from pydantic import Field
from sqlalchemy import Connection

from tenfold.agents.tables import messages, threads
from tenfold.core.frozen import Frozen

SILENT_S = 3600.0
"""A conversation in which nobody has written for this long is over."""
MOST_QUESTIONS = 50


class Unanswered(Frozen):
    """A question that the agent could not answer."""

    question: str
    kind: str = Field(description="unknown: no source has it; handoff: it went to a human")
    thread: str
    at: float


class ReportOut(Frozen):
    """Counts of conversations that began in the span, by how they stand."""

    days: int
    conversations: int
    resolved: int = Field(description="known to be: the customer said so, or bought")
    resolved_by: dict[str, int] = Field(description="how that is known: button, thanks, order")
    handed_off: int = Field(description="a human was asked for at least once")
    silent: int = Field(description="over, without a word on whether it helped; not counted as resolved")
    open: int = Field(description="still going on")
    resolution: float = Field(description="share of those that are over which are known to be resolved by the agent")
    hand_off: float = Field(description="share of all that were handed over")
    unanswered: tuple[Unanswered, ...]


def report(connection: Connection, business: str, now: float, days: int = 30) -> ReportOut:
    """Count a business's conversations of the last days."""
    since = now - days * 86_400.0
    columns = threads.c.resolved_by, threads.c.handed_off, threads.c.last_at
    query = sa.select(*columns).where(threads.c.business == business, threads.c.since >= since)
    rows = connection.execute(query).all()
    by = Counter(row.resolved_by for row in rows if row.resolved_by and not row.handed_off)
    handed = sum(bool(row.handed_off) for row in rows)
    undecided = [row for row in rows if not row.resolved_by and not row.handed_off]
    still = sum(row.last_at > now - SILENT_S for row in undecided)
    over = len(rows) - still
    return ReportOut(
        days=days,
        conversations=len(rows),
        resolved=sum(by.values()),
        resolved_by=dict(by),
        handed_off=handed,
        silent=len(undecided) - still,
        open=still,
        resolution=sum(by.values()) / over if over else 0.0,
        hand_off=handed / len(rows) if rows else 0.0,
        unanswered=_unanswered(connection, business, since),
    )


def _unanswered(connection: Connection, business: str, since: float) -> tuple[Unanswered, ...]:
    asked = messages.alias("asked")
    mine = (messages.c.business == business) & (messages.c.at >= since)
    failed = mine & messages.c.kind.in_(("unknown", "handoff"))
    query = (
        sa.select(asked.c.text, messages.c.kind, messages.c.thread, asked.c.at)
        .join(asked, asked.c.number == messages.c.answers)
        .where(failed)
        .order_by(messages.c.number.desc())
        .limit(MOST_QUESTIONS)
    )
    rows = connection.execute(query)
    return tuple(Unanswered(question=row.text, kind=row.kind, thread=row.thread, at=row.at) for row in rows)
