"""Parts of a text that are short enough to embed: overlapping, whole sentences, each with the text's title."""

from collections.abc import Iterator
from dataclasses import dataclass

from tenfold.catalog.words import sentences

CHUNK_WORDS = 110
"""Words of a chunk at most, unless one sentence is longer: with a title within what the embedder reads."""
STEP_WORDS = 70
"""Words after which the next chunk begins."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Part of a text, with the title of the whole."""

    title: str
    text: str

    @property
    def titled(self) -> str:
        """The title and the part: what is embedded."""
        return f"{self.title}\n{self.text}" if self.title else self.text


def chunks_of(title: str, text: str) -> Iterator[Chunk]:
    """Cut a text into chunks that overlap by about a third; at least one, also of an empty text."""
    parts = [part for sentence in sentences(text) for part in _bounded(sentence)]
    lengths = [len(part.split()) for part in parts]
    start = 0
    while True:
        end, held = start, 0
        while end < len(parts) and (end == start or held + lengths[end] <= CHUNK_WORDS):
            held += lengths[end]
            end += 1
        yield Chunk(title, " ".join(parts[start:end]))
        if end >= len(parts):
            return
        stepped = lengths[start]
        start += 1
        while start < end and stepped + lengths[start] <= STEP_WORDS:
            stepped += lengths[start]
            start += 1


def _bounded(sentence: str) -> Iterator[str]:
    """A sentence without an end, such as a table in one line, in pieces."""
    words = sentence.split()
    for start in range(0, len(words), CHUNK_WORDS):
        yield " ".join(words[start : start + CHUNK_WORDS])
