"""Documents as people have them: text files, JSON Lines, Parquet, or folders of these. What cannot be read is named."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from tenfold.core.errors import UsageError

JSON_LINES, PARQUET = (".jsonl", ".ndjson"), (".parquet",)


class SourceError(UsageError):
    """A file of documents cannot be read; names the file, the place in it and the cause."""


BINARY_HEAD_BYTES = 8192
"""What has a zero byte in its first so many is no text: a picture, an archive."""


def files_of(sources: Sequence[Path]) -> tuple[list[Path], int]:
    """Files to read: those that are named, and all below named folders but hidden ones, in order of their paths.

    Returns:
        The files, and how many below the folders were passed over, because they hold neither text nor rows.

    Raises:
        SourceError: one is missing, or there is no file at all.
    """
    found: list[Path] = []
    passed_over = 0
    for source in sources:
        if source.is_dir():
            inside = (path for path in source.rglob("*") if path.is_file())
            seen = sorted(path for path in inside if not _is_hidden(path.relative_to(source)))
            good = [path for path in seen if path.suffix.lower() in PARQUET or not _is_binary(path)]
            passed_over += len(seen) - len(good)
            found += good
        elif source.exists():
            found.append(source)
        else:
            raise SourceError(f"there is no file or folder {str(source)!r}", next_step="give text, .jsonl or .parquet")
    if not found:
        raise SourceError(
            f"there is no file in {', '.join(map(str, sources))}", next_step="give text, .jsonl or .parquet"
        )
    return list(dict.fromkeys(found)), passed_over


def _is_binary(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b"\0" in file.read(BINARY_HEAD_BYTES)
    except OSError:
        # It is named when it is to be read.
        return False


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def documents_in(path: Path, column: str) -> Iterator[str]:
    """Texts of a file: one for each row of JSON Lines and of Parquet, the whole of any other file.

    Args:
        path: of the file; its name says what it is.
        column: name of the texts in rows.

    Raises:
        SourceError: the file, or a row of it, cannot be read.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in JSON_LINES:
            yield from _json_lines(path, column)
        elif suffix in PARQUET:
            yield from _parquet(path, column)
        else:
            yield path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{path} is not UTF-8 text: {error.reason} at byte {error.start:,}",
            next_step="save it as UTF-8, or move it out of the sources",
        ) from error
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}", next_step="let this user read it") from error


def _json_lines(path: Path, column: str) -> Iterator[str]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except UnicodeDecodeError as error:
                raise SourceError(f"{path} line {number} is not UTF-8: {error}", next_step=f"mend {path}") from error
            except ValueError as error:
                raise SourceError(f"{path} line {number} is not JSON: {error}", next_step=f"mend {path}") from error
            text = row.get(column) if isinstance(row, dict) else None
            if not isinstance(text, str):
                there = ", ".join(row) if isinstance(row, dict) else type(row).__name__
                raise SourceError(
                    f"{path} line {number} has no text {column!r}; it has: {there}",
                    next_step="name the text with --column, or mend the line",
                )
            yield text


def _parquet(path: Path, column: str) -> Iterator[str]:
    import polars
    from polars.exceptions import ColumnNotFoundError, PolarsError

    try:
        texts = polars.read_parquet(path, columns=[column])[column]
    except ColumnNotFoundError as error:
        there = ", ".join(polars.read_parquet_schema(path))
        raise SourceError(
            f"{path} has no column {column!r}; it has: {there}", next_step="name the column of texts with --column"
        ) from error
    except (PolarsError, OSError) as error:
        raise SourceError(f"{path} is not sound Parquet: {error}", next_step=f"fetch or make {path} again") from error
    if texts.dtype != polars.String:
        raise SourceError(
            f"{path} column {column!r} holds {texts.dtype}, not text",
            next_step="name the column of texts with --column",
        )
    for row, text in enumerate(texts, start=1):
        if text is None:
            raise SourceError(f"{path} row {row} has no text in {column!r}", next_step="leave such rows out")
        yield text
