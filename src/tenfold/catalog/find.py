"""Search over a folder of documents, without a pool and without a database: ``tenfold agents search``."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tenfold.catalog.gathered import Skipped
from tenfold.catalog.ingest.decode import decode
from tenfold.catalog.ingest.source import read_folder
from tenfold.catalog.search import Embedder, PassageIndex
from tenfold.catalog.vectors import Kept, open_vectors
from tenfold.core.errors import UsageError
from tenfold.core.minilm import MODEL, load_minilm


@dataclass(frozen=True, slots=True)
class Query:
    """One line of a file of queries."""

    id: str
    text: str


def read_queries(path: Path) -> list[Query]:
    """Read lines of ``{"id", "query"}`` or ``{"id", "question"}``.

    Raises:
        UsageError: there is no such file, or a line is something else; names the line.
    """
    if not path.is_file():
        raise UsageError(f"there is no file of queries {str(path)!r}", next_step="give a file of JSON lines")
    queries = []
    for number, line in enumerate(decode(path.read_bytes()).split("\n"), 1):
        if not line.strip():
            continue
        try:
            told = json.loads(line)
            queries.append(Query(str(told["id"]), str(told["query"] if "query" in told else told["question"])))
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"line {number} of {path} is no query: {line[:80]!r}", next_step='write {"id": "1", "query": "..."}'
            ) from error
    return queries


def open_embedder(cache: Path, progress: Callable[[int, int], None], threads: int = 1) -> Embedder:
    """Load the embedder; what it has embedded before is taken from the cache.

    Raises:
        AssetError: the model was not fetched.
    """
    return Kept(load_minilm(cache, threads=threads), MODEL, open_vectors(cache), progress=progress)


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
    """Read and index a folder.

    Raises:
        UsageError: there is no such folder.
    """
    gathered = read_folder(folder, now)
    return Library(PassageIndex(gathered.passages, embedder), gathered.skipped)
