"""The live state of a run, in memory that outlives its process: at most one step is lost when that is killed.

One mapped file in ``/dev/shm`` (or in the run's folder where that is missing or full) holds the state twice. A step
copies the front into the back, updates the back, and then flips one aligned 8-byte word, so that a kill at any point
leaves a whole state in front. The file is made under another name at full size and renamed, and is not replaced while
it is mapped. It counts only within one boot of the machine, in which memory of a killed process stays coherent;
``checkpoint`` covers the rest.

Letter: P parameters of the model.
"""

import hashlib
import logging
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from tenfold.core.errors import AssetError
from tenfold.llama.checkpoint import RunMeta, StateVectors
from tenfold.llama.progress import TrainProgress

PAGE_BYTES = 4096
META_BYTES = 16 * PAGE_BYTES
LENGTH_BYTES = 8
SHARED_MEMORY = Path("/dev/shm")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

log = logging.getLogger(__name__)


class _Header(BaseModel):
    """Who the file belongs to; JSON in its first page behind the word that says which half is in front."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    identity: str
    boot: str
    size: int


@dataclass(frozen=True, slots=True)
class _Half:
    meta: NDArray[np.uint8]
    vectors: StateVectors


class LiveState:
    """A run's state, twice, in a mapped file; made by ``create`` or ``reopen``."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self._bytes = np.memmap(path, dtype=np.uint8, mode="r+", shape=(_file_bytes(size),))
        self._front = self._bytes[:8].view(np.uint64)
        half_bytes = META_BYTES + 3 * 4 * size
        self._halves = tuple(self._half(PAGE_BYTES + index * half_bytes, size) for index in range(2))
        self.progress = TrainProgress()

    def _half(self, start: int, size: int) -> _Half:
        floats = self._bytes[start + META_BYTES : start + META_BYTES + 12 * size].view(np.float32)
        vectors = StateVectors(floats[:size], floats[size : 2 * size], floats[2 * size :])
        return _Half(self._bytes[start : start + META_BYTES], vectors)

    @property
    def front(self) -> StateVectors:
        """The state after the last finished step; left alone until the flip after next."""
        return self._halves[int(self._front[0])].vectors

    @property
    def back(self) -> StateVectors:
        """Where the next state is made."""
        return self._halves[1 - int(self._front[0])].vectors

    def flip(self, progress: TrainProgress) -> None:
        """Bring the back to the front, with the progress that it stands for."""
        back = 1 - int(self._front[0])
        _write_record(self._halves[back].meta, progress.model_dump_json().encode())
        self._front[0] = back
        self.progress = progress

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
        _write_record(fresh._bytes[8:PAGE_BYTES], header.model_dump_json().encode())
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
            AssetError: the file is damaged.
        """
        path = next((path for path in live_paths(folder) if path.exists()), None)
        if path is None:
            return None
        header = _read_header(path)
        if header != _Header(run=run.run, identity=run.identity, boot=_boot_id(), size=size):
            log.info("live state %s is of another run or boot; not used", path)
            return None
        if path.stat().st_size != _file_bytes(size):
            raise _damaged(path, f"it has {path.stat().st_size} bytes, not {_file_bytes(size)}")
        live = cls(path, size)
        try:
            live.progress = TrainProgress.model_validate_json(_read_record(live._halves[int(live._front[0])].meta))
        except (ValidationError, IndexError, ValueError) as error:
            raise _damaged(path, str(error)) from error
        return live


def live_paths(folder: Path) -> tuple[Path, Path]:
    """Where the live state of a run folder may lie: shared memory, else the folder."""
    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    return SHARED_MEMORY / f"tenfold-{os.getuid()}-{name}.live", folder / "live.state"


def _reserve(paths: tuple[Path, Path], size_bytes: int) -> Path:
    """Make an empty file of full size for the first path that has room, under its ``.new`` name.

    Room is taken at once: writing to a mapped page that a full tmpfs cannot back would end the process with SIGBUS.
    """
    for path in paths:
        fresh = path.with_name(f".{path.name}.new")
        fresh.unlink(missing_ok=True)
        try:
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


def _read_header(path: Path) -> _Header:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if about.st_uid != os.getuid() or not stat.S_ISREG(about.st_mode):
            raise _damaged(path, "it belongs to another user")
        first_page = np.frombuffer(file.read(PAGE_BYTES), dtype=np.uint8)
    try:
        return _Header.model_validate_json(_read_record(first_page[8:]))
    except (ValidationError, ValueError) as error:
        raise _damaged(path, str(error)) from error


def _write_record(place: NDArray[np.uint8], data: bytes) -> None:
    end = LENGTH_BYTES + len(data)
    assert end <= len(place), f"{len(data)} bytes do not fit in a record of {len(place)}"
    place[:end] = np.frombuffer(len(data).to_bytes(LENGTH_BYTES, "little") + data, dtype=np.uint8)


def _read_record(place: NDArray[np.uint8]) -> bytes:
    length = int.from_bytes(place[:LENGTH_BYTES].tobytes(), "little")
    if not 0 < length <= len(place) - LENGTH_BYTES:
        raise ValueError(f"a record claims {length} bytes")
    return place[LENGTH_BYTES : LENGTH_BYTES + length].tobytes()


def _file_bytes(size: int) -> int:
    return PAGE_BYTES + 2 * (META_BYTES + 3 * 4 * size)


def _boot_id() -> str:
    return BOOT_ID.read_text().strip()


def _damaged(path: Path, cause: str) -> AssetError:
    return AssetError(
        f"live training state {path} is damaged: {cause}",
        next_step=f"delete {path}; training then continues from the newest checkpoint",
    )
