"""A run trained from the command line: a progress bar while it goes, what it came to at its end, Ctrl-C in between."""

import socket
from ipaddress import IPv4Address
from pathlib import Path

import psutil
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tenfold.core.errors import UsageError
from tenfold.core.show import machine, out, talk
from tenfold.llama.alone import Finished, train_alone
from tenfold.llama.alone import join as join_run
from tenfold.llama.guard import Diverged
from tenfold.llama.journal import StepLine
from tenfold.llama.numerics import mixed, numerics_of
from tenfold.llama.peak import measure_peak
from tenfold.llama.progress import TrainProgress
from tenfold.llama.run_file import RunFile
from tenfold.llama.stopping import stopped_by_signal
from tenfold.llama.worker import bfloat16_is_fast
from tenfold.pool.authority import is_loopback
from tenfold.pool.runfile import pool_token

EVERYWHERE = "0.0.0.0"
"""Host by which a machine listens at all of its addresses."""
MOST_ADDRESSES = 4


def join(run: RunFile, home: Path, address: str, workers: int) -> None:
    """Compute for a run that is trained on another machine, until it ends or Ctrl-C or SIGTERM comes.

    Raises:
        UsageError: the address is none, or the token of the machine that trains is not here.
    """
    host, port = host_and_port(address)
    if not (home / "token").exists():
        raise UsageError(
            f"{home} has no token file, so {address} would not let it in",
            next_step=f"copy the file 'token' there from the home of the machine that trains {run.name}",
        )
    with stopped_by_signal() as stop:
        talk.print(f"{workers} workers for {run.name} at {host}:{port}; Ctrl-C leaves it", markup=False)
        over = join_run(run, f"{host}:{port}", pool_token(home), workers=workers, stop=stop)
    out.print(
        f"{run.name} has ended" if over else f"left {run.name}, which goes on without these workers", markup=False
    )


def host_and_port(address: str) -> tuple[str, int]:
    """Take ``host:port`` apart.

    Raises:
        UsageError: it is not one.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise UsageError(f"{address!r} is no address", next_step="give host:port, e.g. 10.0.0.1:7777")
    return host, int(port)


def how_to_join(file: Path, host: str, port: int, home: Path) -> str:
    """Say what to enter on another machine, with an address of this one under which it can be reached."""
    if host == EVERYWHERE:
        found = own_addresses()
        hosts = [str(each) for each in found if not each.is_loopback]
        if not hosts:
            return f"this machine has no address but its own loopback, so no other can join at port {port}"
    elif is_loopback(host):
        return f"{host} is reached from this machine only; --listen 0.0.0.0:{port} lets other machines join"
    else:
        hosts = [host]
    commands = "\n".join(f"  tenfold train {file.name} --join {each}:{port}" for each in hosts[:MOST_ADDRESSES])
    which = "by the one of these that reaches here" if len(hosts) > 1 else "by"
    return (
        f"other machines join, with the same run file, the same data and a copy of {home / 'token'} in their home, "
        f"{which}:\n{commands}"
    )


def own_addresses() -> list[IPv4Address]:
    """IPv4 addresses of this machine's interfaces that are up."""
    states = psutil.net_if_stats()
    return [
        IPv4Address(each.address)
        for name, found in psutil.net_if_addrs().items()
        if name in states and states[name].isup
        for each in found
        if each.family == socket.AF_INET
    ]


def train(
    run: RunFile, home: Path, workers: int, json: bool, file: Path | None = None, listen: str | None = None
) -> None:
    """Train a run to its end, or until Ctrl-C or SIGTERM, and print what it came to.

    With ``listen``, ``host:port``, other machines may join that know this home's token and have this run file.
    """
    where = None if listen is None else host_and_port(listen)
    if where is not None and file is not None:
        pool_token(home)
        talk.print(how_to_join(file, *where, home), markup=False, soft_wrap=True)
    try:
        finished = _train(run, home, workers, where)
    except Diverged:
        # It has come to something too.
        _score(home, run)
        raise
    _print(finished, run, json)
    _score(home, run)


def _train(run: RunFile, home: Path, workers: int, where: tuple[str, int] | None) -> Finished:
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

        peak = measure_peak(bfloat16=run.recipe.bfloat16 and bfloat16_is_fast())
        return train_alone(
            run,
            home,
            workers=workers,
            on_progress=on_progress,
            stop=stop,
            listen=where,
            token=pool_token(home) if where else None,
            peak_flops_per_s=peak,
        )


def _score(home: Path, run: RunFile) -> None:
    """Score the run against the prediction that was registered for it, if there is one and it has ended."""
    from tenfold.llama.ladder.pages import score_run

    scored = score_run(home, run.name, run.recipe)
    if scored is not None:
        told, outcome = scored
        talk.print(
            f"predicted on {told.made_at}: {told.loss:.4f}, {outcome.error:+.2%}, "
            f"{'inside' if outcome.inside else 'outside'} the interval {told.low:.4f} to {told.high:.4f}",
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
    if told := mixed(numerics_of(finished.folder)):
        out.print(told, style="yellow", markup=False, soft_wrap=True)
    if run.recipe.steps is not None and finished.step < run.recipe.steps:
        out.print(f"stopped; the same command goes on at step {finished.step:,}", markup=False)
    out.print(f"its files are in {finished.folder}", markup=False)
