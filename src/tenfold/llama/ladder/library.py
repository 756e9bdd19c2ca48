"""What the ladder keeps in the pool's home: runs, predictions with their scores, how many tokens there are."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

from tenfold.core.paths import replace_file
from tenfold.llama.ladder.prediction import (
    Outcome,
    Prediction,
    load_prediction,
    outcome_of,
    outcome_path,
    score,
    set_old_score_aside,
)

FOLDER = "ladder"
OWNED = "owned-tokens"


def runs_path(home: Path) -> Path:
    """Where ``tenfold ladder run`` writes its runs, and ``fit`` and ``predict`` look for them."""
    return home / FOLDER / "runs.csv"


def write_owned(home: Path, tokens: int) -> None:
    """Keep how many different tokens the ladder of this home is trained on."""
    replace_file(home / FOLDER / OWNED, f"{tokens}\n".encode())


def read_owned(home: Path) -> float | None:
    """That many; none if no ladder was trained here."""
    try:
        return float((home / FOLDER / OWNED).read_text())
    except (FileNotFoundError, ValueError):
        return None


def prediction_path(home: Path, name: str) -> Path:
    """Where the prediction of a run is kept unless it is told otherwise."""
    return home / FOLDER / "predictions" / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)}.json"


def find_prediction(home: Path, named: str) -> Path:
    """Where the prediction is that a person names: by its file, or by the name of one of this home."""
    path = Path(named)
    return path if path.is_file() or path.suffix == ".json" else prediction_path(home, named)


def predictions(home: Path) -> list[Path]:
    """All predictions of this home, the oldest first."""
    found = (home / FOLDER / "predictions").glob("*.json")
    return sorted((path for path in found if not path.name.endswith(".outcome.json")), key=os.path.getmtime)


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def write_outcome(path: Path, observed: float, flops: float | None = None) -> tuple[Prediction, Outcome]:
    """Score a prediction and keep the score beside it; its score stays if it is there.

    Raises:
        UsageError, Damaged: there is no whole prediction.
    """
    prediction = load_prediction(path)
    kept = outcome_of(prediction, path)
    if kept is not None and kept.observed == observed:
        return prediction, kept
    outcome = score(prediction, observed, now(), flops)
    if kept is None:
        set_old_score_aside(path)
        replace_file(outcome_path(path), (outcome.model_dump_json(indent=1) + "\n").encode())
    return prediction, outcome
