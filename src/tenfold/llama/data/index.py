"""A folder of prepared data: what its files hold, and whether they hold it. Imports neither torch nor tokenizers.

``tokens.u16`` (or ``tokens.u32`` for a large vocabulary) is little-endian, each document led by a separator, what is
held out last; ``tokenizer.json`` is byte-level BPE; ``index.json`` is the ``DataIndex``. Pairs of images and captions
have ``images.u8`` and ``pairs.i64`` beside them: where each caption's tokens begin and the last ones end, then the
number of each caption's image.
"""

import hashlib
import platform
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from tenfold.core.errors import Damaged
from tenfold.core.frozen import Frozen
from tenfold.core.sound import digest_of, read_bytes, read_record, readable

FORMAT = 1
INDEX_FILE, TOKENIZER_FILE = "index.json", "tokenizer.json"
IMAGES_FILE, PAIRS_FILE = "images.u8", "pairs.i64"
SHARD_BYTES = 32 << 20
"""Of the tokens, that have a digest of their own: damage is told by its shard."""

WHAT = "training data"


class TextSource(Frozen):
    """Python's standard library as a source, and how it is cut into tokens."""

    folder: Path = Field(default_factory=lambda: Path(sysconfig.get_path("stdlib")))
    vocab_size: int = Field(4096, ge=257)
    tokenizer_sample_every: int = Field(6, ge=1, description="the tokenizer is trained on every so many files")
    files: int | None = Field(None, ge=2, description="only the first so many files; default: all")

    def key(self) -> str:
        """Name of the prepared folder: another Python, source or setting gets another."""
        named = f"{FORMAT} {platform.python_version()} {self.model_dump_json()}"
        return f"python-{platform.python_version()}-{hashlib.sha256(named.encode()).hexdigest()[:12]}"


class SourceFile(Frozen):
    """One file that documents were read from."""

    path: str
    bytes: int
    documents: int


class ImageIndex(Frozen):
    """Images of the pairs, each of one size."""

    count: int
    held_out: int = Field(description="of these, the last")
    pairs: int | None = Field(None, description="captions; none: one for each image, in their order, as it once was")
    side: int = Field(description="pixels of each side")
    longest_caption: int = Field(description="tokens")
    sha256: str = Field(description="of images.u8 and pairs.i64")


class DataIndex(Frozen):
    """``index.json`` of a prepared folder."""

    documents: int
    training_tokens: int = Field(description="tokens before the held-out tail")
    held_out_tokens: int
    text_bytes: int
    sha256: str = Field(description="of tokens and tokenizer, and of images: the identity of the data")
    source: TextSource | None = Field(None, description="Python's standard library; none: sources")
    sources: tuple[SourceFile, ...] = ()
    vocabulary: int | None = Field(None, description="tokens that the tokenizer knows; none: as source says")
    held_out_documents: int | None = None
    exact_duplicates: int = Field(0, description="documents left out because another has the same words")
    near_duplicates: int = Field(0, description="documents left out because another has nearly the same words")
    passed_over: int = Field(0, description="files of the folders that hold neither text nor rows")
    licence: str = Field("", description="of the documents, as told by who built the folder")
    shards: tuple[str, ...] = Field((), description="sha256 of each SHARD_BYTES of the tokens, and last of all")
    images: ImageIndex | None = None

    @property
    def vocab_size(self) -> int:
        """Tokens that a model must know."""
        if self.vocabulary is not None:
            return self.vocabulary
        assert self.source is not None, "an index without a vocabulary has a source"
        return self.source.vocab_size

    @property
    def origin(self) -> str:
        """Where the documents come from: the folder of Python's own text, or the files that they were read from."""
        return str(self.source.folder) if self.source is not None else ", ".join(file.path for file in self.sources)

    @property
    def token_bytes(self) -> int:
        """Bytes of a token on disk."""
        return bytes_of_token(self.vocab_size)

    @property
    def tokens_file(self) -> str:
        """Name of the tokens' file."""
        return tokens_file(self.vocab_size)


def bytes_of_token(vocab_size: int) -> int:
    """Bytes that a token of so many takes on disk."""
    return 2 if vocab_size <= 1 << 16 else 4


def tokens_file(vocab_size: int) -> str:
    """Name of the file of tokens of so many."""
    return f"tokens.u{8 * bytes_of_token(vocab_size)}"


