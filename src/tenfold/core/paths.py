"""Where Tenfold keeps its files: a home per pool, a cache per user."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs


def cache_dir() -> Path:
    """Folder of fetched models and data, shared by all pools of this user (``TENFOLD_CACHE`` overrides)."""
    chosen = os.environ.get("TENFOLD_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("tenfold")


def home_dir() -> Path:
    """Folder of one pool: its ledger, checkpoints, logs and run file (``TENFOLD_HOME`` overrides)."""
    chosen = os.environ.get("TENFOLD_HOME")
    return Path(chosen) if chosen else platformdirs.user_state_path("tenfold")


def replace_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write ``data`` to a new file beside ``path``, sync it, and rename it into place.

    A reader sees the old file or the new one, never a part; a crash leaves the old one. ``mode``: who may read it;
    0o600 for what holds a secret, which is so from its first byte on.

    Raises:
        OSError: e.g. the disk is full; the old file stays, and nothing half-written is left to fill it further.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        # One that a crash left may have another mode.
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        # A failed write names no file by itself.
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give a fresh folder beside ``target`` to be filled, and rename it to that when the block ends well.

    So the folder appears whole or not at all: what fails in the block leaves nothing behind.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield fresh
        # mkdtemp's own mode would keep other users' processes out.
        fresh.chmod(0o755)
        fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """See that names given in ``folder`` outlive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
