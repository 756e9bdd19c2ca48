"""The ladder as one page: the runs, the fit through the best of them, the prediction, and how the run came out."""

import math
from html import escape
from pathlib import Path

import numpy as np

from tenfold.llama.ladder.forecast import Forecast
from tenfold.llama.ladder.frontier import frontier
from tenfold.llama.ladder.prediction import Outcome, Prediction
from tenfold.llama.ladder.runs_table import RunsTable
from tenfold.page.drawing import Frame, band, diamond, dot, line, marks_between, picture, rule, text, x_labels
from tenfold.page.figures import amount
from tenfold.page.sheet import amount_data, data, document, footer, header, section, tiles, usd_data

WIDTH, HEIGHT = 860.0, 420.0
CURVE = 40


def report(runs: RunsTable, found: Forecast, told: Prediction, outcome: Outcome | None) -> str:
    """The page of one prediction."""
    style = Path(__file__).with_name("report.css").read_text()
    body = "\n".join(
        [
            header(f"Ladder: {told.name}", f"{told.runs} runs, and {told.times:.3g} times their largest budget"),
            tiles(_tiles(told, outcome)),
            section(
                "Runs, fit, prediction" + (", outcome" if outcome else ""),
                _about(outcome),
                _chart(runs, found, told, outcome),
            ),
            section("What the run takes", _needs_about(told), _needs(told)),
            section(
                "How the same method read the past", "Each budget of these runs, from the smaller ones.", _past(found)
            ),
            footer(_small_print(told)),
        ]
    )
    return document(f"Ladder: {told.name}", style, body)


def _tiles(told: Prediction, outcome: Outcome | None) -> list[tuple[str, str, str]]:
    shown = [
        ("Predicted loss", data(told.loss, f"{told.loss:.4f}"), f"95%: {told.low:.4f} to {told.high:.4f}"),
        ("Best size", amount_data(told.params), "parameters without embeddings"),
        ("Tokens", amount_data(told.tokens), f"{told.tokens / told.params:.3g} per parameter"),
    ]
    if outcome is not None and not math.isfinite(outcome.observed):
        shown.append(("Reached", "none", "it diverged"))
    elif outcome is not None:
        words = "inside the interval" if outcome.inside else "outside the interval"
        shown.append(("Reached", data(outcome.observed, f"{outcome.observed:.4f}"), f"{outcome.error:+.2%}, {words}"))
    else:
        shown.append(("Reached", "none", "not trained yet"))
    return shown


def _about(outcome: Outcome | None) -> str:
    last = ", the ring what it reached." if outcome else "."
    return (
        "Loss along training FLOPs, both in logarithms: a dot is a run, pale where it is far above the best of its "
        f"compute; the line is the fit, the diamond the prediction with its 95% interval{last}"
    )


def _chart(runs: RunsTable, found: Forecast, told: Prediction, outcome: Outcome | None) -> str:
    near = runs.loss_R <= 1.6 * runs.loss_R.min()
    reached = outcome if outcome is not None and math.isfinite(outcome.observed) else None
    losses = [*runs.loss_R[near], told.low, told.high] + ([reached.observed] if reached else [])
    x_range = math.log10(runs.flops_R.min()) - 0.15, math.log10(told.flops) + 0.25
    y_range = math.log(min(losses)) - 0.02, math.log(max(losses)) + 0.02
    frame = Frame(WIDTH, HEIGHT, 70, 20, 16, 44, x_range, y_range)
    marks = [value for value in marks_between(min(losses), max(losses)) if value > 0]
    parts = [rule((frame.left, frame.y(math.log(v))), (WIDTH - frame.right, frame.y(math.log(v)))) for v in marks]
    parts += [text((frame.left - 8, frame.y(math.log(v)) + 4), f"{v:.3g}", "tick", anchor="end") for v in marks]
    decades = range(math.ceil(x_range[0]), math.floor(x_range[1]) + 1)
    parts += x_labels(frame, [(float(power), f"1e{power}") for power in decades])
    place = frame.point(math.log10(told.flops), math.log(told.loss))
    top, bottom = frame.y(math.log(told.high)), frame.y(math.log(told.low))
    half = 5.0
    parts.append(
        band(
            [(place[0] - half, top), (place[0] + half, top)],
            [(place[0] - half, bottom), (place[0] + half, bottom)],
            "range",
            f"{told.low:.4f} to {told.high:.4f}",
        )
    )
    for used, flops, loss, name in zip(found.fit.used_R, runs.flops_R, runs.loss_R, runs.names, strict=True):
        if loss <= 1.6 * runs.loss_R.min():
            spot = frame.point(math.log10(flops), math.log(loss))
            parts.append(dot(spot, "run" if used else "run left", f"{name}: {loss:.4f}"))
    flops_V = np.geomspace(frontier(runs).flops_F[0], told.flops, CURVE)
    parts.append(line([frame.point(math.log10(f), math.log(found.fit.best(float(f)).loss)) for f in flops_V], "fit"))
    parts.append(diamond(place, "told", f"predicted {told.loss:.4f}"))
    if reached is not None:
        spot = frame.point(math.log10(reached.flops or told.flops), math.log(reached.observed))
        parts.append(dot(spot, "reached", f"reached {reached.observed:.4f}", 7.0))
    return picture(WIDTH, HEIGHT, "Loss along training FLOPs: runs, fit, prediction and outcome", parts)


