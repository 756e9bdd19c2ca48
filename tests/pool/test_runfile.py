"""A pool that is gone is never taken for one that runs, and two pools never share a home."""

import os
import subprocess
import sys

import psutil
import pytest

from tenfold.cli import stop
from tenfold.cli.stop import stop_leftovers, stop_pool
from tenfold.core.errors import NotRunning
from tenfold.pool.runfile import (
    RunFile,
    Started,
    find_running,
    is_alive,
    is_same_process,
    own_start_time,
    require_running,
    run_file_path,
    write_run_file,
)


def run_of(pid: int, started: float) -> RunFile:
    return RunFile(pid=pid, started=started, url="http://127.0.0.1:8000")


@pytest.fixture
def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_a_running_pool_is_found(tmp_path):
    run = run_of(os.getpid(), own_start_time())
    write_run_file(tmp_path, run)
    assert find_running(tmp_path) == require_running(tmp_path) == run


def test_a_home_without_a_pool_says_how_to_start_one(tmp_path):
    assert find_running(tmp_path) is None
    with pytest.raises(NotRunning, match=f"no pool runs from {tmp_path}") as caught:
        require_running(tmp_path)
    assert "tenfold up" in caught.value.next_step


def test_a_pool_that_was_killed_is_not_running(tmp_path, dead_pid):
    write_run_file(tmp_path, run_of(dead_pid, own_start_time()))
    assert find_running(tmp_path) is None


def test_a_number_that_another_process_has_now_is_not_the_pool(tmp_path):
    long_ago = own_start_time() - 3600
    assert not is_same_process(os.getpid(), long_ago)
    write_run_file(tmp_path, run_of(os.getpid(), long_ago))
    assert find_running(tmp_path) is None


def test_a_damaged_run_file_is_named_with_what_to_do(tmp_path):
    run_file_path(tmp_path).write_text('{"pid": 1')
    with pytest.raises(NotRunning, match=r"run\.json is damaged") as caught:
        find_running(tmp_path)
    assert caught.value.next_step == f"remove {run_file_path(tmp_path)}"


def test_down_of_a_pool_that_is_gone_stops_nothing(tmp_path, dead_pid):
    assert stop_pool(tmp_path, run_of(dead_pid, 0.0)) == []


def test_down_stops_the_pool_and_its_children_and_removes_the_run_file(tmp_path):
    parent = (
        "import subprocess, sys, signal\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "def stop(*_): child.terminate(); child.wait(); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "print(child.pid, flush=True)\n"
        "signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as pool:
        assert pool.stdout is not None
        child = int(pool.stdout.readline())
        run = run_of(pool.pid, own_start_time())
        write_run_file(tmp_path, run)
        assert set(stop_pool(tmp_path, run)) == {pool.pid, child}
    assert not run_file_path(tmp_path).exists()
    assert not os.path.exists(f"/proc/{child}")  # noqa: PTH110 - a process, not a file of ours


def test_down_does_not_wait_for_whoever_started_the_pool_to_take_note_of_its_end(tmp_path, monkeypatch):
    """A shell takes note at once; a program that is busy with other work, or a container's first process, may not."""
    monkeypatch.setattr(stop, "GRACE_S", 600.0)
    starter = (
        "import subprocess, sys\n"
        "pool = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(pool.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", starter]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        run = run_of(pid, psutil.Process(pid).create_time())
        write_run_file(tmp_path, run)
        assert stop_pool(tmp_path, run) == [pid]
        assert psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        write_run_file(tmp_path, run)
        assert find_running(tmp_path) is None


def test_what_a_killed_pool_left_is_stopped_and_nothing_else(tmp_path, dead_pid):
    parent = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as agent:
        assert agent.stdout is not None
        child = int(agent.stdout.readline())
        left = Started(pid=agent.pid, started=psutil.Process(agent.pid).create_time())
        another = Started(pid=os.getpid(), started=own_start_time() - 3600)
        gone = Started(pid=dead_pid, started=left.started)
        killed = run_of(dead_pid, left.started).model_copy(update={"family": (another, gone, left)})
        write_run_file(tmp_path, killed)
        (orphan,) = psutil.Process(agent.pid).children()
        assert set(stop_leftovers(tmp_path)) == {agent.pid, child}
    assert not is_alive(orphan)
    assert not run_file_path(tmp_path).exists()
    assert stop_leftovers(tmp_path) == []


def test_a_pool_that_runs_has_no_leftovers(tmp_path):
    own = Started(pid=os.getpid(), started=own_start_time())
    write_run_file(tmp_path, RunFile(pid=own.pid, started=own.started, url="", family=(own,)))
    assert stop_leftovers(tmp_path) == []
    assert run_file_path(tmp_path).exists()
