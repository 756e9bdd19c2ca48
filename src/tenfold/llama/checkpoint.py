"""Durable checkpoints of a run: one safetensors file each. Imports no torch.

``checkpoint-<step>.safetensors`` holds the parameters under their Hugging Face names, the optimizer's moments, and in
its header the ``CheckpointMeta``. A file is written new, synced and renamed, and read whole (never mapped: a mapped
file that is overwritten kills its reader with SIGBUS).

It is sound or refused (``core/sound.py``). A damaged checkpoint is set aside for the one before it; where no other is
left, it stays and training does not begin, since only its owner may give up a run.

Letter: P parameters of the model.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field
from safetensors import SafetensorError

from tenfold.core.errors import AssetError, Damaged
from tenfold.core.paths import replace_file
from tenfold.core.sound import parse_record, read_bytes, readable, sealed, set_aside
from tenfold.llama.progress import Record, TrainProgress
from tenfold.llama.recipe import Recipe, as_saved

KEPT = 2
HEADER_LIMIT_BYTES = 1 << 22
META_KEY = "tenfold"
EXP_AVG, EXP_AVG_SQ = "optimizer.exp_avg", "optimizer.exp_avg_sq"


Kind = Literal["matrix", "embedding", "norm", "balance"]
"""``norm``: vectors, which do not decay. ``balance``: biases of experts, which no gradient moves (``balance.py``)."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where a parameter lies in a flat vector."""

    name: str
    shape: tuple[int, ...]
    start: int
    kind: Kind

    @property
    def part(self) -> slice:
        """Its places in the vector."""
        return slice(self.start, self.start + math.prod(self.shape))


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


class RunMeta(Record):
    """``run.json``: which run this folder holds."""

    run: str = Field(description="random name of the run")
    identity: str = Field(description="Recipe.identity")
    recipe: Annotated[Recipe, BeforeValidator(as_saved)]


class CheckpointMeta(Record):
    """What a checkpoint's header says."""

    run: str
    identity: str
    progress: TrainProgress
    sha256: str = Field(description="StateVectors.sha256")


def checkpoint_files(folder: Path) -> list[Path]:
    """Checkpoints in a folder, newest step first."""
    return sorted(folder.glob("checkpoint-*.safetensors"), reverse=True)


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step lies, or would."""
    return folder / f"checkpoint-{step:09d}.safetensors"


def write_checkpoint(
    folder: Path, run: RunMeta, progress: TrainProgress, spans: Sequence[Span], state: StateVectors
) -> Path:
    """Write a checkpoint beside the older ones, of which the newest ``KEPT`` stay, and those that the recipe keeps.

    Raises:
        OSError: e.g. the disk is full; the older ones all stay, and nothing half-written does.
    """
    # First, for they take room: what a process left that was killed while it wrote.
    for half_written in folder.glob(".checkpoint-*.new"):
        half_written.unlink()
    tensors = {span.name: state.parameters_P[span.part].reshape(span.shape) for span in spans}
    tensors |= {EXP_AVG: state.exp_avg_P, EXP_AVG_SQ: state.exp_avg_sq_P}
    meta = CheckpointMeta(run=run.run, identity=run.identity, progress=progress, sha256=state.sha256())
    path = checkpoint_path(folder, progress.step)
    replace_file(path, safetensors.numpy.save(tensors, metadata={META_KEY: json.dumps(sealed(meta))}))
    kept = {checkpoint_path(folder, step) for step in run.recipe.keep_at}
    for old in checkpoint_files(folder)[KEPT:]:
        if old not in kept:
            old.unlink()
    return path


def read_meta(path: Path) -> CheckpointMeta:
    """Read a checkpoint's header only.

    Raises:
        Damaged: it is not a checkpoint, or is cut short.
        AssetError: it cannot be read at all.
    """
    with readable(path), path.open("rb") as file:
        return _meta_of(path, file.read(8 + HEADER_LIMIT_BYTES), path.stat().st_size)


def read_checkpoint(path: Path, run: RunMeta, spans: Sequence[Span]) -> tuple[TrainProgress, StateVectors]:
    """Read a checkpoint of this run whole and check its digest.

    Raises:
        Damaged: its content is not what was written.
        AssetError: it belongs to another run, or cannot be read at all.
    """
    content = read_bytes(path)
    meta = _meta_of(path, content, len(content))
    if (meta.run, meta.identity) != (run.run, run.identity):
        raise AssetError(f"{path} belongs to run {meta.run}, not {run.run}", next_step=f"move {path} away")
    size = sum(math.prod(span.shape) for span in spans)
    try:
        tensors = safetensors.numpy.load(content)
        parameters_P = np.concatenate([tensors[span.name].reshape(-1) for span in spans])
        state = StateVectors(parameters_P, tensors[EXP_AVG], tensors[EXP_AVG_SQ])
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise _damaged(path, error) from error
    for vector in (state.parameters_P, state.exp_avg_P, state.exp_avg_sq_P):
        if (vector.shape, vector.dtype) != ((size,), np.float32):
            raise _damaged(path, ValueError(f"a vector has shape {vector.shape} and type {vector.dtype}"))
    if state.sha256() != meta.sha256:
        raise _damaged(path, ValueError("its tensors do not match its sha256"))
    return meta.progress, state


def newest_sound(
    folder: Path, run: RunMeta, spans: Sequence[Span], otherwise: str = ""
) -> tuple[TrainProgress, StateVectors] | None:
    """Read the newest checkpoint that is whole, and set aside the damaged ones before it; none if there is none.

    Args:
        folder: the run's folder.
        run: the run that they must be of.
        spans: where each parameter lies.
        otherwise: what training goes on from if none is whole, in words; without it they stay where they are.

    Raises:
        Damaged: there are checkpoints, but none is whole, and there is nothing else to go on from.
        AssetError: one belongs to another run, or cannot be read at all.
    """
    damaged: list[Damaged] = []
    for path in checkpoint_files(folder):
        try:
            found = read_checkpoint(path, run, spans)
        except Damaged as error:
            damaged.append(error)
            continue
        _set_aside(damaged, otherwise or f"training goes on from {path.name}")
        return found
    if damaged and not otherwise:
        raise damaged[0]
    _set_aside(damaged, otherwise)
    return None


def _set_aside(damaged: Sequence[Damaged], instead: str) -> None:
    for error in damaged:
        set_aside(error.path, error.cause, instead)


def _meta_of(path: Path, head: bytes, size_bytes: int) -> CheckpointMeta:
    """What the header says that ``head`` begins with, of a file of this size."""
    try:
        length = int.from_bytes(head[:8], "little")
        if not 0 < length <= HEADER_LIMIT_BYTES:
            raise ValueError(f"its header claims {length} bytes")
        header = json.loads(head[8 : 8 + length])
        expected = 8 + length + max(entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__")
        if size_bytes != expected:
            raise ValueError(f"it has {size_bytes} bytes, not {expected}")
        return parse_record(header["__metadata__"][META_KEY].encode(), CheckpointMeta, path)
    except Damaged as error:
        raise _damaged(path, ValueError(error.cause)) from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, cause: Exception) -> Damaged:
    return Damaged(
        path,
        str(cause),
        what="checkpoint",
        next_step=f"delete {path}; training then continues from the checkpoint before it, or from the start",
    )
