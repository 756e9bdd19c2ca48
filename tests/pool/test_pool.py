"""The pool with real processes: moves, deaths, missed deadlines, overload, disconnects."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import psutil
import pytest
from minipool import TOKEN, plan, until

from idle import least_cpu_s
from tenfold.ledger.ledger import Ledger
from tenfold.pool.observation import Observation
from tenfold.pool.token import TOKEN_HEADER


async def work(pool, seconds: float = 0.01, path: str = "/work") -> int:
    async with pool.session.post(f"{pool.url}{path}", json={"seconds": seconds}) as response:
        await response.read()
        return response.status


async def awake(pool, workload: str) -> int:
    state = await pool.state()
    return next(w["slots"] for w in state["workloads"] if w["workload"] == workload)


async def test_idle_pool_trains_on_every_slot_and_a_request_takes_one_back(make_pool):
    pool = await make_pool(plan("serve"), plan("train", path=None, value=1e-3))
    await pool.ready()

    async def all_train():
        return await awake(pool, "train") == 4

    await until(all_train)
    assert await work(pool) == 200
    assert await awake(pool, "serve") >= 1


async def test_sustained_demand_takes_more_slots_and_each_move_has_a_reason_and_a_price(make_pool):
    pool = await make_pool(plan("serve"), plan("train", path=None, value=1e-3), queue_per_slot=32)
    await pool.ready()

    async def some_for_demand() -> bool:
        return bool(await moves_for_demand(pool))

    async with hammering(pool, 12):
        await until(some_for_demand)
        await asyncio.sleep(2)
    moves = await moves_for_demand(pool)
    assert all("serve needs" in move["reason"] and move["gain_usd_per_s"] > 0 for move in moves), moves
    ledger = Ledger(f"sqlite:///{pool.home / 'ledger.db'}")

    async def all_recorded() -> bool:
        done = {move["move"] for move in (await pool.state())["moves"] if move["state"] == "done"}
        return done == {event.body["move"] for event in ledger.latest("move", 100)}

    await until(all_recorded)
    ledger.close()


async def moves_for_demand(pool) -> list[dict]:
    """Moves to serve that are done, but for those that keep its floor, which may cost something."""
    done = [move for move in (await pool.state())["moves"] if move["state"] == "done"]
    return [move for move in done if move["receiver"] == "serve" and "below its floor" not in move["reason"]]


async def test_the_account_has_every_request_and_every_slots_time(make_pool):
    pool = await make_pool(plan("serve"), plan("train", path=None, value=1e-3), queue_per_slot=32)
    await pool.ready()
    began, before = time.monotonic(), await pool.state()
    async with hammering(pool, 4):
        await asyncio.sleep(2)

    async def all_counted() -> bool:
        state = await pool.state()
        serve = next(w for w in state["workloads"] if w["workload"] == "serve")
        # The probe that shows that it serves does not pass the gateway.
        ended = serve["requests_total"] + serve["shed_total"] + serve["failed_total"]
        asked = account(state, "serve")["asked"]
        # A move that is under way has begun, and nobody has joined by it.
        joined, begun = sum(row["joined"] for row in state["account"]), max(move["move"] for move in state["moves"])
        return serve["requests_total"] > 0 and (asked, joined) == (ended + serve["waiting"], begun)

    await until(all_counted)
    after, seconds = await pool.state(), time.monotonic() - began
    told = account(after, "serve")
    assert 0 < told["in_time"] <= told["asked"]
    assert slot_seconds(after) - slot_seconds(before) == pytest.approx(len(pool.slots) * seconds, rel=0.4)


def account(state, workload: str) -> dict:
    return next(row for row in state["account"] if row["workload"] == workload)


def slot_seconds(state) -> float:
    return state["idle_s"] + sum(row["working_s"] + row["starting_s"] for row in state["account"])


@asynccontextmanager
async def hammering(pool, clients: int) -> AsyncIterator[None]:
    """Clients that ask one request after the other, all of which must be answered."""
    stop = asyncio.Event()

    async def ask() -> None:
        while not stop.is_set():
            assert await work(pool, 0.05) == 200

    async with asyncio.TaskGroup() as clients_at_work:
        for _ in range(clients):
            clients_at_work.create_task(ask())
        try:
            yield
        finally:
            stop.set()


async def test_no_slot_ever_has_two_awake(make_pool):
    pool = await make_pool(plan("serve"), plan("train", path=None, value=1e-3), slots=2)
    await pool.ready()
    async with hammering(pool, 1):
        end = time.monotonic() + 2
        while time.monotonic() < end:
            for slot in pool.slots:
                phases = [(await pool.counters(f"{w}@{slot.slot}"))["phase"] for w in ("serve", "train")]
                assert phases.count("awake") <= 1


async def test_killed_resident_is_back_and_its_requests_are_answered(make_pool):
    pool = await make_pool(plan("serve", floor=2), plan("train", path=None, value=1e-3))
    await pool.ready()
    await until(lambda: _equals(awake(pool, "serve"), 2))
    requests = [asyncio.create_task(work(pool, 0.4)) for _ in range(8)]
    await asyncio.sleep(0.1)
    state = await pool.state()
    victim = next(
        r for s in state["slots"] if s["awake"] == "serve" for r in s["residents"] if r["workload"] == "serve"
    )
    os.kill(victim["pid"], signal.SIGKILL)
    assert await asyncio.gather(*requests) == [200] * 8

    async def reborn():
        pid = await pool.pid(victim["resident"])
        return pid not in (None, victim["pid"])

    await until(reborn)
    await until(lambda: _at_least(awake(pool, "serve"), 2))


async def _equals(found, wanted) -> bool:
    return await found == wanted


async def _at_least(found, wanted) -> bool:
    return await found >= wanted


async def test_resident_that_misses_its_deadline_is_killed_before_the_next_wakes(make_pool):
    pool = await make_pool(
        plan("serve"),
        plan("train", path=None, value=1e-3),
        slots=1,
        move_deadline_s=0.5,
        workload_settings={"train": {"stuck_on_sleep": True}},
    )
    await until(lambda: _equals(awake(pool, "train"), 1))
    assert await work(pool) == 200
    state = await pool.state()
    move = next(move for move in state["moves"] if move["receiver"] == "serve" and move["donor"] == "train")
    assert move["state"] == "done"
    assert "was killed" in move["reason"]
    assert move["seconds"] < 30, "it is stuck for a minute"


async def test_stopped_controller_freezes_the_allocation_and_a_new_one_resumes_it(make_pool):
    pool = await make_pool(plan("serve", floor=1), plan("train", path=None, value=1e-3))
    await pool.ready()
    await until(lambda: _equals(awake(pool, "train"), 3))
    before = await pool.state()
    await pool.stop_controller()
    assert [await work(pool) for _ in range(5)] == [200] * 5
    pool.start_controller()

    async def resumed():
        try:
            return len((await pool.state())["slots"]) == 4
        except aiohttp.ClientError:
            return False

    await until(resumed)
    await until(lambda: _equals(awake(pool, "train"), 3))
    after = await pool.state()
    assert after["epoch"] > before["epoch"]
    assert [slot["awake"] for slot in after["slots"]] == [slot["awake"] for slot in before["slots"]]
    assert await work(pool) == 200


async def test_order_from_a_stale_epoch_is_refused(make_pool):
    pool = await make_pool(plan("serve", floor=1), slots=1)
    await pool.ready()
    _, statuses = await pool.host.statuses(-1, 0)
    order = {"epoch": 0, "deadline_s": 1.0}
    headers = {"x-tenfold-token": "secret"}
    async with pool.session.post(f"{statuses[0].url}/resident/sleep", json=order, headers=headers) as response:
        assert response.status == 409
    async with pool.session.post(f"{statuses[0].url}/resident/sleep", json=order) as response:
        assert response.status == 401


async def test_every_route_of_a_resident_asks_for_the_token_and_the_gateway_tells_it(make_pool):
    pool = await make_pool(plan("serve", floor=1), slots=1)
    await pool.ready()
    _, statuses = await pool.host.statuses(-1, 0)
    for path in ("/work", "/stream", "/resident/wake", "/resident/counters", "/nothing/here"):
        for told in ({}, {"x-tenfold-token": "guess"}):
            async with pool.session.post(f"{statuses[0].url}{path}", json={}, headers=told) as response:
                assert response.status == 401
                assert "x-tenfold-token" in (await response.json())["error"]
    async with pool.session.post(f"{pool.url}/work", json={}, headers={"x-tenfold-token": "guess"}) as response:
        assert response.status == 200


async def test_overload_sheds_at_once_with_retry_after(make_pool):
    pool = await make_pool(plan("serve", floor=1), slots=1, queue_per_slot=4)
    await pool.ready()
    held = [asyncio.create_task(work(pool, 2.0)) for _ in range(4)]
    await until(lambda: at_gateway(pool) == 4)
    async with pool.session.post(f"{pool.url}/work", json={}) as response:
        assert response.status == 429
        assert response.headers["retry-after"] == "1"
        assert "queue limit" in (await response.json())["error"]["message"]
    assert not any(each.done() for each in held), "at once"
    assert await asyncio.gather(*held) == [200] * 4


def at_gateway(pool) -> int:
    """Requests in work or waiting."""
    return pool.gateway.totals()["serve"][0].waiting


async def test_requests_beyond_a_residents_places_wait_at_the_gateway_in_order(make_pool):
    pool = await make_pool(plan("serve", floor=1), slots=1, at_once=1)
    await pool.ready()
    ended: list[int] = []

    async def ask(number: int) -> None:
        # The first holds the place until all have come, however slow the machine.
        assert await work(pool, 0.1 if number else 3.0) == 200
        ended.append(number)

    asked = []
    for number in range(4):
        asked.append(asyncio.create_task(ask(number)))
        await until(lambda number=number: at_gateway(pool) == number + 1)
    assert (await pool.counters("serve@n0/cpu0"))["in_flight"] == 1
    await asyncio.gather(*asked)
    assert ended == [0, 1, 2, 3]


async def test_a_resident_that_wakes_takes_a_request_that_waits_for_a_place(make_pool):
    train = plan("train", path=None, value=1e-9)
    pool = await make_pool(plan("serve", floor=1), train, slots=2, at_once=1, queue_per_slot=64)
    await pool.ready()
    slow = asyncio.create_task(work(pool, 6.0))
    await until(lambda: at_gateway(pool) == 1)
    assert await asyncio.gather(*(work(pool, 0.01) for _ in range(25))) == [200] * 25
    assert not slow.done(), "the second slot woke and took what waited"
    assert await slow == 200


async def test_a_client_that_leaves_while_it_waits_for_a_place_costs_nobody_his(make_pool):
    pool = await make_pool(plan("serve", floor=1), slots=1, at_once=1)
    await pool.ready()
    before = (await pool.counters("serve@n0/cpu0"))["requests"]
    first = asyncio.create_task(work(pool, 2.0))
    await until(lambda: at_gateway(pool) == 1)
    leaving = asyncio.create_task(work(pool, 0.4))
    await until(lambda: at_gateway(pool) == 2)
    last = asyncio.create_task(work(pool, 0.05))
    await until(lambda: at_gateway(pool) == 3)
    leaving.cancel()
    await until(lambda: at_gateway(pool) == 2)
    assert not first.done()
    assert (await first, await last) == (200, 200)
    assert (await pool.counters("serve@n0/cpu0"))["requests"] == before + 2


async def test_body_over_the_limit_is_refused(make_pool):
    pool = await make_pool(plan("serve", floor=1), slots=1, body_limit_bytes=2048)
    await pool.ready()
    async with pool.session.post(f"{pool.url}/work", data=b"x" * 5000) as response:
        assert response.status == 413


async def test_client_that_leaves_frees_its_slot(make_pool):
    pool = await make_pool(plan("serve", floor=1), slots=1)
    await pool.ready()
    response = await pool.session.post(f"{pool.url}/stream", json={})
    assert (await response.content.readline()).startswith(b"data:")
    response.close()

    async def freed():
        return (await pool.counters("serve@n0/cpu0"))["in_flight"] == 0

    await until(freed)
    await until(lambda: _equals(waiting(pool), 0))


async def waiting(pool) -> int:
    return (await pool.state())["workloads"][0]["waiting"]


async def test_request_without_anyone_to_wake_ends_at_the_deadline(make_pool):
    pool = await make_pool(plan("serve", floor=1), slots=1, wait_deadline_s=0.5)
    await pool.ready()
    pid = await pool.pid("serve@n0/cpu0")
    os.kill(pid, signal.SIGSTOP)
    try:
        await pool.stop_controller()
    finally:
        os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.1)
    began = time.monotonic()
    async with pool.session.post(f"{pool.url}/work", json={}) as response:
        assert response.status == 503
        assert response.headers["retry-after"] == "1"
    assert time.monotonic() - began < 20


async def test_hung_resident_is_killed_and_replaced(make_pool, monkeypatch):
    monkeypatch.setattr("tenfold.pool.deaths.SILENCE_BEFORE_KILL_S", 2.0)
    pool = await make_pool(plan("serve", floor=1), slots=1)
    await pool.ready()
    _, (found,) = await pool.host.statuses(-1, 0)
    # Not by the gateway, which would try it again with the next one.
    with pytest.raises(aiohttp.ClientError):
        await pool.session.post(f"{found.url}/work", json={"hang": True}, headers={TOKEN_HEADER: TOKEN})

    async def replaced():
        return await pool.pid("serve@n0/cpu0") not in (None, found.pid)

    await until(replaced)
    assert await work(pool) == 200


async def test_asleep_resident_uses_no_cpu(make_pool):
    pool = await make_pool(plan("serve"), plan("train", path=None, value=1e-3), slots=1)
    await pool.ready()
    await until(lambda: _equals(awake(pool, "train"), 1))
    process = psutil.Process(await pool.pid("serve@n0/cpu0"))
    used_s = await asyncio.to_thread(least_cpu_s, lambda: sum(process.cpu_times()[:2]), 0.02, 3.0)
    assert used_s <= 0.02


async def test_residents_are_pinned_to_their_slot(make_pool):
    pool = await make_pool(plan("serve", floor=1), slots=2)
    await pool.ready()
    for slot in pool.slots:
        process = psutil.Process(await pool.pid(f"serve@{slot.slot}"))
        assert process.cpu_affinity() == list(slot.cores)


async def test_closing_leaves_no_process(make_pool):
    pool = await make_pool(plan("serve", floor=1), slots=2)
    await pool.ready()
    pids = [await pool.pid(f"serve@{slot.slot}") for slot in pool.slots]
    await pool.host.close(1.0)
    assert not any(psutil.pid_exists(pid) for pid in pids)


async def test_silent_gateway_holds_the_allocation_and_raises_an_alarm(make_pool):
    pool = await make_pool(plan("serve", floor=1), plan("train", path=None, value=1e-3))
    await pool.ready()
    (reporting,) = [task for task in asyncio.all_tasks() if task.get_name() == "reporting to the controller"]
    reporting.cancel()

    async def held():
        return any("allocation held" in alarm for alarm in (await pool.state())["alarms"])

    await until(held)
    before = [slot["awake"] for slot in (await pool.state())["slots"]]
    await asyncio.sleep(0.5)
    assert [slot["awake"] for slot in (await pool.state())["slots"]] == before


async def test_a_silent_supervisor_raises_an_alarm(make_pool):
    pool = await make_pool(plan("serve", floor=1), slots=1)
    await pool.ready()
    (reporting,) = [task for task in asyncio.all_tasks() if "_tell_controller" in repr(task.get_coro())]
    reporting.cancel()

    async def told():
        return any("no report from the supervisor" in alarm for alarm in (await pool.state())["alarms"])

    await until(told)
    assert await work(pool) == 200


async def test_a_controller_whose_ticks_stop_ends_though_it_answers(make_pool, monkeypatch):
    ended = []
    monkeypatch.setattr("tenfold.pool.controller_server.STUCK_LOOKS", 1)
    monkeypatch.setattr("tenfold.pool.controller_server.end_process", lambda *words: ended.append(words))
    pool = await make_pool(plan("serve", floor=1), slots=1)
    await pool.ready()
    await asyncio.sleep(4)
    assert not ended
    monkeypatch.setattr(Observation, "observe", lambda *_: asyncio.Event().wait())
    await until(lambda: ended)
    assert (await pool.state())["ready"]
    ((status, error), *_) = ended
    assert status == 1
    assert "no tick of the controller has ended: no sign of life for 3 s" in str(error)


async def test_slot_of_a_donor_that_cannot_be_killed_goes_to_nobody(make_pool):
    pool = await make_pool(
        plan("serve"),
        plan("train", path=None, value=1e-3),
        slots=1,
        move_deadline_s=0.3,
        workload_settings={"train": {"frozen_on_sleep": True}},
    )
    await until(lambda: _equals(awake(pool, "train"), 1))
    deliver = pool.host.signal

    async def lose(name: str, number: int, pid: int) -> None:
        """A kill order that never arrives."""

    pool.host.signal = lose
    request = asyncio.create_task(work(pool))
    end = time.monotonic() + 5
    while time.monotonic() < end:
        assert (await pool.counters("serve@n0/cpu0"))["phase"] == "asleep"
        await asyncio.sleep(0.05)
    pool.host.signal = deliver
    await request
    await until(lambda: _equals(work(pool), 200))
