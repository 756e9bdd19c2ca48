"""``study.yaml``: its schema and its defaults. Every number's unit is in its key or in the key's description."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

from tenfold.compute.accelerators import Precision
from tenfold.core.frozen import Frozen
from tenfold.plan.calendar import Calendar

Label = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Range = tuple[Positive, Positive, Positive]
MOST_NODES = 20_000
Scalar = str | int | float | bool | None


class Table(Frozen):
    """Base of every table: frozen, and an unknown key is an error."""


class Jumps(Table):
    """Sudden steps of a workload's demand: a launch, or a model that needs ten times as much."""

    per_year: float = Field(gt=0, le=6, description="steps per year on average, at random times")
    factor: float = Field(gt=0, le=100, description="what a step multiplies demand by; below 1 it falls")


class Demand(Table):
    """What a workload will ask for: ranges by period, or its past."""

    ranges: dict[Label, Range] | None = Field(
        None,
        description="[p10, p50, p90] by period, in the workload's unit; periods between two given ones are filled in",
    )
    series: tuple[Positive, ...] | None = Field(
        None, min_length=6, description="demand of past periods, oldest first, the last just before the study starts"
    )
    jumps: Jumps | None = Field(None, description="sudden steps; with ranges they shape the paths within the ranges")


class Traffic(Table):
    """What the requests to a served model look like; from it follows what an accelerator does."""

    prompt_tokens: Positive = Field(2000.0, description="tokens of a prompt")
    answer_tokens: Positive = Field(500.0, description="tokens of an answer")
    cached_share: float = Field(0.0, ge=0, lt=1, description="share of prompt tokens whose cache is there already")
    user_tokens_per_s: Positive = Field(20.0, description="least speed of one answer")
    precision: Precision | None = Field(
        None, description="of the weights; default: fp8 on accelerators that compute in it, else bf16"
    )


class Workload(Table):
    """Something that uses accelerators: training, serving, ranking."""

    unit: str = Field(description="unit of demand and throughput: a rate that must be kept up, e.g. 'M tokens/s'")
    demand: Demand
    model: str | None = Field(
        None,
        description="the model served, as 'tenfold compute inference' names it: fills in throughput; the unit must be "
        "one of answers' tokens: tokens/s, k tokens/s, M tokens/s",
    )
    traffic: Traffic | None = Field(None, description="with model; default: its own defaults")
    floor: Share = Field(0.0, description="share of demand that must be served, whatever happens")
    shortage_usd_per_unit_month: Positive = Field(description="USD lost per unit of demand not served for a month")


class Correlation(Table):
    """How two workloads' demands move together."""

    between: tuple[str, str] = Field(description="names of two workloads")
    value: float = Field(ge=-1, le=1, description="correlation of their growth, -1 to 1")


class Cancellation(Table):
    """What a vendor charges for cancelling an order."""

    notice_months: NotNegative = Field(description="months before delivery by which one must cancel")
    fee_share: Share = Field(description="share of the price that is due then, the deposit included")


class Owned(Table):
    """Accelerators that are there already."""

    count: Positive = Field(description="accelerators")
    age_months: NotNegative = Field(0.0, description="months of use at the start; they retire at life_months")


class Accelerator(Table):
    """A vendor's offer of one kind of accelerator."""

    accelerator: str | None = Field(
        None,
        description="its name in 'tenfold compute accelerators': fills in price_usd, power_kw, throughput of workloads "
        "with a model, and accelerator_hours of runs, each where it is not given",
    )
    price_usd: Positive = Field(
        description="USD per accelerator, with its share of host and network, ordered at the start"
    )
    price_change_per_year: float = Field(
        0.0, gt=-0.95, le=1, description="-0.2: each year's price is 20% below the last"
    )
    prices_usd: dict[Label, Positive] = Field(
        default_factory=dict,
        description="USD by period of order, each until the next; in place of price_change_per_year",
    )
    lead_months: NotNegative = Field(description="months from order to use")
    power_kw: float = Field(gt=0, le=100, description="kW drawn per accelerator, host and network included")
    throughput: dict[str, Positive] = Field(
        default_factory=dict,
        description="demand units that one accelerator serves, by workload, at the utilisation planned for",
    )
    needs_conversion: tuple[str, ...] = Field((), description="workloads that it serves only with conversion kit")
    operating_usd_per_month: NotNegative = Field(0.0, description="USD per installed accelerator, power not included")
    life_months: float = Field(60.0, gt=0, le=240, description="months of use until it is retired")
    available_from: Label | None = Field(None, description="first period in which it can be ordered")
    limit_per_period: Positive | None = Field(None, description="accelerators that can be ordered per period")
    lot: int | None = Field(None, ge=1, description="order whole lots of this many; default: any number")
    deposit_share: Share = Field(0.0, description="share of the price due at the order; the rest at delivery")
    cancellation: Cancellation | None = Field(None, description="default: an order is firm")
    owned: tuple[Owned, ...] = Field((), description="the accelerators of this kind that are there already")


