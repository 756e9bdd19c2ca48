"""Search over a folder of documents, without a pool and without a database: ``tenfold agents search``."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import AliasChoices, Field

from tenfold.catalog.gathered import Skipped
from tenfold.catalog.ingest.lines import Line, read_lines
from tenfold.catalog.ingest.source import read_file, read_folder
from tenfold.catalog.search import Embedder, PassageIndex
from tenfold.catalog.vectors import Kept, open_vectors
from tenfold.core.assets import AssetStatus, check, fetch
from tenfold.core.errors import UsageError
from tenfold.core.minilm import MINILM, MINILM_TOKENIZER, MODEL, load_minilm


class Query(Line):
    """One line of a file of queries."""

    id: str | int
    text: str = Field(validation_alias=AliasChoices("query", "question"))


def read_queries(path: Path) -> list[Query]:
    """Read lines of ``{"id", "query"}`` or ``{"id", "question"}``.

    Raises:
        UsageError: there is no such file, or a line is something else; names the line.
    """
    return read_lines(path, Query, '{"id": "1", "query": "..."}')


def open_embedder(cache: Path, say: Callable[[str], None], threads: int | None = None) -> Embedder:
    """Load the embedder, fetched first if it is not there; what it has embedded before is taken from the cache.

    Args:
        cache: the user's cache folder.
        say: told what is being done.
        threads: that embed; by default as many as there are cores, four at most.

    Raises:
        AssetError: the model is not there and cannot be fetched.
    """
    for asset in (MINILM, MINILM_TOKENIZER):
        if check(asset, cache, quick=True) is not AssetStatus.PRESENT:
            fetch(asset, cache, lambda now: say(f"{now.doing} {now.asset}, {now.done_bytes / 1e6:.0f} MB"))

    def told(done: int, total: int) -> None:
        say(f"embedding: {done:,} of {total:,} parts are new and done")

    minilm = load_minilm(cache, threads=threads or min(4, os.cpu_count() or 1))
    return Kept(minilm, MODEL, open_vectors(cache), progress=told)


@dataclass(frozen=True, slots=True)
class Library:
    """A folder of documents, ready to be searched, and what in it was skipped."""

    index: PassageIndex
    skipped: tuple[Skipped, ...]

    @property
    def documents(self) -> int:
        """How many there are."""
        return len({passage.document for passage in self.index.passages})

    def answer(self, queries: Iterable[Query], k: int) -> Iterator[tuple[Query, list[str]]]:
        """Give the ids of the ``k`` documents that fit each query best."""
        for query in queries:
            yield query, [found.document for found in self.index.documents(query.text, k)]


def open_library(folder: Path, now: datetime, embedder: Embedder | None) -> Library:
    """Read and index a folder, or one file with many documents.

    Raises:
        UsageError: there is no such folder or file, or no document in it.
    """
    gathered = (read_file if folder.is_file() else read_folder)(folder, now)
    if not gathered.passages:
        why = f"; {gathered.skipped[0].where}: {gathered.skipped[0].why}" if gathered.skipped else ""
        raise UsageError(
            f"there is no document in {folder}{why}", next_step="give a folder with texts: .md, .txt, .html or .json"
        )
    return Library(PassageIndex(gathered.passages, embedder), gathered.skipped)
