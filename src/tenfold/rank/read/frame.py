"""Tables of events and of items, whatever their columns are called: each cell as text, each row with its place.

Shapes: R rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from polars.exceptions import PolarsError

from tenfold.core.errors import UsageError
from tenfold.core.explain import unread
from tenfold.rank.read.bad import Complaints
from tenfold.rank.stream import Events, Id, Item, Items, Stream

PERSON = ("person", "person_id", "user", "user_id", "userid", "uid", "visitor_id", "household_id", "customer_id")
ITEM = ("item", "item_id", "itemid", "iid", "product_id", "movie_id", "movieid", "video_id", "article_id", "id")
TIME = ("at", "timestamp", "time", "ts", "datetime", "date", "created_at", "transaction_timestamp")
SURFACE = ("surface", "tab", "scene", "channel", "placement")
ACTION = ("action", "event", "event_type", "type", "behavior")
RATING = ("rating", "score", "stars")
SESSION = ("session", "session_id", "visit")
WATCHED = ("watched", "watch_ratio", "play_ratio", "watched_share", "ratio")
TITLE = ("title", "movie_title", "name", "item_title", "product_name")
TEXT = ("text", "description", "summary", "overview")
AUTHOR = ("author", "author_id", "creator", "seller")
SURFACES = ("surfaces", "surface", "tab")
BORN = ("born_at", "published_at", "created_at", "release_at")
LENGTH = ("length_s", "duration_s", "duration", "video_duration")

_COLUMNS = {"title": TITLE, "text": TEXT, "author": AUTHOR, "surfaces": SURFACES, "born": BORN, "length": LENGTH}

_BARE = ("attributes", "tags")
"""Columns whose words say by themselves what they are; others are put before theirs, as ``brand:Acme``."""
SHOWN = ("shown", "show", "impression", "exposure", "skip", "skipped", "none")
"""Words for an event in which a person did nothing."""
LIKED_SHARE = 0.8
"""From this share of the highest rating on, an item counts as liked."""

Texts = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Frame:
    """A table whose cells are text. ``first``: number of its first row, ``word``: what is numbered, as ``line``."""

    origin: str
    table: pl.DataFrame
    first: int
    word: str

    def column(self, names: tuple[str, ...]) -> str | None:
        """The first column that has one of ``names``; RecBole's ``:type`` and capital letters do not matter."""
        found = {name.split(":")[0].strip().lower(): name for name in reversed(self.table.columns)}
        return next((found[name] for name in names if name in found), None)

    def needed(self, names: tuple[str, ...], what: str) -> str:
        """The same, where there must be one.

        Raises:
            UsageError: there is none; names the columns that there are.
        """
        found = self.column(names)
        if found is None:
            there = ", ".join(self.table.columns)
            message = f"{self.origin} has no column for the {what}; its columns are {there}"
            raise UsageError(message, next_step=f"call one of them {names[0]!r}")
        return found

    def texts(self, column: str | None) -> Texts:
        """Cells of a column, stripped, shape (R,); empty where there is none."""
        if column is None:
            return np.full(self.table.height, "", dtype=object)
        return self.table[column].fill_null("").str.strip_chars().to_numpy().astype(object)


def read_frame(path: Path) -> Frame:
    """Read CSV (comma, semicolon or tab), Parquet, or RecBole's tab-separated text.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        if path.suffix.lower() == ".parquet":
            table, first, word = pl.read_parquet(path), 1, "row"
        else:
            with path.open(encoding="utf-8-sig") as file:
                head = file.readline()
            separator = max(",;\t", key=head.count)
            quote = None if separator == "\t" else '"'
            table = pl.read_csv(path, separator=separator, quote_char=quote, infer_schema=False)
            first, word = 2, "line"
        return Frame(str(path), as_texts(table), first, word)
    except (OSError, UnicodeDecodeError) as error:
        is_away = isinstance(error, OSError)
        cause, advice = (unread(error), "give a table with a header") if is_away else (str(error), "save it as UTF-8")
        raise UsageError(f"cannot read {path}: {cause}", next_step=advice) from error
    except PolarsError as error:
        raise UsageError(f"cannot read {path}: {str(error).splitlines()[0]}", next_step="mend it") from error


def as_texts(table: pl.DataFrame) -> pl.DataFrame:
    """Every cell as text; a list's parts separated by bars."""
    return table.select(
        pl.col(name).cast(pl.List(pl.String)).list.join("|")
        if isinstance(kind, pl.List)
        else pl.col(name).cast(pl.String, strict=False)
        for name, kind in table.schema.items()
    )


