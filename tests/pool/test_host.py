"""A node is divided fairly, and what lives on it is kept alive without eating it."""

import asyncio
import itertools
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minipool import TOKEN, until

from tenfold.core.config import KindSettings
from tenfold.pool.host import Host, ResidentStatus, make_slots
from tenfold.pool.process import ProcessSpec

# ---- slots


def cpu(count: int | None = None, per_core: int = 2) -> dict:
    return {"cpu": KindSettings(slots=count, slots_per_core=per_core)}


def test_a_core_is_shared_by_two_slots_unless_told_otherwise():
    slots = make_slots("n0", {"cpu": KindSettings()}, [0, 1], 0)
    assert [(slot.slot, slot.cores) for slot in slots] == [
        ("n0/cpu0", (0,)),
        ("n0/cpu1", (0,)),
        ("n0/cpu2", (1,)),
        ("n0/cpu3", (1,)),
    ]


@given(cores=st.sets(st.integers(0, 255), min_size=1, max_size=16).map(sorted), count=st.integers(1, 64))
def test_slots_are_spread_evenly_over_the_cores_that_may_be_used(cores, count):
    slots = make_slots("n0", cpu(count), cores, 0)
    assert len({slot.slot for slot in slots}) == count
    held = Counter(core for slot in slots for core in slot.cores)
    assert set(held) <= set(cores)
    assert max(held.values()) - min(held.get(core, 0) for core in cores) <= 1
    assert all(a.cores <= b.cores for a, b in itertools.pairwise(slots))
    for core in held:
        assert sum(slot.share for slot in slots if slot.cores == (core,)) == pytest.approx(1.0)


def test_slots_leave_the_rest_of_their_cores_to_others():
    slots = make_slots("n0", {"cpu": KindSettings(slots=6, core_share=0.3)}, [0, 1], 0)
    assert [slot.share for slot in slots] == [pytest.approx(0.1)] * 6


def test_a_gpu_is_a_slot_and_no_more_are_claimed_than_there_are():
    gpu = {"gpu": KindSettings()}
    assert [(slot.slot, slot.gpu, slot.cores) for slot in make_slots("n1", gpu, [0, 1], 2)] == [
        ("n1/gpu0", 0, ()),
        ("n1/gpu1", 1, ()),
    ]
    assert len(make_slots("n1", {"gpu": KindSettings(slots=1)}, [0], 4)) == 1
    assert len(make_slots("n1", {"gpu": KindSettings(slots=8)}, [0], 4)) == 4
    assert [slot.kind for slot in make_slots("n1", {**cpu(1), **gpu}, [0], 1)] == ["cpu", "gpu"]


# ---- processes


@pytest.fixture
async def host(tmp_path, toys_importable) -> AsyncIterator[Host]:
    found = Host(tmp_path / "logs", ["toy_workload", "broken_workload", "tenfold.pool.process"])
    await found.start()
    yield found
    await found.close(2.0)


def spec(home: Path, name: str, factory: str = "toy_workload:create", slot: str | None = "n0/cpu0") -> ProcessSpec:
    return ProcessSpec(
        name=name,
        workload="toy",
        factory=factory,
        slot=slot,
        cores=(),
        threads=1,
        gpu=None,
        bind="127.0.0.1",
        port=0 if slot else 4242,
        home=str(home),
        cache=str(home),
        settings={},
        companions={},
        token=TOKEN,
    )


async def status(host: Host, name: str) -> ResidentStatus:
    _, statuses = await host.statuses(-1, 0)
    return next(status for status in statuses if status.name == name)


async def loaded(host: Host, name: str) -> bool:
    return (await status(host, name)).url is not None


async def test_resident_that_cannot_load_is_explained_and_then_tried_only_now_and_then(host, tmp_path):
    await host.spawn(spec(tmp_path, "broken@n0/cpu0", "broken_workload:create"))
    await host.spawn(spec(tmp_path, "toy@n0/cpu0"))

    async def gave_up():
        found = await status(host, "broken@n0/cpu0")
        return found.restarts == 3 and found.pid is None

    await until(gave_up)
    # The fourth death within 30 s: the next try is 5 s away.
    await asyncio.sleep(1.0)
    found = await status(host, "broken@n0/cpu0")
    assert found.restarts == 3
    assert found.url is None
    log = tmp_path / "logs" / "broken@n0.cpu0.log"
    assert found.last_words == f"ended with 1: RuntimeError: there is no such model ({log})"
    # Its neighbour was never disturbed.
    await until(lambda: loaded(host, "toy@n0/cpu0"))
    assert (await status(host, "toy@n0/cpu0")).restarts == 0


async def test_killed_resident_is_forked_again_and_its_death_is_told(host, tmp_path):
    await host.spawn(spec(tmp_path, "toy@n0/cpu0"))
    await until(lambda: loaded(host, "toy@n0/cpu0"))
    before = await status(host, "toy@n0/cpu0")
    await host.signal("toy@n0/cpu0", signal.SIGKILL)

    async def reborn():
        found = await status(host, "toy@n0/cpu0")
        return found.url is not None and found.pid != before.pid

    await until(reborn)
    after = await status(host, "toy@n0/cpu0")
    assert after.restarts == 1
    assert after.last_words.startswith(f"ended with {-signal.SIGKILL}")


