"""How ``tenfold compute`` prints: a table for people, JSON for machines."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.table import Table
from rich.text import Text

from tenfold.compute.accelerators import Accelerator, Number, Source
from tenfold.compute.facilities import Bill, Facility
from tenfold.compute.inference import InferenceEstimate
from tenfold.compute.interval import Interval
from tenfold.compute.ranking import RankingEstimate
from tenfold.compute.run import Run
from tenfold.compute.served import ServedModel
from tenfold.compute.table import EstimatedRow, RunTable, TableScore
from tenfold.compute.training import TrainingEstimate
from tenfold.core.errors import UsageError
from tenfold.core.show import grid, machine, out, talk

# Laying out a row for a terminal takes longer than estimating it, and nobody reads this many.
SHOWN_ROWS = 1000
SHOWN_NOTES = 20


@contextmanager
def progress(begin: str) -> Iterator[Callable[[str], None]]:
    """Show on a terminal how far something is; gives what to call with news."""
    with talk.status(begin) as status:
        yield status.update


def training(run: Run, estimate: TrainingEstimate, json: bool) -> None:
    """Print a training run's estimate."""
    if json:
        machine(
            {
                "accelerator": run.accelerator.name,
                "count": run.count,
                "flops": estimate.flops,
                "utilisation": estimate.utilisation,
                "days": estimate.days,
                "accelerator_hours": estimate.accelerator_hours,
                "interruptions": estimate.interruptions,
                "least_accelerators": estimate.least_accelerators,
                "bill": estimate.bill,
                "kind": run.kind,
                "tokens_per_s": estimate.tokens_per_s,
                "high_over_low": estimate.accelerator_hours.high / estimate.accelerator_hours.low,
                "unlike": list(estimate.unlike),
                "nearest": [
                    {
                        "run": near.row.run,
                        "accelerator": near.run.accelerator.name,
                        "accelerator_hours": near.accelerator_hours,
                        "utilisation": near.utilisation,
                        "source": near.row.source,
                    }
                    for near in estimate.nearest
                ],
            }
        )
        return
    lines = _table("", "estimate", "80% interval")
    if estimate.days is not None:
        _line(lines, "days", estimate.days)
    _line(lines, "accelerator-hours", estimate.accelerator_hours)
    _line(lines, "tokens/s of one accelerator", estimate.tokens_per_s)
    _line(lines, "utilisation of the 16-bit peak", estimate.utilisation, percent=True)
    if estimate.interruptions is not None:
        _line(lines, "interruptions", estimate.interruptions)
    _bill(lines, estimate.bill, "")
    kind = run.accelerator.name
    fleet = kind if run.count is None else f"{run.count:,} {kind}"
    out.print(f"{estimate.flops:.3g} FLOPs on {fleet}; the state fits on {estimate.least_accelerators:,} of them\n")
    out.print(lines)
    hours = estimate.accelerator_hours
    out.print(f"\nthe interval's ends are a factor of {hours.high / hours.low:.2g} apart", markup=False)
    for way in estimate.unlike:
        out.print(f"unlike all that is known: {way}; believe the interval less", markup=False)
    near = _table("nearest published runs", "active", "tokens", "on", "accelerator-hours", "utilisation")
    for known in estimate.nearest:
        near.add_row(
            known.row.run,
            _short(known.run.active_params),
            _short(known.run.tokens),
            known.run.accelerator.name,
            _short(known.accelerator_hours),
            f"{known.utilisation:.0%}",
        )
    out.print()
    out.print(near)


