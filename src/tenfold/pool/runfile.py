"""``run.json`` in the pool's home: who runs, and where. Written by ``up``, read by every other command."""

import contextlib
import os
import secrets
from pathlib import Path

import psutil
from pydantic import Field

from tenfold.core.errors import Damaged, NotRunning
from tenfold.core.frozen import Frozen
from tenfold.core.paths import replace_file
from tenfold.core.sound import read_record, write_record
from tenfold.pool.host_info import HostInfo
from tenfold.pool.product_route import ProductRoute
from tenfold.pool.token import TOKEN_HEADER


class Started(Frozen):
    """A process and when it started, in Unix seconds: its number alone may be another's by now."""

    pid: int
    started: float


class RunFile(Started):
    """A running pool: its supervisor, its address, and the processes below the supervisor.

    ``hosts``: by the Ray node that each was started on. ``companions``: address of each. ``companions_on``: their node.
    ``products``: by name; the front reads them here once a second.
    A supervisor that comes after one that was killed finds them by it.
    """

    url: str
    family: tuple[Started, ...] = ()
    hosts: dict[str, HostInfo] = Field(default_factory=dict)
    companions: dict[str, str] = Field(default_factory=dict)
    companions_on: str | None = None
    products: dict[str, ProductRoute] = Field(default_factory=dict)


def run_file_path(home: Path) -> Path:
    """Where the run file of a home is."""
    return home / "run.json"


def write_run_file(home: Path, run: RunFile) -> None:
    """Replace the run file."""
    write_record(run_file_path(home), run, mode=0o600)


def pool_token(home: Path) -> str:
    """Read the secret of the pool's processes, or make one; a file of its own, which only this user can read."""
    path = home / "token"
    try:
        return path.read_text()
    except FileNotFoundError:
        token = secrets.token_hex(16)
        replace_file(path, token.encode(), mode=0o600)
        return token


def own_headers(home: Path) -> dict[str, str]:
    """What lets a command of this user in where keys are asked for; nothing if no pool has run from ``home``."""
    try:
        return {TOKEN_HEADER: (home / "token").read_text()}
    except OSError:
        return {}


def read_run_file(home: Path) -> RunFile | None:
    """Read the run file, whether or not the pool that it names is alive; nothing if there is none."""
    path = run_file_path(home)
    try:
        return read_record(path, RunFile)
    except FileNotFoundError:
        return None
    except Damaged as error:
        raise NotRunning(str(error), next_step=f"remove {path}") from error


def find_running(home: Path) -> RunFile | None:
    """Read the run file, or nothing if the pool it names is not alive."""
    run = read_run_file(home)
    return run if run is not None and is_same_process(run.pid, run.started) else None


def require_running(home: Path) -> RunFile:
    """Read the run file of a pool that is alive.

    Raises:
        NotRunning: no pool runs from this home.
    """
    run = find_running(home)
    if run is None:
        raise NotRunning(f"no pool runs from {home}", next_step="start one with 'tenfold up'")
    return run


def is_same_process(pid: int, started: float) -> bool:
    """Whether ``pid`` is alive and is the process that started at ``started`` (Unix seconds), not a reused number."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < 1.0 and is_alive(process)
    except psutil.NoSuchProcess:
        return False


def is_alive(process: psutil.Process) -> bool:
    """Whether a process has not ended; one that has keeps its number until its parent takes note, if ever."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def own_start_time() -> float:
    """When this process started, Unix seconds."""
    return psutil.Process(os.getpid()).create_time()


def own_family() -> tuple[Started, ...]:
    """All processes below this one."""
    family = []
    for process in psutil.Process(os.getpid()).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            family.append(Started(pid=process.pid, started=process.create_time()))
    return tuple(family)
