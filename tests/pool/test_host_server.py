"""A host is a process of its own: it asks for the token, keeps what it is told, and knows when to end."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import aiohttp
import psutil
import pytest
from minipool import TOKEN, until
from test_host import spec as resident

from tenfold.pool.host_info import HostInfo, HostSpec
from tenfold.pool.host_server import SPECS, Statuses, launch
from tenfold.pool.token import TOKEN_HEADER


@pytest.fixture
def start(tmp_path, toys_importable):
    started: list[HostInfo] = []

    def begin(lease_s: float = 60.0, ends_with: int | None = None) -> HostInfo:
        spec = HostSpec(
            name="n0",
            home=str(tmp_path),
            preload=("toy_workload", "broken_workload"),
            bind="127.0.0.1",
            gpus=0,
            token=TOKEN,
            lease_s=lease_s,
            ends_with=ends_with,
        )
        started.append(launch(spec))
        return started[-1]

    yield begin
    for host in started:
        if psutil.pid_exists(host.pid):
            os.kill(host.pid, signal.SIGKILL)


@pytest.fixture
async def session():
    async with aiohttp.ClientSession(headers={TOKEN_HEADER: TOKEN}) as found:
        yield found


async def statuses(session, host: HostInfo) -> dict:
    async with session.get(f"{host.url}/statuses?seen=-1&wait_s=0") as response:
        found = Statuses.model_validate_json(await response.read())
    return {status.name: status for status in found.residents}


async def keep(session, host: HostInfo, *specs) -> None:
    async with session.put(f"{host.url}/residents", data=SPECS.dump_json(list(specs))) as response:
        assert response.status == 200


def loaded(session, host: HostInfo, *names: str) -> Callable:
    async def condition() -> bool:
        found = await statuses(session, host)
        return all(name in found and found[name].url for name in names)

    return condition


def ended(pid: int) -> Callable:
    return lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie"


async def test_every_route_asks_for_the_token(start, session):
    host = start()
    async with aiohttp.ClientSession() as stranger:
        for method, path in (
            ("GET", "/host"),
            ("PUT", "/residents"),
            ("POST", "/signal"),
            ("GET", "/statuses?seen=-1&wait_s=0"),
            ("POST", "/close?grace_s=1"),
            ("GET", "/nothing/here"),
        ):
            for told in ({}, {TOKEN_HEADER: "guess"}):
                async with stranger.request(method, f"{host.url}{path}", headers=told, data=b"[]") as response:
                    assert response.status == 401, path
                    assert TOKEN_HEADER in (await response.json())["error"]
    async with session.get(f"{host.url}/host") as response:
        assert HostInfo.model_validate_json(await response.read()) == host


async def test_it_outlives_who_started_it_and_closes_in_order(start, session, tmp_path):
    host = start()
    assert psutil.Process(host.pid).ppid() != os.getpid()
    names = ("toy@n0/cpu0", "toy-companion")
    await keep(
        session,
        host,
        resident(tmp_path, names[0]),
        resident(tmp_path, names[1], "broken_workload:serve_forever", slot=None),
    )
    await until(loaded(session, host, *names))
    pids = [status.pid for status in (await statuses(session, host)).values()]
    async with session.post(f"{host.url}/close?grace_s=5") as response:
        assert response.status == 200
    await until(ended(host.pid))
    assert all(ended(pid)() for pid in pids)
    assert (tmp_path / "companion").read_text() == "saved"


async def test_who_runs_as_it_should_is_left_alone_and_who_should_not_run_is_ended(start, session, tmp_path):
    host = start()
    same, other, third = (resident(tmp_path, f"toy@n0/cpu{i}") for i in range(3))
    await keep(session, host, same, other, third)
    await until(loaded(session, host, same.name, other.name, third.name))
    before = await statuses(session, host)
    changed = type(other)(**{**{f: getattr(other, f) for f in other.__slots__}, "settings": {"new": 1}})
    await keep(session, host, same, changed)

    async def settled() -> bool:
        found = await statuses(session, host)
        return (
            set(found) == {same.name, other.name}
            and found[other.name].url is not None
            and found[other.name].pid != before[other.name].pid
        )

    await until(settled)
    assert (await statuses(session, host))[same.name].pid == before[same.name].pid


async def test_without_word_from_a_supervisor_it_ends_in_order_and_a_question_prolongs_its_lease(
    start, session, tmp_path
):
    host = start(lease_s=2.0)
    companion = resident(tmp_path, "toy-companion", "broken_workload:serve_forever", slot=None)
    await keep(session, host, companion)
    end = time.monotonic() + 4.0
    while time.monotonic() < end:
        await statuses(session, host)
    assert not ended(host.pid)()
    await until(ended(host.pid))
    assert (tmp_path / "companion").read_text() == "saved"


async def test_it_ends_with_the_supervisor_of_a_pool_that_is_on_one_machine(start, session, tmp_path):
    supervisor = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=subprocess.PIPE)
    host = start(ends_with=supervisor.pid)
    await keep(session, host, resident(tmp_path, "toy@n0/cpu0"))
    await until(loaded(session, host, "toy@n0/cpu0"))
    pid = (await statuses(session, host))["toy@n0/cpu0"].pid
    supervisor.kill()
    await supervisor.wait()
    await until(ended(host.pid))
    await until(ended(pid))


async def test_a_host_that_cannot_start_names_its_log(tmp_path):
    from tenfold.core.errors import HostFailed

    spec = HostSpec(
        name="n7",
        home=str(tmp_path),
        preload=(),
        bind="203.0.113.1",
        gpus=0,
        token=TOKEN,
        lease_s=1.0,
        ends_with=None,
    )
    with pytest.raises(HostFailed, match="n7") as failed:
        launch(spec)
    assert "host-n7.log" in failed.value.next_step
    assert "Cannot assign requested address" in (tmp_path / "logs" / "host-n7.log").read_text()