class Rent(Table):
    """Accelerators rented from a cloud by the hour, without lead time, site or power."""

    accelerator: str | None = Field(
        None,
        description="its name in 'tenfold compute accelerators': fills in usd_per_hour, throughput and "
        "accelerator_hours as for accelerators",
    )
    usd_per_hour: Positive = Field(description="USD per accelerator-hour")
    price_change_per_year: float = Field(0.0, gt=-0.95, le=1, description="-0.1: each year 10% below the last")
    throughput: dict[str, Positive] = Field(
        default_factory=dict, description="demand units per accelerator, by workload"
    )
    limit: Positive | None = Field(None, description="accelerators that can be rented at a time")
    available_from: Label | None = Field(None, description="first period in which it can be rented")


class Conversion(Table):
    """General compute and storage that let an accelerator made for training rank."""

    price_usd: Positive = Field(description="USD for the kit of one accelerator")
    lead_months: NotNegative = Field(description="months from order to use")
    life_months: float = Field(60.0, gt=0, le=240, description="months of use")
    owned: NotNegative = Field(0.0, description="accelerators whose kit is there already")


class Phase(Table):
    """One step of building a site: land, grid connection, a hall."""

    power_mw: NotNegative = Field(0.0, description="MW of IT power that it adds")
    capex_usd: NotNegative = Field(description="USD, spent evenly from start to end")
    lead_months: NotNegative = Field(description="months from start to end")
    after: tuple[str, ...] = Field((), description="phases of the same site that must have ended before it starts")
    done_in_months: NotNegative | None = Field(
        None,
        description="if started already: months from the study's start to its end, 0 if it has ended; costs no more",
    )
    earliest: Label | None = Field(None, description="first period in which it can start")
    life_months: float = Field(168.0, gt=0, le=600, description="months over which its cost is spread")


class Power(Table):
    """How power is bought at a place."""

    usd_per_mwh: NotNegative = Field(description="USD per MWh at the meter")
    pue: float = Field(1.2, ge=1, le=3, description="power at the meter per power of IT")
    take_or_pay_share: Share = Field(
        0.0, description="share of the finished phases' power that is paid for, used or not"
    )


class FitOut(Table):
    """Racks, cooling and busways, installed MW by MW in finished phases; counted over all sites together."""

    usd_per_mw: Positive = Field(description="USD per MW of IT power")
    lead_months: NotNegative = Field(description="months from order to use")
    life_months: float = Field(168.0, gt=0, le=600, description="months over which its cost is spread")
    done_mw: NotNegative = Field(0.0, description="MW fitted out already")


class Site(Table):
    """A place that one builds, in phases."""

    phases: dict[Name, Phase] = Field(min_length=1)
    power: Power


class Extension(Table):
    """The right to keep leased space for longer."""

    months: Positive = Field(description="months that it adds")
    notice_months: NotNegative = Field(0.0, description="months before the term's end by which one must say so")


class Break(Table):
    """The right to give leased space back early."""

    after_months: Positive = Field(description="months of the term after which space can be given back")
    notice_months: NotNegative = Field(0.0, description="months before that by which one must say so")
    fee_usd_per_mw: NotNegative = Field(0.0, description="USD per MW given back, due with the notice")


class Lease(Table):
    """Space with power that can be leased, once, for a term."""

    power_mw: Positive = Field(description="MW of IT power")
    usd_per_mw_month: Positive = Field(description="rent, USD per MW and month")
    lead_months: NotNegative = Field(description="months from signing to use")
    term_months: Positive = Field(description="months of the term")
    power: Power
    earliest: Label | None = Field(None, description="first period in which it can be signed")
    extension: Extension | None = Field(None, description="default: it ends with the term")
    cancellation: Break | None = Field(None, description="default: the term is firm")


