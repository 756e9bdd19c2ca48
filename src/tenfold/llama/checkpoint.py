"""Durable checkpoints of a run: one safetensors file each, and what a folder of them says. Imports no torch.

``home/train/run.json`` names the run; ``checkpoint-<step>.safetensors`` holds the parameters under their Hugging Face
names, the optimizer's moments, and in its header the ``CheckpointMeta``. A file is written new, synced and renamed, and
read whole (never mapped: a mapped file that is overwritten kills its reader with SIGBUS).

Letter: P parameters of the model.
"""

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError

from tenfold.core.errors import AssetError
from tenfold.core.paths import replace_file
from tenfold.llama.progress import TrainProgress
from tenfold.llama.recipe import Recipe

KEPT = 2
HEADER_LIMIT_BYTES = 1 << 22
META_KEY = "tenfold"
EXP_AVG, EXP_AVG_SQ = "optimizer.exp_avg", "optimizer.exp_avg_sq"


@dataclass(frozen=True, slots=True)
class Span:
    """Where a parameter lies in a flat vector."""

    name: str
    shape: tuple[int, ...]
    start: int


@dataclass(frozen=True, slots=True)
class StateVectors:
    """Everything that training changes, as flat float32 vectors of shape (P,)."""

    parameters_P: NDArray[np.float32]
    exp_avg_P: NDArray[np.float32]
    exp_avg_sq_P: NDArray[np.float32]

    def copy_from(self, other: "StateVectors") -> None:
        """Overwrite these vectors with another's."""
        np.copyto(self.parameters_P, other.parameters_P)
        np.copyto(self.exp_avg_P, other.exp_avg_P)
        np.copyto(self.exp_avg_sq_P, other.exp_avg_sq_P)

    def copy(self) -> "StateVectors":
        """Return new vectors with the same values."""
        return StateVectors(self.parameters_P.copy(), self.exp_avg_P.copy(), self.exp_avg_sq_P.copy())

    def sha256(self) -> str:
        """Digest of all values."""
        digest = hashlib.sha256()
        for vector in (self.parameters_P, self.exp_avg_P, self.exp_avg_sq_P):
            digest.update(vector.data.cast("B"))
        return digest.hexdigest()


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunMeta(_Record):
    """``run.json``: which run this folder holds."""

    run: str = Field(description="random name of the run")
    identity: str = Field(description="Recipe.identity")
    recipe: Recipe


class CheckpointMeta(_Record):
    """What a checkpoint's header says."""

    run: str
    identity: str
    progress: TrainProgress
    sha256: str = Field(description="StateVectors.sha256")


class Checkpoint(_Record):
    """One checkpoint file."""

    path: Path
    bytes: int
    written_at: float = Field(description="Unix seconds")
    progress: TrainProgress


class RunDescription(_Record):
    """What a home folder says of its run."""

    run: RunMeta
    checkpoints: tuple[Checkpoint, ...] = Field(description="newest first")


def describe(home: Path) -> RunDescription | None:
    """Describe the run in ``home`` from its files, without torch and whether or not it is up; none if there is none.

    Raises:
        AssetError: a file is damaged; names it.
    """
    folder = train_folder(home)
    run = read_run(folder)
    if run is None:
        return None
    found = []
    for path in checkpoint_files(folder):
        stat = path.stat()
        progress = read_meta(path).progress
        found.append(Checkpoint(path=path, bytes=stat.st_size, written_at=stat.st_mtime, progress=progress))
    return RunDescription(run=run, checkpoints=tuple(found))


def train_folder(home: Path) -> Path:
    """Folder of a pool's training run."""
    return home / "train"


def read_run(folder: Path) -> RunMeta | None:
    """Read ``run.json``; none if there is none.

    Raises:
        AssetError: it is damaged.
    """
    path = folder / "run.json"
    try:
        return RunMeta.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise AssetError(f"{path} is damaged: {error}", next_step=_start_over(folder)) from error


