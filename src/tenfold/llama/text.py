"""Training text: Python's standard library source as tokens on disk, and which tokens belong to which microbatch.

``prepare`` writes one folder, once: ``tokens.u16`` (little-endian uint16, each document led by a separator; the
held-out tail last), ``tokenizer.json`` (byte-level BPE) and ``index.json`` (``TextIndex``).
"""

import contextlib
import fcntl
import hashlib
import platform
import shutil
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer

from tenfold.core.errors import AssetError, Damaged
from tenfold.core.frozen import Frozen
from tenfold.core.sound import read_bytes, read_record, set_aside, write_record
from tenfold.llama.recipe import Recipe

SEPARATOR = "<|endoftext|>"
FORMAT = 1
SKIPPED_FOLDERS = frozenset({"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"})
HELD_OUT_EVERY = 40
ENCODE_FILES = 32
FEISTEL_ROUNDS = 6

Progress = Callable[[str, float], None]
"""Called with what is being done and the share done, 0 to 1."""


class TextSource(Frozen):
    """Where the text comes from and how it is cut into tokens."""

    folder: Path = Field(default_factory=lambda: Path(sysconfig.get_path("stdlib")))
    vocab_size: int = Field(4096, ge=257)
    tokenizer_sample_every: int = Field(6, ge=1, description="the tokenizer is trained on every so many files")
    files: int | None = Field(None, ge=2, description="only the first so many files; default: all")

    def key(self) -> str:
        """Name of the prepared folder: another Python, source or setting gets another."""
        named = f"{FORMAT} {platform.python_version()} {self.model_dump_json()}"
        return f"python-{platform.python_version()}-{hashlib.sha256(named.encode()).hexdigest()[:12]}"


class TextIndex(Frozen):
    """``index.json`` of a prepared folder."""

    source: TextSource
    documents: int
    training_tokens: int = Field(description="tokens before the held-out tail")
    held_out_tokens: int
    text_bytes: int
    sha256: str = Field(description="of tokens.u16 and tokenizer.json: the identity of the text")


def text_folder(cache: Path, source: TextSource | None = None) -> Path:
    """Folder of the prepared text in ``cache``, whether made or not."""
    return cache / "train" / (source or TextSource()).key()


