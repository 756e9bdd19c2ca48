"""Stop a pool from outside."""

from pathlib import Path

import psutil

from tenfold.cli.runfile import RunFile, run_file_path

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
    for process in alive:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(alive, timeout=5.0)
    run_file_path(home).unlink(missing_ok=True)
    return [process.pid for process in family]