def read_frames(paths: Sequence[Path]) -> Frame:
    """Read files of events as one; an event that is in two of them, by its ``id``, counts once.

    Raises:
        UsageError: one cannot be read.
    """
    frames = [read_frame(path) for path in paths]
    if len(frames) == 1:
        return frames[0]
    table = pl.concat([frame.table for frame in frames], how="diagonal")
    if "id" in table.columns:
        table = table.unique("id", keep="first", maintain_order=True)
    return Frame(str(paths[0].parent), table, 1, "event")


def stream_of(events: Frame, items: Frame | None, *, skip_bad_rows: bool) -> tuple[Stream, Complaints]:
    """Make a stream of a table of events and, where there is one, of a table of items.

    Raises:
        UsageError: a column is missing, or rows cannot be used; names them.
    """
    complaints = Complaints(events.origin, skip_bad_rows)
    person_R, item_R = (
        events.texts(events.needed(names, what)) for names, what in ((PERSON, "person"), (ITEM, "item"))
    )
    time = events.column(TIME)
    at_R = times(events.texts(time)) if time else np.arange(len(person_R), dtype=np.float64)
    watched_R = numbers(events.texts(events.column(WATCHED)))
    rating_R = numbers(events.texts(events.column(RATING)))
    # A line with nothing on it is no row.
    good_R = events.table.select(pl.any_horizontal(pl.all().is_not_null())).to_series().to_numpy().copy()
    _complain(events, complaints, good_R, person_R == "", "the person is missing")
    _complain(events, complaints, good_R, item_R == "", "the item is missing")
    _complain(events, complaints, good_R, np.isnan(at_R), "the time is no number of seconds and no date", time)
    for column, value_R in ((events.column(WATCHED), watched_R), (events.column(RATING), rating_R)):
        if column:
            bad_R = np.isnan(value_R) & (events.texts(column) != "")
            _complain(events, complaints, good_R, bad_R, f"{column} is no number", column)
    complaints.settle()
    if not good_R.any():
        raise UsageError(f"{events.origin} has no events", next_step="write rows below its header")
    person_R, item_R = person_R[good_R], item_R[good_R]
    at_R, watched_R, rating_R = at_R[good_R], watched_R[good_R], rating_R[good_R]
    all_items = _items(items, item_R)
    row_of = {str(item.id): row for row, item in enumerate(all_items)}
    people, person_index_R = np.unique(person_R.astype(str), return_inverse=True)
    surfaces, surface_R = _surfaces(events, good_R, all_items, [row_of[item] for item in item_R])
    actions, bits_R = _actions(events, good_R, rating_R)
    row_R = [row_of[item] for item in item_R]
    watched_R = watched_R.astype(np.float32)
    found = Events.of(person_index_R, row_R, at_R, surface=surface_R, actions=bits_R, watched=watched_R)
    if session := events.column(SESSION):
        order_R = np.lexsort((np.arange(len(at_R)), at_R, person_index_R))
        found = _one_per_visit(found, events.texts(session)[good_R][order_R])
    return Stream(surfaces, actions, tuple(_ids(people)), all_items, found, timed=time is not None), complaints


def _one_per_visit(events: Events, session_E: Texts) -> Events:
    """What a person did with an item in one visit as one event, at the time of the first: all actions, most watched."""
    _, visit_E = np.unique(session_E.astype(str), return_inverse=True)
    key_E4 = np.stack([events.person_E, visit_E, events.row_E, events.surface_E], axis=1)
    _, first_G, group_E = np.unique(key_E4, axis=0, return_index=True, return_inverse=True)
    group_E = group_E.ravel()
    actions_G = np.zeros(len(first_G), dtype=np.int64)
    np.bitwise_or.at(actions_G, group_E, events.actions_E)
    watched_G = np.full(len(first_G), np.nan, dtype=np.float32)
    np.fmax.at(watched_G, group_E, events.watched_E)
    one = events.select(first_G)
    return Events.of(one.person_E, one.row_E, one.at_E, surface=one.surface_E, actions=actions_G, watched=watched_G)


def numbers(text_R: Texts) -> npt.NDArray[np.float64]:
    """Numbers that texts stand for; not a number where one stands for none."""
    return pl.Series(text_R, dtype=pl.String).cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()


def times(text_R: Texts) -> npt.NDArray[np.float64]:
    """Unix seconds of texts that are numbers, or dates as ISO 8601 writes them, of UTC where no zone is named."""
    at_R = numbers(text_R).copy()
    at_R[~np.isfinite(at_R)] = np.nan
    for row in np.flatnonzero(np.isnan(at_R)).tolist():
        try:
            date = datetime.fromisoformat(text_R[row])
        except ValueError:
            continue
        at_R[row] = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    return at_R


