"""Files that are read back as they were written, or not at all.

One file is *sound* if it holds what was written to it. Three ways to know:

- A **record** (a small JSON file) carries the digest of its own content under the key ``seal``, so that record and
  digest can never come apart. One without a seal was written by an older Tenfold; its schema alone judges it.
- A file that is made once has its sha256 in a record beside it: ``is_sound`` compares. A big one is hashed once: what
  was found is kept in ``.NAME.checked`` with the file's size, times and inode, and believed until one of them differs.
- The ledger and the live training state know by themselves.

A file that is not sound is set aside as ``NAME.damaged-YYYYmmddTHHMMSS`` (UTC), never deleted and never overwritten,
with a note ``NAME.damaged-YYYYmmddTHHMMSS.json`` that says why, and what is used instead. The notes are what
``tenfold status`` and ``healthz`` tell of.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, Field, ValidationError

from tenfold.core.errors import AssetError, Damaged, OfAnotherVersion
from tenfold.core.frozen import Frozen
from tenfold.core.paths import replace_file

SEAL = "seal"
SMALL_BYTES = 16 << 20
"""Up to this size a file is hashed each time: 12 ms at the measured 1.4 GB a CPU-second of one x86 core with SHA-NI."""

Record = TypeVar("Record", bound=BaseModel)

log = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


# ---- records


def sealed(record: BaseModel) -> dict[str, object]:
    """A record as a JSON object with its seal."""
    table = json.loads(record.model_dump_json())
    return {**table, SEAL: _seal(table)}


def write_record(path: Path, record: BaseModel, *, mode: int = 0o644) -> None:
    """Replace ``path`` by a sealed record; whoever reads sees the old file or the new one, whole.

    ``mode``: who may read it.
    """
    replace_file(path, json.dumps(sealed(record), indent=1).encode(), mode=mode)


def read_record(path: Path, schema: type[Record]) -> Record:
    """Read what ``write_record`` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        Damaged: its content is not what was written.
        OfAnotherVersion: it is JSON, but not by this schema.
        AssetError: it cannot be read at all: a folder, or no permission.
    """
    return parse_record(read_bytes(path), schema, path)


def parse_record(data: bytes, schema: type[Record], path: Path) -> Record:
    """Check and read a sealed record that lies in ``path``; raises as ``read_record`` does."""
    try:
        table = json.loads(data)
    except ValueError as error:
        raise Damaged(path, f"it is not JSON: {error}") from error
    if not isinstance(table, dict):
        raise OfAnotherVersion(path, f"it holds no object but {type(table).__name__}")
    seal = table.pop(SEAL, None)
    try:
        record = schema.model_validate_json(json.dumps(table))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise OfAnotherVersion(path, f"{key} {first['msg']}".strip()) from error
    if seal is not None and seal != _seal(table):
        raise Damaged(path, "its content does not match its seal")
    return record


def _seal(table: dict[str, object]) -> str:
    canonical = json.dumps(table, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def read_bytes(path: Path) -> bytes:
    """A file's content.

    Raises:
        FileNotFoundError: there is no such file.
        Damaged: the disk does not give it.
        AssetError: a folder is in its place, or it may not be read.
    """
    with readable(path):
        return path.read_bytes()


@contextmanager
def readable(path: Path) -> Generator[None]:
    """Inside, ``path`` is read; what the system says to that is raised as ``read_bytes`` does."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (PermissionError, IsADirectoryError, NotADirectoryError) as error:
        raise AssetError(
            f"cannot read {path}: {error.strerror}", next_step=f"let this user read {path}, or move it away"
        ) from error
    except OSError as error:
        raise Damaged(path, f"it cannot be read: {error.strerror}") from error


# ---- files with a digest


class _Checked(Frozen):
    """What a file's digest was, and by what a change of the file would show."""

    sha256: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int = Field(description="of the last change, which a program cannot set")
    inode: int


