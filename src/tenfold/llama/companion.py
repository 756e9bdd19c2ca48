"""The pool's process that coordinates its training run."""

import gc
import logging
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tenfold.core.errors import TenfoldError
from tenfold.core.paths import replace_file
from tenfold.llama.coordinator import Coordinator
from tenfold.llama.data.index import read_index
from tenfold.llama.guard import Diverged, diverged, why_ended
from tenfold.llama.journal import StepLine
from tenfold.llama.peak import measure_peak
from tenfold.llama.pool_run import PoolRun, pool_run
from tenfold.llama.progress import TrainProgress
from tenfold.llama.recipe import Recipe
from tenfold.llama.report import Reporter
from tenfold.llama.run_data import keep_data
from tenfold.llama.run_queue import first_waiting, give_up
from tenfold.llama.runs import train_folder
from tenfold.llama.worker import bfloat16_is_fast
from tenfold.llama.workload import ENDED_FILE
from tenfold.pool.heartbeat import BEAT_EVERY_S
from tenfold.pool.resident import Context

LOOK_EVERY_S = 0.5
"""Between looks at the runs that wait."""
CHANGE_LIMIT_S = 60.0
"""A change from one run to the next that takes longer than this has hung."""

log = logging.getLogger(__name__)


def serve_forever(
    context: Context,
    port: int,
    *,
    host: str = "127.0.0.1",
    on_ready: Callable[[int], None] | None = None,
    beat: Callable[[], None] | None = None,
) -> None:
    """Coordinate the pool's training until SIGTERM or SIGINT, then write a checkpoint and return.

    Runs that wait (``run_queue``) come first. A run that is finished, or has diverged, is scored against the prediction
    that was registered for it; that of the settings is told of (``ENDED_FILE``, ``TrainStatus.ended``) and trained no
    more.

    Blocking; call it in the main thread of its own process, which may be forked from one that has torch loaded.

    Args:
        context: ``home``, ``cache``, ``settings`` (``[train]``) and ``token`` of the pool.
        port: port to listen on; 0 picks a free one.
        host: address to listen on.
        on_ready: called with the port once workers can connect.
        beat: called once a second from then on, for as long as the process works.

    Raises:
        PortTaken: another process listens there.
        AlreadyRunning: another coordinator has this home.
        AssetError: state or text is damaged or of another recipe.
    """
    turns = _Turns(context, host)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: turns.stop())
    bound = turns.begin(port)
    if on_ready is not None:
        on_ready(bound)
    if beat is not None:
        turns.beat_in_background(beat)
    turns.run(bound)