def table(
    rows: Sequence[EstimatedRow], score: TableScore | None, given: RunTable, output: Path | None, json: bool
) -> None:
    """Print a table of estimates, of a long one its beginning, and write it to a CSV file if asked."""
    if given.not_read:
        talk.print(f"columns not read: {', '.join(map(repr, given.not_read))}", markup=False)
    records = [
        {
            "line": row.line,
            "run": row.run,
            "accelerator": row.accelerator,
            "flops": row.flops,
            "estimate_hours": row.estimate_hours.mid,
            "low_hours": row.estimate_hours.low,
            "high_hours": row.estimate_hours.high,
            "actual_hours": row.actual_hours,
            "error": row.error,
            "inside": row.inside,
            "left_out": row.left_out,
            "assumed": "; ".join(given.assumed.get(row.line, ())),
        }
        for row in rows
    ]
    if output is not None:
        try:
            with output.open("w", newline="") as file:
                writer = csv.DictWriter(file, list(records[0]))
                writer.writeheader()
                writer.writerows(records)
        except OSError as error:
            raise UsageError(f"cannot write {output}: {error}", next_step="give --output a path in a folder") from error
        talk.print(f"wrote {output}", markup=False)
    if json:
        bad = [{"line": line, "what": what} for line, what in given.bad]
        machine({"rows": records, "score": score, "bad_rows": bad, "columns_not_read": list(given.not_read)})
        return
    lines = _table("line", "run", "on", "hours", "80% interval", "actual", "error", "inside")
    for row in rows[:SHOWN_ROWS]:
        lines.add_row(
            str(row.line),
            Text(row.run),
            row.accelerator,
            _short(row.estimate_hours.mid),
            _range(row.estimate_hours),
            "-" if row.actual_hours is None else _short(row.actual_hours),
            "-" if row.error is None else f"{row.error:+.0%}",
            "-" if row.inside is None else ("yes" if row.inside else "no"),
        )
    out.print(lines)
    if len(rows) > SHOWN_ROWS:
        talk.print(f"the first {SHOWN_ROWS:,} of {len(rows):,} rows; --output FILE or --json gives all", markup=False)
    if score is not None:
        out.print(
            f"\n{score.runs} with an actual: median error {score.median_error:.0%}, 90th percentile "
            f"{score.p90_error:.0%}, {score.coverage80:.0%} inside the 80% interval",
            markup=False,
        )
    for note, where in _assumed(given)[:SHOWN_NOTES]:
        out.print(f"assumed: {note} ({where})", markup=False)
    left_out = [row.left_out for row in rows if row.left_out is not None]
    if left_out:
        are = "1 is a published run" if len(left_out) == 1 else f"{len(left_out)} are published runs"
        out.print(f"{are}; each was estimated by a fit that had not seen it", markup=False)


def _assumed(given: RunTable) -> list[tuple[str, str]]:
    """What was assumed of rows, and of which; the commonest first."""
    places: dict[str, list[int]] = {}
    for line, notes in given.assumed.items():
        for note in notes:
            places.setdefault(note, []).append(line)
    found = sorted(places.items(), key=lambda each: -len(each[1]))
    return [
        (note, f"line {lines[0]}" if len(lines) == 1 else f"{len(lines):,} rows, the first on line {lines[0]}")
        for note, lines in found
    ]


def inference(model: ServedModel, estimate: InferenceEstimate, json: bool) -> None:
    """Print a serving fleet."""
    if json:
        machine({"model": model.title, "estimate": estimate})
        return
    out.print(
        f"{model.title}: prefill is bound by {estimate.prefill_bound}, decode by {estimate.decode_bound} ", end=""
    )
    out.print(f"at {estimate.decode_batch:.0f} sequences per accelerator", markup=False)
    if estimate.assumed:
        out.print(f"assumed: {'; '.join(estimate.assumed)}", markup=False)
    out.print()
    lines = _table("", "estimate", "80% interval")
    _line(lines, "accelerators", estimate.accelerators)
    _line(lines, "  prefill", estimate.prefill_accelerators)
    _line(lines, "  decode", estimate.decode_accelerators)
    _line(lines, "prefill tokens/s each, full load", estimate.prefill_tokens_per_s)
    _line(lines, "decode tokens/s each, full load", estimate.decode_tokens_per_s)
    answers, name = estimate.answer_tokens_per_s, "answers, with their prompts"
    if answers is None:
        lines.add_row(name, "-", "-")
    else:
        _line(lines, name, answers)
    _bill(lines, estimate.bill_per_day, " a day")
    out.print(lines)
    if answers is None:
        out.print(
            "\nwhere prompts are read between the tokens of answers, no answer is as fast as it must be: read them on "
            "other accelerators, or give a lower --speed",
            markup=False,
        )
    near = _table("nearest measurements", "on", "replica", "weights", "prompt/answer", "tokens/s each")
    for row in estimate.nearest:
        parallel = row.deployment().parallel
        lengths = f"{row.prompt_tokens:,.0f}/{row.output_tokens:,.0f}"
        near.add_row(row.model, row.accelerator, str(parallel), row.precision, lengths, _short(row.tokens_per_s))
    out.print()
    out.print(near)


