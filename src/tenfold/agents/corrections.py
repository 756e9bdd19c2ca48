"""Corrections: an owner's answer to a question, which the agent gives from then on.

It becomes a passage that can be cited. And it becomes a test: whenever what the agent knows has changed, the question
is asked again, and the page tells of each whose answer no longer rests on the owner's.
"""

import datetime as dt
import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.agents.brain import respond
from tenfold.agents.memory import Memory
from tenfold.agents.shop import Shop
from tenfold.agents.tables import metadata
from tenfold.catalog.gathered import Gathered
from tenfold.catalog.passage import Passage
from tenfold.reply.reply import Answer
from tenfold.reply.write import text_of

log = logging.getLogger(__name__)

SOURCE = "corrections"
"""What the catalog calls where they come from."""

corrections = sa.Table(
    "corrections",
    metadata,
    sa.Column("business", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("checked_at", sa.Float, nullable=False),
    sa.Column("holds", sa.Boolean, nullable=False),
    sa.Column("said", sa.Text, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Correction:
    """An owner's answer. ``holds``: the agent gave it when it was last asked; ``said``: what it said then."""

    business: str
    id: str
    question: str
    answer: str
    at: float
    checked_at: float
    holds: bool
    said: str

    @property
    def passage(self) -> Passage:
        """What the agent cites."""
        at = dt.datetime.fromtimestamp(self.at, dt.UTC)
        return Passage(f"correction:{self.id}", "answers of the owner", "", self.question, self.answer, at, at)


def add_correction(connection: Connection, business: str, question: str, answer: str, now: float) -> Correction:
    """Write an owner's answer down; one to the same question takes the place of the one before."""
    identity = hashlib.sha256(question.strip().casefold().encode()).hexdigest()[:16]
    drop_correction(connection, business, identity)
    made = Correction(business, identity, question.strip(), answer.strip(), now, 0.0, False, "")
    row = {"business": business, "id": identity, "question": made.question, "answer": made.answer, "at": now}
    connection.execute(sa.insert(corrections).values(**row, checked_at=0.0, holds=False, said=""))
    return made


def drop_correction(connection: Connection, business: str, identity: str) -> bool:
    """Take an answer back; whether there was one."""
    mine = (corrections.c.business == business) & (corrections.c.id == identity)
    return bool(connection.execute(sa.delete(corrections).where(mine)).rowcount)


def read_corrections(connection: Connection, business: str) -> list[Correction]:
    """Read them all, the latest first."""
    query = sa.select(corrections).where(corrections.c.business == business).order_by(corrections.c.at.desc())
    return [Correction(*row) for row in connection.execute(query)]


def gathered(found: Sequence[Correction]) -> Gathered:
    """Give them as a source of the catalog."""
    return Gathered(passages=tuple(each.passage for each in found))


def _passages_of(reply: Answer) -> set[str]:
    """Ids of the passages that its claims rest on."""
    cited = {one for claim in reply.claims for one in claim.evidence}
    sources = [each.source for name, each in reply.evidence.items() if name in cited]
    return {source.id for source in sources if isinstance(source, Passage)}


def check(shop: Shop, found: Sequence[Correction], now: dt.datetime) -> Callable[[Connection], None]:
    """Ask each question again; gives what writes the outcomes down."""
    outcomes = []
    for each in found:
        reply, _ = respond(shop, each.question, Memory(), now)
        holds = isinstance(reply, Answer) and each.passage.id in _passages_of(reply)
        if not holds:
            log.warning("%s: the owner's answer to %r is not given any more", each.business, each.question)
        outcomes.append((each, holds, text_of(reply)))

    def write(connection: Connection) -> None:
        for each, holds, said in outcomes:
            mine = (corrections.c.business == each.business) & (corrections.c.id == each.id)
            values = {"checked_at": now.timestamp(), "holds": holds, "said": said}
            connection.execute(sa.update(corrections).where(mine).values(values))

    return write
