"""The text that is always there: the source of Python's standard library, prepared once for all runs of a user."""

import contextlib
import fcntl
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tenfold.core.errors import AssetError, Damaged
from tenfold.core.paths import new_folder
from tenfold.core.sound import set_aside, write_record
from tenfold.llama.data.index import DataIndex, TextSource, check_data
from tenfold.llama.data.tokenizer import SEPARATOR, train_tokenizer

SKIPPED_FOLDERS = frozenset({"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"})
HELD_OUT_EVERY = 40
ENCODE_FILES = 32

Progress = Callable[[str, float], None]
"""Called with what is being done and the share done, 0 to 1."""


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
            check_data(target)
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
            check_data(target)
            return
        except Damaged as error:
            set_aside(target, error.cause, "it is made again")
    with new_folder(target) as fresh:
        _write(fresh, files, source, progress)


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
    tokenizer = train_tokenizer(map(_read, files[:: source.tokenizer_sample_every]), source.vocab_size)
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
    index = DataIndex(
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
