"""How well the compute estimates hold: published training runs left out one at a time, and DeepSeek's inference day.

For each run everything is fitted anew without it: slopes, effects, shrinkage and interval width. Error is estimated
over published accelerator-hours, less one. Below the table: the same with all runs of an organisation left out (what a
newcomer gets), that with only size, tokens and accelerator told ("bare"), and the rule of thumb of 40% of peak.

    python bench/compute_accuracy.py [--markdown]

It takes 70 s of one core. The last line is one JSON object; with --markdown the table is all that is printed, as in
docs/compute.md.
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
    leave_one_out,
    leave_organisation_out,
    naive,
    summary,
)


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
        f"{name:24} median error {found.median_error:.3f}  p90 {found.p90_error:.3f}  "
        f"coverage {found.coverage80:.3f}  median high/low {found.median_width:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/compute.md only")
    arguments = parser.parse_args()
    checked = leave_one_out()
    if arguments.markdown:
        print(markdown(checked))
        return
    print(f"{'run':22} {'accelerator':10} {'published':>10} {'estimate':>10} {'80% interval':>24} {'error':>6}")
    for each in checked:
        estimate = each.estimate_hours
        mark = " " if estimate.holds(each.known.accelerator_hours) else "*"
        print(
            f"{each.known.row.run:22} {each.known.run.accelerator.name:10} {each.known.accelerator_hours:10,.0f} "
            f"{estimate.mid:10,.0f} {estimate.low:10,.0f} to {estimate.high:10,.0f} {each.error:+6.0%}{mark}"
        )
    print("* outside its interval\n")
    one, newcomer, bare = (summary(rows) for rows in (checked, leave_organisation_out(), bare_strangers()))
    show("leave one out", one)
    show("leave organisation out", newcomer)
    show("the same, told little", bare)
    show("naive 40% MFU", summary(naive()))
    day = fleet_day()
    error = day.accelerators.mid / FLEET_DAY_ACCELERATORS - 1
    print(
        f"DeepSeek's day: {day.accelerators.mid / 8:.1f} servers ({day.accelerators.low / 8:.0f} to "
        f"{day.accelerators.high / 8:.0f}), published {FLEET_DAY_ACCELERATORS / 8:.2f}"
    )
    print(
        json.dumps(
            {
                "runs": one.runs,
                "median_error": round(one.median_error, 3),
                "p90_error": round(one.p90_error, 3),
                "coverage80": round(one.coverage80, 3),
                "fleet_day_error": round(error, 3),
                "newcomer_median_error": round(newcomer.median_error, 3),
                "newcomer_p90_error": round(newcomer.p90_error, 3),
                "newcomer_coverage80": round(newcomer.coverage80, 3),
                "bare_median_error": round(bare.median_error, 3),
                "bare_p90_error": round(bare.p90_error, 3),
            }
        )
    )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
