"""What a language model's wording earns: answered requests of threads that have it, against those of threads without.

Threads are drawn into two arms when they are made. An answered request is worth ``usd_per_answer``. In the holdout the
templates word each answer; what the others' threads come to beyond that is what the model earned, see
``product/holdout.py``. Arms of different shares are never compared.
"""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.assistant.tables import Thread, arms
from tenfold.product.holdout import earned_by_share, is_held_out

EXPERIMENT = "assistant: worded by a model or by templates"


@dataclass(frozen=True, slots=True)
class Earned:
    """What was earned since it was last told, and the tokens that it took."""

    usd: float
    tokens: int


def is_without(thread: str, share: float) -> bool:
    """Whether a new thread is in the holdout."""
    return is_held_out(thread, share, EXPERIMENT)


def count_thread(connection: Connection, thread: Thread) -> None:
    """Count a new thread into its arm."""
    _add(connection, thread, threads=1)


def count_answer(connection: Connection, thread: Thread, tokens: int) -> None:
    """Count an answered request; ``tokens`` that its wording took."""
    _add(connection, thread, answered=1, tokens=tokens)


def has_untold(connection: Connection) -> bool:
    """Whether anything was answered since it was last told."""
    return connection.execute(sa.select(arms.c.share).where(arms.c.answered != arms.c.told)).first() is not None


def take_untold(connection: Connection, usd_per_answer: float) -> Earned | None:
    """Count all as told, and give what it earned; none if there is nothing to compare."""
    rows = connection.execute(sa.select(arms)).all()
    by_arm = {(row.share, bool(row.held_out)): row for row in rows}
    connection.execute(sa.update(arms).values(told=arms.c.answered, tokens=0))
    earned = earned_by_share(
        {arm: (row.threads, (row.answered - row.told) * usd_per_answer) for arm, row in by_arm.items()}
    )
    if not earned:
        return None
    return Earned(sum(earned.values()), sum(by_arm[share, False].tokens for share in earned))


def _add(connection: Connection, thread: Thread, **more: int) -> None:
    at = (arms.c.share == thread.share, arms.c.held_out == thread.held_out)
    changes = {name: arms.c[name] + value for name, value in more.items()}
    if not connection.execute(sa.update(arms).where(*at).values(changes)).rowcount:
        row = {"threads": 0, "answered": 0, "told": 0, "tokens": 0} | more
        connection.execute(arms.insert().values(share=thread.share, held_out=thread.held_out, **row))
