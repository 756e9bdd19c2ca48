"""Files as the feed writes them for ranking; ``docs/feed.md`` tells their columns."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

EVENTS = {
    "person": pl.String,
    "id": pl.String,
    "surface": pl.String,
    "item": pl.String,
    "action": pl.String,
    "seconds": pl.Float64,
    "ratio": pl.Float64,
    "session": pl.String,
    "at": pl.Float64,
    "taken_at": pl.Float64,
}
ITEMS = {
    "item": pl.String,
    "title": pl.String,
    "text": pl.String,
    "attributes": pl.List(pl.String),
    "author": pl.String,
    "surfaces": pl.List(pl.String),
    "length_s": pl.Float64,
    "born_at": pl.Float64,
}


def write_segment(folder: Path, first_us: int, last_us: int, rows: Sequence[dict[str, object]]) -> Path:
    """Write a file of events; ids and visits are made up where a row has none."""
    told = [
        {"id": f"{last_us}-{place}", "session": "visit", "taken_at": last_us / 1e6} | row
        for place, row in enumerate(rows)
    ]
    path = folder / f"events-{first_us:017d}-{last_us:017d}.parquet"
    folder.mkdir(parents=True, exist_ok=True)
    pl.DataFrame([{name: row.get(name) for name in EVENTS} for row in told], schema=EVENTS, orient="row").write_parquet(
        path
    )
    return path


def write_items(folder: Path, rows: Sequence[dict[str, object]]) -> None:
    """Write all items."""
    folder.mkdir(parents=True, exist_ok=True)
    told = [{name: row.get(name) for name in ITEMS} for row in rows]
    pl.DataFrame(told, schema=ITEMS, orient="row").write_parquet(folder / "items.parquet")
