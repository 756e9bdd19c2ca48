"""How a trainer keeps its place behind services, and its memory; ``pool/pace.py`` holds it to its share of a core."""

import ctypes
import os

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -2, -3, -8


def stand_behind_services() -> None:
    """Let a service on the same core go first, by so much that it gets its share where the core is short.

    What the pool itself uses (gateway, controller, coordinator) comes out of the cores too, up to a fifth of each under
    load. At two steps of niceness Linux gives the service 61% of what is left: half the core. At equal priority a
    ranking slot at 75% of its capacity answered 84% in time; at four steps, services took half of training's share.
    """
    os.nice(2)


def keep_freed_memory() -> None:
    """Make glibc keep what this process frees, for the next microbatch; a no-op with another C library.

    Left alone it returns large buffers to the kernel after every microbatch and faults them in again: 3,000 to 10,000
    page faults and a tenth of the time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    limits = {_M_MMAP_THRESHOLD: 1 << 30, _M_TRIM_THRESHOLD: (1 << 31) - 1, _M_TOP_PAD: 64 << 20, _M_ARENA_MAX: 1}
    for parameter, value in limits.items():
        mallopt(parameter, value)
