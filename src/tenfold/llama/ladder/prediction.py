"""A registered prediction: what a run will reach, written down and sealed before it starts.

The file holds the digest of the runs that it was made from, the date, and a digest of itself: who changes a figure
later breaks the seal. The run is scored against it, and the score is kept beside it, hit or miss.
"""

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import ConfigDict, Field, ValidationError

from tenfold.core.errors import Damaged, UsageError
from tenfold.core.frozen import Frozen
from tenfold.core.paths import replace_file
from tenfold.llama.ladder.forecast import Forecast
from tenfold.llama.ladder.needs import Compute, Data, Settings

NEXT_STEP = "make one with 'tenfold ladder predict'"


class Prediction(Frozen):
    """What was predicted, and from what."""

    name: str = Field(description="of the run that is predicted")
    made_at: str = Field(description="when, ISO 8601 with time zone")
    runs_sha256: str = Field(description="digest of the file of runs that it was made from")
    runs: int = Field(description="how many runs that file had")
    flops: float = Field(description="training FLOPs of the predicted run")
    times: float = Field(description="those over the largest of the runs")
    loss: float
    low: float = Field(description="lower end of the 95% interval of the loss")
    high: float = Field(description="upper end of it")
    params: float = Field(description="best parameters, without embeddings")
    tokens: float = Field(description="best tokens")
    learning_rate: float = Field(description="peak learning rate to start from")
    batch_tokens: float = Field(description="tokens a step to start from")
    accelerator: str
    accelerator_hours: tuple[float, float, float] = Field(description="low, middle and high of the 80% interval")
    usd: tuple[float, float, float] | None = Field(description="of owning, or else of renting; None: no price known")
    owned_tokens: float = Field(description="different tokens that there are")
    unique_tokens: float = Field(description="fewest different tokens with which nothing repeats more than four times")
    repeats: float | None = Field(description="times each owned token would be seen; None: nothing is owned")
    storage_gb: float = Field(description="10^9 bytes of text and tokens")
    cross_check: float = Field(description="loss by the Huber fit, which shares no assumption but the law")
    best_so_far: float = Field(description="lowest loss of the runs")
    law: dict[str, float] = Field(description="E, A, B, alpha, beta")
    reasons: tuple[str, ...] = Field(description="why the interval is as wide as it is")
    sha256: str = Field("", description="digest of all of the above: the seal")

    def sealed(self) -> Self:
        """The prediction with its seal."""
        return self.model_copy(update={"sha256": self._digest()})

    def _digest(self) -> str:
        told = self.model_dump(mode="json", exclude={"sha256"})
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def whole(self) -> bool:
        """Whether nobody changed it since."""
        return self.sha256 == self._digest()


class Outcome(Frozen):
    """How a run came out, against its prediction."""

    # A run that gained nothing has an infinite share, which JSON's null would not be read back as.
    model_config = ConfigDict(ser_json_inf_nan="constants")

    prediction_sha256: str
    scored_at: str
    flops: float | None = Field(description="FLOPs that the run took, where it tells")
    predicted: float
    low: float
    high: float
    observed: float
    error: float = Field(description="predicted over observed, less 1")
    share_of_gain: float = Field(description="miss over what the compute took off the best loss so far; 0: exact")
    inside: bool = Field(description="whether the interval holds it")
    verdict: Literal["inside", "better", "worse"]


def prediction_of(
    name: str,
    made_at: datetime,
    runs_sha256: str,
    runs: int,
    found: Forecast,
    cross_check: float,
    best_so_far: float,
    settings: Settings,
    compute: Compute,
    data: Data,
) -> Prediction:
    """Write down and seal what was found."""
    best, law = found.best, found.fit.law
    a, b = law.plain_factors
    usd = compute.owned_usd or compute.rent_usd
    hours = compute.accelerator_hours
    return Prediction(
        name=name,
        made_at=made_at.isoformat(timespec="seconds"),
        runs_sha256=runs_sha256,
        runs=runs,
        flops=best.flops,
        times=found.times,
        loss=best.loss,
        low=found.low,
        high=found.high,
        params=best.params,
        tokens=best.tokens,
        learning_rate=settings.learning_rate,
        batch_tokens=settings.batch_tokens,
        accelerator=compute.accelerator,
        accelerator_hours=(hours.low, hours.mid, hours.high),
        usd=None if usd is None else (usd.low, usd.mid, usd.high),
        owned_tokens=data.owned_tokens,
        unique_tokens=data.enough_unique,
        repeats=data.repeats if data.owned_tokens else None,
        storage_gb=data.storage_gb,
        cross_check=cross_check,
        best_so_far=best_so_far,
        law={"E": law.floor, "A": a, "B": b, "alpha": law.size_exponent, "beta": law.data_exponent},
        reasons=found.reasons,
    ).sealed()


