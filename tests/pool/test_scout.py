"""The supervisor's end of the scout: it keeps one alive, and nobody waits for one that is gone."""

import asyncio
import os
import signal

import pytest
from minipool import until

from tenfold.pool.host_info import HostSpec
from tenfold.pool.scout import Place, Scout, ScoutSpec

SPEC = HostSpec(name="n0", home="/", preload=(), bind="127.0.0.1", gpus=0, token="-", lease_s=1.0, ends_with=None)


@pytest.fixture
async def scout(tmp_path, toys_importable, monkeypatch):
    monkeypatch.setattr("tenfold.pool.scout.MODULE", "pretend_scout")
    monkeypatch.setattr("tenfold.pool.scout.SILENT_S", 1.0)
    told: list[tuple] = []
    found = Scout(ScoutSpec(address="-", home=str(tmp_path), claim_gpus=False), tmp_path / "ray.log", told.append)
    found.told = told
    assert await found.connect() == "127.0.0.1"
    yield found
    await found.close()


@pytest.mark.slow
async def test_a_scout_that_was_stopped_goes_on(scout, caplog):
    await until(lambda: scout.told)
    pid = scout._process.pid
    os.kill(pid, signal.SIGSTOP)
    await until(lambda: "the scout was stopped; it was told to go on" in caplog.text)
    count = len(scout.told)
    await until(lambda: len(scout.told) > count)
    assert scout._process.pid == pid


@pytest.mark.slow
async def test_a_scout_that_died_is_started_again_and_who_wants_a_host_meanwhile_is_refused_at_once(scout):
    await until(lambda: scout.told)
    pid = scout._process.pid
    os.kill(pid, signal.SIGKILL)
    await until(lambda: scout._process.returncode is not None)
    async with asyncio.timeout(5):
        assert await scout.place(Place(ray_id="first", spec=SPEC)) is None
    count = len(scout.told)
    await until(lambda: len(scout.told) > count)
    assert scout._process.pid != pid
