"""The worker processes of a run that is trained without a pool: they end with their parent; a killed one is replaced.

They are forked from a server that has torch loaded, so that those of a second run start within a tenth of a second.
"""

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from tenfold.core.errors import AssetError, ResidentFailed, TenfoldError
from tenfold.llama.pace import keep_freed_memory
from tenfold.llama.recipe import Recipe
from tenfold.llama.worker import GradientComputer, Worker

RESTARTS = 3
"""Of killed workers, between two steps; more say that something kills them each time."""

END_WAIT_S = 30.0

log = logging.getLogger(__name__)


class Crew:
    """The worker processes of one run on this machine, watched by a thread.

    Args:
        count: how many.
        recipe: what they train.
        data: the prepared data.
        address: ``host:port`` of who hands out the work.
        token: its secret.
        on_failure: called once workers end by an error, or are killed again and again; ``failure`` says how.
    """

    def __init__(
        self, count: int, recipe: Recipe, data: Path, address: str, token: str, on_failure: Callable[[], None]
    ) -> None:
        self._context = multiprocessing.get_context("forkserver")
        # Torch loads its compiler at the first product of experts: a second and a half in each worker, if not here.
        self._context.set_forkserver_preload(["tenfold.llama.worker", "torch._dynamo"])
        self._count, self._on_failure = count, on_failure
        self._arguments = (recipe.model_dump_json(), data, address, token)
        self._members: dict[int, tuple[BaseProcess, Connection]] = {}
        self._restarts = 0
        self._close, self._closing = threading.Lock(), threading.Event()
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
        """End them all; a second call waits for the first."""
        with self._close:
            if not self._closing.is_set():
                self._end()

    def _end(self) -> None:
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
        # OSError: it was killed while it told.
        with suppress(EOFError, OSError):
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
