"""Puts away what killed training left in shared memory, which nobody else would free until the machine starts anew.

Where the run is still there its state becomes a checkpoint, as if it had been stopped in order: nothing of it is lost.
"""

import logging
import time
from contextlib import nullcontext
from pathlib import Path

from tenfold.core.errors import TenfoldError
from tenfold.llama.checkpoint import checkpoint_files, read_meta, write_checkpoint
from tenfold.llama.live import Left, LiveState, half_made, left_behind
from tenfold.llama.runs import locked, read_run
from tenfold.llama.vectors import layout_of

QUIET_S = 600.0
"""A run whose last step is so long ago is not just being started again."""

log = logging.getLogger(__name__)


def sweep(now: float | None = None) -> None:
    """Put away what nobody goes on with; what cannot be put away stays, and is told of.

    Args:
        now: Unix seconds; none: of now.
    """
    now = time.time() if now is None else now
    for path in half_made(before=now - QUIET_S):
        path.unlink(missing_ok=True)
        log.info("removed %s, which was never whole", path)
    for left in left_behind():
        try:
            _put_away(left, now)
        except (TenfoldError, OSError) as error:
            log.warning("the training state in %s stays in memory: %s", left.path, error)


def _put_away(left: Left, now: float) -> None:
    if left.is_away:
        log.warning("the training state in %s stays in memory: %s is not mounted", left.path, left.folder)
        return
    run = read_run(left.folder)
    if run is None or run.run != left.run:
        # Where another run is there by now, it may just be making its own state in this place.
        with locked(left.folder) if left.folder.is_dir() else nullcontext():
            if left in left_behind():
                left.path.unlink(missing_ok=True)
                log.info("removed %s: its run is no longer in %s", left.path, left.folder)
        return
    if now - left.at < QUIET_S:
        return
    with locked(left.folder):
        layout = layout_of(run.recipe.model)
        live = LiveState.reopen(left.folder, run, layout.size)
        # Somebody may have gone on with it since it was looked at.
        if live is None or live.path != left.path:
            return
        if live.progress.step > _newest_step(left.folder):
            write_checkpoint(left.folder, run, live.progress, layout.spans, live.front)
        live.remove()
    log.info("the training state in %s is a checkpoint in %s now", left.path, left.folder)


def _newest_step(folder: Path) -> int:
    """Of the newest checkpoint; 0 if there is none. It is read whole where somebody goes on from it."""
    files = checkpoint_files(folder)
    return read_meta(files[0]).progress.step if files else 0