def read_index(folder: Path) -> DataIndex:
    """Read a prepared folder's index and check the size of its files.

    Raises:
        Damaged: a file is missing, is not what was written, or has the wrong size.
        OfAnotherVersion: the index is not one of this version.
    """
    try:
        index = read_record(folder / INDEX_FILE, DataIndex)
    except FileNotFoundError as error:
        # A slip of the path, as a rule: whoever deletes that folder loses what is in it.
        advice = (
            f"name a folder that 'tenfold data build' has written, or write it: tenfold data build {folder} SOURCES"
        )
        raise Damaged(folder / INDEX_FILE, "it is missing", what=WHAT, next_step=advice) from error
    except Damaged as error:
        raise type(error)(error.path, error.cause, what=WHAT, next_step=_mend(folder)) from error
    expected = {index.tokens_file: index.token_bytes * (index.training_tokens + index.held_out_tokens)}
    if index.images is not None:
        expected[IMAGES_FILE] = 3 * index.images.side**2 * index.images.count
        pairs = index.images.pairs
        expected[PAIRS_FILE] = 8 * (index.images.count + 1 if pairs is None else 2 * pairs + 1)
    for name, size_bytes in expected.items():
        try:
            found = (folder / name).stat().st_size
        except FileNotFoundError as error:
            raise _damaged(folder / name, "it is missing", folder) from error
        if found != size_bytes:
            raise _damaged(folder / name, f"{name} has {found} bytes, not {size_bytes}", folder)
    return index


def check_data(folder: Path, *, anew: bool = False) -> DataIndex:
    """Read a prepared folder's index and see that all its files are what was written (1 s for 1.4 GB, once).

    ``anew``: hash also what was hashed before and has not been written to since.

    Raises:
        Damaged: as ``read_index``, or a digest is another; names the shard of the tokens that is damaged.
    """
    index = read_index(folder)
    tokens = folder / index.tokens_file
    if index.shards:
        # The digest over all shards' digests is what is kept of a big file between two starts.
        if digest_of(tokens, anew=anew) != index.shards[-1]:
            for number, sha256 in enumerate(shards_of(tokens)):
                if sha256 != index.shards[number]:
                    first = number * SHARD_BYTES // index.token_bytes
                    raise _damaged(
                        tokens, f"shard {number}, from token {first:,} on, does not match its sha256", folder
                    )
            raise _damaged(tokens, "it does not match its sha256", folder)
        if identity_of(folder, index.shards, index.images) != index.sha256:
            raise _damaged(folder, "tokens and tokenizer do not match their sha256", folder)
    else:
        digest = hashlib.sha256()
        for name in (index.tokens_file, TOKENIZER_FILE):
            digest.update(_read(folder, name))
        if digest.hexdigest() != index.sha256:
            raise _damaged(folder, "tokens and tokenizer do not match their sha256", folder)
    if index.images is not None and digest_of_images(folder, anew=anew) != index.images.sha256:
        raise _damaged(folder / IMAGES_FILE, "images and pairs do not match their sha256", folder)
    return index


def shards_of(tokens: Path) -> tuple[str, ...]:
    """Sha256 of each ``SHARD_BYTES`` of the tokens, and last that of the whole file."""
    whole, parts = hashlib.sha256(), []
    with readable(tokens), tokens.open("rb") as file:
        while part := file.read(SHARD_BYTES):
            whole.update(part)
            parts.append(hashlib.sha256(part).hexdigest())
    return (*parts, whole.hexdigest())


def identity_of(folder: Path, shards: Sequence[str], images: ImageIndex | None) -> str:
    """Sha256 that stands for all of a folder's data."""
    digest = hashlib.sha256("\n".join([*shards, images.sha256 if images else ""]).encode())
    digest.update(_read(folder, TOKENIZER_FILE))
    return digest.hexdigest()


def digest_of_images(folder: Path, *, anew: bool = False) -> str:
    """Sha256 of the digests of ``images.u8`` and ``pairs.i64``; ``anew``: as ``check_data``."""
    digests = (digest_of(folder / name, anew=anew) for name in (IMAGES_FILE, PAIRS_FILE))
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()


def _read(folder: Path, name: str) -> bytes:
    try:
        return read_bytes(folder / name)
    except FileNotFoundError as error:
        raise _damaged(folder / name, "it is missing", folder) from error


def _damaged(path: Path, cause: str, folder: Path) -> Damaged:
    return Damaged(path, cause, what=WHAT, next_step=_mend(folder))


def _mend(folder: Path) -> str:
    return f"delete {folder} and make it again: 'tenfold data build', or 'tenfold up' for Python's own text"
