"""Whether what should use no processor time uses none, on a machine where anything else may run too."""

import time
from collections.abc import Callable

TRIES = 6


def least_cpu_s(cpu_s: Callable[[], float], limit_s: float, seconds: float = 1.0) -> float:
    """Measure until as little was used as may be, and give the least that was used.

    A thread that spins, or a timer that fires often, does so in each try; what the machine adds comes and goes.

    Args:
        cpu_s: tells processor seconds used so far.
        limit_s: seconds that may be used in a try.
        seconds: length of a try.
    """
    least = float("inf")
    for _ in range(TRIES):
        before = cpu_s()
        time.sleep(seconds)
        least = min(least, cpu_s() - before)
        if least <= limit_s:
            break
    return least
