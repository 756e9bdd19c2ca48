"""A receiver wakes only when its donor is known to be asleep or dead."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
import toy_workload
from minipool import TOKEN, free_port, serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tenfold.pool.moves import Address, Mover
from tenfold.pool.process import ResidentFace
from tenfold.pool.resident import Context


@dataclass
class Stage:
    """Residents behind real sockets, and what was ordered of them, in order."""

    session: aiohttp.ClientSession
    log: list[str] = field(default_factory=list)
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)
    dies_when_killed: bool = True

    @property
    def mover(self) -> Mover:
        return Mover(self.session, TOKEN, self.kill)

    def address(self, name: str, app) -> Address:
        async def watched(scope, receive, send) -> None:
            if scope["type"] == "http":
                self.log.append(f"{name} {scope['path'].removeprefix('/resident/')}")
            await app(scope, receive, send)

        url, task = serve(watched)
        self.tasks.append(task)
        return Address(name, url, 1)

    def resident(self, name: str) -> Address:
        context = Context(name, 1, Path(), Path(), {}, {}, TOKEN)
        return self.address(name, ResidentFace(toy_workload.create(context), TOKEN).app())

    def deaf(self, name: str) -> Address:
        """A resident that takes orders and never carries them out."""

        async def order(_: Request) -> Response:
            await asyncio.sleep(30)
            return JSONResponse({})

        return self.address(name, Starlette(routes=[Route("/resident/{order}", order, methods=["POST"])]))

    async def kill(self, address: Address) -> None:
        self.log.append(f"{address.name} killed")
        if not self.dies_when_killed:
            raise TimeoutError

    async def phase(self, address: Address) -> str:
        return (await self.mover.counters(address, 30.0)).phase


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with aiohttp.ClientSession() as session:
        found = Stage(session)
        yield found
    for task in found.tasks:
        task.cancel()
    await asyncio.gather(*found.tasks, return_exceptions=True)


async def test_the_donor_sleeps_before_the_receiver_wakes(stage):
    donor, receiver = stage.resident("donor"), stage.resident("receiver")
    await stage.mover.move(None, donor, 1, 30.0)
    ended = await stage.mover.move(donor, receiver, 2, 30.0)
    assert ended.state == "done"
    assert ended.detail == ""
    assert stage.log == ["donor wake", "donor sleep", "receiver wake"]
    assert (await stage.phase(donor), await stage.phase(receiver)) == ("asleep", "awake")
    assert ended.occupant == receiver
    assert 0 < ended.wake_s <= ended.seconds


async def test_a_donor_that_misses_its_deadline_is_killed_first(stage):
    donor, receiver = stage.deaf("donor"), stage.resident("receiver")
    ended = await stage.mover.move(donor, receiver, 1, 0.2)
    assert ended.state == "done"
    assert ended.detail == "donor did not sleep within 0.2 s (TimeoutError) and was killed"
    assert stage.log == ["donor sleep", "donor killed", "receiver wake"]


async def test_a_donor_that_refuses_the_order_is_killed_first(stage):
    donor, receiver = stage.resident("donor"), stage.resident("receiver")
    await stage.mover.move(None, donor, 9, 30.0)
    ended = await stage.mover.move(donor, receiver, 3, 30.0)
    assert "donor did not sleep" in ended.detail
    assert stage.log == ["donor wake", "donor sleep", "donor killed", "receiver wake"]


async def test_the_receiver_of_a_donor_that_cannot_be_killed_is_never_woken(stage):
    stage.dies_when_killed = False
    donor, receiver = stage.deaf("donor"), stage.resident("receiver")
    ended = await stage.mover.move(donor, receiver, 1, 0.2)
    assert (ended.state, ended.occupant) == ("failed", donor)
    assert ended.detail == "donor neither slept within 0.2 s nor could it be killed"
    assert stage.log == ["donor sleep", "donor killed"]
    assert await stage.phase(receiver) == "asleep"


async def test_a_receiver_that_is_gone_is_named_and_the_donor_stays_asleep(stage):
    donor = stage.resident("donor")
    gone = Address("receiver", f"http://127.0.0.1:{free_port()}", 1)
    await stage.mover.move(None, donor, 1, 30.0)
    ended = await stage.mover.move(donor, gone, 2, 30.0)
    assert (ended.state, ended.occupant) == ("failed", None)
    assert ended.detail.startswith("receiver did not wake (ClientConnectorError")
    assert await stage.phase(donor) == "asleep"


async def test_a_slot_can_be_emptied(stage):
    donor = stage.resident("donor")
    await stage.mover.move(None, donor, 1, 30.0)
    assert (await stage.mover.move(donor, None, 2, 30.0)).state == "done"
    assert await stage.phase(donor) == "asleep"


async def test_an_order_given_twice_changes_nothing(stage):
    receiver = stage.resident("receiver")
    for _ in range(2):
        assert (await stage.mover.move(None, receiver, 5, 30.0)).state == "done"
    assert await stage.phase(receiver) == "awake"
