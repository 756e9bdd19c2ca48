"""How ``tenfold train`` prints: a table for people, JSON for machines."""

import datetime as dt
from typing import TYPE_CHECKING

from tenfold.core.show import grid, machine, out
from tenfold.llama.flops import flops_per_token, parameters_of
from tenfold.llama.runs import RunDescription

if TYPE_CHECKING:
    from tenfold.llama.release.release import Released


def run(found: RunDescription, json: bool) -> None:
    """Print a run and its checkpoints."""
    if json:
        machine(found)
        return
    out.print(f"run {found.name} ({found.run.run})", markup=False)
    if found.others:
        out.print(f"other runs: {', '.join(found.others)}; tenfold train RUN shows one", markup=False)
    recipe = found.run.recipe
    counted, flops = parameters_of(recipe.model), flops_per_token(recipe.model, recipe.sequence_tokens)
    out.print(
        f"model: {counted.total / 1e6:.1f} M parameters, of which {counted.active / 1e6:.1f} M work on a token; "
        f"training on one takes {flops / 1e6:.0f} MFLOP",
        markup=False,
    )
    for name in found.damaged:
        out.print(f"damaged: {name}", style="red", markup=False)
    table = grid("step", "tokens", "loss", "written", "MB", "checkpoint")
    for checkpoint in found.checkpoints:
        progress = checkpoint.progress
        table.add_row(
            f"{progress.step:,}",
            f"{progress.tokens:,}",
            "-" if progress.loss is None else f"{progress.loss:.3f}",
            f"{dt.datetime.fromtimestamp(checkpoint.written_at):%Y-%m-%d %H:%M:%S}",
            f"{checkpoint.bytes / 1e6:.0f}",
            str(checkpoint.path),
        )
    out.print(table)


def released(found: "Released", json: bool) -> None:
    """Print what a release holds."""
    if json:
        machine(found)
        return
    out.print(
        f"{found.run} at step {found.step:,}: {found.parameters:,} parameters, {found.active_parameters:,} of them at "
        f"work on a token, in {found.folder}",
        markup=False,
        soft_wrap=True,
    )
    table = grid("file", "MB")
    for name, size in found.files.items():
        table.add_row(name, f"{size / 1e6:.2f}")
    out.print(table)
    out.print(f'serve it: [serve.models]\n{found.run} = "{found.folder}"', markup=False, soft_wrap=True)
