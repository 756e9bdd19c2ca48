"""Those who tell events at once share a transaction, and nothing that was written is missing from what is popular."""

import asyncio
import threading

import pytest
import sqlalchemy as sa

from tenfold.feed import arms, stock, taking
from tenfold.feed import desk as desk_module
from tenfold.feed.contract import FeedEvent, Taken
from tenfold.feed.desk import Desk
from tenfold.feed.item import Item

FILMS = [Item(item, f"Film {item}") for item in range(1, 5)]
ROWS = [{"item": film.item, "title": film.title, "genres": [], "viewers": 0} for film in FILMS]


@pytest.fixture
async def desk(make_desk):
    return await make_desk(FILMS, keep_days=1)


class Held:
    """Holds the writer's thread, so that whoever tells something meanwhile waits together."""

    def __init__(self, desk: Desk):
        self._gate = threading.Event()
        desk._writer.submit(self._gate.wait)

    async def let(self, tasks):
        await asyncio.sleep(0)
        self._gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)


def events(person, *items, action="opened"):
    return [FeedEvent(id=f"{item}", person=person, surface="home", item=item, action=action) for item in items]


def told(desk, *parts):
    return [asyncio.create_task(desk.take(part)) for part in parts]


async def test_those_who_tell_at_once_share_a_transaction_and_each_is_told_of_its_own(desk):
    commits = []
    sa.event.listen(desk._store.engine, "commit", lambda _: commits.append(1))
    held = Held(desk)
    # The second tells again what the first did, and something of its own.
    tasks = told(desk, events("ann", 1, 2), events("ann", 2, 3), events("bob", 1))
    assert await held.let(tasks) == [Taken(new=2, repeated=0), Taken(new=1, repeated=1), Taken(new=1, repeated=0)]
    assert len(commits) == 1
    assert [desk._popularity.viewers[item] for item in (1, 2, 3, 4)] == [2, 1, 1, 0]


async def test_what_the_database_refuses_of_one_it_takes_of_the_others(desk, monkeypatch):
    take = taking.take

    def picky(connection, came, share, now, **more):
        if any(event.person == "eve" for event in came):
            raise sa.exc.DataError("insert", {}, ValueError("no such letter"))
        return take(connection, came, share, now, **more)

    monkeypatch.setattr(taking, "take", picky)
    held = Held(desk)
    ann, eve, bob = await held.let(told(desk, events("ann", 1), events("eve", 1), events("bob", 1)))
    assert (ann.new, bob.new) == (1, 1)
    assert isinstance(eve, sa.exc.DataError)


async def test_who_has_left_before_the_answer_is_counted_all_the_same(desk):
    held = Held(desk)
    (task,) = told(desk, events("ann", 4))
    await asyncio.sleep(0)
    task.cancel()
    await held.let([task])
    assert (await desk.take(events("bob", 4))).new == 1
    assert desk._popularity.viewers[4] == 2


async def test_what_is_told_while_the_catalog_is_read_again_is_counted(desk, monkeypatch):
    desk.context.pool.catalog = ROWS
    monkeypatch.setattr(desk_module, "CATALOG_EVERY_S", 0.0)
    for number in range(20):
        held = Held(desk)
        reading = asyncio.create_task(desk._follow_catalog())
        tasks = told(desk, events(f"a{number}", 1), events(f"b{number}", 2))
        await held.let([*tasks, reading])
        assert [desk._popularity.viewers[item] for item in (1, 2)] == [number + 1] * 2


async def test_ranking_is_told_what_to_leave_out_and_no_list_of_all_the_rest(desk):
    await desk.take(events("ann", 1, 2))
    await desk.take(events("ann", 3, action="not_interested"))
    # It is not in the catalog any more, so that ranking would refuse it.
    await desk.take(events("ann", 77, action="shown"))
    await desk.feed("ann", "home", 5)
    await desk.feed("ann", "shop", 5)
    asked, on_another = desk.context.pool.asked
    assert [each["item"] for each in asked.pop("events")] == [1, 2]
    # Who it is ranking is not told; and once forgotten, nobody is known by the same name again.
    alias = asked.pop("person")
    assert "ann" not in alias and alias == on_another["person"]
    await desk.forget("ann")
    await desk.feed("ann", "home", 5)
    assert desk.context.pool.asked[-1]["person"] != alias
    assert asked == {"k": 5, "exclude": [3], "explain": True, "surface": "home", "stale": False}


async def test_old_events_go_and_what_they_say_stays(desk, monkeypatch):
    now = 1_000_000.0
    monkeypatch.setattr(desk_module, "FORGET_TOGETHER", 3)
    monkeypatch.setattr(desk_module, "FORGET_PAUSE_S", 0.0)
    with desk._store.writing() as connection:
        taking.take(connection, events("ann", 1, 2, 3, 4), 0.1, now)
        taking.take(connection, events("bob", 1, 2), 0.1, now + 1.0)
        before = arms.read_arms(connection), dict(stock.read_opened(connection))
    await desk.take(events("cid", 1))
    monkeypatch.setattr(desk_module, "FORGET_EVERY_S", 0.0)
    for _ in range(4):
        await desk._forget_old()
    assert [(await desk.known(name)).events for name in ("ann", "bob")] == [0, 0]
    assert (await desk.known("cid")).events == 1
    assert [card.item for card in (await desk.known("ann")).watched] == [1, 2, 3, 4]
    await desk.forget("cid")
    with desk._store.reading() as connection:
        assert dict(stock.read_opened(connection)) == before[1] | {1: before[1][1] + 1}
        assert {arm: sums.people for arm, sums in arms.read_arms(connection).items() if sums.people} == {
            arm: sums.people for arm, sums in before[0].items()
        }
