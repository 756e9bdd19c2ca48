"""``tenfold ladder run``: trains rungs, or what a prediction is about, and says what each reached."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tenfold.core.errors import UsageError
from tenfold.core.paths import cache_dir
from tenfold.core.show import machine, out, talk
from tenfold.llama.alone import Finished
from tenfold.llama.data.index import TextSource, read_index
from tenfold.llama.data.stdlib import prepare
from tenfold.llama.guard import Diverged
from tenfold.llama.ladder import show
from tenfold.llama.ladder.climb import Reach, RungGivenUp, climb, is_whole, on_pool, reach_here
from tenfold.llama.ladder.library import find_prediction, runs_path, write_owned
from tenfold.llama.ladder.pages import score_run
from tenfold.llama.ladder.prediction import load_prediction
from tenfold.llama.ladder.rungs import Rung, rungs_of, target_of
from tenfold.llama.stopping import stopped_by_signal
from tenfold.llama.workload import TRAIN
from tenfold.page.figures import amount
from tenfold.pool.runfile import find_running

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
    here: bool,
    json: bool,
) -> None:
    """Train the rungs, or the run of a prediction, which is then scored; on the pool's slots if one is up."""
    trained = _Trained(home, workers, here)
    folder = data or prepare(cache_dir(), lambda _what, _share: None, TextSource(vocab_size=VOCABULARY))
    index = read_index(folder)
    if prediction is None:
        write_owned(home, index.training_tokens)
        _climb(rungs_of(budgets, sizes, folder, seed), trained, json)
        return
    path = find_prediction(home, prediction)
    told = load_prediction(path)
    rung = target_of(told.name, told.params, told.flops, index.vocab_size, folder, seed)
    if abs(rung.flops / told.flops - 1) > 0.05:
        raise UsageError(
            f"{told.name!r} is predicted for {told.flops:.3g} FLOPs, the nearest run here takes {rung.flops:.3g}",
            next_step="predict for that budget",
        )
    _reach(rung, path, trained, json)


@dataclass(frozen=True, slots=True)
class _Trained:
    """Where rungs are trained."""

    home: Path
    workers: int
    here: bool

    @contextmanager
    def by(self, rungs: Sequence[Rung]) -> Iterator[Reach]:
        """What trains these, until Ctrl-C or SIGTERM."""
        running = None if self.here else find_running(self.home)
        with stopped_by_signal() as stop:
            if running is not None and TRAIN.name in running.companions:
                talk.print(f"the pool at {running.url} trains them; --here trains beside it", markup=False)
                with on_pool(rungs, self.home, stop) as reach:
                    yield reach
            else:
                yield lambda rung: reach_here(rung, self.home, self.workers, stop)


def _climb(rungs: Sequence[Rung], trained: _Trained, json: bool) -> None:
    total = sum(rung.flops for rung in rungs)
    talk.print(f"{len(rungs)} rungs, {total:.3g} FLOPs and less, as budgets share trunks", markup=False)
    with trained.by(rungs) as reach:
        reached_all = climb(rungs, trained.home, reach, _tell)
    if not reached_all:
        _stopped()
    elif json:
        machine({"runs": str(runs_path(trained.home)), "rungs": len(rungs)})
    else:
        out.print(f"wrote {runs_path(trained.home)}; next: tenfold ladder predict", markup=False)


def _reach(rung: Rung, path: Path, trained: _Trained, json: bool) -> None:
    try:
        with trained.by([rung]) as reach:
            done = reach(rung)
    except (Diverged, RungGivenUp):
        # It may have come to something too.
        _score(rung, path, trained.home, json)
        raise
    if is_whole(rung, done):
        _tell(rung, done)
        _score(rung, path, trained.home, json)
    else:
        _stopped()


def _score(rung: Rung, path: Path, home: Path, json: bool) -> None:
    scored = score_run(home, rung.run.name, rung.run.recipe, path)
    if scored is not None:
        show.outcome(*scored, json)


def _stopped() -> None:
    talk.print("stopped; the same command goes on from there", markup=False)


def _tell(rung: Rung, done: Finished) -> None:
    talk.print(
        f"{rung.run.name}: {amount(rung.params)} parameters, {amount(done.tokens)} tokens, {done.flops:.3g} FLOPs, "
        f"held out {done.evaluation_loss:.4f}, {done.seconds:.0f} s",
        markup=False,
    )
