"""Reading ``week.toml`` and the traces it names: every mistake is told with its file, line or key.

Letters: T steps, K kinds.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tenfold.core.errors import UsageError
from tenfold.core.explain import suggest
from tenfold.core.toml_file import read_toml
from tenfold.replay.job_file import job_problems, read_jobs
from tenfold.replay.job_mix import JobMix, Room, backlog, generate_jobs, room_of
from tenfold.replay.loads import DAY_S, WEEK_DAYS, generate, llm_load, ranking_load, refine, stream
from tenfold.replay.traces import Rates, read_rates
from tenfold.replay.week import Floats, Job, Kind, Service, Times, Week
from tenfold.replay.week_schema import BacklogTable, ByKind, GenerateTable, JobDefaults, ServiceTable, WeekFile

WHOLE = 1e-6


class WeekError(UsageError):
    """``week.toml`` has an unknown key or a wrong value, or asks for what cannot be."""


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
    steps = _steps(origin, file, traces)
    services = tuple(
        _service(name, table, file, traces.get(name), steps, stream(seed, name))
        for name, table in file.services.items()
    )
    return Week(file.name, file.step_s, kinds, services, _jobs(path, file, kinds, steps, seed))


def _refuse(origin: str, problems: list[str]) -> None:
    if problems:
        raise WeekError("\n".join(f"{origin}: {line}" for line in problems), next_step=f"mend {origin}")


def _service_problems(file: WeekFile) -> list[str]:
    """What the services' tables ask for that cannot be."""
    found, slots = [], sum(kind.slots for kind in file.kinds.values())
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


def _read_traces(folder: Path, file: WeekFile) -> Mapping[str, Rates]:
    """Each service's own series; every file is read once."""
    read: dict[str, Rates] = {}
    own: dict[str, Rates] = {}
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
        parts, merged = rates.step_s / file.step_s, file.step_s / rates.step_s
        if min(abs(parts - round(parts)), abs(merged - round(merged))) > WHOLE:
            raise WeekError(
                f"'step_s' is {file.step_s:g}, and {service.rates} has steps of {rates.step_s:g} s: neither is a whole "
                "multiple of the other",
                next_step="choose a step_s that divides the file's, or is a multiple of it",
            )
        place = rates.names.index(series)
        own[name] = Rates(rates.step_s, (series,), rates.rates_ST[place : place + 1])
    return own


def _steps(origin: str, file: WeekFile, traces: Mapping[str, Rates]) -> int:
    """How many steps are played: what the file says, what all traces have after the history, or a week."""
    past = _past(file)
    have = {name: int(rates.rates_ST.shape[1] * rates.step_s / file.step_s + WHOLE) for name, rates in traces.items()}
    least = min(have.values(), default=0) - past
    counted = ", ".join(f"{name} has {length}" for name, length in have.items())
    if have and least < (file.steps or 2):
        wanted = f"{file.steps:,} steps" if file.steps else "two steps"
        _refuse(origin, [f"{wanted} after 'history_s' (which takes {past:,}) are more than there are: {counted}"])
    if file.steps is None and len(set(have.values())) > 1:
        _refuse(origin, [f"the services' rates differ in steps: {counted}; 'steps = {least}' plays what all have"])
    return file.steps or (least if have else round(WEEK_DAYS * DAY_S / file.step_s))


def _past(file: WeekFile) -> int:
    """Steps before the first that is played."""
    return round(file.history_s / file.step_s)


def _service(
    name: str, table: ServiceTable, file: WeekFile, rates: Rates | None, steps: int, rng: np.random.Generator
) -> Service:
    past, gaps_T = _past(file), np.zeros(0, dtype=np.bool_)
    if rates is None:
        assert table.generate is not None
        rates_T = generate_rates(table.generate, past + steps, file.step_s, rng, past)
    else:
        rates_T = table.scale * resample(rates.series(0), rates.step_s, file.step_s, rng, table.roughness)
        gaps_T = np.isnan(resample(rates.rates_ST[0], rates.step_s, file.step_s))
    played, known = slice(past, past + steps), slice(past)
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


def _jobs(path: Path, file: WeekFile, kinds: tuple[Kind, ...], steps: int, seed: int) -> tuple[Job, ...]:
    """The backlog, the file's, and the made-up ones, in this order."""
    table, defaults = file.jobs, file.jobs.defaults
    speed = table.speed or {kind.name: 1.0 for kind in kinds}
    speed_K = np.array([speed.get(kind.name, 0.0) for kind in kinds])
    room = room_of(kinds, speed_K)
    jobs: list[Job] = []
    if table.backlog is not None:
        jobs.append(_backlog(table.backlog, defaults, room))
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
        jobs += generate_jobs(mix, steps * file.step_s / DAY_S, room, stream(seed, "jobs"))
    _refuse(
        str(path),
        [
            f"job {job.name!r}: {column} is {cell!r}; {right}"
            for job in jobs
            for column, cell, right in job_problems(job, kinds)
        ],
    )
    return tuple(jobs)


def _backlog(table: BacklogTable, defaults: JobDefaults, room: Room) -> Job:
    job = backlog(room, usd_per_hour=table.usd_per_accelerator_hour, least=table.least, times=_times(defaults))
    return dataclasses.replace(
        job,
        most=room.slots if table.most is None else min(table.most, room.slots),
        checkpoint_s=defaults.checkpoint_s,
        checkpoint_every_s=defaults.checkpoint_every_s,
    )


def _times(defaults: JobDefaults) -> Times:
    return Times(defaults.start_s, defaults.wake_s, defaults.sleep_s, defaults.resize_s)
