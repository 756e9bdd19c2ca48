"""``tenfold replay import``: a week from what a platform team has."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tenfold.core.command import Json, whole
from tenfold.core.show import machine, out
from tenfold.replay.importing.reading import Reading, TimeUnit, Unit

BY_SERVICE = "chat=4,code=6, or 4 for all"


def import_(
    files: Annotated[list[Path], Parameter(help="Of any of these kinds, each recognised by what it holds.")],
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"), help="A new folder for week.toml and its files.")],
    name: Annotated[str | None, Parameter(help="Title of the week; default: the folder's name.")] = None,
    fleet: Annotated[str, Parameter(help="Accelerators by kind, e.g. h100=512,a100=256.")] = "",
    node: Annotated[int, whole("Accelerators of a node.", least=1)] = 8,
    replicas: Annotated[
        Path | None, Parameter(help="How many replicas each service had: Prometheus or Grafana, like FILES.")
    ] = None,
    answered: Annotated[
        Path | None, Parameter(help="Requests per second that each answered in time: Prometheus or Grafana.")
    ] = None,
    accelerators_per_replica: Annotated[str, Parameter(help=f"By service: {BY_SERVICE}. Default: 1.")] = "",
    capacity: Annotated[
        str, Parameter(help="Requests per second that a replica answers in time, by service, e.g. chat=12.")
    ] = "",
    parallel: Annotated[str, Parameter(help="Requests that a replica works on at once; the log has latencies.")] = "",
    model: Annotated[str, Parameter(help="What a log with tokens was of, e.g. chat=llama-3.1-8b.")] = "",
    latency_target: Annotated[str, Parameter(help="Seconds within which an answer is in time, by service.")] = "",
    family: Annotated[str, Parameter(help="Families of services, e.g. chat=llm,feed=ranking.")] = "",
    elastic: Annotated[bool, Parameter(help="Jobs may run on a quarter to twice what they had.")] = False,
    start: Annotated[
        str | None, Parameter(help="When to begin, e.g. 2026-01-05; default: as early as can be, or jobs' last --days.")
    ] = None,
    days: Annotated[float | None, Parameter(help="How many to take; default: all, of a long time a week.")] = None,
    timezone: Annotated[str, Parameter(help="Of dates without one, e.g. Europe/Berlin.")] = "UTC",
    unit: Annotated[Unit, Parameter(help="Of the values of series.")] = "per-second",
    time_unit: Annotated[TimeUnit | None, Parameter(help="Of times that count from a beginning.")] = None,
    latency_unit: Annotated[
        TimeUnit | None, Parameter(help="Of how long requests took; default: as the column's name says, or a guess.")
    ] = None,
    by: Annotated[str | None, Parameter(help="The label or column that names the service.")] = None,
    json: Json = False,
) -> None:
    """Make a week of FILES: Prometheus or Grafana series, request logs, sacct -P, Kueue workloads."""
    from tenfold.page.figures import counted
    from tenfold.replay.importing.days import joined
    from tenfold.replay.importing.imported import import_week
    from tenfold.replay.importing.recognise import read, read_series
    from tenfold.replay.importing.wishes import Wishes, figures, words
    from tenfold.replay.importing.writing import write_week

    targets = figures("--latency-target", latency_target)
    reading = Reading(timezone, unit, by, time_unit, latency_unit, targets)
    wishes = Wishes(
        name=name or output.name,
        reading=reading,
        fleet=figures("--fleet", fleet),
        node=node,
        capacity=figures("--capacity", capacity),
        replica=figures("--accelerators-per-replica", accelerators_per_replica),
        parallel=figures("--parallel", parallel),
        model=words("--model", model),
        family=words("--family", family),
        start=start,
        days=days,
        elastic=elastic,
    )
    held = read_series(replicas, replace(reading, levels=True)) if replicas is not None else None
    answers = read_series(answered, reading) if answered is not None else None
    given = joined(files, [read(path, reading) for path in files], reading)
    found = import_week(given, wishes, held, answers)
    write_week(output, found.files)
    data = {
        "week": str((output / "week.toml").resolve()),
        "files": list(found.files),
        "services": list(found.services),
        "jobs": found.jobs,
        "kinds": dict(found.kinds),
        "assumed": list(found.assumed),
    }
    size = [counted(len(found.services), "service"), counted(found.jobs, "job")]
    size += [f"{slots:,} {kind}" for kind, slots in found.kinds.items()]
    lines = [
        f"{output / 'week.toml'}: {', '.join(size)}",
        "taken for granted (correct it in week.toml, or by the option named):",
        *(f"  {line}" for line in found.assumed),
        f"next:  tenfold replay {output / 'week.toml'} --policy all",
    ]
    if json:
        machine(data)
    else:
        out.print("\n".join(lines), markup=False, soft_wrap=True)
