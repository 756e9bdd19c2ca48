"""A keeper tells a silent process from one that was only slow to start, or that it has not listened to."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tenfold.pool.heartbeat import SILENT_LOOKS, START_LOOKS, Pulse, Vigil, drained, resume_if_stopped


@pytest.fixture
def child():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as found:
        yield found
        found.kill()


def until_status(pid: int, status: str) -> None:
    end = time.monotonic() + 30
    while psutil.Process(pid).status() != status:
        assert time.monotonic() < end
        time.sleep(0.005)


def test_who_was_stopped_goes_on_and_nobody_else_is_touched(child):
    assert not resume_if_stopped(child.pid)
    os.kill(child.pid, signal.SIGSTOP)
    until_status(child.pid, psutil.STATUS_STOPPED)
    assert resume_if_stopped(child.pid)
    assert psutil.Process(child.pid).status() != psutil.STATUS_STOPPED
    child.kill()
    child.wait()
    assert not resume_if_stopped(child.pid)


def test_what_a_debugger_holds_stays_in_its_hands(child):
    """``ptrace`` as gdb uses it, from a process of its own, since this one may not wait for the child."""
    script = (
        "import ctypes, os, sys\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "attach, pid = 16, int(sys.argv[1])\n"
        "print(libc.ptrace(attach, pid, None, None), flush=True)\n"
        "os.waitpid(pid, 0x40000000)\n"  # __WALL
        "print('held', flush=True)\n"
        "input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(child.pid)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as debugger:
        if debugger.stdout.readline().strip() != "0":
            debugger.communicate()
            pytest.skip("nobody may trace another process here")
        assert debugger.stdout.readline() == "held\n"
        assert psutil.Process(child.pid).status() == psutil.STATUS_TRACING_STOP
        assert not resume_if_stopped(child.pid)
        assert psutil.Process(child.pid).status() == psutil.STATUS_TRACING_STOP
        debugger.communicate("\n")


def test_silence_after_the_first_beat_is_judged_soon_and_before_it_late():
    vigil = Vigil()
    assert not any(vigil.look(False) for _ in range(START_LOOKS - 1))
    assert vigil.look(False)
    assert vigil.verdict == f"not up within {START_LOOKS} s"
    begun = Vigil()
    assert not begun.look(True)
    assert [begun.look(False) for _ in range(SILENT_LOOKS)] == [False] * (SILENT_LOOKS - 1) + [True]
    assert begun.verdict == f"no sign of life for {SILENT_LOOKS} s"


def test_one_beat_makes_up_for_all_silence_before_it():
    vigil = Vigil()
    vigil.look(True)
    for _ in range(10):
        assert not any(vigil.look(False) for _ in range(SILENT_LOOKS - 1))
        assert not vigil.look(True)


def test_a_keeper_that_was_stopped_itself_hears_what_came_meanwhile():
    """However long it did not look, that is one look, and the beats of that time wait in the pipe."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    pulse, vigil = Pulse(write), Vigil()
    for _ in range(100_000):  # more than a pipe holds: beating blocks nobody
        pulse.beat()
    assert not vigil.look(bool(drained(read)))
    assert drained(read) == b""
    os.close(read)
    pulse.beat()  # its keeper is gone: no error, it is about to end with it
    os.close(write)
