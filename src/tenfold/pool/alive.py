"""Whether a process lives that does not show itself: those of its own machine can tell.

A process may be silent because the machine is busy, or because it waits for a database, and still hold what it took. So
where it is is kept beside what it holds.
"""

import os
from pathlib import Path

from tenfold.pool.runfile import is_same_process, own_start_time

_BOOT_ID, _PID_NAMESPACE = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")


def place_here() -> str:
    """Name this process so that others of this machine find it; nothing where the system cannot tell."""
    machine = _machine()
    return f"{machine} {os.getpid()} {own_start_time()!r}" if machine else ""


def lives(place: str) -> bool:
    """Whether a process at a place is known to live; of other machines, and of no place, nothing is known."""
    return _is_here(place) and _is_there(place)


def has_ended(place: str) -> bool:
    """Whether a process at a place is known to have ended; of other machines, and of no place, nothing is known."""
    return _is_here(place) and not _is_there(place)


def _is_here(place: str) -> bool:
    machine = place.partition(" ")[0]
    return bool(machine) and machine == _machine()


def _is_there(place: str) -> bool:
    pid, _, started = place.partition(" ")[2].partition(" ")
    return is_same_process(int(pid), float(started))


def _machine() -> str:
    """Tell machines, their starts, and containers, which number their processes anew, from each other."""
    try:
        return f"{_BOOT_ID.read_text().strip()}/{_PID_NAMESPACE.readlink()}"
    except OSError:
        return ""
