"""Training as the pool runs it."""

from pathlib import Path

from pydantic import Field

from tenfold.core.errors import AssetError
from tenfold.pool.need import Need, Say, status_by
from tenfold.pool.workload import Workload, WorkloadSettings


class TrainSettings(WorkloadSettings):
    """``[train]``: a Llama-4-like model on the text of Python's standard library."""

    value_per_unit_usd: float = Field(3.0e-9, gt=0, description="USD per training token")
    run: str = Field(
        "main",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
        description="run that is trained; each has a folder of its own",
    )
    seed: int = 0


def _check_text(cache: Path) -> None:
    from tenfold.llama.data.index import check_data
    from tenfold.llama.data.stdlib import text_folder

    folder = text_folder(cache)
    if not folder.exists():
        raise AssetError(f"the training text has not been made: {folder} is missing", next_step="run 'tenfold up'")
    check_data(folder)


def _make_text(cache: Path, say: Say) -> None:
    from tenfold.llama.data.stdlib import prepare

    prepare(cache, say)


TEXT = Need(
    name="stdlib-text",
    purpose="training text and tokenizer",
    source="this Python's standard library",
    license="PSF-2.0",
    status=status_by(_check_text),
    make=_make_text,
)

TRAIN = Workload(
    name="train",
    settings=TrainSettings,
    unit="token",
    colour="#4863d8",
    factory="tenfold.llama.resident:create",
    companion="tenfold.llama.companion:serve_forever",
    outpost="tenfold.llama.outpost:serve_forever",
    assumed_capacity=2000.0,
    resident_mb=150,
    needs=(TEXT,),
)
