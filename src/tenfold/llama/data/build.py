"""``tenfold data build``: a folder of training data of anyone's documents.

Two passes over the sources, so that they need not fit into memory: the first finds what is said twice and trains the
tokenizer, the second writes tokens. Whether a document is held out depends on its words alone: a document stays on its
side when others are added, and none is on both.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from tenfold.core.errors import UsageError
from tenfold.core.paths import new_folder
from tenfold.core.sound import write_record
from tenfold.llama.data.duplicates import Duplicates, Verdict, digest_of_words
from tenfold.llama.data.index import (
    TOKENIZER_FILE,
    DataIndex,
    SourceFile,
    bytes_of_token,
    check_data,
    identity_of,
    shards_of,
    tokens_file,
)
from tenfold.llama.data.sources import SourceError, documents_in, files_of
from tenfold.llama.data.tokenizer import SEPARATOR, train_tokenizer

BATCH_CHARACTERS = 4 << 20
SAMPLE_CHARACTERS = 64 << 20
"""Of the first documents, on which a tokenizer is trained: more does not change its 8,000 tokens noticeably."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Choices:
    """How data is built.

    ``column``: name of the texts in rows. ``held_out``: share of the documents. ``tokenizer``: one that is there
    already; none: one of ``vocab_size`` is trained.
    """

    column: str = "text"
    vocab_size: int = 8192
    tokenizer: Path | None = None
    held_out: float = 0.02
    near: bool = True
    licence: str = ""


def build(out: Path, sources: Sequence[Path], choices: Choices, progress: Progress) -> DataIndex:
    """Write a folder of training data; it appears whole or not at all.

    Raises:
        SourceError: a source is missing or cannot be read, or there are too few documents to hold any out.
        UsageError: ``out`` is there already, or a choice is out of range.
    """
    if out.exists():
        raise UsageError(f"{out} is there already", next_step="give another folder, or move it away")
    if not 0 < choices.held_out < 1:
        raise UsageError(f"held out is {choices.held_out}, not a share between 0 and 1", next_step="give e.g. 0.02")
    files, passed_over = files_of(sources)
    try:
        with new_folder(out) as fresh:
            index = _Building(fresh, files, choices, progress).index().model_copy(update={"passed_over": passed_over})
            write_record(fresh / "index.json", index)
            check_data(fresh)
    except OSError as error:
        raise UsageError(
            f"cannot write {out}: {error.strerror}", next_step="free space there, or give another folder"
        ) from error
    progress("done", 1.0)
    return index


class _Building:
    """One folder in the making."""

    def __init__(self, folder: Path, files: Sequence[Path], choices: Choices, progress: Progress) -> None:
        self._folder, self._files, self._choices, self._progress = folder, files, choices, progress
        self._total = max(1, sum(path.stat().st_size for path in files))
        self._verdicts: list[Verdict] = []
        self._counts: list[int] = []
        self._least = b"\xff" * 16

    def index(self) -> DataIndex:
        """Make all files but the index, and give that."""
        sample = self._look()
        tokenizer = self._tokenizer(sample)
        vocab_size = tokenizer.get_vocab_size()
        tokens, documents, held_out_documents, text_bytes = self._encode(tokenizer, vocab_size)
        shards = shards_of(self._folder / tokens_file(vocab_size))
        return DataIndex(
            documents=documents,
            training_tokens=tokens[0],
            held_out_tokens=tokens[1],
            text_bytes=text_bytes,
            sha256=identity_of(self._folder, shards, None),
            sources=tuple(
                SourceFile(path=str(path), bytes=path.stat().st_size, documents=count)
                for path, count in zip(self._files, self._counts, strict=True)
            ),
            vocabulary=vocab_size,
            held_out_documents=held_out_documents,
            exact_duplicates=self._verdicts.count("exact"),
            near_duplicates=self._verdicts.count("near"),
            licence=self._choices.licence,
            shards=shards,
        )

    def _look(self) -> list[str]:
        """Find what is said twice; return the documents on which the tokenizer is trained."""
        known, sample, room, read = Duplicates(near=self._choices.near), [], SAMPLE_CHARACTERS, 0
        for path in self._files:
            before = len(self._verdicts)
            for text in documents_in(path, self._choices.column):
                verdict = known.judge(text)
                self._verdicts.append(verdict)
                if verdict == "new":
                    self._least = min(self._least, digest_of_words(text))
                    if room > 0:
                        sample.append(text)
                        room -= len(text)
            self._counts.append(len(self._verdicts) - before)
            read += path.stat().st_size
            self._progress("looking for documents that are there twice", read / self._total)
        return sample

    def _tokenizer(self, sample: list[str]) -> Tokenizer:
        given = self._choices.tokenizer
        if given is None:
            self._progress("training the tokenizer", 0.0)
            tokenizer = train_tokenizer(sample, self._choices.vocab_size)
        else:
            try:
                tokenizer = Tokenizer.from_file(str(given))
            # The library raises Exception itself, for a missing file too.
            except Exception as error:
                raise UsageError(
                    f"{given} is not a tokenizer: {error}", next_step="give a tokenizer.json of 'tenfold data build'"
                ) from error
            if tokenizer.token_to_id(SEPARATOR) is None:
                raise UsageError(
                    f"{given} has no token {SEPARATOR!r}, which leads each document",
                    next_step="give a tokenizer.json of 'tenfold data build'",
                )
        tokenizer.save(str(self._folder / TOKENIZER_FILE))
        return tokenizer

    def _encode(self, tokenizer: Tokenizer, vocab_size: int) -> tuple[list[int], int, int, int]:
        """Write the tokens: what is held out into a file of its own first, then behind the rest.

        Returns:
            Tokens to train on and held out, documents, those of them held out, and bytes of text.
        """
        kind, separator = f"<u{bytes_of_token(vocab_size)}", tokenizer.token_to_id(SEPARATOR)
        target, aside = self._folder / tokens_file(vocab_size), self._folder / "held-out"
        tokens, held_out_documents, text_bytes, done = [0, 0], 0, 0, 0
        new = self._verdicts.count("new")
        with target.open("wb") as train, aside.open("wb") as held:
            for batch in _batches(self._new_documents()):
                for text, encoding in zip(batch, tokenizer.encode_batch_fast(batch), strict=True):
                    side = self._is_held_out(text)
                    np.array([separator, *encoding.ids], dtype=kind).tofile(held if side else train)
                    tokens[side] += 1 + len(encoding.ids)
                    held_out_documents += side
                    text_bytes += len(text.encode())
                done += len(batch)
                self._progress("encoding the documents", done / new)
        if not tokens[0] or not tokens[1]:
            side = "to train on" if not tokens[0] else "to hold out"
            raise SourceError(
                f"there is no document {side} among {new} that differ",
                next_step="give more documents, or another --held-out",
            )
        with target.open("ab") as train, aside.open("rb") as held:
            shutil.copyfileobj(held, train)
        aside.unlink()
        return tokens, new, held_out_documents, text_bytes

    def _new_documents(self) -> Iterator[str]:
        verdicts = iter(self._verdicts)
        for path in self._files:
            for text in documents_in(path, self._choices.column):
                if next(verdicts) == "new":
                    yield text

    def _is_held_out(self, text: str) -> bool:
        # By its words, so that a repetition in other letters would lie on the same side.
        digest = digest_of_words(text)
        # The least of all, so that among few documents there is one at least.
        return digest == self._least or int.from_bytes(digest[:8], "big") < self._choices.held_out * 2**64


def _batches(texts: Iterator[str]) -> Iterator[list[str]]:
    batch, size = [], 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
