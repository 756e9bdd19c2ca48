"""Services' rates, each from a file of its own, joined by time: what all of them have is what can be played.

Letters: T steps.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tenfold.replay.traces import STEP_S, Clock, Rates, moment
from tenfold.replay.week_schema import WeekError

WHOLE = 1e-6
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Trace:
    """One service's series and the file that it is from. ``rates`` has this one series."""

    file: str
    rates: Rates

    @property
    def end_s(self) -> float:
        """When the last step ends."""
        return self.rates.start_s + self.rates.rates_ST.shape[1] * self.rates.step_s


@dataclass(frozen=True, slots=True)
class Joined:
    """Where every service's series begins and ends in what all have, and what a reader must know of it.

    ``skipped``: by service the steps of its own file that lie before; ``late``: by service the steps of the week that
    remain before it after that, where the file's steps are longer than the week's. ``steps``: what all have.
    """

    skipped: Mapping[str, int]
    late: Mapping[str, int]
    steps: int
    notes: tuple[str, ...]
    start_s: float
    clock: Clock


def choose_step(steps_s: Sequence[float], longest_s: float = STEP_S) -> float:
    """The longest step up to two minutes that every file's step is a whole number of, or the other way round.

    Args:
        steps_s: seconds of the files' steps; none: everything is made up.
        longest_s: seconds in place of the two minutes.
    """
    fits = [
        whole
        for file_s in steps_s
        for whole in (*(file_s / parts for parts in range(1, 1 + math.ceil(file_s))), *_multiples(file_s, longest_s))
        if whole <= longest_s + WHOLE and all(_divides(whole, other_s) for other_s in steps_s)
    ]
    return max(fits, default=min(steps_s, default=STEP_S))


def _multiples(file_s: float, longest_s: float) -> list[float]:
    return [file_s * times for times in range(2, 1 + int(longest_s / file_s + WHOLE))]


def _divides(step_s: float, file_s: float) -> bool:
    parts, merged = file_s / step_s, step_s / file_s
    return min(abs(parts - round(parts)), abs(merged - round(merged))) <= WHOLE


def check_step(step_s: float, traces: Mapping[str, Trace]) -> None:
    """Refuse a step that some file's step does not fit.

    Raises:
        WeekError: see there; names a step that would fit.
    """
    for trace in traces.values():
        if not _divides(step_s, trace.rates.step_s):
            fits = choose_step([each.rates.step_s for each in traces.values()])
            raise WeekError(
                f"'step_s' is {step_s:g}, and {trace.file} has steps of {trace.rates.step_s:g} s: neither is a whole "
                "multiple of the other",
                next_step=f"leave 'step_s' out, or write step_s = {fits:g}",
            )


def join(traces: Mapping[str, Trace], step_s: float) -> Joined:
    """Find the time that all series have.

    Args:
        traces: by service.
        step_s: seconds of a step of the week.

    Raises:
        WeekError: there is no such time, or some dates have a time zone and others none.
    """
    traces, notes = _on_one_clock(traces)
    start_s = max(trace.rates.start_s for trace in traces.values())
    end_s = min(trace.end_s for trace in traces.values())
    clock = next(iter(traces.values())).rates.clock
    spans = {trace.file: _span(trace, clock) for trace in traces.values()}
    if end_s - start_s < step_s - WHOLE:
        told = "; ".join(f"{file} has {span}" for file, span in spans.items())
        raise WeekError(f"the services' rates have no time in common: {told}", next_step="give files of the same days")
    skipped, late, steps, moved = {}, {}, [], {}
    for name, trace in traces.items():
        own_s = trace.rates.step_s
        ahead = (start_s - trace.rates.start_s) / own_s
        # A coarse step that has begun before is cut where the week's own steps are; a fine one is left out or not.
        skipped[name] = math.floor(ahead + WHOLE) if own_s > step_s else round(ahead)
        rest = (ahead - skipped[name]) * own_s / step_s
        late[name] = round(rest) if own_s > step_s else 0
        off_s = abs(rest - late[name]) * step_s
        if off_s > WHOLE * step_s:
            moved[trace.file] = off_s
        length = (trace.rates.rates_ST.shape[1] - skipped[name]) * own_s / step_s - late[name]
        steps.append(math.floor(length + WHOLE))
    if len(set(spans.values())) > 1:
        told = "; ".join(f"{file} has {span}" for file, span in spans.items())
        notes.append(f"Rates are joined by time: {told}. What all have is taken: {_between(start_s, end_s, clock)}.")
    notes += [f"{file} begins {off_s:g} s off the others' steps and is moved by that." for file, off_s in moved.items()]
    return Joined(skipped, late, min(steps), tuple(notes), start_s, clock)


def holes(name: str, gaps_T: Sequence[bool], step_s: float) -> str | None:
    """Say how much of a series was not measured, and where most of it is; none if all was."""
    gaps = np.flatnonzero(gaps_T)
    if not len(gaps):
        return None
    runs = np.split(gaps, np.flatnonzero(np.diff(gaps) > 1) + 1)
    longest = max(runs, key=len)
    return (
        f"{name}: {len(gaps):,} of {len(gaps_T):,} steps were not measured; the longest hole is of "
        f"{len(longest) * step_s / HOUR_S:.3g} h, {longest[0] * step_s / HOUR_S:.3g} h after the first step played."
    )


def _on_one_clock(traces: Mapping[str, Trace]) -> tuple[dict[str, Trace], list[str]]:
    """Put what counts from a beginning of its own where the others begin; dates must all have a zone, or none."""
    by_clock: dict[Clock, list[Trace]] = {}
    for trace in traces.values():
        by_clock.setdefault(trace.rates.clock, []).append(trace)
    if {"zoned", "local"} <= by_clock.keys():
        raise WeekError(
            f"times of {by_clock['zoned'][0].file} have a time zone, those of {by_clock['local'][0].file} have none",
            next_step="give both, e.g. 2026-01-05T00:00:00Z, or neither",
        )
    if "counted" not in by_clock or len(by_clock) == 1:
        return dict(traces), []
    dated = next(each for clock, found in by_clock.items() if clock != "counted" for each in found)
    begin_s = min(each.rates.start_s for clock, found in by_clock.items() if clock != "counted" for each in found)
    first_s = min(each.rates.start_s for each in by_clock["counted"])
    moved: dict[str, Trace] = {}
    for name, trace in traces.items():
        rates = trace.rates
        if rates.clock == "counted":
            at_s = begin_s + rates.start_s - first_s
            rates = Rates(rates.step_s, rates.names, rates.rates_ST, at_s, dated.rates.clock)
        moved[name] = Trace(trace.file, rates)
    files = ", ".join(dict.fromkeys(trace.file for trace in by_clock["counted"]))
    return moved, [f"{files} tells no dates: taken to begin when {dated.file} does, {moment(begin_s, is_date=True)}."]


def _span(trace: Trace, clock: Clock) -> str:
    return _between(trace.rates.start_s, trace.end_s, clock)


def _between(start_s: float, end_s: float, clock: Clock) -> str:
    is_date = clock != "counted"
    return f"{moment(start_s, is_date=is_date)} to {moment(end_s, is_date=is_date)}"
