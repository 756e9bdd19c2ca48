"""``watch.toml``: which Ray cluster to watch, and what its services and jobs are worth. Its schema and its reader."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from tenfold.core.errors import UsageError
from tenfold.core.frozen import Frozen
from tenfold.core.toml_file import read_toml

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class WatchError(UsageError):
    """``watch.toml`` has an unknown key or a wrong value, or names what the cluster does not have."""


class ServiceTable(Frozen):
    """``[services.NAME]``: a deployment of Ray Serve."""

    application: str | None = Field(None, min_length=1, description="its Serve application; default: NAME")
    deployment: str | None = Field(
        None, min_length=1, description="its deployment; default: the only one that the application has"
    )
    usd_per_request: Positive = Field(description="USD that an answer in time is worth")
    capacity_per_slot: Positive | None = Field(
        None, description="requests per second that one slot answers in time; default: measured"
    )
    parallel: int = Field(
        1, ge=1, description="requests that a replica works on together; only used to measure capacity"
    )
    latency_target_s: Positive | None = Field(None, description="seconds within which a request should be answered")
    wake_s: NotNegative = Field(60.0, description="seconds from adding a replica until it answers")
    floor: int = Field(1, ge=0, description="slots that it always has")
    ceiling: int | None = Field(None, ge=1, description="slots that it never exceeds; default: all")


class JobTable(Frozen):
    """``[jobs.NAME]``: actors, tasks and placement groups that hold accelerators and always have more to do."""

    holders: str = Field(
        min_length=1,
        description="what holds its accelerators: class or name of an actor, function of a task, name of a placement "
        "group, namespace, or Ray's job id; * and ? stand for any text and any letter",
    )
    usd_per_accelerator_hour: Positive = Field(description="USD that an hour of one accelerator earns")
    resize_s: NotNegative = Field(60.0, description="seconds that all its slots stand still when some join or leave")
    least: int | None = Field(None, ge=0, description="slots that it must keep; default: what it holds")
    most: int | None = Field(None, ge=1, description="slots that it can use; default: what it holds")


class WatchFile(Frozen):
    """All of ``watch.toml``."""

    dashboard: str = Field(
        "http://127.0.0.1:8265", pattern=r"^https?://[^/]+/?$", description="address of the cluster's Ray dashboard"
    )
    metrics: tuple[str, ...] | None = Field(
        None, description="host:port of each node's Prometheus endpoint; default: as the dashboard lists them"
    )
    accelerator: str = Field("GPU", min_length=1, description="Ray resource that is shared out")
    accelerators_per_slot: Positive = Field(1.0, description="accelerators that change hands together")
    tick_s: float = Field(10.0, ge=1, le=600, description="seconds between decisions; not less than Ray's reports")
    dwell_s: Positive = Field(600.0, description="seconds that a change is expected to last; its gain must repay it")
    idle_s: NotNegative = Field(300.0, description="seconds without a request before a service may lose its last slot")
    services: dict[Name, ServiceTable] = Field({}, description="what answers requests, most important first")
    jobs: dict[Name, JobTable] = Field({}, description="what trains")


def load_watch_file(path: Path) -> WatchFile:
    """Read ``watch.toml``.

    Raises:
        WatchError: the file is missing, is not TOML, has an unknown key or bad value, or contradicts itself; names file
            and key.
    """
    advice = "write one; docs/watch.md has one to start from"
    file = read_toml(path, WatchFile, WatchError, what="the watch", advice=advice, keys="docs/watch.md")
    found = _problems(file)
    if found:
        raise WatchError("\n".join(f"{path}: {line}" for line in found), next_step=f"mend {path}")
    return file


def _problems(file: WatchFile) -> list[str]:
    """What the file asks for that cannot be."""
    found = [f"{name!r} is a service and a job; give one another name" for name in file.services if name in file.jobs]
    if not file.services and not file.jobs:
        found.append("names nobody; give a table [services.NAME] or [jobs.NAME]")
    for name, service in file.services.items():
        if service.ceiling is not None and service.ceiling < service.floor:
            found.append(f"'services.{name}.ceiling' is {service.ceiling}, below its 'floor' of {service.floor}")
    for name, job in file.jobs.items():
        if job.most is not None and job.least is not None and job.most < job.least:
            found.append(f"'jobs.{name}.most' is {job.most}, below its 'least' of {job.least}")
    return found
