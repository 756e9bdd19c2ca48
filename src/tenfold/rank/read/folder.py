"""Find out what a folder holds, and read it."""

from pathlib import Path

from tenfold.core.errors import UsageError
from tenfold.rank.read.bad import Complaints
from tenfold.rank.read.frame import Frame, read_frame, read_frames, stream_of
from tenfold.rank.read.s3_rec import names_in, read_s3_rec
from tenfold.rank.stream import Stream

_TABLES = (".csv", ".tsv", ".parquet")
_ADVICE = (
    "give a folder with NAME.inter (RecBole), NAME.txt (S3-Rec), or events.csv or events.parquet (or several, "
    "events-1.parquet and so on) with columns person, "
    "item and, where known, at, surface, action, rating, watched; items.csv or items.parquet may describe the items"
)


def read_folder(path: Path, *, skip_bad_rows: bool = False) -> tuple[Stream, Complaints]:
    """Read the one data set of a folder, or one file of events.

    Raises:
        UsageError: there is none, or more than one; or it has rows that cannot be used, which are named.
    """
    if not path.exists():
        raise UsageError(f"there is no {path}", next_step=_ADVICE)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    recbole = [file for file in files if file.suffix == ".inter"]
    s3_rec = [path / f"{name}.txt" for name in names_in(path)] if path.is_dir() else [path]
    s3_rec = [file for file in s3_rec if file.suffix == ".txt" and file.exists()]
    tables = [file for file in files if file.suffix.lower() in _TABLES]
    events = [file for file in tables if file.stem in {"events", "interactions", "ratings"}]
    segments = [file for file in tables if file.stem.startswith("events-")]
    if segments and not (recbole or s3_rec or events):
        return stream_of(read_frames(segments), _items_beside(segments[0]), skip_bad_rows=skip_bad_rows)
    found = recbole or s3_rec or events or (tables if len(tables) == 1 else [])
    if len(found) != 1:
        there = f"has several data sets: {', '.join(file.name for file in found)}" if found else "has no events to read"
        raise UsageError(
            f"{path} {there}", next_step=f"give one of these files: {path / found[0].name}" if found else _ADVICE
        )
    (file,) = found
    if file in s3_rec:
        return read_s3_rec(file, skip_bad_rows=skip_bad_rows)
    return stream_of(read_frame(file), _items_beside(file), skip_bad_rows=skip_bad_rows)


def _items_beside(file: Path) -> Frame | None:
    kinds = [file.with_name(f"items{kind}") for kind in _TABLES]
    beside = [file.with_suffix(".item")] if file.suffix == ".inter" else kinds
    return next((read_frame(other) for other in beside if other.exists()), None)
