"""A worker of training: fetches parameters, computes gradients of microbatches, hands them in; keeps no state.

On the coordinator's machine both lie in memory that it shares, elsewhere they go over the connection.

``run`` works until ``stop``: it finishes and hands in the microbatch in hand, or leaves at once if it waits for one.
When the coordinator is away it tries again with growing pauses, and hands in what it had computed once it is back.

Letter: P parameters of the model.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np
import torch

from tenfold.core.errors import ResidentFailed
from tenfold.llama import kernels
from tenfold.llama.data.pair_sampler import sampler_of
from tenfold.llama.data.sampler import Batch
from tenfold.llama.gradients import FloatVector, Memory, machine
from tenfold.llama.model import network_of
from tenfold.llama.recipe import Recipe
from tenfold.llama.vectors import Bound, layout_of
from tenfold.llama.wire import (
    Acknowledged,
    Channel,
    HandedIn,
    Hello,
    Message,
    Next,
    Offer,
    Refused,
    Take,
    Welcome,
    Work,
)
from tenfold.pool.pace import Pace

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0

SAVED_S = 2.0
"""CPU-seconds that may be saved up, while a step ends or services need the core, and spent above the share later."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkDone:
    """What a worker has done; ``tokens`` and ``microbatches`` count what the coordinator accepted."""

    tokens: int = 0
    microbatches: int = 0
    computed: int = 0
    busy_s: float = 0.0
    working: bool = False
    step: int = 0
    loss: float | None = None


class Stopped(Exception):
    """The worker was told to stop while it waited."""


class GradientComputer:
    """The model and its data: gradient of one microbatch at given parameters, as a flat vector.

    ``parameters_P`` is written by the caller, ``gradients_P`` read after ``compute``; both shape (P,), float32.
    ``threads`` decides the order of sums inside a product, so all workers of a run use the same.
    """

    def __init__(self, recipe: Recipe, text: Path, threads: int = 1) -> None:
        self.recipe = recipe
        self._text, self._threads = text, threads
        self.sampler = sampler_of(text, recipe)
        layout = layout_of(recipe.model)
        parameters, gradients = torch.zeros(layout.size), torch.zeros(layout.size)
        self.parameters_P, self.gradients_P = parameters.numpy(), gradients.numpy()
        self._model = network_of(recipe.model)
        self._bfloat16 = recipe.bfloat16 and bfloat16_is_fast()
        # They run on one thread.
        self._by_kernels = self._bfloat16 and threads == 1 and kernels.fit(recipe.model)
        self._readied = False
        self._bound = Bound(self._model, layout, parameters, gradients, bfloat16=self._bfloat16)

    def numerics(self) -> str:
        """What decides its gradients' bits beside recipe and data: machines that give the same compute the same."""
        kind = "bfloat16" if self._bfloat16 else "float32"
        found = [f"torch {torch.__version__}", torch.backends.cpu.get_cpu_capability(), f"products in {kind}"]
        if self._by_kernels:
            found.append(f"kernels {kernels.version()}")
        if self.recipe.compile and (not self._by_kernels or self.recipe.model.vision is not None):
            found.append("torch's compiler")
        if self._threads != 1:
            found.append(f"{self._threads} threads")
        return ", ".join(found)

    def of(self, recipe: Recipe) -> "GradientComputer":
        """The same for another recipe."""
        return GradientComputer(recipe, self._text, self._threads)

    def compute(self, step: int, microbatch: int) -> float:
        """Fill ``gradients_P`` for one microbatch and return its loss in nats per token."""
        # Torch keeps the count per thread; this may run in another one than last time.
        torch.set_num_threads(self._threads)
        if not self._readied:
            # Only where gradients are computed: held-out batches have other sizes, each a compilation of its own.
            if self._by_kernels:
                self._model.use_kernels()
            if self.recipe.compile:
                self._model.compile_layers()
            self._readied = True
        batch = self.sampler.batch(step, microbatch)
        self._bound.load()
        loss, balance = self._model.losses(*_tensors(batch))
        (loss + self.recipe.balance_weight * balance).backward()
        self._bound.store()
        return loss.item()

    def held_out_loss(self, windows: Sequence[int]) -> tuple[float, int]:
        """Mean loss of these held-out windows at ``parameters_P``, in nats per token, and of how many tokens.

        Leaves the gradients alone.
        """
        torch.set_num_threads(self._threads)
        batch = self.sampler.held_out(windows)
        self._bound.load()
        with torch.no_grad():
            loss, _ = self._model.losses(*_tensors(batch))
        return loss.item(), batch.predicted


