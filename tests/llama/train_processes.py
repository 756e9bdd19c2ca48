"""What the test's child processes run: a coordinator, and workers that may stall inside a microbatch."""

import hashlib
import os
import signal
import threading
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

import tenfold.llama.kernels
import tenfold.llama.outpost
import tenfold.llama.worker
from tenfold.llama.checkpoint import checkpoint_files, read_checkpoint, write_checkpoint
from tenfold.llama.companion import serve_forever
from tenfold.llama.coordinator import Coordinator
from tenfold.llama.data.index import read_index
from tenfold.llama.outpost import Outpost
from tenfold.llama.recipe import Recipe
from tenfold.llama.runs import read_run, train_folder
from tenfold.llama.vectors import initial_parameters, layout_of
from tenfold.llama.worker import GradientComputer, Worker
from tenfold.pool.resident import Context


def coordinate(
    recipe: str, text: Path, home: Path, token: str, port: int, ready: Connection, options: dict[str, float]
) -> None:
    coordinator = Coordinator(Recipe.model_validate_json(recipe), read_index(text).sha256, home, token, **options)
    signal.signal(signal.SIGTERM, lambda _number, _frame: coordinator.stop())
    ready.send(coordinator.listen("127.0.0.1", port))
    coordinator.run()


class StallingComputer(GradientComputer):
    """Says when it is inside a microbatch, and stays there a while."""

    def stall(self, inside: Event, stall_s: float) -> None:
        self.inside, self.stall_s = inside, stall_s

    def compute(self, step: int, microbatch: int) -> float:
        loss = super().compute(step, microbatch)
        self.inside.set()
        time.sleep(self.stall_s)
        return loss


def work(
    recipe: str,
    text: Path,
    address: str,
    token: str,
    name: str,
    inside: Event,
    stall_s: float,
    machine: str | None,
) -> None:
    """Work until SIGTERM, as a resident told to sleep does."""
    if machine is not None:
        tenfold.llama.worker.machine = lambda: machine
    computer = StallingComputer(Recipe.model_validate_json(recipe), text)
    computer.stall(inside, stall_s)
    worker = Worker(name, computer, address, token)
    signal.signal(signal.SIGTERM, lambda _number, _frame: worker.stop())
    thread = threading.Thread(target=worker.run, args=(lambda: None,))
    thread.start()
    thread.join()
    worker.close()


def stand(name: str, address: str, token: str, machine: str, ready: Connection) -> None:
    """Be an outpost until SIGTERM, as if on another machine."""
    tenfold.llama.outpost.machine = lambda: machine
    outpost = Outpost(name, address, token)
    signal.signal(signal.SIGTERM, lambda _number, _frame: outpost.stop())
    ready.send(outpost.listen("127.0.0.1", 0))
    outpost.run()
    outpost.close()


def accompany(context: Context, ready: Connection) -> None:
    """The pool's process of training."""
    serve_forever(context, 0, on_ready=ready.send)


def die_while_writing(recipe: str, home: Path) -> None:
    """Write a checkpoint of another step and be killed when part of it is on disk."""
    meta = read_run(train_folder(home))
    layout = layout_of(Recipe.model_validate_json(recipe).model)
    progress, state = read_checkpoint(checkpoint_files(train_folder(home))[0], meta, layout.spans)

    def sync_and_die(_descriptor: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    os.fsync = sync_and_die
    write_checkpoint(train_folder(home), meta, progress.after(1.0, 1), layout.spans, state)


def compute(recipe: str, text: Path, by_kernels: bool, found: Connection) -> None:
    """Tell the loss and a digest of the gradient of two microbatches."""
    asked = Recipe.model_validate_json(recipe)
    fit = tenfold.llama.kernels.fit
    tenfold.llama.kernels.fit = fit if by_kernels else lambda _shape: False
    try:
        computer = GradientComputer(asked, text)
        computer.parameters_P[:] = initial_parameters(asked, layout_of(asked.model))
        losses = [(computer.compute(0, place), hashlib.sha256(computer.gradients_P).hexdigest()) for place in (0, 5)]
    finally:
        tenfold.llama.kernels.fit = fit
    found.send(losses)
