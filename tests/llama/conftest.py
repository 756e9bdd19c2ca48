"""A tiny recipe and text, and processes that train with them."""

import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest
import torch

from tenfold.llama.checkpoint import StateVectors, checkpoint_files, read_checkpoint
from tenfold.llama.data.index import TextSource
from tenfold.llama.data.stdlib import prepare
from tenfold.llama.live import live_paths
from tenfold.llama.progress import TrainProgress
from tenfold.llama.recipe import ModelShape, Recipe
from tenfold.llama.runs import read_run, train_folder
from tenfold.llama.status import fetch_status
from tenfold.llama.vectors import gradient_norm, initial_parameters, layout_of, update
from tenfold.llama.wire import TrainStatus
from tenfold.llama.worker import GradientComputer

# Child processes find their functions here.
sys.path.insert(0, str(Path(__file__).parent))
import train_processes
from tree_sum import added_in_a_tree

TOKEN = "secret of the pool"
PATIENCE_S = 180.0


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return Recipe(
        model=ModelShape(
            vocab_size=320,
            hidden_size=32,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
            intermediate_size_mlp=48,
            intermediate_size=32,
            num_local_experts=4,
        ),
        sequence_tokens=32,
        microbatch_sequences=2,
        microbatches=6,
        warmup_steps=2,
        learning_rate=1e-2,
    )


@pytest.fixture(scope="session")
def text(tmp_path_factory) -> Path:
    source = TextSource(vocab_size=320, files=60, tokenizer_sample_every=4)
    return prepare(tmp_path_factory.mktemp("cache"), lambda _what, _share: None, source)


@pytest.fixture(scope="session")
def context() -> ForkServerContext:
    chosen = multiprocessing.get_context("forkserver")
    # The fork server does not see this folder, so it loads what is slow to load by its installed name.
    # Torch loads its compiler at the first product of experts: a second and a half in each worker, if not here.
    chosen.set_forkserver_preload(["tenfold.llama.companion", "tenfold.llama.worker", "torch._dynamo"])
    return chosen


class Cluster:
    """A coordinator process and worker processes of one run."""

    def __init__(self, context: ForkServerContext, recipe: Recipe, text: Path, home: Path) -> None:
        self.context, self.recipe, self.text, self.home = context, recipe, text, home
        self.port = 0
        self.processes: list[BaseProcess] = []

    def coordinator(self, **options: float) -> BaseProcess:
        reader, writer = self.context.Pipe(duplex=False)
        arguments = (self.recipe.model_dump_json(), self.text, self.home, TOKEN, self.port, writer, options)
        process = self._start(train_processes.coordinate, arguments)
        self.port = reader.recv()
        return process

    def outpost(self, name: str, machine: str) -> tuple[BaseProcess, str]:
        """Start an outpost as if on another machine; the process, and its address."""
        reader, writer = self.context.Pipe(duplex=False)
        process = self._start(train_processes.stand, (name, self.address, TOKEN, machine, writer))
        return process, f"127.0.0.1:{reader.recv()}"

    def worker(
        self, name: str, stall_s: float = 0.0, machine: str | None = None, address: str | None = None
    ) -> BaseProcess:
        """Start a worker, perhaps as if on another machine, and return once it is inside its first microbatch."""
        inside = self.context.Event()
        recipe = self.recipe.model_dump_json()
        process = self._start(
            train_processes.work, (recipe, self.text, address or self.address, TOKEN, name, inside, stall_s, machine)
        )
        assert inside.wait(PATIENCE_S), f"worker {name} did not start"
        return process

    def die_while_writing(self) -> None:
        process = self._start(train_processes.die_while_writing, (self.recipe.model_dump_json(), self.home))
        process.join(PATIENCE_S)
        assert process.exitcode == -9

    def _start(self, target: Callable, arguments: tuple) -> BaseProcess:
        process = self.context.Process(target=target, args=arguments)
        process.start()
        self.processes.append(process)
        return process

    @staticmethod
    def wait_for(condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"waited {PATIENCE_S} s in vain for {what}"
            # A look is a connection, which takes as long as a tenth of a step.
            time.sleep(0.03)

    def finish(self, process: BaseProcess) -> None:
        """End a process as the pool does, and see that it ends well."""
        process.terminate()
        process.join(PATIENCE_S)
        assert process.exitcode == 0

    def final_state(self, coordinator: BaseProcess) -> tuple[TrainProgress, StateVectors]:
        """Stop the coordinator and read what it left on disk."""
        self.finish(coordinator)
        folder = train_folder(self.home)
        return read_checkpoint(checkpoint_files(folder)[0], read_run(folder), layout_of(self.recipe.model).spans)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def status(self) -> TrainStatus:
        return fetch_status(self.address, TOKEN)

    def train_to(self, step: int) -> TrainStatus:
        self.wait_for(lambda: self.status().step >= step, f"step {step}")
        return self.status()

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.join()
        for path in live_paths(train_folder(self.home)):
            path.unlink(missing_ok=True)


@pytest.fixture
def cluster(context, recipe, text, tmp_path) -> Iterator[Cluster]:
    cluster = Cluster(context, recipe, text, tmp_path)
    yield cluster
    cluster.close()


class Reference:
    """The same training in one plain loop, to any number of steps: what any cluster must arrive at."""

    def __init__(self, recipe: Recipe, text: Path) -> None:
        self.recipe, self.layout = recipe, layout_of(recipe.model)
        self.computer = GradientComputer(recipe, text)
        zeros = np.zeros(self.layout.size, np.float32)
        self.states = [StateVectors(initial_parameters(recipe, self.layout), zeros, zeros.copy())]
        self.losses: list[float] = []

    def after(self, steps: int) -> StateVectors:
        while len(self.states) <= steps:
            state = self.states[-1].copy()
            np.copyto(self.computer.parameters_P, state.parameters_P)
            losses, gradients = [], []
            for microbatch in range(self.recipe.microbatches):
                losses.append(self.computer.compute(len(self.losses), microbatch))
                gradients.append(self.computer.gradients_P.copy())
            total = added_in_a_tree(gradients)
            total *= np.float32(1 / self.recipe.microbatches)
            update(self.recipe, self.layout, state, total, gradient_norm(self.layout, total), len(self.losses))
            self.losses.append(sum(losses) / len(losses))
            self.states.append(state)
        return self.states[steps]

    def check(self, progress: TrainProgress, state: StateVectors) -> None:
        """See that a cluster's state and every loss on its way are the plain loop's, bit for bit."""
        expected = self.after(progress.step)
        assert [sample.loss for sample in progress.history] == self.losses[: progress.step]
        for name in ("parameters_P", "exp_avg_P", "exp_avg_sq_P"):
            assert np.array_equal(getattr(state, name), getattr(expected, name)), name


@pytest.fixture(scope="session")
def reference(recipe, text) -> Reference:
    return Reference(recipe, text)


@pytest.fixture(scope="session")
def plain_loop() -> type[Reference]:
    return Reference
