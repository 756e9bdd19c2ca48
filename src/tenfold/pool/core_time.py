"""How long this process wanted a core: the time that it had one, and the time that it stood in line for one."""

import time
from pathlib import Path

_THREADS = Path("/proc/self/task")


class CoreTime:
    """Counts from when it is made; asked now and then.

    Linux tells for each thread how long it ran and how long it was ready but did not run
    (``/proc/PID/task/TID/schedstat``). Threads that wait for each other must not count twice, so between two looks the
    thread that wanted most speaks for the process. Where the kernel does not tell, the process had what it wanted.
    """

    def __init__(self) -> None:
        self._cpu_s = time.process_time()
        self._threads = _ran_or_waited_s()
        self._wanted_s = 0.0

    def wanted_s(self) -> float:
        """Seconds in which this process ran on a core or waited for one."""
        cpu_s, threads = time.process_time(), _ran_or_waited_s()
        of_one_thread_s = max((now - self._threads.get(thread, 0.0) for thread, now in threads.items()), default=0.0)
        self._wanted_s += max(cpu_s - self._cpu_s, of_one_thread_s)
        self._cpu_s, self._threads = cpu_s, threads
        return self._wanted_s


def _ran_or_waited_s() -> dict[str, float]:
    found: dict[str, float] = {}
    for thread in _THREADS.glob("*/schedstat"):
        try:
            ran_ns, waited_ns, _ = thread.read_text().split()
        except (OSError, ValueError):
            # The thread has ended meanwhile, or the kernel keeps no such figures.
            continue
        found[thread.parent.name] = (int(ran_ns) + int(waited_ns)) / 1e9
    return found
