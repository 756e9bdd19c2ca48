"""On a full disk the pool goes on deciding, says that nothing is recorded, and records again when there is room."""

import asyncio

import pytest
from minipool import TOKEN, plan, until

from small_disk import WAYS, small_disk
from tenfold.core.store import store_url
from tenfold.ledger.ledger import Ledger
from tenfold.pool.token import TOKEN_HEADER


@pytest.fixture(params=WAYS)
def disk(request, tmp_path):
    with small_disk(request.param, tmp_path, "2m") as found:
        yield found


async def unrecorded(pool) -> bool:
    return any("nothing is recorded since" in alarm for alarm in (await pool.state())["alarms"])


async def work(pool) -> int:
    async with pool.session.post(f"{pool.url}/work", json={}) as response:
        await response.read()
        return response.status


async def awake(pool) -> list[str | None]:
    return [slot["awake"] for slot in (await pool.state())["slots"]]


async def moved_by_a_request(pool) -> None:
    """A request takes a slot from training, and training has it again when the service is idle."""

    async def all_train() -> bool:
        return await awake(pool) == ["train", "train"]

    await until(all_train)
    assert await work(pool) == 200
    assert "serve" in await awake(pool)
    await until(all_train)


async def test_decisions_go_on_without_a_record_and_are_recorded_when_there_is_room(disk, make_pool):
    # A request of the service is worth less than training, so it has a slot only while it is asked.
    pool = await make_pool(plan("serve", value=1e-9), plan("train", path=None, value=1e-3), slots=2)
    await pool.ready()
    await moved_by_a_request(pool)
    disk.fill()
    epoch = (await pool.state())["epoch"]
    while not await unrecorded(pool):
        await moved_by_a_request(pool)
    await moved_by_a_request(pool)
    last = await pool.state()
    assert last["epoch"] > epoch
    disk.free()
    await until(lambda: _not(unrecorded(pool)))
    ledger = Ledger(f"sqlite:///{pool.home / 'ledger.db'}")
    recorded = [event.body["epoch"] for event in ledger.latest("allocation", 1000)]
    assert set(range(epoch, last["epoch"] + 1)) <= set(recorded)
    assert recorded == sorted(recorded, reverse=True)
    assert ledger.latest("unrecorded")[0].body["dropped"] == 0
    ledger.close()


async def test_decisions_go_on_while_the_ledgers_server_is_away(postgres, postgres_settings, tmp_path, make_pool):
    url = store_url(postgres_settings, tmp_path, "ledger")
    # Training is worth more than the service, so every request moves a slot there and back.
    pool = await make_pool(plan("serve", value=1e-9), plan("train", path=None, value=1e-3), slots=2, ledger_url=url)
    await pool.ready()
    await moved_by_a_request(pool)
    before = await pool.state()
    postgres.stop()
    try:
        while not await unrecorded(pool):
            await moved_by_a_request(pool)
        # Not even one that starts now needs it.
        await pool.stop_controller()
        pool.start_controller()
        await until(lambda: resumed(pool))
        assert await unrecorded(pool)
        first = (await pool.state())["epoch"] + 1
        await moved_by_a_request(pool)
        last = await pool.state()
        assert last["epoch"] > first > before["epoch"] + 1000
    finally:
        postgres.start()
    await until(lambda: _not(unrecorded(pool)))
    ledger = Ledger(url)
    recorded = [event.body["epoch"] for event in ledger.latest("allocation", 1000)]
    # What waited in the one that was stopped is lost with it.
    assert before["epoch"] in recorded
    assert set(range(first, last["epoch"] + 1)) <= set(recorded)
    assert recorded == sorted(recorded, reverse=True)
    assert ledger.latest("unrecorded")[0].body["dropped"] == 0
    ledger.close()


async def resumed(pool) -> bool:
    try:
        return len((await pool.state())["slots"]) == 2
    except OSError:
        return False


async def _not(found) -> bool:
    return not await found


async def test_a_controller_that_starts_on_a_full_disk_adopts_what_is_awake_above_every_order_before(disk, make_pool):
    """What epoch before order protects: an order of a controller that is gone counts as old with every resident."""
    pool = await make_pool(plan("serve", floor=1), plan("train", path=None, value=1e-3), slots=2)
    await pool.ready()
    disk.fill()
    # The service has a slot always, so training gives and takes nothing: make moves by deaths.
    while not await unrecorded(pool):
        await pool.host.signal("train@n0/cpu0", 9)
        await pool.host.signal("train@n0/cpu1", 9)
        await asyncio.sleep(0.3)
    await until(lambda: _is(awake(pool), {"serve", "train"}))
    before = await pool.state()
    told = [(await pool.counters(f"{name}@{slot.slot}"))["epoch"] for name in ("serve", "train") for slot in pool.slots]
    await pool.stop_controller()
    pool.start_controller()
    await until(lambda: resumed(pool))
    await until(lambda: _is(awake(pool), {"serve", "train"}))
    after = await pool.state()
    assert after["epoch"] > max(before["epoch"], *told)
    assert [slot["awake"] for slot in after["slots"]] == [slot["awake"] for slot in before["slots"]]
    assert await unrecorded(pool)
    # Once the new one has moved a slot, the last order that the one before may have sent is refused there.
    await pool.host.signal("train@n0/cpu0", 9)
    await pool.host.signal("train@n0/cpu1", 9)
    await asyncio.sleep(0.5)
    await until(lambda: _is(awake(pool), {"serve", "train"}))
    slot = next(slot for slot in (await pool.state())["slots"] if slot["awake"] == "train")
    url = next(resident["url"] for resident in slot["residents"] if resident["workload"] == "train")
    order = {"epoch": before["epoch"], "deadline_s": 1.0}
    async with pool.session.post(f"{url}/resident/sleep", json=order, headers={TOKEN_HEADER: TOKEN}) as response:
        assert response.status == 409
    disk.free()
    await until(lambda: _not(unrecorded(pool)))


async def _is(found, wanted) -> bool:
    return set(await found) == wanted


async def test_a_resident_that_fell_asleep_by_an_order_from_before_gives_its_slot_back(make_pool):
    """Its slot is not taken for one that works, for ever: somebody is woken there."""
    pool = await make_pool(plan("serve", floor=1), slots=1)
    await pool.ready()
    epoch = (await pool.state())["epoch"]
    _, (status,) = await pool.host.statuses(-1, 0)
    order = {"epoch": epoch, "deadline_s": 1.0}
    async with pool.session.post(f"{status.url}/resident/sleep", json=order, headers={TOKEN_HEADER: TOKEN}) as response:
        assert response.status == 200

    async def woken_again() -> bool:
        return (await pool.counters("serve@n0/cpu0"))["phase"] == "awake" and (await pool.state())["epoch"] > epoch

    await until(woken_again)
    assert await work(pool) == 200
