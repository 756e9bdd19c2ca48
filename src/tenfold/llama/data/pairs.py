"""``tenfold data build --images``: a folder of pairs of an image and its caption, from rows that name the image's file.

Each image is drawn on white, into a square of one size. Images are told apart by their pixels: one that is there twice
is kept once, with all captions that differ. What is held out is held out in whole groups, which the rows may name (all
variants of a picture, all pictures of a source); without names each image is a group. ``images.u8`` holds the pixels,
those held out last; ``pairs.i64`` says where each caption's tokens begin, and of which image each is.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tenfold.core.errors import UsageError
from tenfold.core.paths import new_folder
from tenfold.core.picture import UNREADABLE, on_white
from tenfold.core.sound import write_record
from tenfold.llama.data.index import (
    IMAGES_FILE,
    PAIRS_FILE,
    TOKENIZER_FILE,
    DataIndex,
    ImageIndex,
    SourceFile,
    bytes_of_token,
    check_data,
    digest_of_images,
    identity_of,
    shards_of,
    tokens_file,
)
from tenfold.llama.data.sources import SourceError
from tenfold.llama.data.tokenizer import IMAGE, SEPARATOR, train_tokenizer

Progress = Callable[[str, float], None]

DRAWN_FILE = "drawn"
"""Pixels in the order of the rows, while a folder is made: more than memory may hold."""


class _Row(NamedTuple):
    image: Path
    caption: str
    group: str | None


class _Pair(NamedTuple):
    image: int
    caption: str


@dataclass(slots=True)
class _Collected:
    """What the rows said. Images have numbers, in the order in which they were first seen."""

    numbers: dict[bytes, int] = field(default_factory=dict)
    """Of images, by the digests of their pixels."""
    groups: list[bytes] = field(default_factory=list)
    """Digest of each image's group."""
    pairs: dict[_Pair, None] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)
    """How many each source had."""
    joined: dict[bytes, bytes] = field(default_factory=dict)
    """Groups that have an image in common are one: each leads to one with a smaller digest."""

    def take(self, pixels: bytes, row: _Row, drawn: BinaryIO) -> None:
        """Take in a row; pixels that are new go to the end of the file."""
        digest = hashlib.blake2b(pixels, digest_size=16).digest()
        group = digest if row.group is None else hashlib.blake2b(row.group.encode(), digest_size=16).digest()
        number = self.numbers.setdefault(digest, len(self.numbers))
        if number == len(self.groups):
            drawn.write(pixels)
            self.groups.append(group)
        else:
            self._join(self.groups[number], group)
        self.pairs.setdefault(_Pair(number, row.caption))

    def _join(self, one: bytes, other: bytes) -> None:
        small, large = sorted((self._root(one), self._root(other)))
        if small != large:
            self.joined[large] = small

    def _root(self, group: bytes) -> bytes:
        while group in self.joined:
            group = self.joined[group]
        return group

    def held_out(self, share: float) -> list[bool]:
        """Whether each image is held out: a group is by its digest alone, and the group of the least digest is."""
        roots = [self._root(group) for group in self.groups]
        least = min(roots, default=b"")
        return [root == least or int.from_bytes(root[:8], "big") < share * 2**64 for root in roots]


@dataclass(frozen=True, slots=True)
class PairChoices:
    """How pairs are built.

    ``side``: pixels of each side. ``column``: name of the captions in rows. ``vocab_size``: of the tokenizer, which is
    trained on the captions. ``held_out``: share of the groups. ``licence``: of the images. ``group``: name of the texts
    in rows that say what is held out together; none: each image by itself.
    """

    side: int
    column: str = "text"
    vocab_size: int = 8192
    held_out: float = 0.02
    licence: str = ""
    group: str | None = None


def build_pairs(out: Path, sources: Sequence[Path], choices: PairChoices, progress: Progress) -> DataIndex:
    """Write a folder of pairs; it appears whole or not at all.

    Args:
        out: the folder.
        sources: JSON Lines; each row has ``image``, a path from the file's folder, and a caption.
        choices: how it is built.
        progress: told how far it is.

    Raises:
        SourceError: a file, row or image cannot be read, or there are too few to hold any out.
        UsageError: ``out`` is there already, or ``held_out`` is no share.
    """
    if out.exists():
        raise UsageError(f"{out} is there already", next_step="give another folder, or move it away")
    if not 0 < choices.held_out < 1:
        raise UsageError(f"held out is {choices.held_out}, not a share between 0 and 1", next_step="give e.g. 0.02")
    with new_folder(out) as fresh:
        with (fresh / DRAWN_FILE).open("wb") as drawn_file:
            found = _collect(sources, choices, drawn_file, progress)
        is_held = found.held_out(choices.held_out)
        if all(is_held) or not any(is_held):
            raise SourceError(
                f"there are {len(is_held)} different images in {len(set(found.groups))} groups, too few to train on "
                f"some and hold others out",
                next_step="give more images, or another --held-out or --group",
            )
        index = _write(fresh, found, is_held, choices.side, choices.vocab_size).model_copy(
            update={
                "sources": tuple(
                    SourceFile(path=str(path), bytes=path.stat().st_size, documents=count)
                    for path, count in zip(sources, found.rows, strict=True)
                ),
                "exact_duplicates": sum(found.rows) - len(found.pairs),
                "licence": choices.licence,
            }
        )
        write_record(fresh / "index.json", index)
        check_data(fresh)
    progress("done", 1.0)
    return index


