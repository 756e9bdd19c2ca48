"""Stop a pool from outside."""

import contextlib
import logging
import time
import urllib.request
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil

from tenfold.pool.host_info import HostInfo
from tenfold.pool.runfile import (
    RunFile,
    Started,
    is_alive,
    is_same_process,
    pool_token,
    read_run_file,
    run_file_path,
)
from tenfold.pool.token import TOKEN_HEADER

log = logging.getLogger(__name__)

GRACE_S = 25.0
HOST_GRACE_S = 5.0
CONNECT_S = 10.0
KILL_S = 5.0
LOOK_EVERY_S = 0.05


def stop_pool(home: Path, run: RunFile) -> list[int]:
    """Ask the supervisor to stop, wait for all of its processes, and kill what is left.

    Returns:
        Process ids that were stopped.
    """
    try:
        supervisor = psutil.Process(run.pid)
        family = [*supervisor.children(recursive=True), supervisor, *_on_this_machine(run.hosts.values())]
        supervisor.terminate()
    except psutil.NoSuchProcess:
        return []
    _kill(_wait(family, GRACE_S))
    run_file_path(home).unlink(missing_ok=True)
    return [process.pid for process in family]


def stop_leftovers(home: Path, *, adopting: bool = False) -> list[int]:
    """End what is left of a pool whose supervisor was killed: its hosts, and Ray's agents, which stay for a minute.

    Args:
        home: the pool's folder.
        adopting: leave the hosts, and the run file that names them, to the supervisor that comes next.

    Returns:
        Process ids of this machine that were ended; none if the pool runs, or nothing is left of it.
    """
    run = read_run_file(home)
    if run is None or is_same_process(run.pid, run.started):
        return []
    left = _on_this_machine(run.family)
    if not adopting:
        left += _on_this_machine(run.hosts.values())
        for host in run.hosts.values():
            _close(host, pool_token(home))
    _kill([process for process in left if is_alive(process)])
    if not adopting:
        run_file_path(home).unlink(missing_ok=True)
    return sorted({process.pid for process in left})


def _on_this_machine(started: Iterable[Started | HostInfo]) -> list[psutil.Process]:
    """Find these processes and all below them; those of other machines are not found."""
    found: dict[int, psutil.Process] = {}
    for member in started:
        with contextlib.suppress(psutil.NoSuchProcess):
            if is_same_process(member.pid, member.started):
                process = psutil.Process(member.pid)
                found.update({each.pid: each for each in (process, *process.children(recursive=True))})
    return list(found.values())


def _close(host: HostInfo, token: str) -> None:
    """Ask a host to end in order, wherever it is; one that does not answer ends by itself, by its lease."""
    request = urllib.request.Request(f"{host.url}/close?grace_s={HOST_GRACE_S}", b"", {TOKEN_HEADER: token})
    try:
        with urllib.request.urlopen(request, timeout=HOST_GRACE_S + CONNECT_S):
            log.info("closed the host of node %s", host.name)
    except OSError as error:
        log.warning("the host of node %s at %s did not close: %s", host.name, host.url, error)


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _wait(processes, KILL_S)


def _wait(processes: Sequence[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Wait for processes to end; gives those that have not."""
    end, alive = time.monotonic() + timeout_s, list(processes)
    while (alive := [process for process in alive if is_alive(process)]) and time.monotonic() < end:
        time.sleep(LOOK_EVERY_S)
    return alive