class _Turns:
    """The pool's runs, one after another: those that wait, in their order, then the run of its settings.

    ``run`` in the main thread, everything else from any.
    """

    def __init__(self, context: Context, host: str) -> None:
        self._context, self._host = context, host
        self._mark = context.home / ENDED_FILE
        self._stopped = threading.Event()
        self._coordinator: Coordinator | None = None
        self._reporter: Reporter | None = None
        self._place: Path | None = None
        self._over: tuple[Path, Diverged | None] | None = None
        self._changing_since = time.monotonic()

    def begin(self, port: int) -> int:
        """Begin or go on with the run whose turn it is; returns the port at which its workers may connect."""
        while True:
            run = pool_run(self._context.settings, self._context.home, self._context.cache)
            try:
                coordinator = self._coordinator_of(run)
                break
            except TenfoldError as error:
                if run.place is None:
                    raise
                log.error("run %s, which waited, is given up: %s; %s", run.name, error, error.next_step)
                give_up(run.place, f"{error}; {error.next_step}")
        self._place, self._coordinator = run.place, coordinator
        if self._stopped.is_set():
            coordinator.stop()
        if not coordinator.ended:
            self._mark.unlink(missing_ok=True)
        return coordinator.listen(self._host, port)

    def run(self, port: int) -> None:
        """Train until ``stop``."""
        threading.Thread(target=self._watch, name="train-turns", daemon=True).start()
        while True:
            self._take_turn()
            if self._stopped.is_set():
                return
            self._changing_since = time.monotonic()
            # A coordinator refers to itself, and has its run's state in memory: it goes before the next takes as much.
            self._coordinator = None
            gc.collect()
            self.begin(port)

    def _take_turn(self) -> None:
        """Train the run that has begun until it ends, or its turn does."""
        coordinator, reporter, self._changing_since = self._coordinator, self._reporter, 0.0
        assert coordinator is not None and reporter is not None, "begin came first"
        coordinator.run()
        reporter.draw()
        if self._over is not None:
            # Not before its port is closed: a worker that begins goes by what waits, and would be refused.
            _take_out(*self._over)
            self._over = None

    def stop(self) -> None:
        """Make ``run`` return; callable from a signal handler."""
        self._stopped.set()
        if self._coordinator is not None:
            self._coordinator.stop()

    def beat_in_background(self, beat: Callable[[], None]) -> None:
        """Say once a second that this process is alive, from a thread, so also while an update is computed."""
        threading.Thread(target=self._beat, args=(beat,), name="train-heartbeat", daemon=True).start()

    def _beat(self, beat: Callable[[], None]) -> None:
        while True:
            if not self._is_stuck():
                beat()
            time.sleep(BEAT_EVERY_S)

    def _is_stuck(self) -> bool:
        since, coordinator = self._changing_since, self._coordinator
        if since:
            return time.monotonic() - since >= CHANGE_LIMIT_S
        return coordinator is not None and coordinator.is_stuck

    def _watch(self) -> None:
        """End a run's turn where another waits, or where it was taken out."""
        fault = ""
        while not self._stopped.wait(LOOK_EVERY_S):
            try:
                self._look()
                fault = ""
            except (TenfoldError, OSError) as error:
                if str(error) != fault:
                    log.warning("nothing is known of the runs that wait: %s", error)
                fault = str(error)

    def _look(self) -> None:
        waiting, coordinator = first_waiting(self._context.home), self._coordinator
        if not self._changing_since and coordinator and (waiting[0] if waiting else None) != self._place:
            coordinator.stop()

    def _coordinator_of(self, run: PoolRun) -> Coordinator:
        folder = train_folder(self._context.home, run.name)
        reporter = self._reporter = Reporter(folder, run.name)

        def on_step(progress: TrainProgress, _line: StepLine | None) -> None:
            reporter.stepped()
            if coordinator.ended:
                why = why_ended(coordinator.recipe, progress)
                if run.place is None:
                    # Its slots are given back first: the last evaluation takes none.
                    replace_file(self._mark, f"run {run.name}: {why}\n".encode())
                coordinator.settle()
                reporter.draw()
                _score(self._context.home, run.name, coordinator.recipe)
                if run.place is not None:
                    self._over = run.place, diverged(coordinator.recipe, progress)
                    coordinator.stop()

        coordinator = Coordinator(
            run.asked,
            read_index(run.data).sha256,
            self._context.home,
            self._context.token,
            run.name,
            data=run.data,
            peak_flops_per_s=measure_peak(bfloat16=run.recipe.bfloat16 and bfloat16_is_fast()),
            on_step=on_step,
        )
        keep_data(folder, run.data)
        return coordinator


def _take_out(place: Path, fault: Diverged | None) -> None:
    """Take a run that has ended out of those that wait."""
    if fault is not None:
        give_up(place, f"{fault}; {fault.next_step}")
    else:
        place.unlink(missing_ok=True)


def _score(home: Path, name: str, recipe: Recipe) -> None:
    """Score the run against the prediction that was registered for it, if there is one."""
    from tenfold.llama.ladder.pages import score_run

    try:
        scored = score_run(home, name, recipe)
    except TenfoldError as error:
        # This process goes on: started again, it would come to the same.
        log.error("run %s is not scored against its prediction: %s; %s", name, error, error.next_step)
        return
    if scored is not None:
        told, outcome = scored
        log.info("run %s: predicted %.4f, reached %.4f: %s", name, told.loss, outcome.observed, outcome.verdict)
