"""Who a customer is, as far as that is proven: by a token that the shop signed, or by a code that was sent to them.

What a customer says of themselves proves nothing. A code goes to the address that the shop has with the order, never to
one that came with the message.
"""

import hashlib
import hmac
import secrets

import jwt
import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.agents import tables
from tenfold.agents.tables import Business, metadata

PROVEN_S = 3600.0
"""How long a proof counts in its thread."""
LONGEST_S = 24 * 3600.0
"""Furthest ahead that a token may expire."""
CODE_S = 600.0
MOST_TRIES = 5
MOST_CODES = 3
"""Threads at once in which codes prove the same customer."""

codes = sa.Table(
    "codes",
    metadata,
    sa.Column("business", sa.String, primary_key=True),
    sa.Column("thread", sa.String, primary_key=True),
    sa.Column("customer", sa.String, nullable=False),
    sa.Column("digest", sa.String, nullable=False),
    sa.Column("until", sa.Float, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
)


class NotProven(Exception):
    """It is not proven who the customer is; says why, and what would prove it."""


def customer_of(token: str, business: Business, now: float) -> str:
    """Read who a customer is from a token: a JWT by HS256 with the business's secret, and ``aud``, ``sub``, ``exp``.

    Raises:
        NotProven: another secret signed it, it is another business's, it has expired, or never does.
    """
    try:
        found = jwt.decode(
            token,
            business.secret,
            algorithms=["HS256"],
            audience=business.id,
            options={"require": ["exp", "sub", "aud"], "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        customer, until = str(found["sub"]), float(found["exp"])
    except (jwt.InvalidTokenError, TypeError, ValueError) as error:
        raise NotProven(f"the token is none of {business.id}'s: {error}") from error
    if not now < until <= now + LONGEST_S:
        raise NotProven("the token has expired, or expires later than in a day: ask the shop's page for a new one")
    if not customer:
        raise NotProven("the token names nobody")
    return customer


def sign_customer(business: Business, customer: str, until: float) -> str:
    """Make such a token, as a shop does."""
    return jwt.encode({"aud": business.id, "sub": customer, "exp": until}, business.secret, algorithm="HS256")


def make_code(connection: Connection, business: str, thread: str, customer: str, now: float) -> str | None:
    """Make a one-time code of six digits, to be sent to where the shop knows ``customer``; the one before is void.

    None where the customer has as many codes in other threads as may be tried at once: somebody is guessing.
    """
    theirs = (codes.c.business == business) & (codes.c.customer == customer) & (codes.c.thread != thread)
    alive = sa.select(sa.func.count()).select_from(codes).where(theirs, codes.c.until > now)
    if (connection.scalar(alive) or 0) >= MOST_CODES:
        return None
    code = f"{secrets.randbelow(10**6):06d}"
    drop_code(connection, business, thread)
    row = {"business": business, "thread": thread, "customer": customer, "until": now + CODE_S, "tries": 0}
    connection.execute(sa.insert(codes).values(**row, digest=_digest(business, thread, code)))
    return code


def try_code(connection: Connection, business: str, thread: str, code: str, now: float) -> bool:
    """Whether a code is the one that was sent; it works once, and after five wrong ones none does.

    Where it is, the thread's customer is proven. The transaction must be committed either way: it counts tries.
    """
    mine = (codes.c.business == business) & (codes.c.thread == thread)
    row = connection.execute(sa.select(codes).where(mine)).first()
    if row is None or now >= row.until or row.tries >= MOST_TRIES:
        return False
    connection.execute(sa.update(codes).where(mine).values(tries=codes.c.tries + 1))
    if not hmac.compare_digest(_digest(business, thread, code), row.digest):
        return False
    drop_code(connection, business, thread)
    prove(connection, business, thread, row.customer, now)
    return True


def drop_code(connection: Connection, business: str, thread: str) -> None:
    """Make a thread's code void."""
    connection.execute(sa.delete(codes).where(codes.c.business == business, codes.c.thread == thread))


def prove(connection: Connection, business: str, thread: str, customer: str, now: float) -> None:
    """Note in a thread who its customer is."""
    tables.change_thread(connection, business, thread, customer=customer, proven_until=now + PROVEN_S)


def _digest(business: str, thread: str, code: str) -> str:
    # Six digits could be guessed from a digest; what protects them is that they live for minutes.
    return hashlib.sha256(f"{business}\n{thread}\n{code}".encode()).hexdigest()
