"""What is done to a pool's files: a full disk, and bytes changed in what will be read again."""

import errno
import hashlib
import os
import random
import time
from pathlib import Path

from fault.kinds import Struck, kill_process, not_replaced
from fault.pool import NotHappened, Pool
from tenfold.llama.checkpoint import checkpoint_files
from tenfold.llama.runs import train_folder

FULL_S = 12.0
"""Longer than the 10 s in which the controller writes to the ledger at least once."""

CHECKPOINT_S = 75.0
SQLITE_MAGIC = b"SQLite format 3\0"


def fill_disk(pool: Pool) -> Struck:
    """Fill the home's disk, keep it full for a while, and free it."""
    if not pool.has_small_disk:
        raise NotHappened("no small file system may be mounted here (needs root)")
    filler = pool.home / "filler"
    try:
        end = time.monotonic() + FULL_S
        while time.monotonic() < end:
            if not _fill(filler):
                raise NotHappened("the disk did not fill")
            time.sleep(0.25)
    finally:
        filler.unlink(missing_ok=True)
    return Struck()


def _fill(filler: Path) -> bool:
    """Write until nothing more fits; returns whether the disk said so."""
    with filler.open("ab", buffering=0) as file:
        for block in (1 << 20, 1 << 12, 1):
            try:
                for _ in range(1 << 12):
                    file.write(b"\0" * block)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                continue
            return False
    return os.statvfs(filler).f_bavail == 0


def damage_ledger(pool: Pool) -> Struck:
    """Overwrite the ledger, write-ahead log included, and kill the controller, which reads it again."""
    ledger, controller = pool.home / "ledger.db", pool.pid("controller")
    for path in (ledger, ledger.with_name("ledger.db-wal")):
        if path.exists():
            _garble(path, 0, path.stat().st_size)
    kill_process(controller)

    def unhealed() -> str:
        if missing := not_replaced(pool, "controller", controller):
            return missing
        if ledger.read_bytes()[:16] != SQLITE_MAGIC:
            return f"{ledger} still has the bytes that were put there"
        again = pool.pid("controller")
        is_open = ledger in {link.resolve() for link in Path(f"/proc/{again}/fd").iterdir()}
        return "" if is_open else f"controller {again} has no {ledger} open"

    return Struck(unhealed)


def damage_checkpoint(pool: Pool) -> Struck:
    """Overwrite the newest checkpoint and kill the coordinator, which looks at it before it goes on."""
    folder = train_folder(pool.home)
    end = time.monotonic() + CHECKPOINT_S
    while not checkpoint_files(folder):
        if time.monotonic() > end:
            raise NotHappened(f"no checkpoint within {CHECKPOINT_S:g} s")
        time.sleep(0.5)
    newest, coordinator = checkpoint_files(folder)[0], pool.pid("coordinator")
    _garble(newest, 0, 1 << 20)
    kill_process(coordinator)
    return Struck(lambda: not_replaced(pool, "coordinator", coordinator))


def damage_model(pool: Pool) -> Struck:
    """Replace the chat model by one of other bytes and kill a resident of it, which loads the file again.

    The file is replaced and not written to, since those who have it mapped could not notice.
    """
    folder = pool.cache / "assets" / "smollm2-135m"
    model = max(folder.glob("*.gguf"), key=lambda path: path.stat().st_size)
    whole, resident = _digest(model), pool.pid("serve")
    changed = model.with_name(".changed")
    changed.write_bytes(model.read_bytes())
    _garble(changed, changed.stat().st_size // 2, 16 << 20)
    changed.replace(model)
    kill_process(resident)

    def unhealed() -> str:
        if missing := not_replaced(pool, "serve", resident):
            return missing
        is_good = model.exists() and _digest(model) == whole
        return "" if is_good else f"{model} has not the bytes that it should have: they are served, or nobody read them"

    return Struck(unhealed)


def _garble(path: Path, start: int, length: int) -> None:
    """Overwrite a part of a file with bytes of chance."""
    with path.open("r+b") as file:
        file.seek(start)
        file.write(random.Random(1).randbytes(min(length, path.stat().st_size - start)))
        file.flush()
        os.fsync(file.fileno())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