def _tensors(batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
    images, weights = batch.images_IMSS, batch.weights_BT
    return (
        torch.from_numpy(batch.window_BT),
        None if images is None else torch.from_numpy(images),
        None if weights is None else torch.from_numpy(weights),
    )


def bfloat16_is_fast() -> bool:
    """Whether this CPU multiplies in bfloat16; without AVX-512 torch emulates that, 60 times as slow as float32."""
    return torch.backends.cpu.get_cpu_capability() == "AVX512"


class Worker:
    """One worker; ``run`` in a thread of its own, everything else from any thread.

    Args:
        name: for the coordinator's log.
        computer: the model and its data; another takes its place where the run has another recipe.
        address: the coordinator's ``host:port``.
        token: the pool's secret.
        cpu_share: CPU-seconds a second that it may use; none for all that it can get.
        renewed: makes the model of a recipe with the data in a folder, which are wanted where the coordinator refuses
            these; none if there are no others.
    """

    def __init__(
        self,
        name: str,
        computer: GradientComputer,
        address: str,
        token: str,
        cpu_share: float | None = None,
        renewed: Callable[[Recipe, Path], GradientComputer | None] = lambda _recipe, _data: None,
    ) -> None:
        self._name, self._computer, self._address, self._token = name, computer, address, token
        self._renewed = renewed
        self._pace = Pace(cpu_share, time.monotonic, time.process_time, SAVED_S)
        self._text_sha256 = computer.sampler.index.sha256
        self._held_run, self._held_step = "", -1
        self._computed: Offer | None = None
        self._mapped: dict[Memory, FloatVector] = {}
        self._stop = threading.Event()
        self._stop_reader, self._stop_writer = os.pipe()
        self.done = WorkDone()

    def arm(self) -> None:
        """Get ready to ``run`` after a ``stop``."""
        if self._stop.is_set():
            os.read(self._stop_reader, 1)
            self._stop.clear()

    def stop(self) -> None:
        """Make ``run`` return after the microbatch in hand."""
        if not self._stop.is_set():
            self._stop.set()
            os.write(self._stop_writer, b"x")

    def close(self) -> None:
        """Release the descriptors; ``run`` must have returned."""
        os.close(self._stop_reader)
        os.close(self._stop_writer)

    def run(self, on_started: Callable[[], None]) -> None:
        """Work until ``stop``; ``on_started`` is called each time parameters are there and work begins.

        Raises:
            ResidentFailed: the coordinator refuses this worker, which no retry will change.
        """
        pause_s = FIRST_PAUSE_S
        self._pace.begin()
        while not self._stop.is_set():
            try:
                channel = Channel.connect(self._address, self._token)
            except (EOFError, OSError) as error:
                log.info("no coordinator at %s (%s); again in %.2f s", self._address, error, pause_s)
                self._stop.wait(pause_s)
                pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)
                continue
            try:
                self._join(channel)
                pause_s = FIRST_PAUSE_S
                on_started()
                self._work(channel)
            except (EOFError, OSError) as error:
                log.info("lost the coordinator at %s: %r", self._address, error)
            except Stopped:
                return
            finally:
                self.done = replace(self.done, working=False)
                channel.close()
            self._stop.wait(pause_s)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)

    def _join(self, channel: Channel) -> None:
        # Another coordinator's memory is not the last one's.
        self._mapped.clear()
        held = {"run": self._held_run, "step": self._held_step, "numerics": self._computer.numerics()}
        channel.send(Hello(worker=self._name, machine=machine(), text=self._text_sha256, **held))
        answer = self._receive(channel)
        if isinstance(answer, Refused):
            self._renew(answer)
            raise ConnectionError("other data are trained on now")
        if not isinstance(answer, Welcome):
            raise _out_of_turn(answer)
        if answer.recipe != self._computer.recipe:
            log.info("worker %s learns the recipe of run %s", self._name, answer.run)
            self._computer = self._computer.of(answer.recipe)
            self._held_run, self._held_step, self._computed = "", -1, None
            raise ConnectionError("it has to say by what it computes now")
        self._fetch(channel, answer.run, answer)

    def _renew(self, refused: Refused) -> None:
        """Take other data, with which to connect again.

        Raises:
            ResidentFailed: there are no others.
        """
        computer = self._renewed(refused.recipe, Path(refused.data)) if refused.data else None
        if computer is None:
            raise ResidentFailed(refused.message, next_step=refused.next_step)
        self._computer, self._text_sha256 = computer, computer.sampler.index.sha256
        self._held_run, self._held_step, self._computed = "", -1, None

    def _work(self, channel: Channel) -> None:
        self._hand_in(channel)
        while not self._stop.wait(self._pace.rest_s()):
            channel.send(Next(step=self._held_step))
            work = self._receive(channel)
            if not isinstance(work, Work):
                raise _out_of_turn(work)
            started = time.monotonic()
            self.done = replace(self.done, working=True)
            self._fetch(channel, self._held_run, work)
            loss = self._computer.compute(work.step, work.microbatch)
            self._computed = Offer(run=self._held_run, step=work.step, microbatch=work.microbatch, loss=loss)
            self.done = replace(self.done, computed=self.done.computed + 1)
            self._hand_in(channel)
            self.done = replace(self.done, working=False, busy_s=self.done.busy_s + time.monotonic() - started)

    def _fetch(self, channel: Channel, run: str, answer: Welcome | Work) -> None:
        """Get the parameters that come with the answer, if any do."""
        if answer.parameters is not None:
            self._held_run, self._held_step = "", -1
            if answer.parameters.memory is None:
                channel.receive_into(self._computer.parameters_P)
            else:
                np.copyto(self._computer.parameters_P, self._map(answer.parameters.memory))
        self._held_run, self._held_step = run, answer.step

    def _map(self, memory: Memory, *, writable: bool = False) -> FloatVector:
        if memory not in self._mapped:
            self._mapped[memory] = memory.map(len(self._computer.parameters_P), writable=writable)
        return self._mapped[memory]

    def _hand_in(self, channel: Channel) -> None:
        """Hand in the gradient in hand, if any; it stays in hand until it is acknowledged."""
        offer = self._computed
        if offer is None:
            return
        # Not interrupted by a stop: what was computed is handed in.
        channel.send(offer)
        answer = channel.receive()
        if isinstance(answer, Take):
            if answer.memory is None:
                channel.send(HandedIn(), self._computer.gradients_P)
            else:
                np.copyto(self._map(answer.memory, writable=True), self._computer.gradients_P)
                channel.send(HandedIn())
            answer = channel.receive()
        if not isinstance(answer, Acknowledged):
            raise _out_of_turn(answer)
        self._computed = None
        done = self.done
        tokens = self._computer.sampler.tokens(offer.step, offer.microbatch) if answer.accepted else 0
        self.done = replace(
            done,
            tokens=done.tokens + tokens,
            microbatches=done.microbatches + answer.accepted,
            step=answer.step,
            loss=answer.loss,
        )

    def _receive(self, channel: Channel) -> Message:
        """Wait for a message or for ``stop``."""
        if self._stop_reader in wait([channel.fileno(), self._stop_reader]):
            raise Stopped
        return channel.receive()


def _out_of_turn(message: Message) -> ResidentFailed:
    return ResidentFailed(f"the coordinator answered out of turn: {message.says}", next_step="restart the pool")
