"""Signed tokens: what was sold and may be seen, and what was clicked. Nobody can make one up, or change its price.

A token is its content and a signature over it (HMAC-SHA256) by a key that all processes share through the database. It
names its key, so that keys can be changed: tokens of the one before stay good until they expire.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.ads.money.charge import Impression
from tenfold.ads.tables import keys

Kind = Literal["seen", "click"]
_MAC_BYTES = 16
_LONGEST = 4096


class BadToken(Exception):
    """A token is not one of ours, or was changed; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Click:
    """What an advertiser's page is told of a click: nothing of the person."""

    event: str
    campaign: str
    at: float


def read_keys(connection: Connection, now: float) -> dict[str, bytes]:
    """The keys, the newest first; the first process to ask makes one."""
    query = sa.select(keys.c.id, keys.c.secret).order_by(keys.c.made_at.desc(), keys.c.id)
    found = {row.id: bytes.fromhex(row.secret) for row in connection.execute(query)}
    if not found:
        name, secret = secrets.token_hex(2), secrets.token_bytes(32)
        connection.execute(keys.insert().values(id=name, secret=secret.hex(), made_at=now))
        found = {name: secret}
    return found


class Signer:
    """Signs and reads tokens.

    Args:
        secrets_by_id: as ``read_keys`` gives them; the first signs.
    """

    def __init__(self, secrets_by_id: Mapping[str, bytes]) -> None:
        self._secrets = dict(secrets_by_id)
        self._newest = next(iter(self._secrets))

    def impression(self, sold: Impression) -> str:
        """A token for whoever sees an ad that was sold."""
        return self._sign(
            "seen",
            {
                "e": sold.event,
                "l": sold.lease,
                "c": sold.campaign,
                "v": sold.variant,
                "p": sold.person,
                "s": sold.surface,
                "m": sold.price_micro,
                "d": sold.decided_at,
                "x": sold.expires_at,
                "w": sold.decision,
            },
        )

    def read_impression(self, token: str) -> Impression:
        """Read a token that ``impression`` made.

        Raises:
            BadToken: it is none, or was changed.
        """
        told = self._read("seen", token)
        return Impression(
            event=told["e"],
            lease=told["l"],
            campaign=told["c"],
            variant=told["v"],
            person=told["p"],
            surface=told["s"],
            price_micro=told["m"],
            decided_at=told["d"],
            expires_at=told["x"],
            decision=told["w"],
        )

    def click(self, clicked: Click) -> str:
        """A token for the page where a click leads."""
        return self._sign("click", {"e": clicked.event, "c": clicked.campaign, "d": clicked.at})

    def read_click(self, token: str) -> Click:
        """Read a token that ``click`` made.

        Raises:
            BadToken: it is none, or was changed.
        """
        told = self._read("click", token)
        return Click(told["e"], told["c"], told["d"])

    def _sign(self, kind: Kind, content: Mapping[str, object]) -> str:
        body = _text(orjson.dumps(content))
        signed = f"{self._newest}.{body}"
        return f"{signed}.{_text(self._mac(kind, self._newest, signed))}"

    def _read(self, kind: Kind, token: str) -> dict:  # type: ignore[type-arg]
        signed, _, mac = token.rpartition(".")
        key, _, body = signed.partition(".")
        if len(token) > _LONGEST or key not in self._secrets or not body:
            raise BadToken(f"{token[:40]!r} is no token of these ads")
        # Text against text: so no other spelling of the same signature is one.
        is_ours = hmac.compare_digest(mac.encode(), _text(self._mac(kind, key, signed)).encode())
        if not is_ours:
            raise BadToken(f"the signature of {token[:40]!r} is wrong: it is no {kind} token, or was changed")
        return orjson.loads(_bytes(body))

    def _mac(self, kind: Kind, key: str, signed: str) -> bytes:
        return hmac.digest(self._secrets[key], f"{kind}\n{signed}".encode(), hashlib.sha256)[:_MAC_BYTES]


def new_event() -> str:
    """A name for one impression, that no other has."""
    return secrets.token_hex(12)


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
