"""Prometheus' answer to ``query_range``, and what Thanos, Mimir and VictoriaMetrics answer alike.

Letters: N samples.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tenfold.replay.importing.found import ImportFault, Samples, SeriesFile
from tenfold.replay.importing.labels import Labels, metric_of, service_names
from tenfold.replay.importing.reading import Reading
from tenfold.replay.week import Floats

ASK = "ask /api/v1/query_range with start, end and step"


def is_answer(found: object) -> bool:
    """Whether a JSON value is an answer of Prometheus."""
    return isinstance(found, Mapping) and "status" in found and ("data" in found or "error" in found)


def read_answer(origin: str, answer: object, reading: Reading) -> SeriesFile:
    """Read an answer.

    Raises:
        ImportFault: it is an error, no range, or empty; or a value is no number.
    """
    assert isinstance(answer, Mapping)
    if answer["status"] != "success":
        told = f"{answer.get('errorType', '')} {answer.get('error', '')}".strip()
        raise ImportFault(
            f"{origin}: Prometheus answered with an error: {told}", next_step="mend the query and ask again"
        )
    data = answer["data"]
    kind = data.get("resultType") if isinstance(data, Mapping) else None
    if kind != "matrix":
        raise ImportFault(f"{origin}: the answer is a {kind!r}, which is no course over time", next_step=ASK)
    found = data.get("result") or []
    if not found:
        raise ImportFault(f"{origin}: the query found no series", next_step="ask for a time and names that there are")
    if any("histograms" in each and "values" not in each for each in found):
        raise ImportFault(f"{origin}: the series are native histograms", next_step="ask for histogram_count(rate(...))")
    labels: list[Labels] = [each.get("metric", {}) for each in found]
    names, label = service_names(origin, labels, reading.by)
    samples = [
        _samples(origin, at, each.get("values", []), counter=reading.counts(metric_of(labels[at])))
        for at, each in enumerate(found)
    ]
    refuse_replicas(origin, labels, reading)
    return SeriesFile(origin, "dated", summed(names, samples), named(origin, names, label))


def _samples(origin: str, place: int, values: Sequence[Sequence[object]], *, counter: bool) -> Samples:
    at_s, value = np.empty(len(values)), np.empty(len(values))
    for row, pair in enumerate(values):
        try:
            at_s[row], value[row] = float(str(pair[0])), float(str(pair[1]))
        except (ValueError, IndexError, TypeError):
            raise ImportFault(
                f"{origin}, series {place + 1}, sample {row + 1}: {pair!r} is no time and number", next_step=ASK
            ) from None
    value[~np.isfinite(value)] = np.nan
    if (value < 0).any():
        raise ImportFault(f"{origin}, series {place + 1}: {np.nanmin(value):g} is no rate", next_step="mend the query")
    return Samples(at_s, value, "count" if counter else "level")


def summed(names: Sequence[str], samples: Sequence[Samples]) -> Mapping[str, Samples]:
    """One series for each name: what several pods of a service measured at about one time is added up."""
    found: dict[str, list[Samples]] = {}
    for name, each in zip(names, samples, strict=True):
        found.setdefault(name, []).append(each)
    return {name: parts[0] if len(parts) == 1 else _sum(parts) for name, parts in found.items()}


def _sum(parts: Sequence[Samples]) -> Samples:
    step_s = interval_s([part.at_s_N for part in parts])
    begin_s = min((float(part.at_s_N[0]) for part in parts if len(part.at_s_N)), default=0.0)
    counter = any(part.says == "count" for part in parts)
    # A pod that has gone measures nothing, and adds nothing; its counter's fall would look like a restart of all.
    rates = [rate_of(part) for part in parts] if counter else parts
    at = [np.round((part.at_s_N - begin_s) / step_s).astype(np.int64) for part in rates]
    total = np.full(max(int(each.max(initial=0)) for each in at) + 1, np.nan)
    for places, part in zip(at, rates, strict=True):
        known = ~np.isnan(part.value_N)
        total[places[known]] = np.nan_to_num(total[places[known]]) + part.value_N[known]
    return Samples(np.arange(len(total), dtype=np.float64) * step_s + begin_s, total, "rise" if counter else "level")


def rate_of(samples: Samples) -> Samples:
    """What a counter rose by per second, from each sample to the next; where it fell it began at zero again."""
    rose_N = np.diff(samples.value_N)
    rose_N = np.where(rose_N < 0, samples.value_N[1:], rose_N)
    apart_N = np.diff(samples.at_s_N)
    rates_N = np.divide(rose_N, apart_N, out=np.full(len(apart_N), np.nan), where=apart_N > 0)
    return Samples(samples.at_s_N[:-1], rates_N, "rise")


def interval_s(times: Sequence[Floats]) -> float:
    """The usual distance of two samples, in whole seconds where it is near one: scrapes are off by a second or so."""
    usual = []
    for each in times:
        apart = np.diff(np.unique(each))
        if len(apart):
            # A mean, as a scrape that is late makes the next distance short; holes do not count.
            usual.append(float(apart[apart < 1.5 * np.median(apart)].mean()))
    found = max(usual, default=60.0)
    return float(round(found)) if abs(found - round(found)) <= 0.05 * found else found


def refuse_replicas(origin: str, labels: Sequence[Labels], reading: Reading) -> None:
    """Refuse counts of replicas that are given as if they were requests.

    Raises:
        ImportFault: all series are of replicas.
    """
    metrics = {metric_of(each) for each in labels}
    if metrics and not reading.levels and all("replicas" in metric for metric in metrics):
        raise ImportFault(
            f"{origin}: {', '.join(sorted(metrics))} says how many replicas there were, and of no requests",
            next_step=f"give it as --replicas {origin}, beside the requests' files",
        )


def named(origin: str, names: Sequence[str], label: str | None) -> tuple[str, ...]:
    """Say what the services were named by, where that is not plain."""
    services = list(dict.fromkeys(names))
    if label is None:
        return ()
    several = f", {len(names)} series added up" if len(services) < len(names) else ""
    return (f"{origin}: services are named by {label!r}: {', '.join(services)}{several}.",)
