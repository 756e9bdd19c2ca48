"""Held-out loss of a run: the same sequences each time, of documents that it never trains on.

Evaluations run one after another in a thread of the coordinator, on a copy of the parameters, while training goes on.
They change nothing that training reads, so a run's parameters do not depend on them.

Letter: P parameters of the model.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tenfold.llama.journal import EvaluationLine
from tenfold.llama.progress import TrainProgress
from tenfold.llama.recipe import Recipe
from tenfold.llama.worker import GradientComputer


class Evaluator:
    """Held-out loss at given parameters; a function of parameters, recipe and data alone.

    Raises:
        AssetError: the data holds out fewer tokens than one sequence.
    """

    def __init__(self, recipe: Recipe, data: Path) -> None:
        self._computer = GradientComputer(recipe, data)
        self._windows = self._computer.sampler.held_out_windows(recipe.evaluate_sequences)

    def loss(self, parameters_P: NDArray[np.float32]) -> tuple[float, int]:
        """Mean cross entropy in nats per token over the held-out sequences, and of how many tokens."""
        np.copyto(self._computer.parameters_P, parameters_P)
        size = self._computer.recipe.microbatch_sequences
        total, tokens = 0.0, 0
        for start in range(0, len(self._windows), size):
            windows = self._windows[start : start + size]
            loss, count = self._computer.held_out_loss(windows)
            total += loss * count
            tokens += count
        return total / tokens, tokens


class Evaluations:
    """Evaluates snapshots in a thread of its own; at most one waits while another is under way.

    Args:
        evaluator: what measures.
        on_result: called from the thread with each result.
    """

    def __init__(self, evaluator: Evaluator, on_result: Callable[[EvaluationLine], None]) -> None:
        self._evaluator, self._on_result = evaluator, on_result
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="train-evaluation")
        self._last: Future[None] | None = None

    def submit(self, progress: TrainProgress, parameters_P: NDArray[np.float32]) -> None:
        """Measure at a copy of these parameters; waits until the evaluation before is done."""
        self.wait()
        self._last = self._thread.submit(self._evaluate, progress.step, progress.tokens, parameters_P.copy())

    def wait(self) -> None:
        """Wait for the last one; raises what it raised."""
        if self._last is not None:
            self._last.result()

    def close(self) -> None:
        """Wait for the last one and end the thread."""
        try:
            self.wait()
        finally:
            self._thread.shutdown()

    def _evaluate(self, step: int, tokens: int, parameters_P: NDArray[np.float32]) -> None:
        loss, predicted = self._evaluator.loss(parameters_P)
        self._on_result(EvaluationLine(step=step, tokens=tokens, loss=loss, held_out_tokens=predicted))
