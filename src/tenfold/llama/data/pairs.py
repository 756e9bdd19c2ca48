"""``tenfold data build --images``: a folder of pairs of an image and its caption, from rows that name the image's file.

Each image is drawn on white, into a square of one size. What is there twice is left out by its pixels, and by them it
is held out or not: no image is on both sides. ``images.u8`` holds the pixels, those held out last; ``pairs.i64`` says
where each caption's tokens begin.
"""

import hashlib
import json
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tenfold.core.errors import UsageError
from tenfold.core.paths import new_folder
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


@dataclass(frozen=True, slots=True)
class _Pair:
    image_SSM: NDArray[np.uint8]
    caption: str
    digest: bytes


def build_pairs(
    out: Path,
    sources: Sequence[Path],
    side: int,
    column: str,
    vocab_size: int,
    held_out: float,
    licence: str,
    progress: Progress,
) -> DataIndex:
    """Write a folder of pairs; it appears whole or not at all.

    Args:
        out: the folder.
        sources: JSON Lines; each row has ``image``, a path from the file's folder, and a caption in ``column``.
        side: pixels of each side.
        column: name of the captions.
        vocab_size: tokens of the tokenizer, which is trained on the captions.
        held_out: share of the images that is never trained on.
        licence: of the images.
        progress: told how far it is.

    Raises:
        SourceError: a file, row or image cannot be read, or there are too few to hold any out.
        UsageError: ``out`` is there already.
    """
    if out.exists():
        raise UsageError(f"{out} is there already", next_step="give another folder, or move it away")
    kept: dict[bytes, _Pair] = {}
    counts = []
    for path in sources:
        rows = list(_rows(path, column))
        for place, (image, caption) in enumerate(rows):
            image_SSM = drawn(image, side)
            digest = hashlib.blake2b(image_SSM.tobytes(), digest_size=16).digest()
            kept.setdefault(digest, _Pair(image_SSM, caption, digest))
            progress("drawing the images", (place + 1) / len(rows))
        counts.append(len(rows))
    least = min(kept, default=b"")
    aside = {each for each in kept if each == least or int.from_bytes(each[:8], "big") < held_out * 2**64}
    train = [pair for pair in kept.values() if pair.digest not in aside]
    held = [pair for pair in kept.values() if pair.digest in aside]
    if not train or not held:
        raise SourceError(
            f"there are {len(kept)} different images, too few to train on some and hold others out",
            next_step="give more images, or another --held-out",
        )
    with new_folder(out) as fresh:
        index = _write(fresh, train, held, side, vocab_size).model_copy(
            update={
                "sources": tuple(
                    SourceFile(path=str(path), bytes=path.stat().st_size, documents=count)
                    for path, count in zip(sources, counts, strict=True)
                ),
                "exact_duplicates": sum(counts) - len(kept),
                "licence": licence,
            }
        )
        write_record(fresh / "index.json", index)
        check_data(fresh)
    progress("done", 1.0)
    return index


def _write(folder: Path, train: Sequence[_Pair], held: Sequence[_Pair], side: int, vocab_size: int) -> DataIndex:
    tokenizer = train_tokenizer((pair.caption for pair in train), vocab_size, special=(SEPARATOR, IMAGE))
    tokenizer.save(str(folder / TOKENIZER_FILE))
    known, separator = tokenizer.get_vocab_size(), tokenizer.token_to_id(SEPARATOR)
    pairs = [*train, *held]
    captions = [[separator, *tokenizer.encode(pair.caption).ids] for pair in pairs]
    begins = np.cumsum([0, *map(len, captions)]).astype("<i8")
    np.concatenate([np.array(each, dtype=f"<u{bytes_of_token(known)}") for each in captions]).tofile(
        folder / tokens_file(known)
    )
    begins.tofile(folder / PAIRS_FILE)
    np.stack([pair.image_SSM for pair in pairs]).tofile(folder / IMAGES_FILE)
    images = ImageIndex(
        count=len(pairs),
        held_out=len(held),
        side=side,
        longest_caption=max(map(len, captions)) - 1,
        sha256=digest_of_images(folder),
    )
    shards = shards_of(folder / tokens_file(known))
    return DataIndex(
        documents=len(pairs),
        training_tokens=int(begins[len(train)]),
        held_out_tokens=int(begins[-1] - begins[len(train)]),
        text_bytes=sum(len(pair.caption.encode()) for pair in pairs),
        sha256=identity_of(folder, shards, images),
        vocabulary=known,
        held_out_documents=len(held),
        shards=shards,
        images=images,
    )


def drawn(path: Path, side: int) -> NDArray[np.uint8]:
    """An image, upright, on white in a square of so many pixels, shape (side, side, 3).

    Raises:
        SourceError: it cannot be read as an image.
    """
    try:
        with Image.open(path) as opened:
            # A camera that was held upright says so in EXIF, and leaves the pixels lying.
            image = ImageOps.exif_transpose(opened).convert("RGBA")
    except (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError) as error:
        raise SourceError(f"{path} is no image that can be read: {error}", next_step="leave its row out") from error
    image.thumbnail((side, side))
    square = Image.new("RGBA", (side, side), "white")
    square.alpha_composite(image, ((side - image.width) // 2, (side - image.height) // 2))
    return np.asarray(square.convert("RGB"))


def _rows(path: Path, column: str) -> Iterator[tuple[Path, str]]:
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
        image, caption = (row.get("image"), row.get(column)) if isinstance(row, dict) else (None, None)
        if not isinstance(image, str) or not isinstance(caption, str):
            raise SourceError(
                f"{path} line {number} has no texts 'image' and {column!r}",
                next_step="name the caption with --column, or mend the line",
            )
        yield path.parent / image, caption
