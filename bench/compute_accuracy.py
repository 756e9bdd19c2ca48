"""How well the compute estimates hold where nobody fitted them: the held-out ways first, then the fleet-day.

Held out: whole sources, whole generations of accelerators, later years (the scheme is in ``accuracy.py``); all is
fitted anew without them. Below: each run left out alone, a newcomer who tells little, the rule of thumb of 40% of peak,
and DeepSeek's inference day. The table has each run as estimated without its source.

    python bench/compute_accuracy.py [--markdown]

It takes 25 s of one core. The last line is one JSON object, held-out figures first; with --markdown the table is all
that is printed, as in docs/compute.md.
"""

import argparse
import json
import os
from collections.abc import Sequence

from accuracy import (
    FLEET_DAY_ACCELERATORS,
    Accuracy,
    Checked,
    bare_strangers,
    fleet_day,
    held_out,
    leave_one_out,
    leave_source_out,
    naive,
    summary,
    worst,
)
from serving import ServingAccuracy, by_kind, by_source, held_out_rows, serving_accuracy, tuned_rows


def short(hours: float) -> str:
    for limit, suffix in ((1e6, "M"), (1e3, "k")):
        if hours >= limit * 0.9995:
            return f"{hours / limit:.3g}{suffix}"
    return f"{hours:.3g}"


def markdown(checked: Sequence[Checked]) -> str:
    lines = [
        "| run | on | hours | estimate | 80% interval | error | checked | source |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in checked:
        row, estimate = each.known.row, each.estimate_hours
        outside = "" if estimate.holds(each.known.accelerator_hours) else ", outside"
        cells = (
            row.run,
            each.known.run.accelerator.name,
            short(each.known.accelerator_hours),
            short(estimate.mid),
            f"{short(estimate.low)} to {short(estimate.high)}",
            f"{round(each.error, 2) + 0.0:+.0%}{outside}",
            row.provenance,
            f"{row.source} ({row.source_date})",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def show(name: str, found: Accuracy) -> None:
    print(
        f"{name:28} median error {found.median_error:.3f}  p90 {found.p90_error:.3f}  "
        f"coverage {found.coverage80:.3f}  median high/low {found.median_width:.2f}"
    )


def show_serving(name: str, found: ServingAccuracy) -> None:
    print(
        f"{name:28} {found.rows:3} rows  median factor {found.median_factor:.2f}  p90 {found.p90_factor:.2f}  "
        f"bias {found.bias:.2f}  coverage {found.coverage80:.2f}"
    )


def serving_figures() -> dict[str, float]:
    """Serving on sources that no constant was chosen on, and on those that they were chosen on."""
    held, tuned = held_out_rows(), tuned_rows()
    kinds = by_kind(held)
    for name, found in kinds.items():
        show_serving(f"serving held out: {name}", found)
    for name, found in by_source(held).items():
        show_serving(f"  {name}", found)
    everything, chosen_on = serving_accuracy(held), serving_accuracy(tuned)
    show_serving("serving held out: all", everything)
    show_serving("serving, chosen on", chosen_on)
    figures = {
        f"serving_median_factor_{name.replace(' bits', '').replace(' ', '_')}": found.median_factor
        for name, found in kinds.items()
    }
    return figures | {
        "serving_median_factor": everything.median_factor,
        "serving_worst_class_factor": max(found.median_factor for found in kinds.values()),
        "serving_p90_factor": everything.p90_factor,
        "serving_coverage80": everything.coverage80,
        "serving_tuned_median_factor": chosen_on.median_factor,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/compute.md only")
    arguments = parser.parse_args()
    if arguments.markdown:
        print(markdown(leave_source_out()))
        return
    ways = held_out()
    found = {name: summary(rows) for name, rows in ways.items()}
    for name, way in found.items():
        show(f"held out: {name}", way)
    median, p90, coverage = worst(list(found.values()))
    print(f"{'worst of the three':28} median error {median:.3f}  p90 {p90:.3f}  coverage {coverage:.3f}\n")
    kinds = {
        kind: summary([row for row in ways["source"] if row.known.run.kind == kind]) for kind in ("run", "benchmark")
    }
    one, bare = summary(leave_one_out()), summary(bare_strangers())
    for name, accuracy in (
        ("source left out, runs", kinds["run"]),
        ("source left out, benchmarks", kinds["benchmark"]),
        ("source left out, told little", bare),
        ("leave one out", one),
        ("naive 40% MFU", summary(naive())),
    ):
        show(name, accuracy)
    day = fleet_day()
    error = day.accelerators.mid / FLEET_DAY_ACCELERATORS - 1
    print(
        f"DeepSeek's day: {day.accelerators.mid / 8:.1f} servers ({day.accelerators.low / 8:.0f} to "
        f"{day.accelerators.high / 8:.0f}), published {FLEET_DAY_ACCELERATORS / 8:.2f}\n"
    )
    figures = {"held_out_median": median, "held_out_p90": p90, "held_out_coverage80": coverage}
    for name, way in found.items():
        figures |= {
            f"{name}_median": way.median_error,
            f"{name}_p90": way.p90_error,
            f"{name}_coverage80": way.coverage80,
            f"{name}_width": way.median_width,
        }
    figures |= {
        "median_error": one.median_error,
        "p90_error": one.p90_error,
        "coverage80": one.coverage80,
        "bare_median_error": bare.median_error,
        "bare_p90_error": bare.p90_error,
        "fleet_day_error": error,
    }
    figures |= serving_figures()
    print(json.dumps({name: round(value, 3) for name, value in figures.items()} | {"runs": one.runs}))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
