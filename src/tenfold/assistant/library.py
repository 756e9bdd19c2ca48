"""What the assistant has read: its subscriptions, and the passages that came of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.assistant.tables import metadata
from tenfold.catalog.passage import Passage

subscriptions = sa.Table(
    "subscriptions",
    metadata,
    sa.Column("url", sa.String, primary_key=True),
    sa.Column("title", sa.String, nullable=False),
    sa.Column("etag", sa.String, nullable=False),
    sa.Column("modified", sa.String, nullable=False),
    sa.Column("next_at", sa.Float, nullable=False),
    sa.Column("read_at", sa.Float, nullable=True),
    sa.Column("fails", sa.Integer, nullable=False),
    sa.Column("trouble", sa.String, nullable=False),
)
passages = sa.Table(
    "passages",
    metadata,
    sa.Column("url", sa.String, primary_key=True),
    sa.Column("subscription", sa.String, nullable=False, index=True),
    sa.Column("title", sa.String, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("published", sa.Float, nullable=True),
    sa.Column("fetched", sa.Float, nullable=False),
    sa.Column("digest", sa.String, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Followed:
    """A subscription. ``etag``, ``modified``: what its server wants to be told again; Unix seconds else."""

    url: str
    title: str = ""
    etag: str = ""
    modified: str = ""
    next_at: float = 0.0
    read_at: float | None = None
    fails: int = 0
    trouble: str = ""


def follow(connection: Connection, url: str) -> bool:
    """Subscribe; whether that is new."""
    if connection.execute(sa.select(subscriptions.c.url).where(subscriptions.c.url == url)).first() is not None:
        return False
    connection.execute(subscriptions.insert().values(_values(Followed(url))))
    return True


def unfollow(connection: Connection, url: str) -> bool:
    """End a subscription, and forget what was read of it; whether there was one."""
    connection.execute(sa.delete(passages).where(passages.c.subscription == url))
    return bool(connection.execute(sa.delete(subscriptions).where(subscriptions.c.url == url)).rowcount)


def followed(connection: Connection) -> list[Followed]:
    """All subscriptions, by address."""
    return [Followed(*row) for row in connection.execute(sa.select(subscriptions).order_by(subscriptions.c.url))]


def note(connection: Connection, now: Followed) -> None:
    """Write what is known of a subscription, unless it was ended meanwhile."""
    connection.execute(sa.update(subscriptions).where(subscriptions.c.url == now.url).values(_values(now)))


def shelve(connection: Connection, subscription: str, found: Sequence[Passage]) -> int:
    """Keep passages by address, the later version in place of the earlier; gives how many are new or changed."""
    if connection.execute(sa.select(subscriptions.c.url).where(subscriptions.c.url == subscription)).first() is None:
        return 0
    changed = 0
    for each in {passage.url: passage for passage in found}.values():
        digest = hashlib.sha256(f"{each.title}\n{each.text}\n{each.published}".encode()).hexdigest()
        known = connection.execute(sa.select(passages.c.digest).where(passages.c.url == each.url)).scalar()
        if known == digest:
            continue
        values = {
            "url": each.url,
            "subscription": subscription,
            "title": each.title,
            "text": each.text,
            "published": each.published.timestamp() if each.published else None,
            "fetched": each.fetched.timestamp(),
            "digest": digest,
        }
        if known is None:
            connection.execute(passages.insert().values(values))
        else:
            connection.execute(sa.update(passages).where(passages.c.url == each.url).values(values))
        changed += 1
    return changed


def weed(connection: Connection, before: float, most: int) -> int:
    """Forget what is older than ``before``, Unix seconds, and the oldest beyond ``most``; gives how many."""
    age = sa.func.coalesce(passages.c.published, passages.c.fetched)
    gone = connection.execute(sa.delete(passages).where(age < before)).rowcount
    kept = sa.select(passages.c.url).order_by(age.desc()).limit(most)
    return gone + connection.execute(sa.delete(passages).where(passages.c.url.not_in(kept))).rowcount


def read_passages(connection: Connection) -> list[Passage]:
    """All passages."""
    rows = connection.execute(sa.select(passages).order_by(passages.c.url))
    return [
        Passage(
            row.url,
            row.url,
            row.url,
            row.title,
            row.text,
            _time(row.fetched),
            None if row.published is None else _time(row.published),
        )
        for row in rows
    ]


def freshness(connection: Connection) -> dict[str, tuple[int, float | None]]:
    """Of each subscription: how many passages, and when the newest was published."""
    query = sa.select(passages.c.subscription, sa.func.count(), sa.func.max(passages.c.published))
    return {row[0]: (row[1], row[2]) for row in connection.execute(query.group_by(passages.c.subscription))}


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _values(now: Followed) -> dict[str, object]:
    return {name: getattr(now, name) for name in Followed.__slots__}
