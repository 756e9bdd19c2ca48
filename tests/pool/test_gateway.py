"""What hostile and unlucky clients do to the gateway and to others: real processes, and sockets that misbehave."""

import asyncio
import json
import time
from contextlib import asynccontextmanager

import aiohttp
import pytest
from minipool import TOKEN, plan, serve, until
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tenfold.pool.answer import answered
from tenfold.pool.gateway import Gateway
from tenfold.pool.reports import Routes
from tenfold.pool.traffic import GatewayRoute


async def work(pool, **body) -> tuple[int, dict]:
    async with pool.session.post(f"{pool.url}/work", json=body) as response:
        return response.status, await response.json()


async def all_awake(pool, residents: int) -> None:
    """Wait until the gateway knows so many to be awake."""

    async def are_awake() -> bool:
        return len(pool.gateway.link.routes.awake["serve"]) == residents

    await until(are_awake)


async def _nobody_waits(pool) -> bool:
    return (await pool.state())["workloads"][0]["waiting"] == 0


class RawClient:
    """A client that sends what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, timeout_s: float = 30.0) -> tuple[int, dict]:
        """Status and JSON of one answer; status 0 if the connection ends without one."""
        async with asyncio.timeout(timeout_s):
            try:
                head = await self.reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionResetError):
                return 0, {}
            if b"chunked" in head:
                body = (await self.reader.readuntil(b"\r\n0\r\n\r\n")).split(b"\r\n")[1]
            else:
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                body = await self.reader.readexactly(length)
            return int(head.split()[1]), json.loads(body)


@pytest.fixture
async def connect():
    writers = []

    async def to(pool, data: bytes = b"") -> RawClient:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(pool.url.rsplit(":", 1)[1]))
        writers.append(writer)
        client = RawClient(reader, writer)
        await client.send(data)
        return client

    yield to
    for writer in writers:
        writer.close()


HEAD = b"POST /work HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n"
WHOLE = b"POST /work HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"


@pytest.fixture
async def pool(make_pool):
    found = await make_pool(plan("serve", floor=1), slots=1, queue_per_slot=4)
    await found.ready()
    return found


# ---- bodies


async def test_clients_that_send_a_head_and_then_nothing_take_nobodys_place(pool, connect):
    for _ in range(40):
        await connect(pool, HEAD)
    assert [(await work(pool))[0] for _ in range(5)] == [200] * 5
    await until(lambda: _nobody_waits(pool))


async def test_a_body_that_does_not_come_is_refused(pool, connect, monkeypatch):
    monkeypatch.setattr("tenfold.pool.body.GRACE_S", 0.3)
    status, body = await (await connect(pool, HEAD)).answer()
    assert (status, body["error"]["type"]) == (408, "invalid_request_error")
    drip = await connect(pool, HEAD)
    answer = asyncio.create_task(drip.answer())
    while not answer.done():
        # A byte now and then does not help: what counts is the rate.
        drip.writer.write(b"x")
        await asyncio.sleep(0.05)
    assert (await answer)[0] == 408


async def test_of_too_many_bodies_the_one_that_is_read_longest_makes_room(pool, connect, monkeypatch):
    monkeypatch.setattr("tenfold.pool.body.MOST_READING", 4)
    silent = [await connect(pool, HEAD) for _ in range(4)]
    await asyncio.sleep(0.1)
    assert (await work(pool))[0] == 200
    assert (await silent[0].answer())[0] == 408


async def test_a_body_far_over_the_limit_is_refused_before_it_is_read(make_pool, connect):
    pool = await make_pool(plan("serve", floor=1), slots=1, body_limit_bytes=2048)
    await pool.ready()
    client = await connect(pool, b"POST /work HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n" + b"x" * 9000)
    status, body = await client.answer()
    assert (status, "2048 bytes" in body["error"]["message"]) == (413, True)


# ---- heads and connections


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nhost: x\r\nlong: " + b"a" * 300_000, 431),
        (b"GET / HTTP/1.1\r\nhost: x\r\n" + b"many: x\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nhost: x\r\n" + b"long: " + b"a" * 40_000 + b"\r\n\r\n", 431),
        (b"\x16\x03\x01\x02\x00", 400),
        (b"GET http://[ HTTP/1.1\r\nhost: x\r\n\r\n", 400),
    ],
)
async def test_heads_are_bounded(pool, connect, data, status):
    found, body = await (await connect(pool, data)).answer()
    assert (found, body["error"]["type"]) == (status, "invalid_request_error")
    assert (await work(pool))[0] == 200


async def test_trailers_are_bounded(pool, connect):
    head = b"POST /work HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\nlong: "
    client = await connect(pool, head)
    with pytest.raises(ConnectionError):
        for _ in range(64):
            await client.send(b"a" * (1 << 20))
            await asyncio.sleep(0.01)
    assert (await work(pool))[0] == 200


@pytest.mark.parametrize("data", [b"", b"GET / HT", b"\r\n"])
async def test_a_head_that_does_not_come_ends_the_connection(pool, connect, monkeypatch, data):
    monkeypatch.setattr("tenfold.pool.connection.HEAD_S", 0.3)
    client = await connect(pool, data)
    assert (await client.answer())[0] == 0


async def test_silent_connections_make_room_for_those_that_send(pool, connect, monkeypatch):
    monkeypatch.setattr("tenfold.pool.connection.MOST_CONNECTIONS", 8)
    silent = [await connect(pool) for _ in range(30)]
    client = await connect(pool, WHOLE)
    assert (await client.answer())[0] == 200
    assert (await silent[0].answer())[0] == 0


async def test_a_client_that_does_not_read_its_answer_is_given_up(pool, connect, monkeypatch):
    monkeypatch.setattr("tenfold.pool.connection.STALLED_S", 0.5)
    body = json.dumps({"bytes": 30_000_000}).encode()
    client = await connect(pool, HEAD.replace(b"100", b"%d" % len(body)) + body)
    client.writer.transport.pause_reading()
    await asyncio.sleep(0.5)
    await until(lambda: _nobody_waits(pool))
    assert (await work(pool))[0] == 200


# ---- answers


async def test_a_wrong_method_is_told_the_right_one(pool):
    async with pool.session.get(f"{pool.url}/work") as response:
        assert (response.status, response.headers["allow"]) == (405, "POST")
        assert "takes POST, not GET" in (await response.json())["error"]["message"]


async def test_a_request_keeps_its_id_from_the_client_to_the_resident_and_back(pool):
    for told, kept in (("abc-1.2_3:4", True), ("x" * 200, False), ('"; drop', False), (None, False)):
        headers = {} if told is None else {"x-request-id": told}
        async with pool.session.post(f"{pool.url}/work", json={}, headers=headers) as response:
            identity = response.headers["x-request-id"]
            assert response.headers.getall("x-request-id") == [identity]
            assert (await response.json())["request"] == identity
        assert (identity == told) is kept
    async with pool.session.get(f"{pool.url}/work", headers={"x-request-id": "mine"}) as response:
        assert (await response.json())["request_id"] == response.headers["x-request-id"] == "mine"


async def test_a_failure_of_a_workload_harms_no_request_after_it(pool):
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(connector=connector) as session:
        for _ in range(5):
            async with session.post(f"{pool.url}/work", json={"fail": True}) as response:
                assert response.status == 500
                body = await response.json()
            assert body["error"]["type"] == "server_error"
            assert body["request_id"] == response.headers["x-request-id"]
            async with session.post(f"{pool.url}/work", json={}) as response:
                assert response.status == 200
    _, statuses = await pool.host.statuses(-1, 0)
    assert [status.restarts for status in statuses] == [0]


@pytest.mark.parametrize(
    ("query", "status"), [(b"a=%zz", 200), (b"&&&=", 200), (b"a=b?c=d", 200), (b"%00%ff", 200), (b"a=\xff", 400)]
)
async def test_queries_with_odd_characters_pass_as_they_came(pool, connect, query, status):
    client = await connect(pool, WHOLE.replace(b"/work", b"/work?" + query))
    assert (await client.answer())[0] == status


# ---- queries of death


async def test_a_request_that_ends_residents_ends_two_at_most_and_harms_no_other(make_pool):
    pool = await make_pool(plan("serve", floor=4), slots=4, queue_per_slot=64, at_once=4)
    await pool.ready()
    await all_awake(pool, 4)
    others = [asyncio.create_task(work(pool, seconds=0.3)) for _ in range(12)]
    await asyncio.sleep(0.05)
    status, body = await work(pool, die=True)
    assert status == 500
    assert "2 residents of serve ended while they worked on this request" in body["error"]["message"]
    more = [asyncio.create_task(work(pool, seconds=0.1)) for _ in range(12)]
    assert [(await task)[0] for task in others + more] == [200] * 24
    _, statuses = await pool.host.statuses(-1, 0)
    assert sum(status.restarts for status in statuses) == 2


async def test_who_leaves_while_it_waits_to_have_a_resident_alone_leaves_that_to_others(make_pool):
    pool = await make_pool(plan("serve", floor=2), slots=2, queue_per_slot=64, at_once=4)
    await pool.ready()
    await all_awake(pool, 2)
    busy = asyncio.create_task(work(pool, seconds=4.5))
    await asyncio.sleep(0.1)
    # It ends the resident that is free, and then waits until the other one has answered all before it.
    dying = asyncio.create_task(work(pool, die=True))
    traffic = pool.gateway._traffic["serve"]

    async def is_set_apart() -> bool:
        return bool(traffic.set_apart)

    await until(is_set_apart)
    dying.cancel()
    assert (await busy)[0] == 200
    await all_awake(pool, 2)
    answers = await asyncio.gather(*(work(pool, seconds=0.5) for _ in range(8)))
    assert {body["slot"] for _, body in answers} == {"n0/cpu0", "n0/cpu1"}


# ---- what the controller says


@asynccontextmanager
async def scripted(routes: dict[str, object], wait_deadline_s: float = 1.5):
    """A gateway in front of one resident that always answers; ``routes``, which may change, is what it is told."""

    async def tell(request: Request) -> Response:
        for _ in range(100):
            if str(routes["version"]) != request.query_params["seen"]:
                break
            await asyncio.sleep(0.02)
        return JSONResponse(routes)

    async def answer(_: Request) -> Response:
        return JSONResponse({})

    controller, controller_task = serve(Starlette(routes=[Route("/routes", tell)]))
    resident, resident_task = serve(Starlette(routes=[Route("/work", answer, methods=["POST"])]))
    gateway = Gateway(
        {"/work": GatewayRoute("/work", "serve", 1.0)},
        controller,
        TOKEN,
        wait_deadline_s=wait_deadline_s,
        queue_per_slot=8,
        body_limit_bytes=1024,
    )
    async with gateway.running(), aiohttp.ClientSession() as session:
        url, gateway_task = serve(answered(gateway))

        async def ask() -> int:
            async with session.post(f"{url}/work", json={}) as response:
                return response.status

        yield gateway, resident, ask
        for task in (gateway_task, resident_task, controller_task):
            task.cancel()
        await asyncio.gather(gateway_task, resident_task, controller_task, return_exceptions=True)


def say(version: int, awake: tuple[str, ...] = (), waking: int = 0) -> dict[str, object]:
    told = Routes(
        version=version, epoch=1, ready=True, awake={"serve": awake}, queue_limit={"serve": 8}, waking={"serve": waking}
    )
    return told.model_dump()


async def test_nobody_is_sent_to_a_resident_that_is_just_dying(monkeypatch):
    """It broke off one request, and takes connections still, until its listener is gone."""
    monkeypatch.setattr("tenfold.core.links.DROPPED_WITHIN_S", 10.0)
    heads, broke_off, open_connections = [], asyncio.Event(), []

    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if broke_off.is_set():
            # It is looked at, to see whether it lives; the end of the process drops this connection as well.
            open_connections.append(writer)
            heads.append(await reader.read(1000))
            return
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.transport.abort()
        broke_off.set()

    dying = await asyncio.start_server(die, "127.0.0.1", 0)
    port = dying.sockets[0].getsockname()[1]
    told = say(0)
    async with scripted(told) as (gateway, resident, ask):
        told |= say(1, awake=(f"http://127.0.0.1:{port}", resident))
        await until(lambda: gateway.link.routes.version == 1)
        first = asyncio.create_task(ask())
        await broke_off.wait()
        await until(lambda: bool(open_connections))
        async with asyncio.timeout(5):
            assert await asyncio.gather(*(ask() for _ in range(4))) == [200] * 4
        dying.close()
        for writer in open_connections:
            writer.transport.abort()
        assert await first == 200
    assert [head.split(b" ")[0] for head in heads] == [b"POST", b""]


async def test_a_new_gateway_holds_what_comes_until_it_knows_its_limits():
    """Those whose connections a restart broke come back at once, before it has its first routes."""
    told = say(0)
    async with scripted(told) as (gateway, resident, ask):
        asked = [asyncio.create_task(ask()) for _ in range(40)]
        await until(lambda: gateway._held == 40)
        told |= say(1, awake=(resident,)) | {"queue_limit": {"serve": 64}}
        assert [await task for task in asked] == [200] * 40
        assert gateway.totals()["serve"][0].shed == 0


async def test_what_a_new_gateway_holds_is_bounded_in_number_and_time(monkeypatch):
    monkeypatch.setattr("tenfold.pool.gateway.MOST_HELD", 20)
    async with scripted(say(0)) as (_, _, ask):
        began = time.monotonic()
        found = await asyncio.gather(*(ask() for _ in range(40)))
        # 20 are held, and 8 are taken by the limit that holds without routes; the others are shed at once.
        assert found.count(429) >= 12
        assert set(found) == {429, 503}
        assert time.monotonic() - began < 5


@pytest.mark.slow
async def test_a_request_waits_for_one_that_is_waking_longer_than_for_nobody():
    told = say(1, waking=1)
    async with scripted(told) as (gateway, resident, ask):
        await until(lambda: gateway.link.routes.version == 1)
        asked = asyncio.create_task(ask())
        # Nobody, for less than the deadline of 1.5 s; then somebody wakes, for longer than that.
        told |= say(2)
        await asyncio.sleep(0.2)
        told |= say(3, waking=1)
        await asyncio.sleep(2.0)
        assert not asked.done()
        told |= say(4, awake=(resident,))
        assert await asked == 200


@pytest.mark.slow
async def test_a_request_older_than_the_deadline_outlives_a_planned_move():
    told = say(1, waking=1)
    async with scripted(told) as (gateway, resident, ask):
        await until(lambda: gateway.link.routes.version == 1)
        asked = asyncio.create_task(ask())
        await asyncio.sleep(2.0)
        told |= say(2)
        await until(lambda: gateway.link.routes.version == 2)
        await asyncio.sleep(0.1)
        assert not asked.done(), "the deadline begins when nobody is awake or waking"
        told |= say(3, awake=(resident,))
        assert await asked == 200


async def test_with_nobody_awake_or_waking_the_deadline_holds():
    told = say(1)
    async with scripted(told, wait_deadline_s=0.5) as (gateway, _, ask):
        await until(lambda: gateway.link.routes.version == 1)
        began = time.monotonic()
        assert await ask() == 503
        assert 0.4 < time.monotonic() - began < 20


@pytest.fixture
def short_polls(monkeypatch):
    monkeypatch.setattr("tenfold.pool.controller_link.ROUTES_WAIT_S", 0.5)


@pytest.mark.usefixtures("short_polls")
async def test_a_controller_that_answers_nonsense_is_an_alarm_and_the_loops_go_on(pool, monkeypatch, caplog):
    monkeypatch.setattr("tenfold.pool.loops.PAUSE_S", 0.1)
    true_call = pool.gateway.link._call

    async def nonsense(method: str, path: str, **_) -> bytes:
        return b'{"version": "none"}'

    pool.gateway.link._call = nonsense
    await until(lambda: any("following the routes fails" in alarm for alarm in pool.gateway.link.state.alarms))
    await until(lambda: any("following the pool's state fails" in alarm for alarm in pool.gateway.link.state.alarms))
    assert (await work(pool))[0] == 200
    assert "ValidationError" in caplog.text
    pool.gateway.link._call = true_call
    await until(lambda: not any("fails" in alarm for alarm in pool.gateway.link.state.alarms))
    assert (await work(pool))[0] == 200
