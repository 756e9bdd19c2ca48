"""The live state of a run, in memory that outlives its process: at most one step is lost when that is killed.

One mapped file in ``/dev/shm`` (or in the run's folder where that is missing or full) holds the state twice. A step
copies the front into the back, updates the back, and then flips one aligned 8-byte word, so that a kill at any point
leaves a whole state in front. Each half has a record of its progress and the sum of its vectors' words; a process that
opens the file takes the half that is sound and further, whatever the word says. The file is made under another name at
full size and renamed, and is not replaced while it is mapped. It counts only within one boot of the machine, in which
memory of a killed process stays coherent; ``checkpoint`` covers the rest. What a run left there, and nobody goes on
with, is put away by the next run that begins (``sweep``), for shared memory is memory. Where a home is not mounted, a
run at the same path has a file of its own, so that neither takes the other's.

Letter: P parameters of the model.
"""

import hashlib
import json
import logging
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tenfold.core.errors import AssetError, Damaged
from tenfold.core.frozen import Frozen
from tenfold.core.sound import parse_record, sealed
from tenfold.llama.checkpoint import RunMeta, StateVectors
from tenfold.llama.gradients import BOOT_ID, Memory
from tenfold.llama.progress import Record, TrainProgress
from tenfold.pool.alive import has_ended, place_here

PAGE_BYTES = 4096
OWNER_AT = 2048
"""Where in the first page the record of the owner begins."""
META_BYTES = 16 * PAGE_BYTES
LENGTH_BYTES = 8
SHARED_MEMORY = Path("/dev/shm")
MOUNTS = Path("/proc/self/mountinfo")

log = logging.getLogger(__name__)


class _Header(Frozen):
    """Who the file belongs to; JSON in its first page behind the word that says which half is in front."""

    run: str
    identity: str
    boot: str
    size: int


class _Owner(Frozen):
    """Who works on the file, or did last; JSON in the second half of its first page."""

    folder: Path = Field(description="of the run")
    mount: str = Field(description="mount_of that folder")
    place: str = Field(description="pool.alive.place_here of the process")


class _HalfRecord(Record):
    """What one half holds."""

    progress: TrainProgress
    at: float = Field(0.0, description="Unix seconds when it was brought to the front")
    words: int = Field(description="sum of the vectors' 32-bit words")


@dataclass(frozen=True, slots=True)
class _Half:
    meta: NDArray[np.uint8]
    floats: NDArray[np.float32]
    vectors: StateVectors

    def words(self) -> int:
        """Sum of all words, which any one damaged byte changes (measured: 10 ms for the default model)."""
        return int(self.floats.view(np.uint32).sum(dtype=np.uint64))

    def progress(self, path: Path) -> TrainProgress:
        """What it holds.

        Raises:
            Damaged: it is not what was written, or is being written.
        """
        try:
            record = parse_record(_read_record(self.meta), _HalfRecord, path)
        except Damaged as error:
            raise _damaged(path, error.cause) from error
        except ValueError as error:
            raise _damaged(path, str(error)) from error
        if record.words != self.words():
            raise _damaged(path, f"the vectors of step {record.progress.step} do not match their sum")
        return record.progress


