"""Stop a pool from outside."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import psutil

from tenfold.cli.runfile import RunFile, is_same_process, read_run_file, run_file_path

GRACE_S = 25.0


def stop_pool(home: Path, run: RunFile) -> list[int]:
    """Ask the supervisor to stop, wait for all of its processes, and kill what is left.

    Returns:
        Process ids that were stopped.
    """
    try:
        supervisor = psutil.Process(run.pid)
        family = [*supervisor.children(recursive=True), supervisor]
        supervisor.terminate()
    except psutil.NoSuchProcess:
        return []
    _, alive = psutil.wait_procs(family, timeout=GRACE_S)
    _kill(alive)
    run_file_path(home).unlink(missing_ok=True)
    return [process.pid for process in family]


def stop_leftovers(home: Path) -> list[int]:
    """Kill what is left of a pool whose supervisor was killed: Ray's own agents outlive it by a minute.

    Returns:
        Process ids that were killed; none if the pool runs, or nothing is left of it.
    """
    run = read_run_file(home)
    if run is None or is_same_process(run.pid, run.started):
        return []
    left: dict[int, psutil.Process] = {}
    for member in run.family:
        with contextlib.suppress(psutil.NoSuchProcess):
            if is_same_process(member.pid, member.started):
                process = psutil.Process(member.pid)
                left.update({each.pid: each for each in (process, *process.children(recursive=True))})
    _kill(list(left.values()))
    run_file_path(home).unlink(missing_ok=True)
    return list(left)


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=5.0)
