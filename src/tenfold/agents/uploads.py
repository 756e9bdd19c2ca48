"""Sources on their way in: read where they lie, sent in parts that fit a request, written when all parts are there."""

import datetime as dt
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import Field, TypeAdapter

from tenfold.catalog.gathered import Gathered
from tenfold.catalog.shelf import Change, Shelf, Source
from tenfold.core.frozen import Frozen

PART_BYTES = 400_000
"""Of items and passages in one request, which may have 1 MiB."""
MOST_UPLOADS = 20
LONGEST_S = 900.0
"""An upload that is not complete after this long is forgotten."""

Thing = TypeVar("Thing")
GATHERED = TypeAdapter(Gathered)


class PartIn(Frozen):
    """One part of what a source holds now."""

    source: str = Field(min_length=1, max_length=500, description="what it is called, e.g. the feed's file")
    upload: str = Field(min_length=8, max_length=64, description="the same for all parts of one upload")
    part: int = Field(ge=0)
    parts: int = Field(ge=1, le=10_000)
    gathered: Gathered


class SkippedOut(Frozen):
    """What was left out, and why."""

    where: str
    why: str


class SourceOut(Frozen):
    """What was read of one source."""

    source: str
    read_at: float
    items: int
    passages: int
    skipped: tuple[SkippedOut, ...] = ()


class PartOut(Frozen):
    """What became of a part. ``missing``: parts that are still to come; of the last one, what changed.

    ``offers``: variants whose price or stock is new, also of items that are the same.
    """

    missing: int
    added: int = 0
    changed: int = 0
    removed: int = 0
    same: int = 0
    offers: int = 0


def cut(gathered: Gathered) -> list[Gathered]:
    """Cut what a source holds into parts that fit a request."""
    parts: list[Gathered] = []
    for items in _groups(gathered.items):
        parts.append(Gathered(items=items))
    for passages in _groups(gathered.passages):
        parts.append(Gathered(passages=passages))
    for skipped in _groups(gathered.skipped):
        parts.append(Gathered(skipped=skipped))
    return parts or [Gathered()]


def source_out(source: Source) -> SourceOut:
    """Tell of a source."""
    return SourceOut(
        source=source.name,
        read_at=source.read_at.timestamp(),
        items=source.items,
        passages=source.passages,
        skipped=tuple(SkippedOut(where=each.where, why=each.why) for each in source.skipped),
    )


@dataclass
class _Upload:
    """Parts that are here."""

    business: str
    source: str
    parts: int
    began: float
    here: dict[int, Gathered] = field(default_factory=dict)


class Uploads:
    """Puts parts together; a process that is started again in between asks for the upload to begin again."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._open: dict[str, _Upload] = {}

    def take(self, business: str, part: PartIn) -> PartOut:
        """Take a part; with the last one the source is written.

        Raises:
            ValueError: it does not belong to the upload that it names, or there are too many at once.
        """
        now = time.time()
        self._open = {name: each for name, each in self._open.items() if now - each.began < LONGEST_S}
        upload = self._open.get(part.upload)
        if upload is None:
            if len(self._open) >= MOST_UPLOADS:
                raise ValueError(f"{MOST_UPLOADS} uploads are open already; try again later")
            upload = self._open[part.upload] = _Upload(business, part.source, part.parts, now)
        if (business, part.source, part.parts) != (upload.business, upload.source, upload.parts):
            raise ValueError(f"upload {part.upload!r} is of {upload.source!r} in {upload.parts} parts")
        if part.part >= part.parts:
            raise ValueError(f"part {part.part} of {part.parts}: parts are counted from 0")
        upload.here[part.part] = part.gathered
        missing = upload.parts - len(upload.here)
        if missing:
            return PartOut(missing=missing)
        del self._open[part.upload]
        whole = Gathered()
        for number in range(upload.parts):
            whole += upload.here[number]
        return _out(self._shelf.put(business, part.source, whole, dt.datetime.now(dt.UTC)))


def _out(change: Change) -> PartOut:
    return PartOut(
        missing=0,
        added=change.added,
        changed=change.changed,
        removed=change.removed,
        same=change.same,
        offers=change.offers,
    )


def _groups(things: tuple[Thing, ...]) -> Iterator[tuple[Thing, ...]]:
    group: list[Thing] = []
    size = 0
    for thing in things:
        # As long as it is written in Python it is about as long as in JSON.
        length = len(repr(thing))
        if group and size + length > PART_BYTES:
            yield tuple(group)
            group, size = [], 0
        group.append(thing)
        size += length
    if group:
        yield tuple(group)
