"""Leaves the page of a prediction for the console: when it is made, and again when it is scored."""

from pathlib import Path

from tenfold.core.show import talk
from tenfold.llama.ladder.forecast import Forecast, forecast
from tenfold.llama.ladder.library import write_outcome
from tenfold.llama.ladder.page import SHELF
from tenfold.llama.ladder.prediction import Outcome, Prediction, load_outcome, load_prediction, runs_copy_path
from tenfold.llama.ladder.report import report
from tenfold.llama.ladder.runs_table import RunsTable, load_runs
from tenfold.page.shelf import leave


def keep_outcome(path: Path, observed: float, flops: float | None = None) -> tuple[Prediction, Outcome]:
    """Score the prediction in ``path``, keep the score, and draw its page anew.

    Raises:
        UsageError, Damaged: there is no whole prediction.
    """
    scored = write_outcome(path, observed, flops)
    leave_page(path)
    return scored


def leave_page(path: Path, runs: RunsTable | None = None, found: Forecast | None = None) -> None:
    """Draw the prediction in ``path``, with its outcome if it has one.

    Args:
        path: of the prediction.
        runs: that it was made from; default: the copy beside it.
        found: the forecast behind it; default: made again.
    """
    told = load_prediction(path)
    runs = runs or load_runs(runs_copy_path(path))
    found = found or forecast(runs, told.flops)
    leave(SHELF, told.name, report(runs, found, told, load_outcome(path)))
    talk.print(f"the page is in the console under Ladder ({told.name})", markup=False)
