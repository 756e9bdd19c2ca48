"""Trains the rungs of a ladder, and the run that a prediction is about; what they reach goes into ``runs.csv``."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from tenfold.core.paths import replace_file
from tenfold.llama.alone import Finished, finished, train_alone
from tenfold.llama.ladder.library import runs_path
from tenfold.llama.ladder.rungs import Rung

HEADER = "run,params,tokens,flops,loss"

Told = Callable[[Rung, Finished], None]


def climb(rungs: Sequence[Rung], home: Path, workers: int, told: Told, stop: threading.Event) -> bool:
    """Train rungs, those that are finished already left out, and write a row for each.

    Args:
        rungs: each trunk before its branches.
        home: the pool's folder.
        workers: processes that compute gradients.
        told: called after each rung.
        stop: set from anywhere to end after the step in hand.
    Returns:
        Whether all rungs are finished.
    Raises:
        TenfoldError: as ``train_alone``; what was trained before stays, and the same call goes on from there.
    """
    path = runs_path(home)
    rows: dict[str, str] = {}
    for rung in rungs:
        done = reach(rung, home, workers, stop)
        if done.step < rung.steps:
            return False
        loss = done.evaluation_loss
        assert loss is not None, f"{rung.run.name} ended without an evaluation"
        rows[rung.run.name] = f"{rung.trunk},{rung.params},{done.tokens},{done.flops:.6g},{loss:.6f}"
        replace_file(path, "\n".join([HEADER, *rows.values(), ""]).encode())
        told(rung, done)
    return True


def reach(rung: Rung, home: Path, workers: int, stop: threading.Event) -> Finished:
    """Train a rung to its end, or until it is stopped; or tell what it came to if it is there."""
    before = finished(rung.run.name, rung.run.recipe, home)
    if before.step == rung.steps and before.evaluation_loss is not None:
        return before
    return train_alone(rung.run, home, workers=workers, stop=stop)