class LiveState:
    """A run's state, twice, in a mapped file; made by ``create`` or ``reopen``."""

    def __init__(self, path: Path, size: int) -> None:
        self.path, self._size = path, size
        self._bytes = np.memmap(path, dtype=np.uint8, mode="r+", shape=(_file_bytes(size),))
        self._inode = path.stat().st_ino
        self._front = self._bytes[:8].view(np.uint64)
        half_bytes = META_BYTES + 3 * 4 * size
        self._halves = tuple(self._half(PAGE_BYTES + index * half_bytes, size) for index in range(2))
        self.progress = TrainProgress()

    def _half(self, start: int, size: int) -> _Half:
        floats = self._bytes[start + META_BYTES : start + META_BYTES + 12 * size].view(np.float32)
        vectors = StateVectors(floats[:size], floats[size : 2 * size], floats[2 * size :])
        return _Half(self._bytes[start : start + META_BYTES], floats, vectors)

    @property
    def front(self) -> StateVectors:
        """The state after the last finished step; left alone until the flip after next."""
        return self._halves[int(self._front[0])].vectors

    @property
    def back(self) -> StateVectors:
        """Where the next state is made."""
        return self._halves[1 - int(self._front[0])].vectors

    def front_memory(self) -> Memory:
        """Where other processes find the parameters in front."""
        half_bytes = META_BYTES + 3 * 4 * self._size
        start = PAGE_BYTES + int(self._front[0]) * half_bytes + META_BYTES
        return Memory(path=str(self.path), start=start, inode=self._inode)

    def flip(self, progress: TrainProgress) -> None:
        """Bring the back to the front, with the progress that it stands for."""
        back = 1 - int(self._front[0])
        record = _HalfRecord(progress=progress, at=time.time(), words=self._halves[back].words())
        _write_record(self._halves[back].meta, json.dumps(sealed(record)).encode())
        self._front[0] = back
        self.progress = progress

    def _take(self, folder: Path) -> None:
        """Say that this process works on it now."""
        owner = _Owner(folder=folder.resolve(), mount=mount_of(folder), place=place_here())
        _write_record(self._bytes[OWNER_AT:PAGE_BYTES], json.dumps(sealed(owner)).encode())

    def remove(self) -> None:
        """Delete the file, once a checkpoint holds as much."""
        self.path.unlink(missing_ok=True)

    @classmethod
    def create(cls, folder: Path, run: RunMeta, progress: TrainProgress, state: StateVectors) -> "LiveState":
        """Make the file with a state in front, in shared memory if it fits there, else in ``folder``."""
        size = len(state.parameters_P)
        path = _reserve(live_paths(folder), _file_bytes(size))
        fresh = cls(path.with_name(f".{path.name}.new"), size)
        header = _Header(run=run.run, identity=run.identity, boot=_boot_id(), size=size)
        _write_record(fresh._bytes[8:OWNER_AT], json.dumps(sealed(header)).encode())
        fresh._take(folder)
        fresh.back.copy_from(state)
        fresh.flip(progress)
        fresh.path.rename(path)
        fresh.path = path
        for stale in live_paths(folder):
            if stale != path:
                stale.unlink(missing_ok=True)
        return fresh

    @classmethod
    def reopen(cls, folder: Path, run: RunMeta, size: int) -> "LiveState | None":
        """Open what a killed process left; none if there is nothing of this run and boot.

        Raises:
            Damaged: neither half is sound.
        """
        path = next((path for path in live_paths(folder) if _is_own(path)), None)
        if path is None:
            return None
        header = _read_header(path)
        if header != _Header(run=run.run, identity=run.identity, boot=_boot_id(), size=size):
            log.info("live state %s is of another run or boot; not used", path)
            return None
        if path.stat().st_size != _file_bytes(size):
            raise _damaged(path, f"it has {path.stat().st_size} bytes, not {_file_bytes(size)}")
        live = cls(path, size)
        live._choose()
        live._take(folder)
        return live

    def _choose(self) -> None:
        """Bring the half to the front that is sound and further."""
        sound: dict[int, TrainProgress] = {}
        faults: list[Damaged] = []
        for index, half in enumerate(self._halves):
            try:
                sound[index] = half.progress(self.path)
            except Damaged as error:
                faults.append(error)
        if not sound:
            raise faults[0]
        front = max(sound, key=lambda index: sound[index].step)
        if int(self._front[0]) != front:
            log.warning("the front of %s was not whole; training goes on at step %d", self.path, sound[front].step)
        self._front[0] = front
        self.progress = sound[front]


def live_run(folder: Path, identity: str) -> str | None:
    """Name of the run whose live state there is, if it has this identity."""
    for path in live_paths(folder):
        if _is_own(path):
            try:
                header = _read_header(path)
            except Damaged:
                continue
            if header.identity == identity:
                return header.run
    return None


def peek(folder: Path) -> TrainProgress | None:
    """How far the run is that another process works on: reads the front's record, verifies no vector, changes nothing.

    None if there is no live state, or its record is just being written.
    """
    path = next((path for path in live_paths(folder) if _is_own(path)), None)
    record = None if path is None else _peek(path)
    return None if record is None else record.progress


