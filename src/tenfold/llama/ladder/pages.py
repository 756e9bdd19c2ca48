"""Leaves the page of a prediction for the console: when it is made, and again when it is scored."""

import math
from pathlib import Path

from tenfold.core.show import talk
from tenfold.llama.ladder.forecast import Forecast, forecast
from tenfold.llama.ladder.library import prediction_path, write_outcome
from tenfold.llama.ladder.page import SHELF
from tenfold.llama.ladder.prediction import Outcome, Prediction, load_prediction, outcome_of, runs_copy_path
from tenfold.llama.ladder.report import report
from tenfold.llama.ladder.runs_table import RunsTable, load_runs
from tenfold.llama.recipe import Recipe
from tenfold.llama.runs import train_folder
from tenfold.llama.standing import standing_of
from tenfold.page.shelf import leave


def keep_outcome(path: Path, observed: float, flops: float | None = None) -> tuple[Prediction, Outcome]:
    """Score the prediction in ``path``, keep the score, and draw its page anew.

    Raises:
        UsageError, Damaged: there is no whole prediction.
    """
    scored = write_outcome(path, observed, flops)
    leave_page(path)
    return scored


def score_run(home: Path, name: str, recipe: Recipe, path: Path | None = None) -> tuple[Prediction, Outcome] | None:
    """Score a run that has ended, finished or diverged, against a prediction.

    One that diverged has reached what its parameters come to on held-out data; where that is no number, nothing.

    Args:
        home: of the run.
        name: of the run.
        recipe: of the run.
        path: of the prediction; none: the one that was registered for a run of this name.
    Returns:
        None where there is none, or where the run has not ended with a held-out loss.

    Raises:
        Damaged: somebody changed the prediction since it was made.
    """
    path = path or prediction_path(home, name)
    if not path.exists():
        return None
    run = standing_of(name, train_folder(home, name), recipe)
    if run.state not in ("finished", "diverged") or run.evaluation_loss is None or run.evaluated_at != run.step:
        return None
    return keep_outcome(path, run.evaluation_loss if math.isfinite(run.evaluation_loss) else math.inf, run.flops)


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