def _complain(
    frame: Frame, complaints: Complaints, good_R: npt.NDArray[np.bool_], bad_R: npt.NDArray[np.bool_], problem: str,
    column: str | None = None,
) -> None:  # fmt: skip
    for row in np.flatnonzero(bad_R & good_R).tolist():
        value = f", got {frame.table[column][row]!r:.80}" if column else ""
        complaints.add(f"{frame.word} {row + frame.first}", problem + value)
    good_R &= ~bad_R


def _ids(texts: npt.NDArray[np.str_]) -> list[Id]:
    """Ids as whole numbers where all are, so that they are what the data's owner types."""
    listed = [str(text) for text in texts]
    whole = all(text.isascii() and text.isdigit() and str(int(text)) == text for text in listed)
    return [int(text) for text in listed] if whole else list(listed)


def _items(frame: Frame | None, item_R: Texts) -> Items:
    seen = dict.fromkeys(str(item) for item in item_R)
    if frame is None:
        ids = _ids(np.array(sorted(seen)))
        return Items(tuple(Item(item) for item in sorted(ids)))  # pyrefly: ignore
    key = frame.needed(ITEM, "item")
    columns = {what: frame.column(names) for what, names in _COLUMNS.items()}
    words = [name for name in frame.table.columns if name not in {key, *columns.values()} and _has_words(frame, name)]
    word_cells = [(name.split(":")[0], "token_seq" in name, frame.texts(name)) for name in words]
    cells = {what: frame.texts(column) for what, column in columns.items()}
    born_R, length_R = times(cells["born"]), numbers(cells["length"])
    ids = frame.texts(key)
    listed = dict.fromkeys(str(item) for item in ids)
    names = _ids(np.array([*listed, *(item for item in seen if item not in listed)]))
    row_of = {str(item): row for row, item in reversed(list(enumerate(ids)))}
    found = []
    for name in names:
        row = row_of.get(str(name))
        if row is None:
            found.append(Item(name))
            continue
        attributes = [
            word if column in _BARE else f"{column}:{word}"
            for column, by_space, texts in word_cells
            for word in (texts[row].split() if by_space else texts[row].split("|"))
            if word
        ]
        found.append(
            Item(
                name,
                " ".join(cells["title"][row].split()),
                cells["text"][row],
                tuple(dict.fromkeys(attributes)),
                cells["author"][row],
                tuple(part for part in cells["surfaces"][row].split("|") if part),
                None if np.isnan(length_R[row]) else float(length_R[row]),
                None if np.isnan(born_R[row]) else float(born_R[row]),
            )
        )
    return Items(tuple(found))


def _has_words(frame: Frame, name: str) -> bool:
    """Whether a column holds words that items share, and not numbers or a text of each item's own."""
    if name.endswith((":token", ":token_seq")):
        return True
    column = frame.table[name].drop_nulls()
    if not len(column) or column.cast(pl.Float64, strict=False).null_count() < len(column) / 2:
        return False
    return column.n_unique() <= max(20, len(column) // 2)


def _surfaces(
    events: Frame, good_R: npt.NDArray[np.bool_], items: Items, row_R: list[int]
) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Surfaces by the events' column, else by the items' first, else one."""
    column = events.column(SURFACE)
    if column:
        texts = events.texts(column)[good_R]
    else:
        texts = np.array([(items[row].surfaces or ("all",))[0] for row in row_R], dtype=object)
    names, surface_R = np.unique(texts.astype(str), return_inverse=True)
    return tuple(str(name) or "unnamed" for name in names), surface_R


def _actions(
    events: Frame, good_R: npt.NDArray[np.bool_], rating_R: npt.NDArray[np.float64]
) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Actions by the events' column, else by ratings, else one."""
    column = events.column(ACTION)
    if column:
        texts = np.char.lower(events.texts(column)[good_R].astype(str))
        names = [str(name) for name in np.unique(texts) if name and name not in SHOWN]
        bit_of = {name: 1 << index for index, name in enumerate(names)}
        return tuple(names) or ("chosen",), np.array([bit_of.get(str(text), 0) for text in texts], np.int64)
    if np.isfinite(rating_R).any():
        liked_R = rating_R >= LIKED_SHARE * np.nanmax(rating_R)
        return ("rated", "liked"), 1 + 2 * liked_R.astype(np.int64)
    return ("chosen",), np.ones(int(good_R.sum()), np.int64)
