"""Trains the rungs of a ladder, and the run that a prediction is about; what they reach goes into ``runs.csv``.

Where a pool is up they are its jobs: they wait in its queue, and it trains them one after another on its slots.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tenfold.core.errors import Damaged, NotRunning, TenfoldError
from tenfold.core.paths import replace_file
from tenfold.llama.alone import Finished, finished, train_alone
from tenfold.llama.data.index import read_index
from tenfold.llama.ladder.library import runs_path
from tenfold.llama.ladder.rungs import Rung
from tenfold.llama.run_queue import enqueue, why_given_up
from tenfold.llama.runs import check_same, read_run, train_folder
from tenfold.pool.runfile import find_running

HEADER = "run,params,tokens,flops,loss"
LOOK_EVERY_S = 0.5

Told = Callable[[Rung, Finished], None]
Reach = Callable[[Rung], Finished]
"""Trains a rung to its end, or until it is stopped."""


class RungGivenUp(TenfoldError):
    """The pool gave a rung up."""


def climb(rungs: Sequence[Rung], home: Path, reach: Reach, told: Told) -> bool:
    """Train rungs, those that are finished already left out, and write a row for each.

    Args:
        rungs: each trunk before its branches.
        home: the pool's folder.
        reach: ``reach_here`` or what ``on_pool`` gives.
        told: called after each rung.
    Returns:
        Whether all rungs are finished.
    Raises:
        TenfoldError: as ``reach``; what was trained before stays, and the same call goes on from there.
    """
    path = runs_path(home)
    rows: dict[str, str] = {}
    for rung in rungs:
        done = reach(rung)
        if not is_whole(rung, done):
            return False
        loss = done.evaluation_loss
        assert loss is not None, f"{rung.run.name} is whole"
        rows[rung.run.name] = f"{rung.trunk},{rung.params},{done.tokens},{done.flops:.6g},{loss:.6f}"
        replace_file(path, "\n".join([HEADER, *rows.values(), ""]).encode())
        told(rung, done)
    return True


def reach_here(rung: Rung, home: Path, workers: int, stop: threading.Event) -> Finished:
    """Train a rung to its end in this process, or until it is stopped; or tell what it came to if it is there.

    Raises:
        AssetError: there is a run of its name, of another recipe or of other data.
        TenfoldError: as ``train_alone``.
    """
    before = _come_to(rung, home)
    if is_whole(rung, before):
        return before
    return train_alone(rung.run, home, workers=workers, stop=stop)


@contextmanager
def on_pool(rungs: Sequence[Rung], home: Path, stop: threading.Event) -> Iterator[Reach]:
    """Have the pool of this home train rungs; those that have not ended when this ends are taken out.

    Args:
        rungs: in their order.
        home: the pool's folder.
        stop: set from anywhere to wait no longer.

    Raises:
        AssetError: there is a run of a rung's name, of another recipe or of other data.
        RungGivenUp: the pool cannot train one, or it diverged.
        NotRunning: the pool went down.
    """
    places: dict[str, Path] = {}

    def reach(rung: Rung) -> Finished:
        place = places.get(rung.run.name)
        while place is not None and place.exists() and not stop.wait(LOOK_EVERY_S):
            if find_running(home) is None:
                raise NotRunning("the pool went down", next_step="the same command goes on from here")
        if place is not None and (why := why_given_up(place)):
            raise RungGivenUp(f"the pool gave rung {rung.run.name} up: {why}")
        return finished(rung.run.name, rung.run.recipe, home)

    try:
        for rung in rungs:
            if not is_whole(rung, _come_to(rung, home)):
                places[rung.run.name] = enqueue(home, rung.run)
        yield reach
    finally:
        for place in places.values():
            place.unlink(missing_ok=True)
            why_given_up(place)


def _come_to(rung: Rung, home: Path) -> Finished:
    """What a rung has come to before it is trained."""
    folder = train_folder(home, rung.run.name)
    try:
        found = read_run(folder)
    except Damaged:
        # Whoever trains it mends that.
        found = None
    if found is not None and rung.run.data is not None:
        check_same(folder, found, rung.run.recipe, read_index(rung.run.data).sha256)
    return finished(rung.run.name, rung.run.recipe, home)


def is_whole(rung: Rung, done: Finished) -> bool:
    """Whether a rung has had its last step and the evaluation after it; one that is stopped between has not."""
    return done.step == rung.steps and done.evaluation_loss is not None
