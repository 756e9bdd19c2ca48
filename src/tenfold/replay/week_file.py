"""Reading ``week.toml`` and the traces it names: every mistake is told with its file, line or key.

Letters: T steps, K kinds.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tenfold.core.explain import suggest
from tenfold.core.toml_file import read_toml
from tenfold.replay.cluster_file import Play, read_recorded
from tenfold.replay.job_file import job_problems, read_jobs
from tenfold.replay.job_mix import JobMix, Room, backlog, generate_jobs, room_of
from tenfold.replay.joining import Joined, Trace, check_step, choose_step, holes, join
from tenfold.replay.loads import DAY_S, WEEK_DAYS, generate, llm_load, ranking_load, refine, stream
from tenfold.replay.traces import STEP_S, Rates, read_rates
from tenfold.replay.waits import duration
from tenfold.replay.week import Floats, Job, Kind, Service, Times, Week
from tenfold.replay.week_schema import (
    BacklogTable,
    ByKind,
    GenerateTable,
    JobDefaults,
    ServiceTable,
    WeekError,
    WeekFile,
)

BACKLOG_JOBS = 16
"""So many jobs of a backlog at most, where nobody says how many."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Span:
    """The steps of a week: how long each is, how many lie before the first that is played, and how many are played."""

    step_s: float
    past: int
    steps: int


def load_week(path: Path, seed: int = 0) -> Week:
    """Read a week.

    Args:
        path: of ``week.toml``.
        seed: of all that is made up: generated load and jobs, and the change within a coarse step of a rates' file.

    Raises:
        WeekError: the file is missing or not TOML, a key is unknown, a value wrong, or it contradicts itself.
        TableError: a row of a file that it names cannot be.
    """
    origin = str(path)
    advice = "write one with 'tenfold replay example DIR'"
    file = read_toml(path, WeekFile, WeekError, what="the week", advice=advice, keys="docs/replay.md")
    kinds = tuple(
        Kind(name, table.slots, table.node_slots, table.rack_nodes, table.conversion)
        for name, table in file.kinds.items()
    )
    problems = [*_service_problems(file), *_job_table_problems(file)]
    _refuse(origin, problems)
    traces = _read_traces(path.parent, file)
    step_s = file.step_s or choose_step([trace.rates.step_s for trace in traces.values()])
    check_step(step_s, traces)
    joined = join(traces, step_s) if traces else None
    span = _span(origin, file, step_s, joined, traces)
    services = tuple(
        _service(name, table, file, span, traces.get(name), joined, stream(seed, name))
        for name, table in file.services.items()
    )
    notes = [] if step_s in (file.step_s, STEP_S) else [f"Steps are of {step_s:g} s, which divide those of the files."]
    notes += joined.notes if joined is not None else ()
    if file.history_s is None and span.past:
        known = duration(span.past * step_s)
        notes.append(f"The first {known} are known to every policy and not played (history_s).")
    told = [holes(each.name, each.gaps_T.tolist(), step_s) for each in services if each.gaps_T is not None]
    jobs = _jobs(path, file, kinds, span, seed)
    recorded = None
    if file.cluster is not None:
        start_s, clock = (0.0, "counted") if joined is None else (joined.start_s, joined.clock)
        play = Play(start_s + span.past * step_s, start_s, clock, step_s, span.steps)
        recorded = read_recorded(path.parent, file.cluster, services, jobs, play)
    notes = [*file.assumed, *notes, *filter(None, told)]
    return Week(file.name, step_s, kinds, services, jobs, tuple(notes), recorded, span.steps)


def _refuse(origin: str, problems: list[str]) -> None:
    if problems:
        raise WeekError("\n".join(f"{origin}: {line}" for line in problems), next_step=f"mend {origin}")


