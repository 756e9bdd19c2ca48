"""A trained ranker on disk: tensors in one file, items in another, everything that explains it in ``meta.json``.

``meta.json`` names the other files by the hashes of their content and is renamed into place last, so a reader sees
one whole artifact, the old or the new. The one that `tenfold up` trains is in ``cache/rank/movielens-100k-5``.
Nothing here imports torch.
"""

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import Field

from tenfold.core.errors import AssetError, Damaged
from tenfold.core.frozen import Frozen
from tenfold.core.paths import replace_file
from tenfold.core.sound import read_bytes, read_record, write_record
from tenfold.rank.dataset import RECIPE
from tenfold.rank.recipe import DATA, Recipe, Shape

NAME = "movielens-100k"
FOLDER = f"{NAME}-5"
"""With the format's number, so that two versions of Tenfold may share a cache and neither trains over the other."""
_SUFFIX = {"model": "safetensors", "items": "json"}


class DataRecord(Frozen):
    """What it learned from."""

    name: str = Field(description="of the data set or the folder")
    sha256: str = Field("", description="of what was downloaded, where it was")
    people: int
    items: int
    events: int


class MetricsRow(Frozen):
    """One system on one slice of the queries after the cut."""

    system: Literal["model", "popularity", "item-kNN", "EASE"]
    users_kind: str = Field(description='"all", "returning" (with events before the cut), "new", or a surface')
    recall_at_10: float
    ndcg_at_10: float
    ndcg_low: float = Field(description="95% bootstrap over users")
    ndcg_high: float
    queries: int
    users: int


class Evaluation(Frozen):
    """How good it is, measured on events that lie after all it was trained on."""

    protocol: str
    cut_at: float = Field(description="Unix seconds; training events lie strictly before")
    latest_train_at: float = Field(description="Unix seconds of the last training event")
    train_events: int
    test_events: int
    table: tuple[MetricsRow, ...]

    def row(self, system: str, users_kind: str = "all") -> MetricsRow:
        """The row of ``system`` on ``users_kind``."""
        return next(row for row in self.table if (row.system, row.users_kind) == (system, users_kind))


class Epoch(Frozen):
    """One pass over the training events."""

    loss: float = Field(description="nats per target, mean over the epoch")
    validation: float | None = Field(description="NDCG@10 on validation events; none: not asked")


class Meta(Frozen):
    """All that explains an artifact."""

    format: Literal[5]
    model: str = Field(description="name that the HTTP contract answers with")
    recipe: Recipe
    shape: Shape
    surfaces: tuple[str, ...]
    actions: tuple[str, ...]
    attributes: tuple[str, ...] = Field(description="words that items share, in the order of the network's")
    timed: bool = Field(description="its events had times")
    seen_again: bool = Field(description="people come back to items, so that lists may hold what was seen")
    latest_event_at: float = Field(description="Unix seconds of the last event that it learned from")
    seed: int
    threads: int
    data: DataRecord
    evaluation: Evaluation | None
    epochs: tuple[Epoch, ...]
    best_epoch: int = Field(description="whose tensors these are, from 1")
    served_from: str = Field(description="which events the served tensors have seen")
    parameters: int
    tensor_file: str = Field("", description="named when it is written, as are its size, its hash and the items'")
    tensor_bytes: int = 0
    tensor_sha256: str = ""
    items_file: str = ""
    items_sha256: str = ""
    train_wall_s: float
    train_cpu_s: float
    trained_at: float = Field(description="Unix seconds")
    versions: dict[str, str]


def artifact_folder(cache: Path) -> Path:
    """Folder of the ranker in ``cache``, whether trained or not."""
    return cache / "rank" / FOLDER


def file_name(kind: str, content: bytes) -> tuple[str, str]:
    """Name of the file that holds ``content``, and the sha256 that the name has the beginning of."""
    sha256 = hashlib.sha256(content).hexdigest()
    return f"{kind}-{sha256[:16]}.{_SUFFIX[kind]}", sha256


def write_artifact(folder: Path, tensors: bytes, items: bytes, meta: Meta) -> Path:
    """Put a trained ranker in place of the old one of ``folder``, which is returned."""
    replace_file(folder / meta.tensor_file, tensors)
    replace_file(folder / meta.items_file, items)
    write_record(folder / "meta.json", meta)
    for kind, suffix in _SUFFIX.items():
        for old in folder.glob(f"{kind}-*.{suffix}"):
            if old.name not in {meta.tensor_file, meta.items_file}:
                old.unlink(missing_ok=True)
    return folder


def describe_at(folder: Path) -> Meta:
    """Read what explains the ranker of ``folder``, without its tensors.

    Raises:
        AssetError: it has not been trained.
        Damaged: ``meta.json`` is not what was written.
        OfAnotherVersion: ``meta.json`` is not one of this version.
    """
    path = folder / "meta.json"
    try:
        return read_record(path, Meta)
    except FileNotFoundError as error:
        raise AssetError(
            f"the ranker has not been trained: {path} is missing", next_step=f"train it: {_how_to_train(folder)}"
        ) from error
    except Damaged as error:
        raise type(error)(path, f"it cannot be used: {error.cause}", **_explained(path)) from error


def read_at(folder: Path, file: str, sha256: str) -> bytes:
    """Bytes of a file that ``meta.json`` names.

    Raises:
        Damaged: the file is missing, or its content is not what was written.
    """
    path = folder / file
    try:
        content = read_bytes(path)
    except FileNotFoundError as error:
        raise Damaged(path, f"it cannot be read: {error.strerror}", **_explained(path)) from error
    got = hashlib.sha256(content).hexdigest()
    if got != sha256:
        raise Damaged(path, f"it is corrupt: sha256 is {got}, expected {sha256}", **_explained(path))
    return content


def describe(cache: Path) -> Meta:
    """Read what explains the ranker that `tenfold up` trains; as ``describe_at``."""
    return describe_at(artifact_folder(cache))


def read_tensors(cache: Path, meta: Meta) -> bytes:
    """Bytes of that ranker's tensors, whose items were found sound too; as ``read_at``."""
    folder = artifact_folder(cache)
    read_at(folder, meta.items_file, meta.items_sha256)
    return read_at(folder, meta.tensor_file, meta.tensor_sha256)


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
    return (meta.recipe, meta.seed, meta.data.sha256) != (recipe or RECIPE, seed, DATA.sha256)


def _how_to_train(folder: Path) -> str:
    return "run `tenfold up`, which takes under a minute" if folder.name == FOLDER else "tenfold rank fit DIR"


def _explained(path: Path) -> dict[str, str]:
    return {"what": "the ranker's", "next_step": f"delete {path.parent} and train again: {_how_to_train(path.parent)}"}
