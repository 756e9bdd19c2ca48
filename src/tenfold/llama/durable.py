"""A run's durable checkpoints as it goes: when the next is due, one written at a time, and what a full disk leaves.

Training never waits for a disk: a checkpoint that fails is told of, the one before it stays, and the next is tried at
its time.
"""

import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from tenfold.llama.checkpoint import RunMeta, Span, StateVectors, write_checkpoint
from tenfold.llama.progress import TrainProgress

log = logging.getLogger(__name__)


class Durable:
    """The checkpoints of one run on disk. For one thread; ``step`` and ``alarm`` may be read by any.

    Args:
        folder: the run's folder.
        run: what the run is.
        spans: where each parameter lies.
        step: of the newest sound checkpoint that is there; none if there is none.
        interval_s: seconds between two while training goes on.
    """

    def __init__(self, folder: Path, run: RunMeta, spans: Sequence[Span], step: int | None, interval_s: float) -> None:
        self._folder, self._run, self._spans, self._interval_s = folder, run, spans, interval_s
        self._tried_at = time.monotonic()
        self._writer: threading.Thread | None = None
        self.step = step
        self.alarm = ""

    def has(self, step: int) -> bool:
        """Whether what training has come to by ``step`` is on disk; nothing need be for step 0."""
        return step == (self.step or 0)

    def due_s(self, step: int) -> float | None:
        """Seconds until the next is due, 0 if it is; none while there is nothing new since the last."""
        return None if self.has(step) else max(0.0, self._tried_at + self._interval_s - time.monotonic())

    def write_in_background(self, progress: TrainProgress, snapshot: StateVectors) -> None:
        """Write one in a thread of its own; ``snapshot`` is not changed meanwhile."""
        self._tried_at = time.monotonic()
        if self._writer is not None and self._writer.is_alive():
            log.warning("the last checkpoint is still being written; this one is left out")
            return
        self._writer = threading.Thread(target=self._write, args=(progress, snapshot), name="train-checkpoint")
        self._writer.start()

    def write(self, progress: TrainProgress, state: StateVectors) -> None:
        """Write one now, after the one in hand."""
        self.wait()
        self._write(progress, state)

    def wait(self) -> None:
        """Wait for the one in hand, if any."""
        if self._writer is not None:
            self._writer.join()

    def _write(self, progress: TrainProgress, state: StateVectors) -> None:
        try:
            write_checkpoint(self._folder, self._run, progress, self._spans, state)
        except OSError as error:
            log.exception("no checkpoint at step %d; the one before it stays", progress.step)
            self.alarm = (
                f"training has no checkpoint since step {self.step or 0}: "
                f"{error.filename or self._folder}: {error.strerror}; it goes on, and the one before stays"
            )
            return
        self.step, self.alarm = progress.step, ""