def _service_problems(file: WeekFile) -> list[str]:
    """What the services' tables ask for that cannot be."""
    found, slots = [], sum(kind.slots for kind in file.kinds.values())
    if not file.services and file.jobs.file is None and file.jobs.generate is None and file.jobs.backlog is None:
        found.append("there are neither services nor jobs; write a table [services.NAME] or [jobs]")
    for name, service in file.services.items():
        key = f"'services.{name}"
        if (service.rates is None) == (service.generate is None):
            found.append(f"{key}': give either 'rates' (a file) or a table [services.{name}.generate]")
        found += _unknown_kinds(f"services.{name}.capacity", service.capacity, file)
        able = [file.kinds[kind] for kind, rate in service.capacity.items() if rate > 0 and kind in file.kinds]
        if not able:
            found.append(f"{key}.capacity': no kind can run it; give one of {', '.join(file.kinds)} a rate above 0")
        elif service.converts and not any(kind.conversion is None or kind.conversion for kind in able):
            found.append(f"{key}.converts': no kind that can run it has 'conversion' above 0")
    floors = sum(service.floor for service in file.services.values())
    if floors > slots:
        found.append(f"'services.*.floor': the floors sum to {floors} slots, and the fleet has {slots}")
    return found


def _job_table_problems(file: WeekFile) -> list[str]:
    found = _unknown_kinds("jobs.speed", file.jobs.speed or {}, file)
    if file.jobs.speed is not None and not any(file.jobs.speed.values()):
        found.append(f"'jobs.speed': no kind can train; give one of {', '.join(file.kinds)} a speed above 0")
    return found


def _unknown_kinds(key: str, table: ByKind, file: WeekFile) -> list[str]:
    return [
        f"{key!r}: there is no kind {kind!r}; {suggest(kind, file.kinds)}" for kind in table if kind not in file.kinds
    ]


def _read_traces(folder: Path, file: WeekFile) -> Mapping[str, Trace]:
    """Each service's own series; every file is read once."""
    read: dict[str, Rates] = {}
    own: dict[str, Trace] = {}
    for name, service in file.services.items():
        if service.rates is None:
            continue
        if service.rates not in read:
            read[service.rates] = read_rates(folder / service.rates, file.step_s)
        rates, series = read[service.rates], service.series or name
        if series not in rates.names:
            raise WeekError(
                f"'services.{name}': {service.rates} has no series {series!r}; {suggest(series, rates.names)}",
                next_step=f"give 'series' in [services.{name}]",
            )
        place = rates.names.index(series)
        one = dataclasses.replace(rates, names=(series,), rates_ST=rates.rates_ST[place : place + 1])
        own[name] = Trace(service.rates, one)
    return own