def _needs_about(told: Prediction) -> str:
    if told.repeats is None:
        return "No text is owned as far as was told (<code>--owned-tokens</code>)."
    if told.repeats <= 1:
        return "The text that is owned is enough to see none of it twice."
    lack = max(0.0, told.unique_tokens - told.owned_tokens)
    if lack == 0:
        return f"Each owned token is seen {told.repeats:.2g} times; up to four is nearly as good as new text."
    return f"Each owned token would be seen {told.repeats:.2g} times: {amount(lack)} more different tokens are wanted."


def _needs(told: Prediction) -> str:
    low, mid, high = told.accelerator_hours
    rows = [
        ("Learning rate to start from", data(told.learning_rate, f"{told.learning_rate:.3g}"), ""),
        ("Tokens a step to start from", amount_data(told.batch_tokens), ""),
        (f"Hours on {escape(told.accelerator)}", amount_data(mid), f"{amount(low)} to {amount(high)}"),
    ]
    if told.usd is not None:
        rows.append(("Cost", usd_data(told.usd[1]), f"80%: {usd_data(told.usd[0])} to {usd_data(told.usd[2])}"))
    rows += [
        ("Different tokens wanted", amount_data(told.unique_tokens), "none seen more than four times"),
        ("Different tokens owned", amount_data(told.owned_tokens), ""),
        ("Storage, GB", amount_data(told.storage_gb), "text and tokens"),
    ]
    cells = "".join(f"<tr><th scope=row>{a}</th><td>{b}</td><td>{c}</td></tr>" for a, b, c in rows)
    return f"<table><tbody>{cells}</tbody></table>"


def _past(found: Forecast) -> str:
    if not found.origins:
        return "<p>There are too few budgets to try it.</p>"
    rows = "".join(
        f"<tr><td>{each.flops:.3g}</td><td>{each.from_flops:.3g}</td>"
        f"<td>{data(each.predicted, f'{each.predicted:.4f}')}</td>"
        f"<td>{data(each.observed, f'{each.observed:.4f}')}</td>"
        f"<td>{each.predicted / each.observed - 1:+.2%}</td></tr>"
        for each in found.origins
    )
    head = "<tr><th scope=col>budget, FLOPs</th><th scope=col>from runs up to</th><th scope=col>predicted</th>"
    return (
        f"<table><thead>{head}<th scope=col>was</th><th scope=col>miss</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _small_print(told: Prediction) -> list[str]:
    law = told.law
    lines = [
        f"L = {law['E']:.4g} + {law['A']:.4g} / N^{law['alpha']:.3f} + {law['B']:.4g} / D^{law['beta']:.3f}; the Huber "
        f"fit without a prior says {told.cross_check:.4f}.",
        f"Registered {escape(told.made_at)} from runs with digest {told.runs_sha256[:12]}; seal {told.sha256[:12]}.",
    ]
    return lines + [f"The interval is wide because {escape(reason)}." for reason in told.reasons]
