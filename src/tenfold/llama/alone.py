"""A run trained to its end without a pool: the coordinator in this process, workers as its children (``crew``).

Other machines may join with workers of their own, whose outpost is in the process that joins.
"""

import secrets
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tenfold.core.errors import UsageError
from tenfold.core.paths import cache_dir
from tenfold.llama.coordinator import Coordinator
from tenfold.llama.crew import Crew
from tenfold.llama.data.index import read_index
from tenfold.llama.data.stdlib import prepare
from tenfold.llama.flops import flops_per_token
from tenfold.llama.guard import diverged
from tenfold.llama.journal import StepLine, read_evaluations, read_steps
from tenfold.llama.outpost import Outpost
from tenfold.llama.progress import TrainProgress
from tenfold.llama.recipe import Recipe
from tenfold.llama.report import Reporter
from tenfold.llama.run_data import keep_data
from tenfold.llama.run_file import RunFile, read_run_file
from tenfold.llama.runs import MAIN, train_folder

PATIENCE_S = 120.0
"""How long a machine that has joined waits for a run that is no longer trained where it was."""

FAREWELL_S = 60.0
"""How long a machine that leaves a run waits until what it computed is handed up."""

LAST_STEP_S = 60.0
"""How long a run that is stopped may take for the step in hand; after that the step is given up."""

OnProgress = Callable[[TrainProgress, StepLine | None], None]


@dataclass(frozen=True, slots=True)
class Finished:
    """What a run came to.

    ``step``: steps finished; fewer than the recipe's where it was stopped. ``loss``: of the last step;
    ``evaluation_loss``: held out, at the last evaluation; both nats per token. ``seconds``: of all its steps, those of
    earlier calls too. ``flops``: operations of all its tokens, forward and backward.
    """

    name: str
    folder: Path
    step: int
    tokens: int
    loss: float | None
    evaluation_loss: float | None
    seconds: float
    flops: float


def train_alone(
    run: Path | RunFile | Recipe,
    home: Path,
    *,
    workers: int = 1,
    on_progress: OnProgress | None = None,
    stop: threading.Event | None = None,
    peak_flops_per_s: float | None = None,
    listen: tuple[str, int] | None = None,
    token: str | None = None,
) -> Finished:
    """Train a run to its end, or on from where it was stopped.

    Args:
        run: the run file or what it says; a recipe by itself is the run ``main`` on Python's own source text.
        home: state lies in ``home/train/<name>``.
        workers: processes that compute gradients, each with one thread.
        on_progress: called after each step, and once with no step as the run begins or goes on.
        stop: set from anywhere to end after the step in hand, or ``LAST_STEP_S`` if it takes longer; what is done is
            kept.
        peak_flops_per_s: measured peak of one worker, for the model FLOP/s utilisation; none: it is not told.
        listen: address and port at which other machines may join; none: none may.
        token: secret that they must know; none: one that nobody does.

    Raises:
        UsageError: the run has no end, or there are no workers.
        PortTaken: another process listens there.
        AssetError: data or state are damaged, or of another recipe.
        AlreadyRunning: another process trains this run.
        Diverged: the guard gave the run up.
        ResidentFailed: workers end by an error, or are killed again and again.
    """
    asked = _asked(run)
    recipe = asked.recipe
    if recipe.steps is None:
        raise UsageError(f"run {asked.name!r} has no end", next_step="give it steps in [train]")
    _check(workers)
    data = _data_of(asked)
    ended, stop = threading.Event(), stop or threading.Event()

    folder = train_folder(home, asked.name)
    reporter = Reporter(folder, asked.name)

    def on_step(progress: TrainProgress, line: StepLine | None) -> None:
        crew.progressed()
        reporter.stepped()
        if on_progress is not None:
            on_progress(progress, line)
        fault = diverged(recipe, progress)
        if fault is not None:
            raise fault
        if coordinator.ended or stop.is_set():
            coordinator.stop()

    token = token or secrets.token_hex(16)
    coordinator = Coordinator(
        recipe,
        read_index(data).sha256,
        home,
        token,
        asked.name,
        data=data,
        peak_flops_per_s=peak_flops_per_s,
        on_step=on_step,
    )
    keep_data(folder, data)
    host, port = listen or ("127.0.0.1", 0)
    address = f"{host}:{coordinator.listen(host, port)}"
    crew = Crew(workers, recipe, data, address, token, coordinator.stop)

    def give_up() -> None:
        if not ended.wait(LAST_STEP_S):
            coordinator.stop()

    _when(stop, ended, give_up)
    try:
        crew.start()
        coordinator.run()
    finally:
        ended.set()
        crew.close()
        reporter.draw()
    if crew.failure is not None:
        raise crew.failure
    return finished(asked.name, recipe, home)


def join(run: RunFile, address: str, token: str, *, workers: int = 1, stop: threading.Event | None = None) -> bool:
    """Compute for a run that is trained on another machine, until it has ended (true) or this one leaves it (false).

    Args:
        run: the same run as there; its data must be the same.
        address: ``host:port`` at which it listens.
        token: its secret.
        workers: processes that compute gradients here, each with one thread.
        stop: set from anywhere to leave; what was computed is handed in first.

    Raises:
        UsageError: there are no workers.
        AssetError: the data is damaged.
        NotRunning: the run is no longer trained there.
        ResidentFailed: the run refuses the workers, e.g. for other data, or they are killed again and again.
    """
    _check(workers)
    data, stop, ended = _data_of(run), stop or threading.Event(), threading.Event()

    def on_step() -> None:
        crew.progressed()

    outpost = Outpost(socket.gethostname(), address, token, on_step, PATIENCE_S)
    here = f"127.0.0.1:{outpost.listen('127.0.0.1', 0)}"
    crew = Crew(workers, run.recipe, data, here, token, outpost.stop)

    def leave() -> None:
        crew.close()
        outpost.drain(FAREWELL_S)
        outpost.stop()

    crew.start()
    _when(stop, ended, leave)
    try:
        over = outpost.run()
    finally:
        ended.set()
        crew.close()
        outpost.close()
    if crew.failure is not None:
        raise crew.failure
    return over


def finished(name: str, recipe: Recipe, home: Path) -> Finished:
    """What a run has come to by its journal."""
    folder = train_folder(home, name)
    steps, evaluations = read_steps(folder), read_evaluations(folder)
    last = steps[-1] if steps else None
    tokens = last.tokens if last else 0
    return Finished(
        name=name,
        folder=folder,
        step=last.step if last else 0,
        tokens=tokens,
        loss=last.loss if last else None,
        evaluation_loss=evaluations[-1].loss if evaluations else None,
        seconds=sum(line.seconds for line in steps),
        flops=tokens * flops_per_token(recipe.model, recipe.sequence_tokens),
    )


def _asked(run: Path | RunFile | Recipe) -> RunFile:
    if isinstance(run, Path):
        return read_run_file(run)
    return RunFile(MAIN, run) if isinstance(run, Recipe) else run


def _check(workers: int) -> None:
    if workers < 1:
        raise UsageError(f"{workers} workers cannot train", next_step="give 1 or more")


def _data_of(run: RunFile) -> Path:
    return run.data if run.data is not None else prepare(cache_dir(), lambda _what, _share: None)


def _when(stop: threading.Event, ended: threading.Event, act: Callable[[], None]) -> None:
    """Have a thread act once ``stop`` is set, unless all has ended before."""

    def watch() -> None:
        while not ended.is_set():
            if stop.wait(0.2):
                act()
                return

    threading.Thread(target=watch, name="train-stop", daemon=True).start()