def prepare(cache: Path, progress: Progress, source: TextSource | None = None) -> Path:
    """Make the tokenizer and the tokens unless they are there, and return their folder.

    The work is done in a folder beside it and renamed into place, so that a crash leaves nothing half made. What is
    damaged is set aside and made again, with the same result; processes that find it so at once wait for one.

    Raises:
        AssetError: the source folder holds too little Python text.
    """
    source = source or TextSource()
    target = text_folder(cache, source)
    with contextlib.suppress(Damaged):
        if target.exists():
            check_text(target)
            progress("training text", 1.0)
            return target
    files = _source_files(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    with (cache / f".{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _make(target, files, source, progress)
    progress("training text", 1.0)
    return target


def _make(target: Path, files: Sequence[Path], source: TextSource, progress: Progress) -> None:
    """Make the folder; called by one process at a time."""
    if target.exists():
        try:
            check_text(target)
            return
        except Damaged as error:
            set_aside(target, error.cause, "it is made again")
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        _write(fresh, files, source, progress)
        fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _source_files(source: TextSource) -> list[Path]:
    files = sorted(
        path
        for path in source.folder.rglob("*.py")
        if not SKIPPED_FOLDERS.intersection(path.relative_to(source.folder).parts) and path.stat().st_size > 0
    )[: source.files]
    if len(files) < 2:
        raise AssetError(
            f"{source.folder} holds {len(files)} Python files; training needs Python's standard library source",
            next_step="install the full standard library of this Python (package libpython3.11-stdlib on Debian)",
        )
    return files


def _write(folder: Path, files: Sequence[Path], source: TextSource, progress: Progress) -> None:
    progress("training the tokenizer", 0.0)
    tokenizer = _train_tokenizer(files[:: source.tokenizer_sample_every], source.vocab_size)
    tokenizer.save(str(folder / "tokenizer.json"))
    # Shuffled by name's digest, so that the held-out files are not one package.
    shuffled = sorted(files, key=lambda path: hashlib.sha256(str(path.relative_to(source.folder)).encode()).digest())
    held_out = max(1, len(shuffled) // HELD_OUT_EVERY)
    digest, counts, text_bytes = hashlib.sha256(), [], 0
    separator = np.array([tokenizer.token_to_id(SEPARATOR)], dtype="<u2")
    with (folder / "tokens.u16").open("wb") as out:
        for start in range(0, len(shuffled), ENCODE_FILES):
            texts = [_read(path) for path in shuffled[start : start + ENCODE_FILES]]
            text_bytes += sum(len(text.encode()) for text in texts)
            for encoding in tokenizer.encode_batch_fast(texts):
                data = np.concatenate((separator, np.array(encoding.ids, dtype="<u2"))).tobytes()
                out.write(data)
                digest.update(data)
                counts.append(len(data) // 2)
            progress("encoding the text", (start + len(texts)) / len(shuffled))
    digest.update((folder / "tokenizer.json").read_bytes())
    index = TextIndex(
        source=source,
        documents=len(counts),
        training_tokens=sum(counts[:-held_out]),
        held_out_tokens=sum(counts[-held_out:]),
        text_bytes=text_bytes,
        sha256=digest.hexdigest(),
    )
    write_record(folder / "index.json", index)


def _read(path: Path) -> str:
    return path.read_bytes().decode("utf-8", errors="replace")


def _train_tokenizer(files: Sequence[Path], vocab_size: int) -> Tokenizer:
    """Byte-level BPE: every text has an encoding, and decoding gives it back."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[SEPARATOR],
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(map(_read, files), trainer)
    return tokenizer


def read_index(folder: Path) -> TextIndex:
    """Read a prepared folder's index and check the size of its tokens.

    Raises:
        Damaged: a file is missing, is not what ``prepare`` writes, or has the wrong size.
        OfAnotherVersion: the index is not one of this version.
    """
    mend = f"delete {folder} and run tenfold up again"
    tokens = folder / "tokens.u16"
    try:
        index = read_record(folder / "index.json", TextIndex)
        size = tokens.stat().st_size
    except FileNotFoundError as error:
        raise Damaged(Path(error.filename), "it is missing", what="training text", next_step=mend) from error
    except Damaged as error:
        raise type(error)(error.path, error.cause, what="training text", next_step=mend) from error
    expected = 2 * (index.training_tokens + index.held_out_tokens)
    if size != expected:
        cause = f"{tokens.name} has {size} bytes, not {expected}"
        raise Damaged(tokens, cause, what="training text", next_step=mend)
    return index


def check_text(folder: Path) -> TextIndex:
    """Read a prepared folder's index and see that tokens and tokenizer are what was written (5 ms).

    Raises:
        Damaged: as ``read_index``, or their digest is another.
    """
    index = read_index(folder)
    digest = hashlib.sha256()
    for name in ("tokens.u16", "tokenizer.json"):
        try:
            digest.update(read_bytes(folder / name))
        except FileNotFoundError as error:
            raise Damaged(folder / name, "it is missing", what="training text") from error
    if digest.hexdigest() != index.sha256:
        raise Damaged(folder, "tokens and tokenizer do not match their sha256", what="training text")
    return index


class Sampler:
    """Which tokens each microbatch of each step holds: a function of seed, step and microbatch alone.

    The training tokens are cut into windows of ``sequence_tokens``. Sequence g of the run (g counts over steps, then
    microbatches, then sequences) gets window ``permutation[g mod windows]``, with a new permutation each pass, so that
    a pass sees each window once. The permutation is a Feistel network with cycle walking (Black and Rogaway 2002): no
    table, no state, any worker can make any microbatch.

    Raises:
        AssetError: the text has fewer windows than one step needs.
    """

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.index = read_index(folder)
        self.recipe = recipe
        total = self.index.training_tokens + self.index.held_out_tokens
        self._tokens = np.memmap(folder / "tokens.u16", dtype="<u2", mode="r", shape=(total,))
        self.windows = (self.index.training_tokens - 1) // recipe.sequence_tokens
        if self.windows < recipe.microbatches * recipe.microbatch_sequences:
            raise AssetError(
                f"{folder} holds {self.windows} sequences of {recipe.sequence_tokens} tokens, fewer than one step",
                next_step="use a smaller batch or more text",
            )

    def window_indices(self, step: int, microbatch: int) -> list[int]:
        """Windows of one microbatch, in order."""
        sequences = self.recipe.microbatch_sequences
        first = (step * self.recipe.microbatches + microbatch) * sequences
        return [self._window(sequence) for sequence in range(first, first + sequences)]

    def microbatch_BT(self, step: int, microbatch: int) -> NDArray[np.int64]:
        """Tokens of one microbatch with the token after each, shape (sequences, sequence_tokens + 1)."""
        return np.stack([self._read_window(window) for window in self.window_indices(step, microbatch)])

    def held_out_windows(self, count: int) -> list[int]:
        """So many windows spread evenly over the held-out documents, or all if there are fewer.

        Raises:
            AssetError: there is none.
        """
        windows = (self.index.held_out_tokens - 1) // self.recipe.sequence_tokens
        if windows < 1:
            raise AssetError(
                f"the data holds out {self.index.held_out_tokens} tokens, fewer than one sequence of "
                f"{self.recipe.sequence_tokens}",
                next_step="hold out more documents, or use shorter sequences",
            )
        count = min(count, windows)
        return [index * windows // count for index in range(count)]

    def held_out_BT(self, windows: Sequence[int]) -> NDArray[np.int64]:
        """Tokens of these held-out windows with the token after each, shape (windows, sequence_tokens + 1)."""
        return np.stack([self._read_window(window, self.index.training_tokens) for window in windows])

    def _read_window(self, window: int, base: int = 0) -> NDArray[np.int64]:
        start = base + window * self.recipe.sequence_tokens
        return self._tokens[start : start + self.recipe.sequence_tokens + 1].astype(np.int64)

    def _window(self, sequence: int) -> int:
        epoch, position = divmod(sequence, self.windows)
        return permuted(position, self.windows, key=f"{self.recipe.seed}/{epoch}")


def permuted(position: int, size: int, *, key: str) -> int:
    """Image of ``position`` under a permutation of ``range(size)`` chosen by ``key``."""
    half_bits = max(1, ((size - 1).bit_length() + 1) // 2)
    mask = (1 << half_bits) - 1
    while True:
        left, right = position >> half_bits, position & mask
        for turn in range(FEISTEL_ROUNDS):
            mixed = hashlib.blake2b(f"{key}/{turn}/{right}".encode(), digest_size=8).digest()
            left, right = right, left ^ (int.from_bytes(mixed, "little") & mask)
        position = (left << half_bits) | right
        if position < size:
            return position
