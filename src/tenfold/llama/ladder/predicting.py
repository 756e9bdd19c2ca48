"""From runs to a prediction: the forecast, its cross-check, and what the run takes."""

from dataclasses import dataclass

from tenfold.compute.facilities import find_facility
from tenfold.compute.hardware import recognise
from tenfold.llama.ladder.forecast import Forecast, forecast
from tenfold.llama.ladder.huber import fit_huber
from tenfold.llama.ladder.law import best_run
from tenfold.llama.ladder.library import now
from tenfold.llama.ladder.needs import compute_of, data_of, settings_of
from tenfold.llama.ladder.prediction import Prediction, prediction_of
from tenfold.llama.ladder.runs_table import RunsTable


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be predicted: the run, and where it will run."""

    name: str
    flops: float
    accelerator: str
    facility: str
    total_params: float | None = None
    context: int | None = None
    owned_tokens: float | None = None


def make(runs: RunsTable, runs_sha256: str, asked: Asked) -> tuple[Prediction, Forecast]:
    """Predict a run and seal it; also give the forecast behind it.

    Raises:
        UsageError: the runs are too few, or accelerator or facility are not known.
        InfeasibleError: the run does not fit the accelerator.
    """
    accelerator, facility = recognise(asked.accelerator).accelerator, find_facility(asked.facility)
    found = forecast(runs, asked.flops)
    best = found.best
    huber = best_run(fit_huber(runs), found.fit.cost, asked.flops, found.fit.allocation)
    told = prediction_of(
        asked.name,
        now(),
        runs_sha256,
        len(runs),
        found,
        huber.loss,
        float(runs.loss_R.min()),
        settings_of(best.params),
        compute_of(best, accelerator, facility, total_params=asked.total_params, context=asked.context),
        data_of(best.tokens, asked.owned_tokens or 0.0),
    )
    return told, found
