"""A model taught from the command line: a progress bar while it goes, and what came of it at its end."""

from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import ValidationError
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tenfold.core.assets import require
from tenfold.core.errors import UsageError
from tenfold.core.paths import cache_dir
from tenfold.core.show import machine, out, talk
from tenfold.core.smollm2 import GGUF, SMOLLM2
from tenfold.llama.tune.tune import Lesson, Tuned, TuneStep
from tenfold.llama.tune.tune import tune as teach


def tune(
    model: Path | None, data: Path, folder: Path, lesson: Mapping[str, object], threads: int | None, json: bool
) -> None:
    """Teach a model, SmolLM2 if none is named, and print what came of it.

    Raises:
        UsageError: a value of the lesson is out of range.
    """
    try:
        wanted = Lesson.model_validate(lesson)
    except ValidationError as error:
        wrong = "; ".join(f"--{str(each['loc'][0]).replace('_', '-')}: {each['msg']}" for each in error.errors())
        raise UsageError(wrong, next_step="see 'tenfold llama tune --help'") from error
    if threads is not None:
        torch.set_num_threads(threads)
    file = model or require(SMOLLM2, cache_dir()) / GGUF
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("step {task.completed:.0f} of {task.fields[steps]}"),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=talk) as bar:
        task = bar.add_task(folder.name, total=None, steps="?", figures="reading the model and the examples")

        def on_step(step: TuneStep) -> None:
            figures = f"loss {step.loss:.3f} · {step.tokens / step.seconds:,.0f} tokens/s"
            bar.update(task, total=step.steps, completed=step.step, steps=step.steps, figures=figures)

        found = teach(file, data, folder, wanted, on_step)
    _print(found, model, json)


def _print(found: Tuned, model: Path | None, json: bool) -> None:
    if json:
        machine(found)
        return
    out.print(
        f"{found.model}: taught by {found.examples:,} examples, {found.tokens:,} tokens in {found.seconds:,.0f} s; "
        f"{found.parameters / 1e6:.1f} M parameters beside it",
        markup=False,
    )
    if found.too_long:
        out.print(f"{found.too_long:,} examples are too long and were left out (--longest)", markup=False)
    if found.loss_before is not None and found.loss_after is not None:
        out.print(
            f"loss of the replies in {found.held_out:,} examples held out: {found.loss_before:.3f} before, "
            f"{found.loss_after:.3f} after, nats per token",
            markup=False,
        )
    given = f'file = "{model.resolve()}", ' if model else ""
    out.print(
        f'serve it: [serve.models]\n{found.folder.name} = {{ {given}adapter = "{found.folder.resolve()}" }}',
        markup=False,
        soft_wrap=True,
    )