def _span(origin: str, file: WeekFile, step_s: float, joined: Joined | None, traces: Mapping[str, Trace]) -> _Span:
    """How many steps are played: what the file says, what all traces have after the history, or a week."""
    if joined is None:
        past = round((DAY_S if file.history_s is None else file.history_s) / step_s)
        return _Span(step_s, past, file.steps or round(WEEK_DAYS * DAY_S / step_s))
    usual = min(round(DAY_S / step_s), int(joined.steps // WEEK_DAYS))
    past = usual if file.history_s is None else round(file.history_s / step_s)
    left = joined.steps - past
    if left < (file.steps or 2):
        wanted = f"{file.steps:,} steps" if file.steps else "two steps"
        counted = ", ".join(f"{name} has {joined.steps:,}" for name in traces)
        _refuse(origin, [f"{wanted} after 'history_s' (which takes {past:,}) are more than there are: {counted}"])
    return _Span(step_s, past, file.steps or left)


def _service(
    name: str,
    table: ServiceTable,
    file: WeekFile,
    span: _Span,
    trace: Trace | None,
    joined: Joined | None,
    rng: np.random.Generator,
) -> Service:
    past, gaps_T = span.past, np.zeros(0, dtype=np.bool_)
    if trace is None or joined is None:
        assert table.generate is not None
        rates_T = generate_rates(table.generate, past + span.steps, span.step_s, rng, past)
    else:
        rates, skipped, late = trace.rates, joined.skipped[name], joined.late[name]
        filled_T, known_T = rates.series(0)[skipped:], rates.rates_ST[0, skipped:]
        rates_T = table.scale * resample(filled_T, rates.step_s, span.step_s, rng, table.roughness)[late:]
        gaps_T = np.isnan(resample(known_T, rates.step_s, span.step_s))[late:]
    played, known = slice(past, past + span.steps), slice(past)
    return Service(
        name=name,
        family=table.family,
        rates_T=rates_T[played],
        capacity_K=np.array([table.capacity.get(kind, 0.0) for kind in file.kinds]),
        usd_per_request=table.usd_per_request,
        times=Times(table.start_s, table.wake_s, table.sleep_s),
        floor=table.floor,
        converts=table.converts,
        queue_s=table.queue_s,
        gaps_T=gaps_T[played] if gaps_T[played].any() else None,
        past_T=np.where(gaps_T[known], np.nan, rates_T[known]) if len(gaps_T) else rates_T[known],
    )


def generate_rates(table: GenerateTable, steps: int, step_s: float, rng: np.random.Generator, past: int = 0) -> Floats:
    """Load by the table's ``like``, with what it says otherwise; ``past`` of its steps lie before the week."""
    load = {"llm": llm_load, "ranking": ranking_load}[table.like](table.mean_per_s)
    changes = table.model_dump(exclude={"like"}, exclude_none=True)
    return generate(dataclasses.replace(load, **changes), steps, step_s, rng, past)


def resample(
    rates_T: Floats, from_s: float, to_s: float, rng: np.random.Generator | None = None, roughness: float = 0.0
) -> Floats:
    """Rates in steps of another length: means of finer ones, parts of coarser ones (``loads.refine``).

    Without ``rng`` a coarse step's parts are all as it is, which keeps NaN apart from what lies beside it.
    """
    if to_s >= from_s:
        together = round(to_s / from_s)
        whole = len(rates_T) // together * together
        return rates_T[:whole].reshape(-1, together).mean(axis=1)
    parts = round(from_s / to_s)
    return np.repeat(rates_T, parts) if rng is None else refine(rates_T, parts, rng, roughness)


def _jobs(path: Path, file: WeekFile, kinds: tuple[Kind, ...], span: _Span, seed: int) -> tuple[Job, ...]:
    """The backlog's, the file's, and the made-up ones, in this order."""
    table, defaults = file.jobs, file.jobs.defaults
    speed = table.speed or {kind.name: 1.0 for kind in kinds}
    speed_K = np.array([speed.get(kind.name, 0.0) for kind in kinds])
    room = room_of(kinds, speed_K)
    jobs: list[Job] = []
    if table.backlog is not None:
        jobs += _backlog(table.backlog, defaults, room)
    if table.file is not None:
        jobs += read_jobs(path.parent / table.file, kinds, speed_K, defaults)
    if table.generate is not None:
        offered = table.generate.offered_share * float(speed_K @ [kind.slots for kind in kinds])
        mix = JobMix(
            offered_slots=offered,
            usd_per_hour=defaults.usd_per_accelerator_hour,
            times=_times(defaults),
            checkpoint_s=defaults.checkpoint_s,
            checkpoint_every_s=defaults.checkpoint_every_s,
            **table.generate.model_dump(exclude={"offered_share"}),
        )
        jobs += generate_jobs(mix, span.steps * span.step_s / DAY_S, room, stream(seed, "jobs"))
    _refuse(
        str(path),
        [
            f"job {job.name!r}: {column} is {cell!r}; {right}"
            for job in jobs
            for column, cell, right in job_problems(job, kinds)
        ],
    )
    return tuple(jobs)


def _backlog(table: BacklogTable, defaults: JobDefaults, room: Room) -> list[Job]:
    """Jobs that never end. Together they can use all that they may run on, each its part, if nothing else is said."""
    least = min(table.least, room.slots)
    count = table.jobs or max(1, min(BACKLOG_JOBS, room.slots // (2 * least)))
    most = max(least, -(-room.slots // count)) if table.most is None else min(table.most, room.slots)
    one = backlog(room, usd_per_hour=table.usd_per_accelerator_hour, least=least, times=_times(defaults))
    return [
        dataclasses.replace(
            one,
            name=one.name if count == 1 else f"{one.name}-{number + 1}",
            most=most,
            checkpoint_s=defaults.checkpoint_s,
            checkpoint_every_s=defaults.checkpoint_every_s,
        )
        for number in range(count)
    ]


def _times(defaults: JobDefaults) -> Times:
    return Times(defaults.start_s, defaults.wake_s, defaults.sleep_s, defaults.resize_s)
