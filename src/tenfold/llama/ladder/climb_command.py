"""``tenfold ladder run``: trains rungs, or what a prediction is about, and says what each reached."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tenfold.core.errors import UsageError
from tenfold.core.paths import cache_dir
from tenfold.core.show import machine, out, talk
from tenfold.llama.alone import Finished
from tenfold.llama.data.index import TextSource, read_index
from tenfold.llama.data.stdlib import prepare
from tenfold.llama.ladder import show
from tenfold.llama.ladder.climb import climb, reach
from tenfold.llama.ladder.library import prediction_path, runs_path, write_outcome, write_owned
from tenfold.llama.ladder.pages import leave_page
from tenfold.llama.ladder.prediction import load_prediction
from tenfold.llama.ladder.rungs import Rung, rungs_of, target_of
from tenfold.page.figures import amount

VOCABULARY = 1024
"""Of the text that is made where none is given: rungs of this size have no use for more."""


def run(
    budgets: Sequence[float],
    sizes: int,
    prediction: str | None,
    data: Path | None,
    workers: int,
    seed: int,
    home: Path,
    json: bool,
) -> None:
    """Train the rungs, or the run of a prediction, which is then scored."""
    with _stop_by_signal() as stop:
        _run(budgets, sizes, prediction, data, workers, seed, home, json, stop)


@contextmanager
def _stop_by_signal() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, while it is in use."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(
    budgets: Sequence[float],
    sizes: int,
    prediction: str | None,
    data: Path | None,
    workers: int,
    seed: int,
    home: Path,
    json: bool,
    stop: threading.Event,
) -> None:
    folder = data or prepare(cache_dir(), lambda _what, _share: None, TextSource(vocab_size=VOCABULARY))
    index = read_index(folder)
    vocab = index.vocab_size
    if prediction is None:
        write_owned(home, index.training_tokens)
        rungs = rungs_of(budgets, sizes, vocab, folder, seed)
        total = sum(rung.flops for rung in rungs)
        talk.print(f"{len(rungs)} rungs, {total:.3g} FLOPs and less, as budgets share trunks", markup=False)
        path = runs_path(home)
        if not climb(rungs, home, workers, _tell, stop):
            _stopped()
        elif json:
            machine({"runs": str(path), "rungs": len(rungs)})
        else:
            out.print(f"wrote {path}; next: tenfold ladder predict", markup=False)
        return
    path = Path(prediction) if prediction.endswith(".json") else prediction_path(home, prediction)
    told = load_prediction(path)
    rung = target_of(told.name, told.params, told.flops, vocab, folder, seed)
    if abs(rung.flops / told.flops - 1) > 0.05:
        raise UsageError(
            f"{told.name!r} is predicted for {told.flops:.3g} FLOPs, the nearest run here takes {rung.flops:.3g}",
            next_step="predict for that budget",
        )
    done = reach(rung, home, workers, stop)
    if done.step < rung.steps:
        _stopped()
        return
    _tell(rung, done)
    assert done.evaluation_loss is not None
    scored = write_outcome(path, done.evaluation_loss, done.flops)
    leave_page(path)
    show.outcome(*scored, json)


def _stopped() -> None:
    talk.print("stopped; the same command goes on from there", markup=False)


def _tell(rung: Rung, done: Finished) -> None:
    talk.print(
        f"{rung.run.name}: {amount(rung.params)} parameters, {amount(done.tokens)} tokens, {done.flops:.3g} FLOPs, "
        f"held out {done.evaluation_loss:.4f}, {done.seconds:.0f} s",
        markup=False,
    )
