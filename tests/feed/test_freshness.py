"""What a fresher ranking model earns is told by an experiment of which one arm asks the stale one."""

import pytest

from tenfold.feed.arms import EXPERIMENT
from tenfold.feed.contract import FeedEvent
from tenfold.feed.freshness import Freshness
from tenfold.feed.item import Item
from tenfold.feed.settings import ExperimentSettings
from tenfold.feed.subjects import Design
from tenfold.product.holdout import is_held_out

ITEMS = [Item(number, f"Item {number}", ("Comedy",), 10) for number in range(1, 9)]
HOLDOUT = 0.2
FRESHNESS = {"control": "stale", "arms": {"fresh": {"share": 0.5}, "stale": {"share": 0.5, "snapshot": "stale"}}}
DESIGN = Design("freshness", ExperimentSettings.model_validate(FRESHNESS))


def someone(arm: str, number: int) -> str:
    names = (name for name in map(str, range(1000)) if not is_held_out(name, HOLDOUT, EXPERIMENT))
    return [name for name in names if DESIGN.arm_of(name) == arm][number]


def watched(number: int, person: str, seconds: float) -> FeedEvent:
    return FeedEvent.model_validate(
        {
            "id": f"{number}",
            "person": person,
            "surface": "home",
            "item": 1 + number % 8,
            "action": "watched",
            "seconds": seconds,
        }
    )


async def test_each_arm_asks_its_snapshot_and_what_the_fresh_one_adds_is_told(make_desk):
    desk = await make_desk(ITEMS, holdout=HOLDOUT, experiments={"freshness": FRESHNESS})
    for arm in ("fresh", "stale"):
        await desk.feed(someone(arm, 0), "home", 3)
        assert desk.context.pool.asked[-1]["stale"] is (arm == "stale")
    follows = Freshness(desk._designs)
    with desk._store.reading() as connection:
        assert follows.watched_beyond_s(connection) is None
    await desk.take([watched(1, someone("fresh", 0), 90.0), watched(2, someone("fresh", 1), 30.0)])
    with desk._store.reading() as connection:
        assert follows.watched_beyond_s(connection) is None, "nobody has the stale one yet"
    await desk.take([watched(3, someone("stale", 0), 20.0), watched(4, someone("fresh", 0), 100.0)])
    with desk._store.reading() as connection:
        # Two people with the fresh one watched 100 s since; one with the stale one watched 20 s.
        assert follows.watched_beyond_s(connection) == pytest.approx(100.0 - 2 * 20.0)
        assert follows.watched_beyond_s(connection) == 0.0
    assert desk._worth.events == 4
    desk._worth._tell(0, 4)
    await desk.take([watched(5, someone("fresh", 1), 60.0)])
    desk._worth._tell(0, 1)
    with desk._store.reading() as connection:
        (row,) = connection.exec_driver_sql(
            "SELECT units, nano_usd FROM earnings WHERE workload = 'rank-train' ORDER BY id DESC LIMIT 1"
        )
    assert row.units == 1 and row.nano_usd == pytest.approx(60.0 / 60 * 1e-6 * 1e9)