async def test_kill_order_for_a_process_that_is_gone_spares_the_one_born_since(host, tmp_path):
    await host.spawn(spec(tmp_path, "toy@n0/cpu0"))
    await until(lambda: loaded(host, "toy@n0/cpu0"))
    first = (await status(host, "toy@n0/cpu0")).pid
    await host.signal("toy@n0/cpu0", signal.SIGKILL, first)

    async def reborn():
        found = await status(host, "toy@n0/cpu0")
        return found.url is not None and found.pid != first

    await until(reborn)
    second = (await status(host, "toy@n0/cpu0")).pid
    await host.signal("toy@n0/cpu0", signal.SIGKILL, first)
    # A later order is carried out after it: by then a kill would have shown.
    await host.spawn(spec(tmp_path, "toy@n0/cpu1", slot="n0/cpu1"))
    await until(lambda: loaded(host, "toy@n0/cpu1"))
    assert (await status(host, "toy@n0/cpu0")).pid == second
    await host.signal("toy@n0/cpu0", signal.SIGKILL, second)
    await until(lambda: _died_twice(host))


async def _died_twice(host: Host) -> bool:
    return (await status(host, "toy@n0/cpu0")).restarts == 2


async def test_signal_to_nobody_is_no_error(host, tmp_path):
    await host.signal("nobody@n0/cpu0", signal.SIGKILL)
    await host.spawn(spec(tmp_path, "toy@n0/cpu0"))
    await until(lambda: loaded(host, "toy@n0/cpu0"))


async def test_who_asks_with_a_stale_version_is_answered_at_once(host, tmp_path):
    await host.spawn(spec(tmp_path, "toy@n0/cpu0"))
    await until(lambda: loaded(host, "toy@n0/cpu0"))
    version, _ = await host.statuses(-1, 0)
    async with asyncio.timeout(30):
        for stale in (-1, version - 1):
            assert (await host.statuses(stale, wait_s=60))[0] == version
    # Nothing changed since: it waits, and says so by the same version.
    began = time.monotonic()
    assert (await host.statuses(version, wait_s=0.2))[0] == version
    assert time.monotonic() - began >= 0.19
    # All who wait are told of the next change, not the first of them alone.
    waiting = [asyncio.create_task(host.statuses(version, wait_s=60)) for _ in range(3)]
    await asyncio.sleep(0)
    await host.signal("toy@n0/cpu0", signal.SIGKILL)
    async with asyncio.timeout(30):
        assert all(told > version for told, _ in await asyncio.gather(*waiting))


async def test_closing_lets_a_companion_save(tmp_path, toys_importable):
    host = Host(tmp_path / "logs", ["broken_workload", "tenfold.pool.process"])
    await host.start()
    await host.spawn(spec(tmp_path, "toy-companion", "broken_workload:serve_forever", slot=None))
    note = tmp_path / "companion"
    await until(lambda: note.exists() and note.read_text() == "listens on 127.0.0.1:4242")
    await until(lambda: loaded(host, "toy-companion"))
    await host.close(5.0)
    assert note.read_text() == "saved"


# ---- the nursery


async def nursery_of(host: Host, name: str) -> int:
    return psutil.Process((await status(host, name)).pid).ppid()


async def test_a_nursery_that_is_killed_is_started_again_with_all_that_lived_on_it(host, tmp_path):
    names = ("toy@n0/cpu0", "toy@n0/cpu1")
    for name in names:
        await host.spawn(spec(tmp_path, name, slot=name[4:]))
    await until(lambda: _all_loaded(host, names))
    before, nursery = [await status(host, name) for name in names], await nursery_of(host, names[0])
    version, _ = await host.statuses(-1, 0)
    os.kill(nursery, signal.SIGKILL)
    _, told = await host.statuses(version, wait_s=30)
    # Their deaths are told at once, whatever the next nursery takes to import.
    assert all(found.pid is None and found.url is None for found in told)
    await until(lambda: not any(psutil.pid_exists(found.pid) for found in before))
    # An order meanwhile is carried out by the next one.
    await host.spawn(spec(tmp_path, "toy@n0/cpu2", slot="n0/cpu2"))
    await until(lambda: _all_loaded(host, (*names, "toy@n0/cpu2")))
    for found in before:
        after = await status(host, found.name)
        assert after.pid != found.pid
        assert after.restarts == 1
        assert after.last_words.startswith("ended with the nursery, which ended with -9")
    assert await nursery_of(host, names[0]) == await nursery_of(host, "toy@n0/cpu2") != nursery


async def _all_loaded(host: Host, names: Sequence[str]) -> bool:
    return all([await loaded(host, name) for name in names])


