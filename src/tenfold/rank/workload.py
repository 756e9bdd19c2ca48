"""Ranking as the pool runs it."""

from pathlib import Path

from pydantic import Field

from tenfold.pool.need import Need, Say, fetched, status_by
from tenfold.pool.workload import Operation, Workload, WorkloadSettings
from tenfold.rank import artifact
from tenfold.rank.contract import MOST_SAMPLE_USERS, CatalogItems, RankRequest, RankResponse, SampleUsers
from tenfold.rank.recipe import DATA


class RankSettings(WorkloadSettings):
    """``[rank]``: a sequence model that ranks a catalog for a user or a history."""

    value_per_unit_usd: float = Field(2.0e-7, gt=0, description="USD per ranked request")
    latency_target_s: float | None = Field(0.25, gt=0, description="seconds to the ranked list")
    attains: float = Field(0.999, ge=0, le=1, description="share of requests to answer in time")


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
    operations=(
        Operation("/v1/rank", "Rank the catalog for a user or a history", RankRequest, RankResponse),
        Operation("/v1/rank/users", "Give users to try", None, SampleUsers, {"limit": _LIMIT}),
        Operation("/v1/rank/items", "Give the whole catalog", None, CatalogItems),
    ),
    probe=lambda _: ("/v1/rank", {"user": 1}),
    needs=(fetched(DATA), RANKER),
)
