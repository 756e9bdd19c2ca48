"""A run trained to its end without a pool: the coordinator in this process, workers as its children.

Children are forked from a server that has torch loaded, so that a second run starts within a tenth of a second. A
child ends with its parent, however that ends; one that is killed is started anew.
"""

import logging
import multiprocessing
import os
import secrets
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from tenfold.core.errors import AssetError, ResidentFailed, TenfoldError, UsageError
from tenfold.core.paths import cache_dir
from tenfold.llama.coordinator import Coordinator
from tenfold.llama.data.index import read_index
from tenfold.llama.data.stdlib import prepare
from tenfold.llama.flops import flops_per_token
from tenfold.llama.journal import StepLine, read_evaluations, read_steps
from tenfold.llama.pace import keep_freed_memory
from tenfold.llama.progress import TrainProgress
from tenfold.llama.recipe import Recipe
from tenfold.llama.report import Reporter
from tenfold.llama.run_data import keep_data
from tenfold.llama.run_file import RunFile, read_run_file
from tenfold.llama.runs import MAIN, train_folder
from tenfold.llama.worker import GradientComputer, Worker

RESTARTS = 3
"""Of killed workers, between two steps; more say that something kills them each time."""

END_WAIT_S = 30.0

log = logging.getLogger(__name__)

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
) -> Finished:
    """Train a run to its end, or on from where it was stopped.

    Args:
        run: the run file or what it says; a recipe by itself is the run ``main`` on Python's own source text.
        home: state lies in ``home/train/<name>``.
        workers: processes that compute gradients, each with one thread.
        on_progress: called after each step, and once with no step as the run begins or goes on.
        stop: set from anywhere to end after the step in hand; what is done is kept.
        peak_flops_per_s: measured peak of one worker, for the model FLOP/s utilisation; none: it is not told.

    Raises:
        UsageError: the run has no end, or there are no workers.
        AssetError: data or state are damaged, or of another recipe.
        AlreadyRunning: another process trains this run.
        Diverged: the guard gave the run up.
        ResidentFailed: workers end by an error, or are killed again and again.
    """
    asked = _asked(run)
    recipe = asked.recipe
    if recipe.steps is None:
        raise UsageError(f"run {asked.name!r} has no end", next_step="give it steps in [train]")
    if workers < 1:
        raise UsageError(f"{workers} workers cannot train", next_step="give 1 or more")
    data = asked.data if asked.data is not None else prepare(cache_dir(), lambda _what, _share: None)
    ended, stop = threading.Event(), stop or threading.Event()

    folder = train_folder(home, asked.name)
    reporter = Reporter(folder, asked.name)

    def on_step(progress: TrainProgress, line: StepLine | None) -> None:
        crew.progressed()
        reporter.stepped()
        if on_progress is not None:
            on_progress(progress, line)
        if coordinator.ended or stop.is_set():
            coordinator.stop()

    token = secrets.token_hex(16)
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
    address = f"127.0.0.1:{coordinator.listen('127.0.0.1', 0)}"
    crew = _Crew(workers, (recipe.model_dump_json(), data, address, token), coordinator.stop)
    watcher = threading.Thread(target=_stop_when, args=(stop, ended, coordinator), name="train-stop", daemon=True)
    watcher.start()
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


def _stop_when(stop: threading.Event, ended: threading.Event, coordinator: Coordinator) -> None:
    while not ended.is_set():
        if stop.wait(0.2):
            coordinator.stop()
            return


class _Crew:
    """The worker processes of one run, watched by a thread."""

    def __init__(self, count: int, arguments: tuple[str, Path, str, str], on_failure: Callable[[], None]) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tenfold.llama.worker"])
        self._count, self._arguments, self._on_failure = count, arguments, on_failure
        self._members: dict[int, tuple[BaseProcess, Connection]] = {}
        self._restarts = 0
        self._closing = threading.Event()
        self._wake_reader, self._wake_writer = multiprocessing.Pipe(duplex=False)
        self._watcher = threading.Thread(target=self._watch, name="train-crew", daemon=True)
        self.failure: TenfoldError | None = None

    def start(self) -> None:
        """Start the workers."""
        for number in range(self._count):
            self._hire(number)
        self._watcher.start()

    def progressed(self) -> None:
        """A step was finished, so killed workers are no reason to give up."""
        self._restarts = 0

    def close(self) -> None:
        """End them all."""
        self._closing.set()
        self._wake_writer.send(None)
        if self._watcher.is_alive():
            self._watcher.join()
        for process, _ in self._members.values():
            process.terminate()
        for process, reader in self._members.values():
            process.join(END_WAIT_S)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()
            reader.close()
        self._wake_reader.close()
        self._wake_writer.close()

    def _hire(self, number: int) -> None:
        reader, writer = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_work, args=(*self._arguments, f"worker {number}", writer), name=f"train-worker-{number}"
        )
        process.start()
        writer.close()
        self._members[number] = process, reader

    def _watch(self) -> None:
        while not self._closing.is_set():
            numbers = {process.sentinel: number for number, (process, _) in self._members.items()}
            ready = wait([self._wake_reader, *numbers])
            if self._wake_reader in ready:
                return
            for number in [number for sentinel, number in numbers.items() if sentinel in ready]:
                self._replace(number)
                if self.failure is not None:
                    self._on_failure()
                    return

    def _replace(self, number: int) -> None:
        """A worker is gone: tell its error, or start another in its place."""
        process, reader = self._members.pop(number)
        process.join()
        told: tuple[str, str, str] | None = None
        with suppress(EOFError):
            told = reader.recv()
        reader.close()
        code = process.exitcode
        process.close()
        if told is not None:
            kind, message, next_step = told
            self.failure = (AssetError if kind == "asset" else ResidentFailed)(message, next_step=next_step)
        elif self._restarts >= RESTARTS:
            self.failure = ResidentFailed(
                f"training workers ended {self._restarts + 1} times within one step, last with exit code {code}",
                next_step="see whether memory ran out (-9 is a kill), and try fewer workers or a smaller microbatch",
            )
        else:
            self._restarts += 1
            log.warning("worker %d ended with exit code %s; another takes its place", number, code)
            self._hire(number)


def _work(recipe: str, data: Path, address: str, token: str, name: str, errors: Connection) -> None:
    """A worker process: works until SIGTERM, or until its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker has a parent"
    threading.Thread(target=_end_with, args=(parent.sentinel,), name="train-parent", daemon=True).start()
    keep_freed_memory()
    try:
        worker = Worker(name, GradientComputer(Recipe.model_validate_json(recipe), data), address, token)
        signal.signal(signal.SIGTERM, lambda _number, _frame: worker.stop())
        worker.run(lambda: None)
        worker.close()
    except TenfoldError as error:
        errors.send(("asset" if isinstance(error, AssetError) else "", str(error), error.next_step))


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
