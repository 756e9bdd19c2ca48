"""Leaves the page of a prediction for the console: when it is made, and again when it is scored."""

import math
from pathlib import Path

from tenfold.core.show import talk
from tenfold.llama.alone import finished
from tenfold.llama.journal import read_evaluations
from tenfold.llama.ladder.forecast import Forecast, forecast
from tenfold.llama.ladder.library import prediction_path, write_outcome
from tenfold.llama.ladder.page import SHELF
from tenfold.llama.ladder.prediction import Outcome, Prediction, load_prediction, outcome_of, runs_copy_path
from tenfold.llama.ladder.report import report
from tenfold.llama.ladder.runs_table import RunsTable, load_runs
from tenfold.llama.recipe import Recipe
from tenfold.page.shelf import leave


def keep_outcome(path: Path, observed: float, flops: float | None = None) -> tuple[Prediction, Outcome]:
    """Score the prediction in ``path``, keep the score, and draw its page anew.

    Raises:
        UsageError, Damaged: there is no whole prediction.
    """
    scored = write_outcome(path, observed, flops)
    leave_page(path)
    return scored


def score_run(home: Path, name: str, recipe: Recipe) -> tuple[Prediction, Outcome] | None:
    """Score a run that has ended, finished or diverged, against the prediction that was registered for it.

    One that diverged has reached what its parameters come to on held-out data; where that is no number, nothing.

    Returns:
        None where none was registered, or no held-out loss was measured after the run's last step.

    Raises:
        Damaged: somebody changed the prediction since it was made.
    """
    path = prediction_path(home, name)
    if not path.exists():
        return None
    done = finished(name, recipe, home)
    evaluations = read_evaluations(done.folder)
    if not evaluations or evaluations[-1].step != done.step:
        return None
    reached = evaluations[-1].loss
    return keep_outcome(path, reached if math.isfinite(reached) else math.inf, done.flops)


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
    leave(SHELF, told.name, report(runs, found, told, outcome_of(told, path)))
    talk.print(f"the page is in the console under Ladder ({told.name})", markup=False)
