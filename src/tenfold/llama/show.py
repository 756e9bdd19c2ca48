"""How ``tenfold train`` prints: a table for people, JSON for machines."""

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tenfold.core.show import grid, machine, out, talk
from tenfold.llama.compare import Comparison
from tenfold.llama.flops import flops_per_token, parameters_of
from tenfold.llama.numerics import mixed
from tenfold.llama.runs import RunDescription
from tenfold.llama.standing import Standing
from tenfold.page.figures import amount

if TYPE_CHECKING:
    from tenfold.llama.release.release import Released


def run(found: RunDescription, standing: Standing, json: bool) -> None:
    """Print a run, where it stands, and its checkpoints."""
    if json:
        machine(found)
        return
    out.print(f"run {found.name} ({found.run.run})", markup=False)
    _stands(standing)
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


def _stands(standing: Standing) -> None:
    speed = "" if standing.tokens_per_s is None else f", {standing.tokens_per_s:,.0f} tokens/s"
    used = "" if standing.mfu is None else f", MFU {standing.mfu:.0%}"
    out.print(f"{standing.state}: {standing.end}, {standing.tokens:,} tokens{speed}{used}", markup=False)
    if standing.loss is not None:
        held = standing.evaluation_loss
        told = "" if held is None else f"; held out {held:.4f} at step {standing.evaluated_at:,}"
        left_out = f"; {standing.skipped:,} updates left out" if standing.skipped else ""
        out.print(f"loss {standing.loss:.4f} nats per token{told}{left_out}", markup=False)
    if standing.data is not None:
        out.print(f"data: {standing.data.folder}", markup=False, soft_wrap=True)
    if standing.numerics:
        told = mixed(standing.numerics) or f"computed by {standing.numerics[0].what}"
        out.print(told, markup=False, soft_wrap=True, style="yellow" if mixed(standing.numerics) else None)


def runs(found: Sequence[Standing], json: bool) -> None:
    """Print the runs of a home."""
    if json:
        machine(list(found))
        return
    if not found:
        talk.print("no run yet: start one with 'tenfold up' or 'tenfold train run.toml'", markup=False)
        return
    table = grid("run", "state", "step", "tokens", "loss", "held out", "size", "tokens/s", words=2, folding={"run"})
    for each in found:
        table.add_row(
            each.name,
            each.state,
            f"{each.step:,}" + (f" of {each.steps:,}" if each.steps is not None else ""),
            amount(each.tokens),
            _figure(each.loss),
            _figure(each.evaluation_loss),
            amount(each.parameters),
            "-" if each.tokens_per_s is None else amount(each.tokens_per_s),
        )
    out.print(table)


def difference(found: Comparison, json: bool) -> None:
    """Print what differs between two runs, and what came of it."""
    if json:
        machine(found)
        return
    a, b = found.a, found.b
    for each in (a, b):
        out.print(f"{each.name}: {each.state}, {each.end}, {each.tokens:,} tokens, {each.flops:.3g} FLOP", markup=False)
    if found.differs:
        table = grid("what differs", a.name, b.name)
        for key in found.differs:
            table.add_row(key.key, str(key.a), str(key.b))
        out.print(table)
    else:
        out.print("nothing differs: recipe, shape and data are one", markup=False)
    for title, marks in (("training", found.marks), ("held out", found.held_out)):
        if marks:
            table = grid(f"tokens, {title}", a.name, b.name, "difference", words=0)
            for mark in marks:
                table.add_row(f"{mark.tokens:,}", f"{mark.a:.4f}", f"{mark.b:.4f}", f"{mark.b - mark.a:+.4f}")
            out.print(table)
    out.print(_verdict(found), markup=False)


def _verdict(found: Comparison) -> str:
    """What came of it in one sentence: by held-out loss where that was measured on the same documents."""
    a, b = found.a, found.b
    if found.held_out and found.same_held_out:
        mark, what = found.held_out[-1], "held-out loss"
    elif found.marks:
        mark, what = found.marks[-1], "training loss"
    else:
        return "one of them has no step yet"
    change = mark.b - mark.a
    than = "the same as" if change == 0 else f"{abs(change):.4f} nats {'lower' if change < 0 else 'higher'} than"
    work = b.flops / b.tokens / (a.flops / a.tokens) if a.flops and b.flops else 1.0
    if a.data is None or b.data is None:
        note = "; what they are trained on is not written down, so losses may be of different texts"
    else:
        note = "" if found.same_data else "; their data differ, so losses are not of the same text"
        if found.same_data and found.held_out and not found.same_held_out:
            note = "; their held-out sequences differ, so held-out losses are not of the same tokens"
    return (
        f"after {mark.tokens:,} tokens {b.name}'s {what} is {than} {a.name}'s, "
        f"at {work:.2f} times its FLOPs a token{note}"
    )


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


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
