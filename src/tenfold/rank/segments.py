"""What the feed has written down, as a stream to learn from, together with the data set that ranking began with.

``HOME/feed/segments`` has Parquet files of events and one of items; ``docs/feed.md`` tells their columns. Rows of one
person, visit and item are one event: what was done with it, how much of it was watched. An item that was shown and
passed by is an event without an action.

Shapes: E events, I items.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from tenfold.core.errors import Damaged
from tenfold.rank.stream import Events, Id, Item, Items, Stream, joined

CHOICES = ("opened", "watched", "liked", "saved", "shared", "commented", "bought")
"""Actions that are foretold; whatever else people tell of an item says that it was shown."""

_TAKEN_BACK = "allowed"
_COLUMNS = {
    **dict.fromkeys(("person", "id", "surface", "item", "action", "session"), pl.String),
    **dict.fromkeys(("at", "ratio", "taken_at"), pl.Float64),
}


@dataclass(frozen=True, slots=True)
class Buffer:
    """How much of the past is at hand: the latest events of each person, and of all."""

    of_person: int = 200
    of_all: int = 500_000


def segments_folder(home: Path) -> Path:
    """Where the feed writes them."""
    return home / "feed" / "segments"


def newest_us(folder: Path) -> int:
    """Up to when (microseconds of Unix time) the files have what was told; 0: there are none."""
    ends = (path.stem.rpartition("-")[2] for path in folder.glob("events-*-*.parquet"))
    return max((int(end) for end in ends if end.isdecimal()), default=0)


def rows_since(folder: Path, since_us: int) -> int:
    """How many events were told after a time (microseconds of Unix time).

    Raises:
        Damaged: a file is not what was written.
    """
    told = _read_events(folder)
    return int((told["taken_at"] * 1e6 > since_us).sum())


def stream_with(base: Stream, folder: Path, buffer: Buffer | None = None) -> Stream:
    """The events of the feed and those of ``base``, on the surfaces and with the items of both.

    Args:
        base: whose items and surfaces come first.
        folder: of the files.
        buffer: how much of the past is read; by default ``Buffer()``.

    Raises:
        Damaged: a file is not what was written.
    """
    told = _read_events(folder)
    items = _items(base, folder)
    surfaces = (*base.surfaces, *_new(told["surface"].unique().sort().to_list(), base.surfaces))
    actions = (*base.actions, *_new(CHOICES, base.actions))
    people = (*base.people, *told["person"].unique().sort().to_list())
    known = told.filter(pl.col("item").is_in([str(item.id) for item in items]))
    stream = Stream(surfaces, actions, people, items, base.events)
    events = joined([base.events, _events(known, stream)])
    return Stream(surfaces, actions, people, items, _latest(events, buffer or Buffer()))


def _events(told: pl.DataFrame, stream: Stream) -> Events:
    """One event for each visit in which a person met an item."""
    bit_of = {action: 1 << index for index, action in enumerate(stream.actions) if action in CHOICES}
    rows = (
        told.filter(pl.col("action") != _TAKEN_BACK)
        .with_columns(
            bits=pl.col("action").replace_strict(bit_of, default=0, return_dtype=pl.Int64),
            ratio=pl.when(pl.col("action") == "watched").then(pl.col("ratio")),
        )
        .group_by("person", "session", "item", "surface", maintain_order=True)
        .agg(pl.col("at").min(), pl.col("bits").unique(), pl.col("ratio").max())
    )
    place = {person: index for index, person in enumerate(stream.people)}
    row_of = {str(item.id): row for row, item in enumerate(stream.items)}
    surface_of = {name: index for index, name in enumerate(stream.surfaces)}
    return Events.of(
        [place[person] for person in rows["person"]],
        [row_of[item] for item in rows["item"]],
        rows["at"].to_numpy(),
        surface=np.array([surface_of[name] for name in rows["surface"]], dtype=np.int64),
        actions=np.array([sum(bits) for bits in rows["bits"]], dtype=np.int64),
        watched=rows["ratio"].cast(pl.Float32).fill_null(np.nan).to_numpy(),
    )


def _items(base: Stream, folder: Path) -> Items:
    """Those of the base, as the feed tells them where it knows more, and the feed's own.

    The feed may show those of the base on any of its surfaces, unless it says where.
    """
    path = folder / "items.parquet"
    if not path.exists():
        return base.items
    told = _read(path)
    by_id: dict[Id, Item] = {item.id: replace(item, surfaces=()) for item in base.items}
    for row in told.iter_rows(named=True):
        id_ = _id(row["item"])
        before = by_id.get(id_)
        by_id[id_] = Item(
            id_,
            title=row["title"] or "",
            text=row["text"] or "",
            attributes=before.attributes if before else tuple(dict.fromkeys(row["attributes"] or ())),
            author=row["author"] or "",
            surfaces=tuple(row["surfaces"] or ()),
            length_s=row["length_s"],
            born_at=row["born_at"] or None,
        )
    return Items(tuple(by_id.values()))


def _id(text: str) -> Id:
    """An item's id as the feed tells it over HTTP: what is written like a whole number is one."""
    plain = text.isascii() and text.isdecimal() and (text == "0" or text[0] != "0")
    return int(text) if plain and len(text) <= 16 else text


def _latest(events: Events, buffer: Buffer) -> Events:
    """The latest of each person, and of these the latest of all."""
    starts = {person: part for person, part in events.by_person()}
    keep_E = np.zeros(len(events), dtype=np.bool_)
    for part in starts.values():
        keep_E[max(part.start, part.stop - buffer.of_person) : part.stop] = True
    if keep_E.sum() > buffer.of_all:
        kept = np.flatnonzero(keep_E)
        oldest = kept[np.argsort(events.at_E[kept], kind="stable")[: -buffer.of_all]]
        keep_E[oldest] = False
    return events.select(keep_E)


def _new(names: list[str] | tuple[str, ...], before: tuple[str, ...]) -> list[str]:
    return [name for name in names if name not in before]


def _read_events(folder: Path) -> pl.DataFrame:
    """All files; what two of them have, as after a crash while days were joined, counts once."""
    parts = [_read(path) for path in sorted(folder.glob("events-*-*.parquet"))]
    if not parts:
        return pl.DataFrame(schema=_COLUMNS)
    return pl.concat(parts).unique(["person", "id"], keep="first", maintain_order=True)


def _read(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise Damaged(path, str(error), what="the feed's segment") from error
