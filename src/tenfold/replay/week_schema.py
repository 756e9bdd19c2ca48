"""``week.toml``: its schema and its defaults. Every number's unit is in its key or in the key's description."""

from typing import Annotated, Literal

from pydantic import Field

from tenfold.core.errors import UsageError
from tenfold.core.frozen import Frozen

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
ByKind = dict[str, NotNegative]


class WeekError(UsageError):
    """``week.toml`` has an unknown key or a wrong value, or asks for what cannot be."""


class KindTable(Frozen):
    """``[kinds.NAME]``: one kind of accelerator of the fleet."""

    slots: int = Field(ge=1, description="accelerators of this kind")
    node_slots: int = Field(8, ge=1, description="accelerators of a node")
    rack_nodes: int = Field(8, ge=1, description="nodes of a rack")
    conversion: int | None = Field(
        None,
        ge=0,
        description="accelerators with the general compute and storage beside them that services with converts = true "
        "need; default: all",
    )


class GenerateTable(Frozen):
    """``[services.NAME.generate]``: load that is made up, by ``like`` unless told otherwise here."""

    like: Literal["llm", "ranking"] = Field(description="shape whose figures hold for what is not given here")
    mean_per_s: Positive = Field(description="requests per second, on average over a week")
    peak_hour: float | None = Field(None, ge=0, lt=24, description="hour of the day at which most is asked for")
    swing: float | None = Field(None, ge=0, le=1, description="how far the peak lies above the day's mean, as a share")
    sharpness: float | None = Field(None, gt=0, le=5, description="of the peak; 1: like a sine; more: shorter")
    weekend: float | None = Field(None, gt=0, le=3, description="level of days 6 and 7 as a share of the others'")
    wander: float | None = Field(None, ge=0, le=1, description="deviation of the logarithm of a slow random change")
    wander_hours: Positive | None = Field(None, description="hours after which that change is mostly forgotten")
    bursts_per_day: NotNegative | None = Field(None, description="sudden rises a day, on average")
    burst_height: NotNegative | None = Field(None, description="the highest such rise, as a share; most are a third")
    burst_minutes: Positive | None = Field(None, description="minutes until a rise has mostly faded")
    jitter: float | None = Field(None, ge=0, le=0.5, description="deviation of what is random in one step, as a share")


class ServiceTable(Frozen):
    """``[services.NAME]``: answers requests at once or sheds them."""

    family: str = Field(min_length=1, description="services that are reported together, e.g. 'llm' or 'ranking'")
    rates: str | None = Field(
        None, description="file of rates, .json, .csv or .parquet, relative to week.toml; or give [services.*.generate]"
    )
    series: str | None = Field(None, description="column or series in it; default: the service's name")
    scale: Positive = Field(1.0, description="what the file's rates are multiplied by")
    roughness: float = Field(
        1.0,
        ge=0,
        le=5,
        description="where the file's steps are longer than step_s: how wild the made-up change within a step is; "
        "1: as the series itself, 0: smooth",
    )
    generate: GenerateTable | None = Field(None, description="made-up load in place of a file")
    capacity: ByKind = Field(description="requests per second that one slot answers in time, by kind; left out: none")
    usd_per_request: Positive = Field(description="USD that an answer in time is worth")
    queue_s: NotNegative = Field(description="seconds that a request may wait and still be in time")
    floor: int = Field(0, ge=0, description="slots that it always has")
    converts: bool = Field(False, description="needs general compute and storage beside the accelerator")
    start_s: NotNegative = Field(description="seconds from starting a process until it answers")
    wake_s: NotNegative = Field(description="seconds from waking a loaded process until it answers")
    sleep_s: NotNegative = Field(description="seconds from asking it to sleep until its slot is free")


