"""An append-only table of events; everything else is a view of it.

Each event carries a check sum, since SQLite notices damage to its own structure only, not to what it stores.
"""

import json
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from tenfold.core.errors import LedgerError
from tenfold.core.sound import set_aside
from tenfold.core.store import Store, open_store, place_of
from tenfold.ledger.soundness import Eye, fault_of_file, fault_or_raise, require_usable
from tenfold.ledger.tables import MIGRATIONS, events

LEDGER = "ledger"
"""The name of the pool's ledger among the databases of a home."""
PATIENCE_S = 0.3
"""The writer is the controller, which must not stand still for a lock that somebody holds."""
BEGUN_ANEW = "a new ledger was begun, and earlier events are in the file set aside"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    ``at``: Unix seconds. ``kind``: e.g. ``allocation``, ``move``, ``alarm``. ``subject``: what it happened to.
    """

    id: int
    at: float
    kind: str
    subject: str
    body: Mapping[str, object]


class Ledger:
    """Append events and read them back. One writer; any number of readers.

    Args:
        url: of the database; see ``core.store.store_url``.
        clock: gives Unix seconds.
        mends: whether a damaged SQLite file is set aside and a new one begun, whose first event is
            ``ledger_damaged``. For the one writer; a reader leaves the file alone.

    Raises:
        LedgerError: a folder is in the file's place, it may not be read and written, or it is damaged and this is a
            reader.
        StoreError: the database's server or driver is away, or a newer Tenfold has written there.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.time, *, mends: bool = False) -> None:
        self._clock, self._mends = clock, mends
        self._untold: dict[str, object] | None = None
        self._unsure = False
        self._url = url
        database = sa.make_url(url)
        self._path = Path(database.database) if database.drivername == "sqlite" and database.database else None
        self._eye = Eye(self._path) if self._path is not None else None
        self._store: Store | None = None
        if self._path is not None:
            require_usable(self._path)
        fault = fault_of_file(self._path, whole=mends) if self._path is not None else ""
        if not fault:
            try:
                self._open()
            except (sa.exc.DBAPIError, UnicodeDecodeError) as error:
                fault = fault_or_raise(error)
        if fault:
            self._begin_anew(fault)

    def append(self, kind: str, subject: str, body: Mapping[str, object], at: float | None = None) -> Event:
        """Record one event, durably, and return it with its id; ``at``: when it happened, if that is not now."""
        event = Event(0, float(self._clock() if at is None else at), kind, subject, body)
        return self.extend([event])[0]

    def append_once(self, kind: str, subject: str, number: int, body: Mapping[str, object]) -> bool:
        """Record an event, unless one of its kind and subject has its ``number`` or a higher one; whether it was new.

        For what is told again until it is known to be recorded. ``body`` has the number under that name.
        """
        event = Event(0, float(self._clock()), kind, subject, body)
        if self._mends and self._eye is not None and (fault := self._eye.fault()):
            self._begin_anew(fault)
        try:
            self._tell_damage()
            return self._insert_once(event, number)
        except (sa.exc.DBAPIError, UnicodeDecodeError) as error:
            self._begin_anew(fault_or_raise(error))
            return self._insert_once(event, number)

    def extend(self, found: Sequence[Event]) -> Sequence[Event]:
        """Record events, all or none, each once also if the call before failed and had written them nevertheless."""
        if self._mends and self._eye is not None and (fault := self._eye.fault()):
            self._begin_anew(fault)
        try:
            self._tell_damage()
            written = self._insert(found, looking=self._unsure)
        except (sa.exc.DBAPIError, UnicodeDecodeError) as error:
            self._unsure = True
            self._begin_anew(fault_or_raise(error))
            written = self._insert(found)
        self._unsure = False
        return written

    def latest(self, kind: str, limit: int = 1) -> Sequence[Event]:
        """Read the newest events of a kind, newest first.

        Raises:
            LedgerError: the file is damaged, and this is a reader. The writer begins a new one, which has no events.
        """
        query = sa.select(events).where(events.c.kind == kind).order_by(events.c.id.desc()).limit(limit)
        try:
            with self._opened().reading() as connection:
                rows = connection.execute(query).all()
            found = [Event(row.id, row.at, row.kind, row.subject, row.body) for row in rows]
            for row, event in zip(rows, found, strict=True):
                require_sealed(event, row.seal)
            return found
        except (sa.exc.DBAPIError, ValueError, TypeError) as error:
            self._begin_anew(fault_or_raise(error))
            return []

    def close(self) -> None:
        """Close all connections."""
        if self._store is not None:
            self._store.close()
        if self._eye is not None:
            self._eye.close()

    def _opened(self) -> Store:
        assert self._store is not None
        return self._store

    def _open(self) -> None:
        self._store = open_store(self._url, MIGRATIONS, patience_s=PATIENCE_S, durable=False)

    def _insert(self, found: Sequence[Event], *, looking: bool = False) -> Sequence[Event]:
        """Write events; ``looking``: but those that are there."""
        written = []
        with self._opened().writing() as connection:
            for event in found:
                row = _row(event)
                number = _find(connection, row) if looking else None
                if number is None:
                    number = connection.execute(events.insert().values(row).returning(events.c.id)).scalar_one()
                written.append(Event(number, event.at, event.kind, event.subject, event.body))
        return written

    def _insert_once(self, event: Event, number: int) -> bool:
        same = (events.c.kind == event.kind, events.c.subject == event.subject)
        newest = sa.select(events.c.body).where(*same).order_by(events.c.id.desc()).limit(1)
        with self._opened().writing() as connection:
            known = connection.execute(newest).scalar_one_or_none()
            if known is not None and known["number"] >= number:
                return False
            connection.execute(events.insert().values(_row(event)))
        return True

    def _begin_anew(self, fault: str) -> None:
        """Set the damaged file aside and begin another.

        Raises:
            LedgerError: this is a reader.
        """
        if self._path is None or not self._mends:
            raise LedgerError(
                f"the ledger {place_of(self._url)} is damaged: {fault}",
                next_step="the next 'tenfold up' (or 'tenfold watch', whose it is) sets it aside and begins a new one",
            )
        self.close()
        aside = set_aside(self._path, fault, BEGUN_ANEW)
        # Under these names `sqlite3 FILE .recover` finds what the log still holds.
        for ending in ("-wal", "-shm"):
            log = self._path.with_name(self._path.name + ending)
            if aside is not None and log.exists():
                log.rename(aside.with_name(aside.name + ending))
        self._untold = self._untold or {"cause": fault, "set_aside": aside.name if aside else ""}
        self._open()
        self._tell_damage()

    def _tell_damage(self) -> None:
        """Record the damage first in a new file; on a full disk that takes more than one try."""
        if self._untold is not None and self._path is not None:
            self._insert([Event(0, float(self._clock()), "ledger_damaged", self._path.name, self._untold)])
            self._untold = None


