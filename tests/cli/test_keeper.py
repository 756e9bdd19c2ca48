"""What is kept alive is started again when it dies or hangs, goes on when it was stopped, and lives without a log."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import psutil
import pytest
from minipool import TOKEN, until
from test_controller_server import spec

from tenfold.cli.keeper import Keeper
from tenfold.pool.heartbeat import PARENT
from tenfold.pool.token import TOKEN_HEADER


class Kept:
    """A real controller under a keeper."""

    def __init__(self, home: Path, log_file: Path) -> None:
        self._given = spec(home)
        self.keeper = Keeper(
            "controller",
            "tenfold.pool.controller_server",
            lambda beat_on: self._given.model_copy(update={"beat_on": beat_on}).model_dump_json(),
            log_file,
        )

    async def answers(self) -> bool:
        url = f"http://127.0.0.1:{self._given.port}/state"
        timeout = aiohttp.ClientTimeout(total=1)
        try:
            async with (
                aiohttp.ClientSession(headers={TOKEN_HEADER: TOKEN}, timeout=timeout) as session,
                session.get(url) as response,
            ):
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


@pytest.fixture
async def kept(tmp_path):
    found = Kept(tmp_path, tmp_path / "controller.log")
    task = asyncio.create_task(found.keeper.run())
    await until(found.answers)
    yield found
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await found.keeper.stop(5.0)
    assert not psutil.pid_exists(found.keeper.pid)


@pytest.mark.slow
async def test_a_controller_that_is_killed_is_replaced(kept, caplog):
    first = kept.keeper.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: kept.keeper.pid != first)
    await until(kept.answers)
    assert not psutil.pid_exists(first)
    assert "ended with -9" in caplog.text


@pytest.mark.slow
async def test_a_controller_that_was_stopped_goes_on_with_what_it_has_in_hand(kept, caplog):
    first = kept.keeper.pid
    os.kill(first, signal.SIGSTOP)
    await until(kept.answers)
    assert kept.keeper.pid == first
    assert "controller was stopped; it was told to go on" in caplog.text


@pytest.mark.slow
async def test_what_is_silent_without_being_stopped_is_replaced(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    keeper = Keeper("hung", "hung_process", str, tmp_path / "log")
    task = asyncio.create_task(keeper.run())
    await until(lambda: keeper.pid is not None)
    first = keeper.pid
    await until(lambda: keeper.pid != first)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await keeper.stop(0.0)
    assert not psutil.pid_exists(first)
    assert "hung gave no sign of life for 5 s and was killed" in caplog.text


@pytest.mark.slow
async def test_what_does_not_stay_up_or_come_up_is_told_until_it_has_been_up(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setattr("tenfold.cli.keeper.PAUSE_S", 0.01)
    monkeypatch.setattr("tenfold.cli.keeper.UP_S", 0.5)
    broken = tmp_path / "broken"
    broken.touch()
    keeper = Keeper("frail", "frail_process", lambda beat_on: f"{beat_on} {broken}", tmp_path / "frail.log")
    task = asyncio.create_task(keeper.run())
    try:
        await until(lambda: keeper.pid is not None)
        assert keeper.trouble == "", "it may die twice"
        await until(lambda: keeper.trouble)
        assert keeper.trouble.startswith("frail does not stay up; it ended with 1: ValueError: it is broken (/")
        broken.unlink()
        await until(lambda: not keeper.trouble)
        monkeypatch.setattr("tenfold.cli.keeper.ABSENT_S", 0.0)
        assert keeper.trouble == "", "it is up"
        broken.write_text("silent")
        os.kill(keeper.pid, signal.SIGKILL)
        await until(lambda: keeper.trouble.startswith("frail is not up "))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await keeper.stop(0.0)


@pytest.mark.slow
async def test_what_cannot_log_is_kept_alive_all_the_same(tmp_path):
    """The log's folder is a file, as good as a disk on which no file can be made."""
    (tmp_path / "logs").write_text("")
    found = Kept(tmp_path, tmp_path / "logs" / "controller.log")
    task = asyncio.create_task(found.keeper.run())
    try:
        await until(found.answers)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await found.keeper.stop(5.0)


async def test_a_process_that_cannot_be_started_is_tried_again(tmp_path, monkeypatch, caplog):
    tries = []

    async def no_process(*command, **_):
        tries.append(command)
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", no_process)
    monkeypatch.setattr("tenfold.cli.keeper.PAUSE_S", 0.01)
    task = asyncio.create_task(Kept(tmp_path, tmp_path / "log").keeper.run())
    await until(lambda: len(tries) > 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "could not be started: Resource temporarily unavailable" in caplog.text


def test_a_child_whose_keeper_died_before_it_could_ask_to_die_with_it_ends():
    code = f"import os; from tenfold.pool.process import die_with_parent as d; d(); print({PARENT!r} in os.environ)"
    for parent, told in ((os.getpid(), (0, "False")), (1, (1, ""))):
        command, found = [sys.executable, "-c", code], {**os.environ, PARENT: str(parent)}
        done = subprocess.run(command, env=found, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout.strip()) == told