class RunData(Table):
    """The data that a run wants; the plan says how often they repeat, and buys none."""

    unique_tokens: Positive = Field(description="different tokens that it should see")
    owned_tokens: NotNegative = Field(description="different tokens that there are")
    storage_gb: NotNegative | None = Field(None, description="10^9 bytes that the unique tokens take")


class Run(Table):
    """A training run with a due date: the next model. It may pause, and runs on what kinds it likes."""

    due: Label = Field(description="last period in which it may run: it must be done by its end")
    earliest: Label | None = Field(None, description="first period in which it may run")
    missed_usd: Positive = Field(
        description="USD lost if nothing of it is done by then; if a part is, the rest's share"
    )
    accelerator_hours: dict[str, Positive] = Field(
        default_factory=dict,
        description="hours that the whole run takes on each kind or rent; filled in from params and tokens for those "
        "with accelerator",
    )
    params: Positive | None = Field(None, description="parameters that one token passes through")
    total_params: Positive | None = Field(None, description="all parameters, of a mixture of experts; default: params")
    tokens: Positive | None = Field(None, description="tokens trained on")
    context: int | None = Field(None, ge=1, description="tokens of a sequence")
    precision: Precision = Field("bf16", description="of the large matrix products")
    flops: Positive | None = Field(None, description="training FLOPs; default: what params, tokens and context make")
    data: RunData | None = None
    forecast: str | None = Field(
        None, description="a TOML file, as 'tenfold ladder' writes it, whose table [run] holds keys of this table"
    )


class Risk(Table):
    """What bad outcomes weigh: mean cost + weight x the mean of the worst (1 - alpha)."""

    weight: float = Field(0.0, ge=0, le=10, description="weight of CVaR beside the mean")
    alpha: float = Field(0.95, gt=0, lt=1, description="CVaR is the mean cost of the worst 1 - alpha of outcomes")


class TreeSettings(Table):
    """How many futures the plan looks at."""

    nodes: int = Field(200, ge=1, le=MOST_NODES, description="nodes of the scenario tree; the study's periods at least")
    paths: int = Field(4000, ge=10, le=200_000, description="simulated demand paths that it is made from")
    seed: int = Field(1, ge=0, description="seed of the simulation")


class Study(Table):
    """All of ``study.yaml``."""

    name: str
    start: Label = Field(description="first period; 2026H1 makes half-years, 2026Q1 quarters, 2026 years")
    periods: int = Field(ge=1, le=60, description="number of periods")
    discount_rate: float = Field(0.08, ge=0, le=1, description="per year")
    horizon: Literal["annualised", "salvage"] = Field(
        "annualised",
        description="what is charged of things that outlive the study: their annuity, or price less salvage",
    )
    salvage_share: Share = Field(
        0.5, description="with salvage: worth of unused life at the end, as a share of its price"
    )
    workloads: dict[Name, Workload] = Field(min_length=1)
    correlations: tuple[Correlation, ...] = ()
    accelerators: dict[Name, Accelerator] = Field(default_factory=dict)
    rent: dict[Name, Rent] = Field(default_factory=dict)
    conversion: Conversion | None = None
    sites: dict[Name, Site] = Field(default_factory=dict)
    fit_out: FitOut | None = Field(None, description="default: a phase is usable as it ends; leases come fitted out")
    leases: dict[Name, Lease] = Field(default_factory=dict)
    runs: dict[Name, Run] = Field(default_factory=dict, description="training runs with due dates")
    capex_limit_usd: dict[Label, NotNegative] = Field(default_factory=dict, description="USD of capex by calendar year")
    risk: Risk = Risk()
    tree: TreeSettings = TreeSettings()
    filled_in: dict[str, str] = Field(
        default_factory=dict, description="written by Tenfold: keys that it filled in, and from which facts"
    )

    def tasks(self, offer: str) -> tuple[str, ...]:
        """What a kind or a rent can do: workloads, then runs."""
        found = self.accelerators.get(offer) or self.rent[offer]
        return *found.throughput, *(name for name, run in self.runs.items() if offer in run.accelerator_hours)

    @property
    def calendar(self) -> Calendar:
        """The study's periods."""
        return Calendar(self.start, self.periods)


def leaves(value: object, key: str = "") -> Iterator[tuple[str, Scalar]]:
    """Every leaf of a study, under its key with dots."""
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, tuple):
        for place, inner in enumerate(value):
            yield from leaves(inner, f"{key}.{place}")
    else:
        assert value is None or isinstance(value, str | int | float | bool)
        yield key, value