def require_sealed(event: Event, seal: str) -> None:
    """See that an event is what was written; one of a version without check sums has an empty one.

    Raises:
        ValueError: it is not.
    """
    if seal not in ("", _seal(event.at, event.kind, event.subject, event.body)):
        raise ValueError(f"event {event.id} does not match its check sum")


def require_ledger(url: str) -> None:
    """See that a pool could record its events here: that the file may be used, or the server is there.

    Raises:
        LedgerError: a folder is in the file's place, or it may not be read and written.
        StoreError: the server or its driver is away, or a newer Tenfold has written there.
    """
    database = sa.make_url(url)
    if database.drivername == "sqlite" and database.database:
        require_usable(Path(database.database))
    else:
        Ledger(url).close()


def _row(event: Event) -> dict[str, object]:
    at, body = float(event.at), dict(event.body)
    seal = _seal(at, event.kind, event.subject, body)
    return {"at": at, "kind": event.kind, "subject": event.subject, "body": body, "seal": seal}


def _find(connection: sa.Connection, row: Mapping[str, object]) -> int | None:
    same = [events.c[name] == row[name] for name in ("at", "kind", "subject", "seal")]
    return connection.execute(sa.select(events.c.id).where(*same).limit(1)).scalar_one_or_none()


def _seal(at: float, kind: str, subject: str, body: Mapping[str, object]) -> str:
    content = json.dumps([at, kind, subject, dict(body)], separators=(",", ":"))
    return f"{zlib.crc32(content.encode()):08x}"
