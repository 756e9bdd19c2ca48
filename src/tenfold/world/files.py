"""A world's log as the files that `tenfold rank fit DIR` reads; what only the world knows is not in them.

``events.parquet``: a row for each card that a person saw: ``person, item, surface, place, action, watched, seconds,
at``; the action is ``shown`` where the person did nothing, else ``opened`` or ``liked``, and ``watched`` the share of
the item's length. ``items.parquet``: ``item, title, topic, second_topic, surfaces, length_s, born_at``. Times are
Unix seconds; the world's first day is Monday, 5 January 2026.
"""

from pathlib import Path

import numpy as np
import polars as pl

from tenfold.core.errors import UsageError
from tenfold.core.explain import unread
from tenfold.world.events import DAY_S, Log
from tenfold.world.stock import TOPICS

FIRST_DAY_AT = 1_767_571_200.0


def write_log(log: Log, folder: Path) -> tuple[Path, Path]:
    """Write events and items; gives the paths of both files.

    Raises:
        UsageError: the folder has such a file already, or cannot be written.
    """
    paths = folder / "events.parquet", folder / "items.parquet"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, table in zip(paths, (_events(log), _items(log)), strict=True):
            with path.open("xb") as file:
                table.write_parquet(file, compression="zstd")
    except FileExistsError as error:
        raise UsageError(f"{error.filename} is there already", next_step="give another folder, or delete it") from error
    except OSError as error:
        cause = unread(error)
        raise UsageError(f"cannot write to {folder}: {cause}", next_step="give a folder that can be written") from error
    return paths


def _events(log: Log) -> pl.DataFrame:
    names = np.array([surface.name for surface in log.terms.surfaces])
    length_s_E = log.stock.length_s_I[log.item_E]
    return pl.DataFrame(
        {
            "person": log.person_E,
            "item": log.item_E,
            "surface": names[log.surface_E],
            "place": log.place_E,
            "action": np.where(log.liked_E, "liked", np.where(log.opened_E, "opened", "shown")),
            "watched": (log.watched_s_E / length_s_E).round(3),
            "seconds": log.watched_s_E,
            "at": (FIRST_DAY_AT + log.at_s_E).round(1),
        }
    )


def _items(log: Log) -> pl.DataFrame:
    """Those that were there before the log ended."""
    stock = log.stock
    rows = np.flatnonzero(stock.born_I < log.terms.days)
    topics, names = np.array(TOPICS), np.array([surface.name for surface in log.terms.surfaces])
    return pl.DataFrame(
        {
            "item": rows,
            "title": [stock.title(row) for row in rows.tolist()],
            "topic": topics[stock.topic_I2[rows, 0]],
            "second_topic": topics[stock.topic_I2[rows, 1]],
            "surfaces": names[stock.surface_I[rows]],
            "length_s": stock.length_s_I[rows],
            "born_at": (FIRST_DAY_AT + stock.born_I[rows] * DAY_S).round(1),
        }
    )
