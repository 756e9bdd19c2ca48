"""Ranking as the pool runs it."""

from pathlib import Path

from pydantic import Field

from tenfold.core.config import Kind
from tenfold.pool.need import Need, Say, fetched, status_by
from tenfold.pool.workload import Operation, ServiceSettings, Workload, WorkloadSettings
from tenfold.rank import artifact
from tenfold.rank.contract import (
    MOST_SAMPLE_USERS,
    CatalogItems,
    RankModel,
    RankRequest,
    RankResponse,
    SampleUsers,
    person_of,
)
from tenfold.rank.recipe import DATA
from tenfold.rank.surface import SurfaceSettings


class RankSettings(ServiceSettings):
    """``[rank]``: a sequence model that ranks a catalog for a user or a history."""

    value_per_unit_usd: float = Field(2.0e-7, gt=0, description="USD per ranked request")
    latency_target_s: float | None = Field(0.25, gt=0, description="seconds to the ranked list")
    attains: float = Field(0.999, ge=0, le=1, description="share of requests to answer in time")
    state_mb: int = Field(32, ge=0, description="memory in which a resident keeps what it has read of people")
    surfaces: dict[str, SurfaceSettings] = Field({}, description="what counts on each surface, by its name")


class RankTrainSettings(WorkloadSettings):
    """``[rank-train]``: keeps the ranking model up to date with what the feed's people do."""

    kinds: tuple[Kind, ...] = ()
    ceiling: int | None = Field(1, ge=1, description="slots it never exceeds")
    value_per_unit_usd: float = Field(2.0e-9, gt=0, description="USD per new event that is learned")
    stale_s: float = Field(86400.0, gt=0, description="age of the snapshot that a fresher one is compared with")


def _train(cache: Path, say: Say) -> None:
    from tenfold.rank.train import prepare_ranker

    prepare_ranker(cache, say)
    say("ready", 1.0)


RANKER = Need(
    name="ranker",
    purpose="trained ranking model",
    source=f"made from {DATA.name}",
    license="Apache-2.0",
    status=status_by(lambda cache: artifact.read_tensors(cache, artifact.describe(cache))),
    make=_train,
)

_LIMIT = {"type": "integer", "minimum": 1, "maximum": MOST_SAMPLE_USERS, "default": 10}

RANK = Workload(
    name="rank",
    settings=RankSettings,
    unit="request",
    colour="#e07b26",
    factory="tenfold.rank.resident:create",
    assumed_capacity=100.0,
    resident_mb=60,
    more_mb=lambda settings: settings.state_mb,
    operations=(
        Operation("/v1/rank", "Rank the catalog for a user or a history", RankRequest, RankResponse),
        Operation("/v1/rank/users", "Give users to try", None, SampleUsers, {"limit": _LIMIT}),
        Operation("/v1/rank/items", "Give the whole catalog", None, CatalogItems),
        Operation("/v1/rank/model", "Tell what the model has learned", None, RankModel),
    ),
    probe=lambda _: ("/v1/rank", {"user": 1}),
    key_of=person_of,
    needs=(fetched(DATA), RANKER),
)

RANK_TRAIN = Workload(
    name="rank-train",
    settings=RankTrainSettings,
    unit="event",
    colour="#a3437b",
    factory="tenfold.rank.trainer:create",
    assumed_capacity=1000.0,
    resident_mb=150,
    news=("feed/segments", "rank/learned.json"),
    needs=(fetched(DATA), RANKER),
)
"""Runs where it has kinds; by default it has none."""