def score(prediction: Prediction, observed: float, scored_at: datetime, flops: float | None = None) -> Outcome:
    """Score a run's loss against its prediction."""
    inside = prediction.low <= observed <= prediction.high
    gain = prediction.best_so_far - observed
    miss = prediction.loss - observed
    return Outcome(
        prediction_sha256=prediction.sha256,
        scored_at=scored_at.isoformat(timespec="seconds"),
        flops=flops,
        predicted=prediction.loss,
        low=prediction.low,
        high=prediction.high,
        observed=observed,
        error=prediction.loss / observed - 1,
        share_of_gain=miss / gain if gain > 0 else float("inf"),
        inside=inside,
        verdict="inside" if inside else "better" if observed < prediction.low else "worse",
    )


def outcome_path(path: Path) -> Path:
    """Where the score of the prediction in ``path`` is kept."""
    return path.with_suffix(".outcome.json")


def forecast_path(path: Path) -> Path:
    """Where the prediction in ``path`` is written for ``tenfold plan``."""
    return path.with_suffix(".toml")


def runs_copy_path(path: Path) -> Path:
    """Where the runs that the prediction in ``path`` was made from are kept."""
    return path.with_suffix(".runs.csv")


def register(prediction: Prediction, runs_text: str, path: Path) -> None:
    """Write a prediction, and beside it the runs that it was made from and what ``tenfold plan`` reads of it.

    Raises:
        UsageError: there is one already: a prediction is never written over.
        OSError: it cannot be written.
    """
    if path.exists():
        raise UsageError(
            f"there is a prediction in {path} already, and it stays as it is",
            next_step="give another --name or --output",
        )
    set_old_score_aside(path)
    replace_file(path, (prediction.model_dump_json(indent=1) + "\n").encode())
    replace_file(forecast_path(path), forecast_toml(prediction).encode())
    replace_file(runs_copy_path(path), runs_text.encode())


def forecast_toml(prediction: Prediction) -> str:
    """What a study reads by ``runs.<name>.forecast``: what the run takes in compute and data."""
    told = prediction
    return (
        f"# The run {told.name!r} as 'tenfold ladder predict' sees it ({told.made_at}, seal {told.sha256[:12]}).\n"
        "# A study names this file: runs: {next: {due: ..., missed_usd: ..., forecast: FILE}}\n"
        f"[run]\nparams = {told.params:.6g}\ntokens = {told.tokens:.6g}\nflops = {told.flops:.6g}\n\n"
        f"[run.data]\nunique_tokens = {told.unique_tokens:.6g}\nowned_tokens = {told.owned_tokens:.6g}\n"
        f"storage_gb = {told.storage_gb:.6g}\n"
    )


def load_prediction(path: Path) -> Prediction:
    """Read a prediction.

    Raises:
        UsageError: there is none.
        Damaged: it is no prediction, or somebody changed it since it was made.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read the prediction {str(path)!r}: {error.strerror}", next_step=NEXT_STEP) from error
    try:
        found = Prediction.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        cause = f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}"
        raise Damaged(path, cause, what="prediction", next_step=NEXT_STEP) from error
    if not found.whole():
        raise Damaged(path, "a figure was changed after it was made", what="prediction", next_step=NEXT_STEP)
    return found


def outcome_of(prediction: Prediction, path: Path) -> Outcome | None:
    """The score of this prediction, which is in ``path``; one of a prediction that was there before is none of it.

    Raises:
        Damaged: what is kept there is no score.
    """
    found = load_outcome(path)
    return found if found is not None and found.prediction_sha256 == prediction.sha256 else None


def set_old_score_aside(path: Path) -> None:
    """Give the score of a prediction that was in ``path`` before a name by that one's seal, so that it stays."""
    found = load_outcome(path)
    if found is not None:
        outcome_path(path).rename(path.with_suffix(f".{found.prediction_sha256[:12]}.outcome.json"))


def load_outcome(path: Path) -> Outcome | None:
    """The score beside the prediction in ``path``, if there is one.

    Raises:
        Damaged: it is no score.
    """
    try:
        return Outcome.model_validate_json(outcome_path(path).read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        cause = f"it is no score: {error.errors()[0]['msg']}"
        advice = "move it away, and score the run anew"
        raise Damaged(outcome_path(path), cause, what="score", next_step=advice) from error
