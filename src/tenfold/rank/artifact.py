"""The trained ranker on disk: tensors in one safetensors file, everything that explains it in ``meta.json``.

``cache/rank/movielens-100k/meta.json`` names the tensor file by the hash of its content and is renamed into place
last, so a reader sees one whole artifact, the old or the new. Nothing here imports torch.
"""

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import Field

from tenfold.core.errors import AssetError, Damaged
from tenfold.core.frozen import Frozen
from tenfold.core.paths import replace_file
from tenfold.core.sound import read_bytes, read_record, write_record
from tenfold.rank.recipe import DATA, Recipe

NAME = "movielens-100k"
_TRAIN_AGAIN = "delete {folder} and run `tenfold up`, which trains it again in under a minute"


class DataRecord(Frozen):
    """What it learned from."""

    package: str
    version: str
    sha256: str = Field(description="of the package's distribution file")
    users: int
    items: int
    events: int


class MetricsRow(Frozen):
    """One system on one slice of the queries after the cut."""

    system: Literal["model", "popularity", "item-kNN", "EASE"]
    users_kind: Literal["all", "returning", "new"] = Field(description="returning: with events before the cut")
    recall_at_10: float
    ndcg_at_10: float
    ndcg_low: float = Field(description="95% bootstrap over users")
    ndcg_high: float
    queries: int
    users: int


class Evaluation(Frozen):
    """How good it is, measured on events that lie after all it was trained on."""

    protocol: str
    cut_at: int = Field(description="Unix seconds; training events lie strictly before")
    latest_train_at: int = Field(description="Unix seconds of the last training event")
    train_events: int
    test_events: int
    table: tuple[MetricsRow, ...]

    def row(self, system: str, users_kind: str = "all") -> MetricsRow:
        """The row of ``system`` on ``users_kind``."""
        return next(row for row in self.table if (row.system, row.users_kind) == (system, users_kind))


class Meta(Frozen):
    """All that explains an artifact."""

    format: Literal[1]
    model: str = Field(description="name that the HTTP contract answers with")
    recipe: Recipe
    seed: int
    threads: int
    data: DataRecord
    evaluation: Evaluation
    served_from: str = Field(description="which events the served tensors have seen")
    final_loss: float = Field(description="nats per event, last epoch of the served tensors")
    parameters: int
    tensor_file: str
    tensor_bytes: int
    tensor_sha256: str
    train_wall_s: float
    train_cpu_s: float
    trained_at: float = Field(description="Unix seconds")
    versions: dict[str, str]


def artifact_folder(cache: Path) -> Path:
    """Folder of the ranker in ``cache``, whether trained or not."""
    return cache / "rank" / NAME


def tensor_file_name(tensors: bytes) -> tuple[str, str]:
    """Name of the file that holds ``tensors``, and the sha256 that the name begins with."""
    sha256 = hashlib.sha256(tensors).hexdigest()
    return f"model-{sha256[:16]}.safetensors", sha256


def write_artifact(cache: Path, tensors: bytes, meta: Meta) -> Path:
    """Put a trained ranker in place of the old one, and return its folder."""
    folder = artifact_folder(cache)
    replace_file(folder / meta.tensor_file, tensors)
    write_record(folder / "meta.json", meta)
    for old in folder.glob("model-*.safetensors"):
        if old.name != meta.tensor_file:
            old.unlink(missing_ok=True)
    return folder


def describe(cache: Path) -> Meta:
    """Read what explains the trained ranker, without its tensors.

    Raises:
        AssetError: it has not been trained.
        Damaged: ``meta.json`` is not what was written.
        OfAnotherVersion: ``meta.json`` is not one of this version.
    """
    path = artifact_folder(cache) / "meta.json"
    try:
        return read_record(path, Meta)
    except FileNotFoundError as error:
        message = f"the ranker has not been trained: {path} is missing"
        raise AssetError(message, next_step="run `tenfold up`, which trains it in under a minute") from error
    except Damaged as error:
        raise type(error)(path, f"it cannot be used: {error.cause}", **_explained(path)) from error


def read_tensors(cache: Path, meta: Meta) -> bytes:
    """Bytes of the tensor file that ``meta`` names.

    Raises:
        Damaged: the file is missing, or its content is not what was written.
    """
    path = artifact_folder(cache) / meta.tensor_file
    try:
        tensors = read_bytes(path)
    except FileNotFoundError as error:
        raise Damaged(path, f"it cannot be read: {error.strerror}", **_explained(path)) from error
    got = hashlib.sha256(tensors).hexdigest()
    if got != meta.tensor_sha256:
        cause = f"it is corrupt: sha256 is {got}, expected {meta.tensor_sha256}"
        raise Damaged(path, cause, **_explained(path))
    return tensors


def damage_of(cache: Path) -> Damaged | None:
    """What is damaged of a ranker that was trained, if anything is."""
    try:
        read_tensors(cache, describe(cache))
    except Damaged as error:
        return error
    except AssetError:
        return None
    return None


def needs_training(cache: Path, seed: int = 0, recipe: Recipe | None = None) -> bool:
    """Whether ``cache`` lacks an intact ranker that ``train`` would make with these arguments."""
    try:
        meta = describe(cache)
        read_tensors(cache, meta)
    except AssetError:
        return True
    return (meta.recipe, meta.seed, meta.data.sha256) != (recipe or Recipe(), seed, DATA.sha256)


def _explained(path: Path) -> dict[str, str]:
    return {"what": "the ranker's", "next_step": _TRAIN_AGAIN.format(folder=path.parent)}
