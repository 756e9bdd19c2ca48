"""What the pool must know of a workload to run it: one frozen constant in the workload's own package.

``tenfold.wiring`` names them all. The pool reads them and imports none: what runs is named by strings.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from tenfold.core.config import Config, Kind, Settings
from tenfold.pool.demand import WorkloadPlan
from tenfold.pool.model_plan import ModelPlan
from tenfold.pool.need import Need
from tenfold.pool.traffic import GatewayRoute


class WorkloadSettings(Settings):
    """A workload's table in ``tenfold.toml``: what the pool knows of each; its own keys come with its own type."""

    kinds: tuple[Kind, ...] = ("cpu",)
    floor: int = Field(0, ge=0, description="slots it always has")
    ceiling: int | None = Field(None, ge=1, description="slots it never exceeds; default: all")
    value_per_unit_usd: float = Field(gt=0, description="USD that one unit of its work earns, until it is measured")
    price: Literal["measured", "fixed"] = Field(
        "measured", description="whether what products earn with it moves the price from the one above"
    )

    @field_validator("ceiling")
    @classmethod
    def _holds_the_floor(cls, ceiling: int | None, others: ValidationInfo) -> int | None:
        floor = others.data.get("floor", 0)
        if ceiling is not None and ceiling < floor:
            raise ValueError(f"it is below the floor, {floor}")
        return ceiling


class ServiceSettings(WorkloadSettings):
    """The table of a workload that takes requests."""

    latency_target_s: float | None = Field(None, gt=0, description="a request answered later counts as missed")
    attains: float = Field(
        0.0, ge=0, le=1, description="share of requests to answer in time; 0: as many as their price is worth"
    )


S = TypeVar("S", bound=WorkloadSettings)


@dataclass(frozen=True, slots=True)
class Operation:
    """A path that a workload answers, as the published schema tells it.

    ``body``: what it takes; none: it is a GET. ``query``: its parameters' JSON schemas. ``streams``: it can answer in
    events.
    """

    path: str
    summary: str
    body: type[BaseModel] | None
    answer: type[BaseModel]
    query: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    streams: bool = False

    @property
    def method(self) -> str:
        """The one method that the path takes."""
        return "POST" if self.body else "GET"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload(Generic[S]):
    """One kind of work, with residents on slots.

    ``settings``: type of its table ``[name]`` in ``tenfold.toml``. ``unit``: what it does, counted.
    ``colour``: its own in every chart, #rrggbb.
    ``factory``: ``module:function`` that makes its resident. ``companion``: the same of the process without a slot
    that outlives its residents, if it has one. ``outpost``: the same of a process that stands for the companion on
    each other machine, if it has one.
    ``assumed_capacity``: units per second and CPU slot until measured. ``resident_mb``: memory of one resident;
    ``more_mb``: what its settings add to that.
    ``light``: its modules import no heavy library, so that its residents are forked while others' libraries load.
    ``operations``: what it answers over HTTP; none: it takes no requests, and always has more to do.
    ``probe``: path and JSON body of a request that shows that it serves.
    ``at_once``: requests that one resident works on together; none for any number.
    ``key_of``: finds in a body what one resident may have prepared, see ``GatewayRoute``.
    ``models``: what OpenAI's clients can ask it by name, see ``ModelPlan``.
    ``news``: for one that takes no requests and has nothing to do at times: it has where a file of the first folder of
    the home is newer than the second file.
    ``ended``: for a job that comes to an end: a file of the home, which its companion writes then. While it is there
    the job has nothing to do, and its words say why.
    ``needs``: what must be in the cache before it starts.
    """

    name: str
    settings: type[S]
    unit: str
    colour: str
    factory: str
    assumed_capacity: float
    resident_mb: int
    more_mb: Callable[[S], int] | None = None
    companion: str | None = None
    outpost: str | None = None
    light: bool = False
    operations: tuple[Operation, ...] = ()
    probe: Callable[[S], tuple[str, Mapping[str, object]]] | None = None
    at_once: Callable[[S], int] | None = None
    key_of: Callable[[bytes], bytes | None] | None = None
    models: Callable[[S], ModelPlan] | None = None
    news: tuple[str, str] | None = None
    ended: str | None = None
    needs: tuple[Need, ...] = ()

    @property
    def modules(self) -> tuple[str, ...]:
        """What a nursery imports once for all residents of its node."""
        return tuple(name.partition(":")[0] for name in (self.factory, self.companion, self.outpost) if name)

    def table(self, config: Config) -> S:
        """Its settings in a pool's config."""
        return config.table(self.name, self.settings)

    def memory_mb(self, config: Config) -> int:
        """Memory of one resident with its settings in a pool's config."""
        return self.resident_mb + (self.more_mb(self.table(config)) if self.more_mb else 0)

    def runs(self, config: Config) -> bool:
        """Whether it has a kind of slot to run on."""
        return bool(self.table(config).kinds)

    def plan(self, config: Config, home: Path | None = None) -> WorkloadPlan:
        """Describe it to the controller of a pool at ``home``."""
        settings = self.table(config)
        service = settings if isinstance(settings, ServiceSettings) else None
        return WorkloadPlan(
            workload=self.name,
            unit=self.unit,
            kinds=frozenset(settings.kinds),
            floor=settings.floor,
            ceiling=settings.ceiling,
            value_per_unit_usd=settings.value_per_unit_usd,
            latency_target_s=service.latency_target_s if service else None,
            attains=(service.attains or None) if service else None,
            price_is_fixed=settings.price == "fixed",
            assumed_capacity=self.assumed_capacity,
            takes_requests=bool(self.operations),
            probe=self.probe(settings) if self.probe else None,
            news=(str(home / self.news[0]), str(home / self.news[1])) if home and self.news else None,
            ended=str(home / self.ended) if home and self.ended else None,
        )

    def routes(self, config: Config) -> tuple[GatewayRoute, ...]:
        """Describe its paths to the gateway."""
        settings = self.table(config)
        at_once = self.at_once(settings) if self.at_once else None
        target_s = settings.latency_target_s if isinstance(settings, ServiceSettings) else None
        return tuple(
            GatewayRoute(each.path, self.name, target_s, at_once, each.method, self.key_of) for each in self.operations
        )
