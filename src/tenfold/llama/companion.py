"""The pool's process that coordinates its training run."""

import logging
import signal
from collections.abc import Callable
from pathlib import Path

from tenfold.core.errors import TenfoldError
from tenfold.core.paths import replace_file
from tenfold.llama.coordinator import Coordinator
from tenfold.llama.data.index import read_index
from tenfold.llama.guard import why_ended
from tenfold.llama.journal import StepLine
from tenfold.llama.peak import measure_peak
from tenfold.llama.pool_run import pool_run
from tenfold.llama.progress import TrainProgress
from tenfold.llama.recipe import Recipe
from tenfold.llama.report import Reporter
from tenfold.llama.run_data import keep_data
from tenfold.llama.runs import train_folder
from tenfold.llama.worker import bfloat16_is_fast
from tenfold.llama.workload import ENDED_FILE
from tenfold.pool.resident import Context

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

    A run that is finished, or has diverged, is told of (``ENDED_FILE``, ``TrainStatus.ended``) and trained no more; it is
    scored against the prediction that was registered for it.

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
    run = pool_run(context.settings, context.home, context.cache)
    folder = train_folder(context.home, run.name)
    mark, reporter = context.home / ENDED_FILE, Reporter(folder, run.name)

    def on_step(progress: TrainProgress, _line: StepLine | None) -> None:
        reporter.stepped()
        if coordinator.ended:
            # Its slots are given back first: the last evaluation takes none.
            replace_file(mark, f"run {run.name}: {why_ended(coordinator.recipe, progress)}\n".encode())
            coordinator.settle()
            reporter.draw()
            _score(context.home, run.name, coordinator.recipe)

    coordinator = Coordinator(
        run.asked,
        read_index(run.data).sha256,
        context.home,
        context.token,
        run.name,
        data=run.data,
        peak_flops_per_s=measure_peak(bfloat16=run.recipe.bfloat16 and bfloat16_is_fast()),
        on_step=on_step,
    )
    keep_data(folder, run.data)
    if not coordinator.ended:
        mark.unlink(missing_ok=True)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: coordinator.stop())
    bound = coordinator.listen(host, port)
    if on_ready is not None:
        on_ready(bound)
    if beat is not None:
        coordinator.beat_in_background(beat)
    coordinator.run()
    reporter.draw()


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
