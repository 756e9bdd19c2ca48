"""What a process wanted of its core is counted also while another program has the core."""

import os
import subprocess
import sys
import textwrap

import pytest

SHARED_CORE = """
import os, time
from tenfold.pool.core_time import CoreTime
os.sched_setaffinity(0, {int(os.environ["CORE"])})
os.nice(int(os.environ["NICE"]))
found = CoreTime()
began_s, cpu_s = time.monotonic(), time.process_time()
while time.monotonic() - began_s < 1.0:
    sum(range(1000))
print(found.wanted_s(), time.process_time() - cpu_s, time.monotonic() - began_s)
"""


def play(*, nice: int) -> tuple[float, float, float]:
    """Compute for a second on one core; gives the seconds that it wanted, that it had, and on the clock."""
    core = min(os.sched_getaffinity(0))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SHARED_CORE)],
        env={**os.environ, "CORE": str(core), "NICE": str(nice)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    wanted_s, cpu_s, wall_s = map(float, done.stdout.split())
    return wanted_s, cpu_s, wall_s


@pytest.mark.slow
def test_a_process_that_stands_in_line_wants_more_than_it_has():
    core = min(os.sched_getaffinity(0))
    burn = """
        import os, sys, time
        os.sched_setaffinity(0, {int(sys.argv[1])})
        print(flush=True)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            pass
    """
    neighbour = subprocess.Popen([sys.executable, "-c", textwrap.dedent(burn), str(core)], stdout=subprocess.PIPE)
    try:
        neighbour.stdout.readline()
        wanted_s, cpu_s, wall_s = play(nice=5)
    finally:
        neighbour.kill()
        neighbour.wait()
        neighbour.stdout.close()
    assert cpu_s < 0.6 * wall_s
    assert 0.9 * wall_s <= wanted_s <= 1.05 * wall_s


def test_waiting_for_nothing_is_no_want():
    code = (
        "import time; from tenfold.pool.core_time import CoreTime\n"
        "found = CoreTime(); time.sleep(0.5); print(found.wanted_s())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert float(done.stdout) < 0.4