def _peek(path: Path) -> _HalfRecord | None:
    try:
        with path.open("rb") as file:
            front = int.from_bytes(file.read(8), "little")
            file.seek(PAGE_BYTES + front * ((path.stat().st_size - PAGE_BYTES) // 2))
            place = np.frombuffer(file.read(META_BYTES), dtype=np.uint8)
        return parse_record(_read_record(place), _HalfRecord, path)
    except (FileNotFoundError, ValueError, Damaged) as error:
        log.debug("live state %s has no whole record now: %s", path, error)
        return None


@dataclass(frozen=True, slots=True)
class Left:
    """A live state in shared memory whose process has ended.

    ``mount``: ``mount_of`` the run's folder then. ``at``: Unix seconds of its last step.
    """

    path: Path
    folder: Path
    mount: str
    run: str
    at: float

    @property
    def is_away(self) -> bool:
        """Whether the file system of its run is not mounted now, so that nobody can tell whether the run is there."""
        return mount_of(self.folder) != self.mount


def left_behind() -> Iterator[Left]:
    """Live states of this user in shared memory whose process is known to have ended, whatever run they are of."""
    for path in sorted(SHARED_MEMORY.glob(f"tenfold-{os.getuid()}-*.live")):
        try:
            owner, record = _owner_of(path), _peek(path)
            if owner is not None and record is not None and has_ended(owner.place):
                yield Left(path, owner.folder, owner.mount, _read_header(path).run, record.at)
        except (FileNotFoundError, Damaged) as error:
            log.debug("nothing is known of the live state %s: %s", path, error)


def half_made(before: float) -> Iterator[Path]:
    """Files in shared memory that a process of this user was killed over while it made a live state.

    Args:
        before: Unix seconds: one whose maker is not known counts if it was written to last before then.
    """
    for path in sorted(SHARED_MEMORY.glob(f".tenfold-{os.getuid()}-*.live.new")):
        try:
            owner = _owner_of(path)
            if has_ended(owner.place) if owner is not None else _is_own(path) and path.stat().st_mtime < before:
                yield path
        except (FileNotFoundError, Damaged) as error:
            log.debug("nothing is known of the live state %s: %s", path, error)


def _owner_of(path: Path) -> _Owner | None:
    """Who works on a file; none where nobody wrote it down, as before there was an owner."""
    if not _is_own(path):
        return None
    with path.open("rb") as file:
        page = np.frombuffer(file.read(PAGE_BYTES), dtype=np.uint8)
    try:
        return parse_record(_read_record(page[OWNER_AT:]), _Owner, path)
    except ValueError:
        return None


def mount_of(folder: Path) -> str:
    """Identify the file system on which a folder lies; where it is gone, the one on which it would be made anew.

    By its source and where it is mounted, which are the same when it is mounted again. With NFS and btrfs the number of
    the device may not be; that tells it where the system says no more, as gVisor does.
    """
    folder = folder.resolve()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    descriptor = os.open(there, os.O_PATH)
    try:
        number = Path(f"/proc/self/fdinfo/{descriptor}").read_text().partition("mnt_id:")[2].partition("\n")[0].strip()
    finally:
        os.close(descriptor)
    identity = f"device {there.stat().st_dev}"
    for line in MOUNTS.read_text(errors="backslashreplace").splitlines():
        mount, options = (part.split(" ") for part in line.split(" - ", 1))
        if mount[0] == number:
            identity = " ".join((*mount[3:5], *options[:2]))
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def live_paths(folder: Path) -> tuple[Path, Path]:
    """Where the live state of a run folder may lie: shared memory, else the folder."""
    name = hashlib.sha256(f"{mount_of(folder)} {folder.resolve()}".encode()).hexdigest()[:16]
    return SHARED_MEMORY / f"tenfold-{os.getuid()}-{name}.live", folder / "live.state"


def _reserve(paths: tuple[Path, Path], size_bytes: int) -> Path:
    """Make an empty file of full size for the first path that has room, under its ``.new`` name.

    Room is taken at once: writing to a mapped page that a full tmpfs cannot back would end the process with SIGBUS.
    """
    for path in paths:
        fresh = path.with_name(f".{path.name}.new")
        if os.path.lexists(path) and not _is_own(path):
            continue
        try:
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            log.warning("no live state in %s: %s", path.parent, error)
            continue
        try:
            os.posix_fallocate(descriptor, 0, size_bytes)
            return path
        except OSError as error:
            log.warning("no room for %d bytes of live state in %s: %s", size_bytes, path.parent, error)
            fresh.unlink()
        finally:
            os.close(descriptor)
    raise AssetError(
        f"neither {paths[0].parent} nor {paths[1].parent} has {size_bytes >> 20} MB for the training state",
        next_step=f"free {size_bytes >> 20} MB in {paths[1].parent}",
    )


def _is_own(path: Path) -> bool:
    """Whether there is a file of this user; in shared memory anybody can take a name."""
    try:
        about = path.lstat()
    except FileNotFoundError:
        return False
    if about.st_uid != os.getuid() or not stat.S_ISREG(about.st_mode):
        log.warning("%s is not a file of this user; not used", path)
        return False
    return True


def _read_header(path: Path) -> _Header:
    with path.open("rb") as file:
        first_page = np.frombuffer(file.read(PAGE_BYTES), dtype=np.uint8)
    try:
        return parse_record(_read_record(first_page[8:OWNER_AT]), _Header, path)
    except Damaged as error:
        raise _damaged(path, error.cause) from error
    except ValueError as error:
        raise _damaged(path, str(error)) from error


def _write_record(place: NDArray[np.uint8], data: bytes) -> None:
    end = LENGTH_BYTES + len(data)
    assert end <= len(place), f"{len(data)} bytes do not fit in a record of {len(place)}"
    place[:end] = np.frombuffer(len(data).to_bytes(LENGTH_BYTES, "little") + data, dtype=np.uint8)


def _read_record(place: NDArray[np.uint8]) -> bytes:
    """The record's bytes; ValueError if there is none."""
    length = int.from_bytes(place[:LENGTH_BYTES].tobytes(), "little")
    if not 0 < length <= len(place) - LENGTH_BYTES:
        raise ValueError(f"a record claims {length} bytes")
    return place[LENGTH_BYTES : LENGTH_BYTES + length].tobytes()


def _file_bytes(size: int) -> int:
    return PAGE_BYTES + 2 * (META_BYTES + 3 * 4 * size)


def _boot_id() -> str:
    return BOOT_ID.read_text().strip()


def _damaged(path: Path, cause: str) -> Damaged:
    return Damaged(
        path,
        cause,
        what="live training state",
        next_step=f"delete {path}; training then continues from the newest checkpoint",
    )
