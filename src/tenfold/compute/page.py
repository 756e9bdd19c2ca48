"""The calculator's page in the console: a training run in, time, cost and power out, each with its interval."""

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from tenfold.core.errors import TenfoldError, UsageError
from tenfold.core.written import number
from tenfold.page.figures import amount, percent, usd
from tenfold.page.sheet import lead

if TYPE_CHECKING:
    from tenfold.compute.interval import Interval
    from tenfold.compute.run import Run
    from tenfold.compute.training import TrainingEstimate

STYLE = Path(__file__).with_name("page.css").read_text()
START = {
    "params": "70B",
    "tokens": "15T",
    "accelerator": "h100-sxm",
    "count": "2048",
    "precision": "bf16",
    "facility": "hyperscale",
}
_ABOUT = (
    "Time, cost and power, calibrated on published runs; each estimate has an interval that holds 80% of outcomes. "
    "<code>tenfold compute</code> answers for inference and ranking too."
)
_PRECISIONS = ("bf16", "fp16", "fp8", "fp4", "fp32")


def html(query: Mapping[str, str]) -> str:
    """Make the page; what the query does not say is as in ``START``."""
    asked = {name: query.get(name, "").strip()[:40] or standard for name, standard in START.items()}
    try:
        answer = _answer(asked)
    except TenfoldError as error:
        answer = f'<div class="refused" role="alert">{escape(str(error))}</div>'
    return (
        f"{lead('What a training run takes', _ABOUT)}"
        f'<div class="calc"><div class="card">{_form(asked)}</div>'
        f'<div class="card" id="answer">{answer}</div></div>'
    )


def _form(asked: Mapping[str, str]) -> str:
    from tenfold.compute.accelerators import accelerators
    from tenfold.compute.facilities import facilities

    fields = [
        _text("params", "Parameters, e.g. 405B", asked),
        _text("tokens", "Tokens, e.g. 15.6T", asked),
        _choice("accelerator", "Accelerator", asked, accelerators()),
        _text("count", "How many at once", asked),
        _choice("precision", "Format of matrix products", asked, _PRECISIONS),
        _choice("facility", "Facility", asked, facilities()),
    ]
    return f'<form method="get" action="">{"".join(fields)}<button class="go">Estimate</button></form>'


def _text(name: str, label: str, asked: Mapping[str, str]) -> str:
    return f'<label>{label}<input name="{name}" value="{escape(asked[name])}" autocomplete="off"></label>'


def _choice(name: str, label: str, asked: Mapping[str, str], options: Mapping[str, object] | tuple[str, ...]) -> str:
    rows = "".join(
        f"<option{' selected' if option == asked[name] else ''}>{escape(option)}</option>" for option in options
    )
    return f'<label>{label}<select name="{name}">{rows}</select></label>'


def _answer(asked: Mapping[str, str]) -> str:
    from tenfold.compute.facilities import find_facility
    from tenfold.compute.training import estimate_training

    run = _run(asked)
    estimate = estimate_training(run, find_facility(asked["facility"]))
    rows = "".join(_row(*line) for line in _lines(run, estimate))
    near = "".join(
        f"<tr><th scope=row>{escape(known.row.run)}</th><td>{amount(known.run.active_params)}</td>"
        f"<td>{amount(known.run.tokens)}</td><td>{escape(known.run.accelerator.name)}</td>"
        f"<td>{amount(known.accelerator_hours)}</td><td>{percent(known.utilisation)}</td></tr>"
        for known in estimate.nearest
    )
    strange = "".join(
        f"<p>Unlike all that is known: {escape(way)}; believe the interval less.</p>" for way in estimate.unlike
    )
    return (
        f"<h2>{amount(run.count or 0)} {escape(run.accelerator.name)}, {estimate.flops:.3g} FLOPs</h2>"
        f"<p>The state of training fits on {estimate.least_accelerators:,} of them.</p>{strange}"
        '<div class="wide" tabindex="0" role="region" aria-label="Estimate"><table class="estimate"><thead><tr>'
        "<th scope=col>quantity</th><th scope=col>estimate</th><th scope=col>80% interval</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
        '<h2 style="margin-top:24px">Nearest published runs</h2>'
        '<div class="wide" tabindex="0" role="region" aria-label="Nearest published runs"><table class="near">'
        "<thead><tr>"
        "<th scope=col>run</th><th scope=col>active</th><th scope=col>tokens</th><th scope=col>on</th>"
        "<th scope=col>accelerator-hours</th><th scope=col>utilisation</th></tr></thead>"
        f"<tbody>{near}</tbody></table></div>"
    )


def _run(asked: Mapping[str, str]) -> "Run":
    """Read the form.

    Raises:
        UsageError: a field is not what it should be; names it.
    """
    from tenfold.compute.hardware import recognise
    from tenfold.compute.run import Run

    params, tokens, count = (_positive(name, asked[name]) for name in ("params", "tokens", "count"))
    precision = next((each for each in _PRECISIONS if each == asked["precision"]), None)
    if precision is None or not float(count).is_integer():
        raise UsageError("the format, or how many accelerators there are, is not one that can be", next_step="mend it")
    accelerator = recognise(asked["accelerator"]).accelerator
    return Run(params, params, tokens, accelerator, count=int(count), precision=precision)  # pyrefly: ignore


def _positive(name: str, text: str) -> float:
    value = number(text)
    if not isinstance(value, int | float) or not 1 <= value <= 1e18:
        raise UsageError(f"{name}: {text!r} is no number from 1 to 1e18", next_step="write it like 70B or 15T")
    return float(value)


def _lines(run: "Run", estimate: "TrainingEstimate") -> "Iterator[tuple[str, Interval, str]]":
    bill = estimate.bill
    if estimate.days is not None:
        yield "days", estimate.days, "amount"
    yield "accelerator-hours", estimate.accelerator_hours, "amount"
    yield "utilisation of the 16-bit peak", estimate.utilisation, "percent"
    if estimate.interruptions is not None:
        yield "interruptions", estimate.interruptions, "amount"
    yield "energy, MWh", bill.energy_mwh, "amount"
    if estimate.days is not None:
        yield "mean power, MW", _power_mw(bill.energy_mwh, estimate.days), "amount"
    yield "electricity", bill.electricity_usd, "usd"
    if bill.rent_usd is not None:
        yield "cost, rented", bill.rent_usd, "usd"
    if bill.owned_usd is not None:
        yield "cost, owned", bill.owned_usd, "usd"


def _power_mw(energy_mwh: "Interval", days: "Interval") -> "Interval":
    """Energy over time. A run that takes longer takes more of both, so low is set beside low, and high beside high."""
    from tenfold.compute.interval import Interval

    low, mid, high = (
        energy / (24 * time)
        for energy, time in ((energy_mwh.low, days.low), (energy_mwh.mid, days.mid), (energy_mwh.high, days.high))
    )
    return Interval(min(low, mid, high), mid, max(low, mid, high))


def _row(name: str, found: "Interval", written: str) -> str:
    write = {"amount": amount, "percent": percent, "usd": usd}[written]
    interval = f"{write(found.low)} to {write(found.high)}" if found.low < found.high else "known"
    return f"<tr><th scope=row>{name}</th><td>{write(found.mid)}</td><td>{interval}</td></tr>"