class JobDefaults(Frozen):
    """``[jobs.defaults]``: what holds where a jobs file has no such column, or an empty cell; and for made-up jobs."""

    start_s: NotNegative = Field(90.0, description="seconds from starting processes until they train")
    wake_s: NotNegative = Field(3.0, description="seconds from waking loaded processes until they train")
    sleep_s: NotNegative = Field(1.0, description="seconds from the saved checkpoint until the slot is free")
    resize_s: NotNegative = Field(5.0, description="seconds that all its slots stand still when some join or leave")
    checkpoint_s: NotNegative = Field(15.0, description="seconds that saving takes when it is asked to stop")
    checkpoint_every_s: Positive = Field(1800.0, description="seconds of work between checkpoints; a kill loses them")
    usd_per_accelerator_hour: Positive = Field(2.0, description="USD that a slot's hour at speed 1 earns")


class JobMixTable(Frozen):
    """``[jobs.generate]``: made-up jobs, spread as in a large company's trace."""

    jobs: int = Field(ge=1, le=1_000_000, description="how many arrive in the week")
    offered_share: float = Field(gt=0, le=10, description="share of the fleet that they would keep busy on average")
    spread: float = Field(1.8, gt=0, le=4, description="deviation of the logarithm of their lengths")
    waiting: Share = Field(0.1, description="share of jobs that wait when the week begins")
    elastic: Share = Field(0.6, description="share that runs on a quarter to twice its size; the others need all of it")
    rack: Share = Field(0.4, description="share of jobs larger than a node that need one rack")
    urgent: Share = Field(0.1, description="share with a deadline of 1.5 to 4 times their length")


class BacklogTable(Frozen):
    """``[jobs.backlog]``: jobs that never end and take what is left, such as pre-training.

    Several, since rules that run jobs whole could place one that uses all of the fleet only on all of it.
    """

    usd_per_accelerator_hour: Positive = Field(1.0, description="USD that a slot's hour at speed 1 earns")
    jobs: int | None = Field(
        None, ge=1, le=1000, description="how many; default: 16, fewer where each would not have twice its least"
    )
    least: int = Field(8, ge=1, description="slots that each needs at least")
    most: int | None = Field(
        None, ge=1, description="slots that each can use; default: its part of all they can run on"
    )


class JobsTable(Frozen):
    """``[jobs]``: training, from a file, made up, or both."""

    file: str | None = Field(None, description="jobs, .csv, .parquet or .json, relative to week.toml")
    speed: ByKind | None = Field(
        None,
        description="work per second of a slot of each kind, 1 being what accelerator_hours are counted in; left out: "
        "cannot run there; default: 1 for all",
    )
    defaults: JobDefaults = JobDefaults()
    generate: JobMixTable | None = Field(None, description="made-up jobs")
    backlog: BacklogTable | None = Field(None, description="jobs that never end")


class ClusterTable(Frozen):
    """``[cluster]``: what the cluster itself did in this week, as ``tenfold replay import`` writes it."""

    jobs: str | None = Field(
        None,
        description="file: job, slots, started_s, ended_s; seconds from the first step played; no end: it still ran",
    )
    slots: str | None = Field(None, description="file of accelerators that each service held, like a file of rates")
    answered: str | None = Field(None, description="file of requests per second that each service answered in time")


class WeekFile(Frozen):
    """All of ``week.toml``."""

    name: str = Field(min_length=1, description="title of tables and pages")
    assumed: tuple[str, ...] = Field((), description="what was taken for granted; told with every replay")
    step_s: float | None = Field(
        None,
        gt=0,
        le=86400,
        description="seconds of a step; every policy decides once in each. Default: 120, or the longest below it that "
        "goes into the steps of all rates' files",
    )
    history_s: NotNegative | None = Field(
        None,
        description="seconds at the start of the rates that are not played: every policy knows them from the first "
        "step on; times of jobs count from their end. Default: a day, or a seventh of what all rates' files have if "
        "that is less",
    )
    steps: int | None = Field(
        None, ge=2, description="how many are played; default: all that the rates' files have, or else a week"
    )
    kinds: dict[Name, KindTable] = Field(min_length=1, description="the fleet")
    services: dict[Name, ServiceTable] = Field({}, description="what answers requests; none: jobs alone")
    jobs: JobsTable = JobsTable()
    cluster: ClusterTable | None = Field(None, description="what the cluster itself did, to be shown beside policies")