def ranking(estimate: RankingEstimate, json: bool) -> None:
    """Print a ranking fleet."""
    if json:
        machine(estimate)
        return
    out.print(f"bound by {estimate.bound}\n", markup=False)
    lines = _table("", "estimate", "80% interval")
    _line(lines, "accelerators", estimate.accelerators)
    _line(lines, "  for compute", estimate.by_flops)
    _line(lines, "  for embedding memory", estimate.by_memory)
    _line(lines, "  for lookups", estimate.by_lookups)
    _line(lines, "host cores", estimate.host_cores)
    _line(lines, "storage, TB", estimate.storage_tb)
    _bill(lines, estimate.bill_per_day, " a day, accelerators only")
    out.print(lines)


def accelerators(known: Sequence[Accelerator], json: bool) -> None:
    """Print all accelerators, one line each."""
    if json:
        machine({each.name: each.entry for each in known})
        return
    lines = _table("accelerator", "year", "16-bit TFLOP/s", "fp8", "GB", "GB/s", "server W", "USD", "USD/hour")
    for each in known:
        entry = each.entry
        lines.add_row(
            each.name,
            str(entry.year),
            f"{each.peak_16bit_flops / 1e12:,.5g}",
            "-" if entry.fp8_tflops is None else f"{entry.fp8_tflops.value:,.0f}",
            f"{entry.hbm_gb.value:g}",
            f"{entry.hbm_gb_per_s.value:,.0f}",
            f"{entry.server_w.value:,.0f}",
            "-" if entry.price_usd is None else _short(entry.price_usd.value),
            "-" if entry.rent_usd_per_hour is None else _short(entry.rent_usd_per_hour.value),
        )
    out.print(lines)
    out.print("\n'tenfold compute accelerators NAME' gives range, source and date of every number", markup=False)


def accelerator(known: Accelerator, json: bool) -> None:
    """Print one accelerator, every number with its source."""
    if json:
        machine({"name": known.name, "entry": known.entry, "sources": dict(known.sources)})
        return
    out.print(known.entry.title, markup=False)
    _numbers(known.numbers(), known.sources)


def facilities(known: Sequence[Facility], json: bool) -> None:
    """Print all facilities, every number with its source."""
    if json:
        machine({each.name: {"entry": each.entry, "sources": dict(each.sources)} for each in known})
        return
    for each in known:
        out.print(f"{each.name}: {each.entry.title}", markup=False)
        _numbers(each.numbers(), each.sources)
        out.print()


def _numbers(numbers: Mapping[str, Number], known: Mapping[str, Source]) -> None:
    lines = _table("number", "value", "range", "source")
    for key, number in numbers.items():
        spread = "-" if number.low is None and number.high is None else _range(number.interval())
        lines.add_row(key, f"{number.value:,.8g}", spread, number.source)
    out.print(lines)
    sources = _table("source", "date", "checked", "what it is")
    for key in dict.fromkeys(number.source for number in numbers.values()):
        sources.add_row(key, known[key].date, known[key].checked, known[key].title)
    out.print()
    out.print(sources)


def _bill(lines: Table, bill: Bill, suffix: str) -> None:
    _line(lines, f"energy, MWh{suffix}", bill.energy_mwh)
    if bill.rent_usd is not None:
        _line(lines, f"rented, USD{suffix}", bill.rent_usd)
    if bill.owned_usd is not None:
        _line(lines, f"owned, USD{suffix}", bill.owned_usd)


def _line(lines: Table, label: str, value: Interval, *, percent: bool = False) -> None:
    if percent:
        lines.add_row(label, f"{value.mid:.0%}", f"{value.low:.0%} to {value.high:.0%}")
    else:
        lines.add_row(label, _short(value.mid), _range(value))


def _range(value: Interval) -> str:
    return f"{_short(value.low)} to {_short(value.high)}"


def _short(value: float) -> str:
    """Three significant digits with a unit prefix, as people write counts."""
    for limit, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= limit * 0.9995:
            return f"{value / limit:.3g}{suffix}"
    return f"{value:.3g}"


def _table(*columns: str) -> Table:
    return grid(*columns, folding=("run", "what it is", "16-bit TFLOP/s"))
