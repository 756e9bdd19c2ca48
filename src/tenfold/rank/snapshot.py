"""A trained network with its items: from memory to a folder and back.

Shapes: I items.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import orjson
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from tenfold.core.errors import Damaged
from tenfold.rank.artifact import Meta, describe_at, file_name, read_at, write_artifact
from tenfold.rank.network import Features, Network
from tenfold.rank.stream import Item, Items, Rows


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What serving needs: the network, the items that its rows are, and what explains both."""

    meta: Meta
    network: Network
    items: Items

    def surface_I(self) -> Rows:
        """First surface of each item, (I,)."""
        place = {name: index for index, name in enumerate(self.meta.surfaces)}
        return np.array([next((place[name] for name in item.surfaces if name in place), 0) for item in self.items])


def save_snapshot(folder: Path, snapshot: Snapshot) -> Meta:
    """Write a snapshot in place of the one of ``folder``, which is made where it is missing; its files get names."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = save_tensors({name: tensor.contiguous() for name, tensor in snapshot.network.state_dict().items()})
    items = orjson.dumps([asdict(item) for item in snapshot.items])
    tensor_file, tensor_sha256 = file_name("model", tensors)
    items_file, items_sha256 = file_name("items", items)
    files = {
        "tensor_file": tensor_file,
        "tensor_bytes": len(tensors),
        "tensor_sha256": tensor_sha256,
        "items_file": items_file,
        "items_sha256": items_sha256,
    }
    meta = snapshot.meta.model_copy(update=files)
    write_artifact(folder, tensors, items, meta)
    return meta


def load_snapshot(folder: Path) -> Snapshot:
    """Read a snapshot.

    Raises:
        AssetError: there is none.
        Damaged: a file is not what was written.
    """
    meta = describe_at(folder)
    tensors = load_tensors(read_at(folder, meta.tensor_file, meta.tensor_sha256))
    features = Features(tensors["attribute"], tensors["attribute_start_I"], tensors["content_IC"], tensors["known_I"])
    network = Network(meta.recipe, meta.shape, features)
    network.load_state_dict(tensors)
    items = Items(tuple(_item(record) for record in orjson.loads(read_at(folder, meta.items_file, meta.items_sha256))))
    if len(items) != meta.shape.items:
        raise Damaged(
            folder / meta.items_file, f"it has {len(items)} items, not {meta.shape.items}", what="the ranker's"
        )
    return Snapshot(meta, network.eval(), items)


def _item(record: dict[str, object]) -> Item:
    listed = {name: tuple(value) if isinstance(value, list) else value for name, value in record.items()}
    return Item(**listed)  # pyrefly: ignore
