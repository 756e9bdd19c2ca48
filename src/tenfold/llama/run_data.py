"""What a run is trained on, kept in its folder: so that it can be gone on with, compared and told of by its name alone.

Imports no torch.
"""

from pathlib import Path

from pydantic import Field

from tenfold.core.errors import AssetError, Damaged
from tenfold.core.sound import read_record, write_record
from tenfold.llama.data.index import read_index
from tenfold.llama.progress import Record

DATA_FILE = "data.json"


class RunData(Record):
    """The prepared data of a run."""

    folder: Path
    origin: str = Field(description="where its documents come from")
    documents: int
    training_tokens: int
    held_out_tokens: int
    vocabulary: int
    images: int = 0
    licence: str = ""
    sha256: str = Field(description="identity of the data")


def keep_data(folder: Path, data: Path) -> None:
    """Write down in a run's folder what it is trained on; whoever calls holds the run.

    Raises:
        AssetError: the data is damaged.
    """
    index = read_index(data)
    kept = RunData(
        folder=data.resolve(),
        origin=index.origin,
        documents=index.documents,
        training_tokens=index.training_tokens,
        held_out_tokens=index.held_out_tokens,
        vocabulary=index.vocab_size,
        images=index.images.count if index.images is not None else 0,
        licence=index.licence,
        sha256=index.sha256,
    )
    if data_of(folder) != kept:
        write_record(folder / DATA_FILE, kept)


def data_of(folder: Path) -> RunData | None:
    """What the run in a folder is trained on; none where nobody wrote it down, or what is there is damaged."""
    try:
        return read_data(folder)
    except Damaged:
        return None


def read_data(folder: Path) -> RunData | None:
    """What the run in a folder is trained on; none where nobody wrote it down.

    Raises:
        Damaged: what is there is no note of it.
    """
    try:
        return read_record(folder / DATA_FILE, RunData)
    except FileNotFoundError:
        return None


def needed_data(folder: Path, name: str) -> RunData:
    """What the run in a folder is trained on, to go on with it.

    Raises:
        AssetError: nobody wrote it down.
    """
    found = data_of(folder)
    if found is None:
        raise AssetError(
            f"nothing says on which data run {name!r} is trained: {folder / DATA_FILE} is missing or damaged",
            next_step="go on with the run by its file: tenfold train run.toml",
        )
    return found
