"""A run trained from the command line: a progress bar while it goes, what it came to at its end, Ctrl-C in between."""

from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tenfold.core.show import machine, out, talk
from tenfold.llama.alone import Finished, train_alone
from tenfold.llama.journal import StepLine
from tenfold.llama.progress import TrainProgress
from tenfold.llama.run_file import RunFile
from tenfold.llama.stopping import stopped_by_signal


def train(run: RunFile, home: Path, workers: int, json: bool) -> None:
    """Train a run to its end, or until Ctrl-C or SIGTERM, and print what it came to."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("step {task.completed:.0f} of {task.total:.0f}"),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=talk) as bar, stopped_by_signal() as stop:
        task = bar.add_task(run.name, total=run.recipe.steps, figures="")

        def on_progress(progress: TrainProgress, line: StepLine | None) -> None:
            bar.update(task, completed=progress.step, figures=_figures(line))

        finished = train_alone(run, home, workers=workers, on_progress=on_progress, stop=stop)
    _print(finished, run, json)
    if finished.step == run.recipe.steps and finished.evaluation_loss is not None:
        _score(home, finished.name, finished.evaluation_loss, finished.flops)


def _score(home: Path, name: str, loss: float, flops: float) -> None:
    """Score the run against the prediction that was registered for it, if there is one."""
    from tenfold.llama.ladder.library import prediction_path
    from tenfold.llama.ladder.pages import keep_outcome

    path = prediction_path(home, name)
    if path.exists():
        told, outcome = keep_outcome(path, loss, flops)
        where = "inside" if outcome.inside else "outside"
        talk.print(
            f"predicted on {told.made_at}: {told.loss:.4f}, {outcome.error:+.2%}, {where} the interval "
            f"{told.low:.4f} to {told.high:.4f}",
            markup=False,
        )


def _figures(line: StepLine | None) -> str:
    if line is None:
        return ""
    used = "" if line.mfu is None else f" · MFU {line.mfu:.0%}"
    return f"loss {line.loss:.3f} · {line.tokens_per_s:,.0f} tokens/s{used}"


def _print(finished: Finished, run: RunFile, json: bool) -> None:
    if json:
        machine({**{key: getattr(finished, key) for key in Finished.__slots__}, "folder": str(finished.folder)})
        return
    held_out = "" if finished.evaluation_loss is None else f", held out {finished.evaluation_loss:.3f}"
    out.print(
        f"{finished.name}: step {finished.step:,} of {run.recipe.steps:,}, {finished.tokens:,} tokens, "
        f"loss {finished.loss or float('nan'):.3f}{held_out} nats per token, {finished.flops:.3g} FLOP in "
        f"{finished.seconds:,.0f} s",
        markup=False,
    )
    if run.recipe.steps is not None and finished.step < run.recipe.steps:
        out.print(f"stopped; the same command goes on at step {finished.step:,}", markup=False)
    out.print(f"its files are in {finished.folder}", markup=False)