def is_sound(path: Path, sha256: str, *, anew: bool = False) -> bool:
    """Whether a file's content has this digest.

    A file over ``SMALL_BYTES`` that was hashed before and has not changed since is not hashed again, unless ``anew``:
    that also finds what a disk lost by itself.

    Raises:
        AssetError: a folder is in its place, or it may not be read.
    """
    try:
        return digest_of(path, anew=anew) == sha256
    except (FileNotFoundError, Damaged):
        return False


def digest_of(path: Path, *, anew: bool = False) -> str:
    """Give the sha256 of a file; raises as ``read_bytes`` does."""
    note = path.with_name(f".{path.name}.checked")
    with readable(path):
        stat = path.stat()
        known = None if anew or stat.st_size <= SMALL_BYTES else _read_checked(note)
        if known is not None and known == _Checked(sha256=known.sha256, **_times(stat)):
            return known.sha256
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if stat.st_size > SMALL_BYTES:
        _keep_checked(note, _Checked(sha256=sha256, **_times(stat)))
    return sha256


def _times(stat: os.stat_result) -> dict[str, int]:
    return {
        "size_bytes": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "ctime_ns": stat.st_ctime_ns,
        "inode": stat.st_ino,
    }


def _read_checked(note: Path) -> _Checked | None:
    try:
        return read_record(note, _Checked)
    except (FileNotFoundError, AssetError):
        # Without a sound note the file itself is hashed.
        return None


def _keep_checked(note: Path, checked: _Checked) -> None:
    try:
        write_record(note, checked)
    except OSError as error:
        log.warning("cannot keep the digest in %s, it will be found anew each time: %s", note, error)


# ---- what is not sound


class Damage(Frozen):
    """The note beside a file that was set aside."""

    file: str = Field(description="its path before")
    at: float = Field(description="Unix seconds")
    cause: str = Field(description="how it was noticed")
    instead: str = Field(description="what is used in its place")

    @property
    def text(self) -> str:
        """One sentence for people, without the path of the folder."""
        return f"{Path(self.file).name} was damaged ({self.cause}) and is set aside; {self.instead}"


def set_aside(
    path: Path, cause: str, instead: str, *, folder: Path | None = None, clock: Callable[[], datetime] = _now
) -> Path | None:
    """Rename a damaged file or folder out of the way, and leave a note.

    Args:
        path: what is damaged.
        cause: how it was noticed, e.g. ``its sha256 is wrong``.
        instead: what is used in its place, e.g. ``it was fetched again``.
        folder: where it is put; its own folder by default.
        clock: gives the time in UTC.

    Returns:
        Its new path; none if it was not there, e.g. because another process was quicker.
    """
    at = clock()
    aside = _free_name((folder or path.parent) / f"{path.name}.damaged-{at:%Y%m%dT%H%M%S}")
    try:
        if folder is None or path.is_dir():
            path.rename(aside)
        else:
            shutil.move(path, aside)
    except FileNotFoundError:
        return None
    log.warning("%s is damaged: %s; set aside as %s; %s", path, cause, aside.name, instead)
    note = Damage(file=str(path), at=at.timestamp(), cause=cause, instead=instead)
    try:
        write_record(aside.with_name(f"{aside.name}.json"), note)
    except OSError as error:
        log.warning("no note beside %s: %s", aside, error)
    return aside


def _free_name(wanted: Path) -> Path:
    names = [wanted, *(wanted.with_name(f"{wanted.name}-{number}") for number in range(2, 100))]
    return next(name for name in names if not name.exists())


def damages(folders: Iterable[Path], since: float = 0.0) -> list[Damage]:
    """What was set aside below ``folders`` after ``since`` (Unix seconds), the oldest first; by the notes."""
    found = []
    for folder in folders:
        for note in folder.rglob("*.damaged-*.json"):
            try:
                damage = read_record(note, Damage)
            except (FileNotFoundError, AssetError):
                # A note that was removed meanwhile, or is damaged itself: the file beside it is there to be seen.
                continue
            if damage.at >= since:
                found.append(damage)
    return sorted(found, key=lambda damage: damage.at)
