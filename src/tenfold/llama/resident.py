"""Training as a resident of the pool: one worker per slot, awake or asleep."""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from starlette.routing import BaseRoute

from tenfold.core.errors import ResidentFailed
from tenfold.llama.outpost import COMPANION, OUTPOST
from tenfold.llama.pace import keep_freed_memory, stand_behind_services
from tenfold.llama.pool_run import data_here, pool_run
from tenfold.llama.recipe import Recipe
from tenfold.llama.worker import GradientComputer, Worker
from tenfold.pool.resident import Context, Counters, Resident

START_WAIT_S = 1.0

log = logging.getLogger(__name__)


class TrainResident:
    """A worker of training on one slot. Its thread lives only while it is awake in ``run``; asleep it waits idle."""

    def __init__(self, recipe: Recipe, text: Path, context: Context) -> None:
        self._recipe, self._text, self._context = recipe, text, context
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="train-worker")
        self._worker: Worker | None = None
        self._run: Future[None] | None = None

    def load(self) -> None:
        """Build the model, map the text, and run one microbatch so that the first real one is at full speed."""
        companions = self._context.companions
        address = companions.get(OUTPOST) or companions.get(COMPANION)
        if address is None:
            raise ResidentFailed(f"no companion {COMPANION!r} among {sorted(companions)}")
        context = self._context
        computer = GradientComputer(self._recipe, self._text, context.threads)
        self._thread.submit(computer.compute, 0, 0).result()
        self._worker = Worker(context.slot, computer, address, context.token, context.cpu_share, self._renewed)

    def _renewed(self, recipe: Recipe, data: Path) -> GradientComputer | None:
        """The model and the data of the run whose turn it is now; none if they are here, and are not what it means."""
        data = data_here(data, self._context.cache)
        if data.resolve() == self._text.resolve():
            return None
        self._text = data
        return GradientComputer(recipe, data, self._context.threads)

    async def wake(self) -> None:
        """Start to work; returns once parameters are there, or after ``START_WAIT_S`` if the coordinator is away.

        Raises:
            ResidentFailed: the coordinator refuses this worker.
        """
        worker = self._loaded()
        if self._run is not None:
            return
        started: Future[None] = Future()

        def begin() -> None:
            if not started.done():
                started.set_result(None)

        worker.arm()
        self._run = self._thread.submit(worker.run, begin)
        self._run.add_done_callback(lambda _run: begin())
        await asyncio.wait([asyncio.wrap_future(started)], timeout=START_WAIT_S)
        if self._run.done():
            run, self._run = self._run, None
            run.result()
        elif not started.done():
            log.warning("slot %s is awake without a coordinator", self._context.slot)

    async def sleep(self, deadline_s: float) -> None:
        """Hand in the microbatch in hand and go idle; how long that may take is the pool's to enforce."""
        if self._run is not None:
            self._loaded().stop()
            try:
                await asyncio.wrap_future(self._run)
            finally:
                if self._run.done():
                    self._run = None

    def counters(self) -> Counters:
        """Tokens and microbatches that the coordinator accepted; ``loss`` and ``step`` of the run.

        Raises:
            ResidentFailed: the worker ended by an error while it was awake.
        """
        if self._run is not None and self._run.done():
            raise ResidentFailed(f"the training worker of {self._context.slot} ended") from self._run.exception()
        done = self._loaded().done
        facts = {"step": float(done.step), "computed": float(done.computed)}
        if done.loss is not None:
            facts["loss"] = done.loss
        return Counters(
            units=float(done.tokens),
            requests=done.microbatches,
            busy_s=done.busy_s,
            in_flight=int(done.working),
            facts=facts,
        )

    def routes(self) -> Sequence[BaseRoute]:
        """No routes: training takes no requests."""
        return ()

    def close(self) -> None:
        """Stop the worker and its thread."""
        if self._worker is not None:
            self._worker.stop()
            self._thread.shutdown(wait=True)
            self._worker.close()
            self._worker = None

    def _loaded(self) -> Worker:
        if self._worker is None:
            raise ResidentFailed(f"the training worker of {self._context.slot} is not loaded")
        return self._worker


def create(context: Context) -> Resident:
    """Make the training resident of a slot in a process of its own; Python's own text is made if it is wanted."""
    stand_behind_services()
    keep_freed_memory()
    run = pool_run(context.settings, context.home, context.cache)
    return TrainResident(run.recipe, run.data, context)