def _collect(sources: Sequence[Path], choices: PairChoices, drawn_file: BinaryIO, progress: Progress) -> _Collected:
    found = _Collected()
    for path in sources:
        rows = list(_rows(path, choices.column, choices.group))
        for place, row in enumerate(rows):
            found.take(drawn(row.image, choices.side).tobytes(), row, drawn_file)
            progress("drawing the images", (place + 1) / len(rows))
        found.rows.append(len(rows))
    return found


def _write(folder: Path, found: _Collected, is_held: Sequence[bool], side: int, vocab_size: int) -> DataIndex:
    """Write all files but the index: what is trained on, then what is held out."""
    pairs = sorted(found.pairs, key=lambda pair: is_held[pair.image])
    order = sorted(range(len(is_held)), key=is_held.__getitem__)
    held_pairs = sum(is_held[pair.image] for pair in pairs)
    trained = len(pairs) - held_pairs
    tokenizer = train_tokenizer((pair.caption for pair in pairs[:trained]), vocab_size, special=(SEPARATOR, IMAGE))
    tokenizer.save(str(folder / TOKENIZER_FILE))
    known, separator = tokenizer.get_vocab_size(), tokenizer.token_to_id(SEPARATOR)
    # A caption that has a special token's name in it does not hold that token.
    tokenizer.encode_special_tokens = True
    captions = [[separator, *tokenizer.encode(pair.caption).ids] for pair in pairs]
    begins = np.cumsum([0, *map(len, captions)])
    np.concatenate([np.array(each, dtype=f"<u{bytes_of_token(known)}") for each in captions]).tofile(
        folder / tokens_file(known)
    )
    places = {number: place for place, number in enumerate(order)}
    images = [places[pair.image] for pair in pairs]
    np.concatenate([begins, images]).astype("<i8").tofile(folder / PAIRS_FILE)
    _reorder(folder, order, side)
    told = ImageIndex(
        count=len(order),
        held_out=sum(is_held),
        pairs=len(pairs),
        side=side,
        longest_caption=max(map(len, captions)) - 1,
        sha256=digest_of_images(folder),
    )
    shards = shards_of(folder / tokens_file(known))
    return DataIndex(
        documents=len(pairs),
        training_tokens=int(begins[trained]),
        held_out_tokens=int(begins[-1] - begins[trained]),
        text_bytes=sum(len(pair.caption.encode()) for pair in pairs),
        sha256=identity_of(folder, shards, told),
        vocabulary=known,
        held_out_documents=held_pairs,
        shards=shards,
        images=told,
    )


def _reorder(folder: Path, order: Sequence[int], side: int) -> None:
    """Write the images in this order, one by one, and drop the file in which they lie as they were drawn."""
    seen = np.memmap(folder / DRAWN_FILE, dtype=np.uint8, mode="r", shape=(len(order), 3 * side**2))
    with (folder / IMAGES_FILE).open("wb") as file:
        for number in order:
            file.write(seen[number].tobytes())
    (folder / DRAWN_FILE).unlink()


def drawn(path: Path, side: int) -> NDArray[np.uint8]:
    """An image, upright, on white in a square of so many pixels, shape (side, side, 3).

    Raises:
        SourceError: it cannot be read as an image.
    """
    try:
        with Image.open(path) as opened:
            return np.asarray(on_white(opened, side))
    except UNREADABLE as error:
        raise SourceError(f"{path} is no image that can be read: {error}", next_step="leave its row out") from error


def _rows(path: Path, column: str, group: str | None) -> Iterator[_Row]:
    try:
        # Not at the other ends of line that Unicode knows, which JSON has in texts.
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"cannot read {path}: {error}", next_step="give JSON Lines of images and captions") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise SourceError(f"{path} line {number} is not JSON: {error}", next_step=f"mend {path}") from error
        named = row if isinstance(row, dict) else {}
        image, caption = named.get("image"), named.get(column)
        if not isinstance(image, str) or not isinstance(caption, str):
            raise SourceError(
                f"{path} line {number} has no texts 'image' and {column!r}",
                next_step="name the caption with --column, or mend the line",
            )
        together = None if group is None else named.get(group)
        if group is not None and not isinstance(together, str):
            raise SourceError(
                f"{path} line {number} has no text {group!r}",
                next_step="name with --group what is held out together, or mend the line",
            )
        yield _Row(path.parent / image, caption, together)