@pytest.mark.slow
async def test_a_nursery_that_was_stopped_goes_on_and_nobody_dies(host, tmp_path, caplog):
    await host.spawn(spec(tmp_path, "toy@n0/cpu0"))
    await until(lambda: loaded(host, "toy@n0/cpu0"))
    before, nursery = await status(host, "toy@n0/cpu0"), await nursery_of(host, "toy@n0/cpu0")
    os.kill(nursery, signal.SIGSTOP)
    await host.spawn(spec(tmp_path, "toy@n0/cpu1", slot="n0/cpu1"))
    await until(lambda: loaded(host, "toy@n0/cpu1"))
    assert await status(host, "toy@n0/cpu0") == before
    assert await nursery_of(host, "toy@n0/cpu1") == nursery
    assert "the nursery was stopped; it was told to go on" in caplog.text


@pytest.mark.slow
async def test_a_nursery_that_hangs_is_replaced(tmp_path, toys_importable, monkeypatch, caplog):
    monkeypatch.setattr("tenfold.pool.host.NURSERY_SILENT_LOOKS", 2)
    monkeypatch.setenv("HANG_WHEN", str(tmp_path / "hang"))
    host = Host(tmp_path / "logs", ["toy_workload", "hanging_import"])
    await host.start()
    await host.spawn(spec(tmp_path, "toy@n0/cpu0"))
    await until(lambda: loaded(host, "toy@n0/cpu0"))
    before = await status(host, "toy@n0/cpu0")
    (tmp_path / "hang").touch()

    async def replaced():
        found = await status(host, "toy@n0/cpu0")
        return found.url is not None and found.pid != before.pid

    await until(replaced)
    await until(lambda: not psutil.pid_exists(before.pid))
    assert "the nursery gives no sign of life for 2 s" in caplog.text
    await host.close(1.0)


@pytest.mark.slow
async def test_a_nursery_that_cannot_import_says_so_in_the_words_of_those_who_wait_for_it(
    tmp_path, toys_importable, monkeypatch
):
    monkeypatch.setattr("tenfold.pool.host.NURSERY_PAUSE_S", 0.2)
    host = Host(tmp_path / "logs", ["there_is_no_such_module"])
    await host.start()
    await host.spawn(spec(tmp_path, "toy@n0/cpu0"))

    async def tried_again():
        return (await status(host, "toy@n0/cpu0")).restarts >= 2

    await until(tried_again)
    log, error = tmp_path / "logs" / "nursery.log", "ModuleNotFoundError: No module named 'there_is_no_such_module'"
    told = (await status(host, "toy@n0/cpu0")).last_words
    assert told == f"ended with the nursery, which ended with 1: {error} ({log})"
    await host.close(1.0)


@pytest.mark.slow
async def test_who_needs_no_heavy_library_is_loaded_while_it_is_imported(tmp_path, toys_importable, monkeypatch):
    """As chats are, which need no torch; others wait for their module."""
    (tmp_path / "slow_library.py").write_text(
        "import time\nfrom pathlib import Path\nfrom broken_workload import create\n"
        f"while not Path({str(tmp_path / 'go')!r}).exists():\n    time.sleep(0.01)\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{os.environ['PYTHONPATH']}:{tmp_path}")
    host = Host(tmp_path / "logs", ["broken_workload", "slow_library"])
    await host.start()
    await host.spawn(spec(tmp_path, "late@n0/cpu0", "slow_library:create"))
    await host.spawn(spec(tmp_path, "early-companion", "broken_workload:serve_forever", slot=None))
    await until((tmp_path / "companion").exists)
    assert (await status(host, "late@n0/cpu0")).pid is None
    (tmp_path / "go").touch()

    async def tried():
        return "there is no such model" in (await status(host, "late@n0/cpu0")).last_words

    await until(tried)
    await until(lambda: loaded(host, "early-companion"))
    await host.close(2.0)


# ---- silence


@pytest.mark.slow
async def test_a_companion_and_an_asleep_resident_that_were_stopped_go_on(host, tmp_path):
    """Nobody asks them for anything, so only their own silence tells."""
    names = ("toy@n0/cpu0", "toy-companion")
    await host.spawn(spec(tmp_path, "toy@n0/cpu0"))
    await host.spawn(spec(tmp_path, "toy-companion", "broken_workload:serve_forever", slot=None))
    await until(lambda: _all_loaded(host, names))
    before = [await status(host, name) for name in names]
    for found in before:
        os.kill(found.pid, signal.SIGSTOP)
    for found in before:
        await until(lambda pid=found.pid: psutil.Process(pid).status() != psutil.STATUS_STOPPED)
    assert [await status(host, name) for name in names] == before


@pytest.mark.slow
async def test_a_companion_and_an_asleep_resident_that_hang_are_replaced(host, tmp_path):
    names = ("hung@n0/cpu0", "hung-companion")
    await host.spawn(spec(tmp_path, "hung@n0/cpu0", "broken_workload:create_hung"))
    await host.spawn(spec(tmp_path, "hung-companion", "broken_workload:serve_until_hung", slot=None))
    await until(lambda: _all_loaded(host, names))
    await asyncio.sleep(1.5)
    (tmp_path / "hang").touch()
    for name, silent_s in zip(names, (10, 5), strict=True):

        async def replaced(name=name):
            found = await status(host, name)
            return found.url is not None and found.restarts == 1

        await until(replaced)
        assert f"killed: no sign of life for {silent_s} s" in (await status(host, name)).last_words
