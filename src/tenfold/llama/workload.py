"""Training as the pool runs it."""

from pathlib import Path

from pydantic import Field

from tenfold.core.errors import AssetError, ConfigError, UsageError
from tenfold.pool.need import Need, Say, status_by
from tenfold.pool.workload import Workload, WorkloadSettings

ENDED_FILE = "train-ended"
"""Of the pool's home: there while the pool's run is finished or diverged; its words say which."""


class TrainSettings(WorkloadSettings):
    """``[train]``: a Llama-4-like model on the text of Python's standard library."""

    value_per_unit_usd: float = Field(3.0e-9, gt=0, description="USD per training token")
    price_from: Path | None = Field(
        None, description="a plan.json: the worth of a token is what one more costs its run; read when the pool starts"
    )
    price_run: str | None = Field(None, description="which run of that plan, if it has several")
    run: str = Field(
        "main",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9_-]{0,63}|.*\.toml)$",
        description="run that is trained, by its name or by its run file (from the pool's home); each has a folder",
    )
    seed: int = 0


def priced_by_plan(settings: TrainSettings, config: Path) -> TrainSettings:
    """The settings with the worth of a token that their plan tells, if they name one.

    Args:
        settings: as they were read.
        config: the file that they were read from; a relative path is from where it lies.
    Raises:
        ConfigError: the plan has no such price, the settings give the worth too, or a run and no plan.
    """
    if settings.price_from is None:
        if settings.price_run is not None:
            raise ConfigError(
                f"{config}: 'train.price_run' is {settings.price_run!r}, and no plan is given that has such a run",
                next_step="give 'train.price_from', a plan.json, or leave price_run out",
            )
        return settings
    from tenfold.plan.price import token_price_usd

    where = f"{config}: 'train.price_from'"
    if "value_per_unit_usd" in settings.model_fields_set:
        raise ConfigError(f"{where} and 'train.value_per_unit_usd' are both given", next_step="leave one of them out")
    try:
        price = token_price_usd(config.parent / settings.price_from, settings.price_run)
    except UsageError as error:
        raise ConfigError(f"{where}: {error}", next_step=error.next_step) from error
    return settings.model_copy(update={"value_per_unit_usd": price})


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
    ended=ENDED_FILE,
    assumed_capacity=2000.0,
    resident_mb=150,
    needs=(TEXT,),
)