def open_run(folder: Path, recipe: Recipe, identity: str) -> RunMeta:
    """Return the folder's run, or start one.

    Raises:
        AssetError: the folder holds a run of another recipe or text.
    """
    found = read_run(folder)
    if found is None:
        found = RunMeta(run=uuid.uuid4().hex, identity=identity, recipe=recipe)
        replace_file(folder / "run.json", found.model_dump_json(indent=1).encode())
    if found.identity != identity:
        raise AssetError(
            f"{folder / 'run.json'} is a run of another recipe, seed or text ({_difference(found.recipe, recipe)})",
            next_step=_start_over(folder),
        )
    return found


def _difference(old: Recipe, new: Recipe) -> str:
    before, now = old.model_dump(), new.model_dump()
    changed = [f"{key} was {before[key]!r}, now {now[key]!r}" for key in before if before[key] != now[key]]
    return "; ".join(changed) or "the text changed, e.g. with a new version of Python"


def _start_over(folder: Path) -> str:
    return f"move {folder} away to start a new run"


def checkpoint_files(folder: Path) -> list[Path]:
    """Checkpoints in a folder, newest step first."""
    return sorted(folder.glob("checkpoint-*.safetensors"), reverse=True)


def write_checkpoint(
    folder: Path, run: RunMeta, progress: TrainProgress, spans: Sequence[Span], state: StateVectors
) -> Path:
    """Write a checkpoint beside the older ones, of which the newest ``KEPT`` stay.

    Raises:
        OSError: e.g. the disk is full; the older ones all stay, and nothing half-written does.
    """
    # First, for they take room: what a process left that was killed while it wrote.
    for half_written in folder.glob(".checkpoint-*.new"):
        half_written.unlink()
    tensors = {
        span.name: state.parameters_P[span.start : span.start + int(np.prod(span.shape))].reshape(span.shape)
        for span in spans
    }
    tensors |= {EXP_AVG: state.exp_avg_P, EXP_AVG_SQ: state.exp_avg_sq_P}
    meta = CheckpointMeta(run=run.run, identity=run.identity, progress=progress, sha256=state.sha256())
    path = folder / f"checkpoint-{progress.step:09d}.safetensors"
    replace_file(path, safetensors.numpy.save(tensors, metadata={META_KEY: meta.model_dump_json()}))
    for old in checkpoint_files(folder)[KEPT:]:
        old.unlink()
    return path


def read_meta(path: Path) -> CheckpointMeta:
    """Read a checkpoint's header only.

    Raises:
        AssetError: it is not a checkpoint, or is cut short.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= HEADER_LIMIT_BYTES:
                raise ValueError(f"its header claims {length} bytes")
            header = json.loads(file.read(length))
        expected = 8 + length + max(entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__")
        if path.stat().st_size != expected:
            raise ValueError(f"it has {path.stat().st_size} bytes, not {expected}")
        return CheckpointMeta.model_validate_json(header["__metadata__"][META_KEY])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error


def read_checkpoint(path: Path, run: RunMeta, spans: Sequence[Span]) -> tuple[TrainProgress, StateVectors]:
    """Read a checkpoint of this run whole and check its digest.

    Raises:
        AssetError: it is damaged or belongs to another run.
    """
    meta = read_meta(path)
    if (meta.run, meta.identity) != (run.run, run.identity):
        raise AssetError(f"{path} belongs to run {meta.run}, not {run.run}", next_step=f"move {path} away")
    try:
        tensors = safetensors.numpy.load(path.read_bytes())
        parameters_P = np.concatenate([tensors[span.name].reshape(-1) for span in spans])
        state = StateVectors(parameters_P, tensors[EXP_AVG], tensors[EXP_AVG_SQ])
    except (SafetensorError, KeyError, ValueError) as error:
        raise _damaged(path, error) from error
    if state.sha256() != meta.sha256:
        raise _damaged(path, ValueError("its tensors do not match its sha256"))
    return meta.progress, state


def _damaged(path: Path, cause: Exception) -> AssetError:
    return AssetError(
        f"checkpoint {path} is damaged: {cause}",
        next_step=f"delete {path}; training then continues from the checkpoint before it, or from the start",
    )
