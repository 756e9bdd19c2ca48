"""Experiments of the feed: who takes part and when, what counts, and that a reader sees the effect that there is."""

import random

import pytest
from pydantic import ValidationError

from tenfold.feed import subjects, taking
from tenfold.feed.arms import EXPERIMENT
from tenfold.feed.contract import FeedEvent
from tenfold.feed.experiments import read_experiments
from tenfold.feed.item import Item
from tenfold.feed.settings import FeedSettings
from tenfold.feed.show import experiments as show
from tenfold.product.holdout import is_held_out

UNIFIED = {
    "control": "surface",
    "arms": {"unified": {"share": 0.5, "history": "all"}, "surface": {"share": 0.5, "history": "surface"}},
}
HOLDOUT = 0.1
SETTINGS = FeedSettings.model_validate({"holdout": HOLDOUT, "experiments": {"unified": UNIFIED}})
DESIGNS = subjects.designs_of(SETTINGS)
ITEMS = [Item(n, f"Film {n}") for n in range(1, 9)]


def event(number, person, item=1, surface="home", seconds=60.0, session="s"):
    return FeedEvent(
        id=str(number), person=person, surface=surface, item=item, action="watched", seconds=seconds, session=session
    )


def parts(connection, person):
    rows = connection.execute(subjects.subjects.select().where(subjects.subjects.c.person == person)).mappings()
    return {row["experiment"]: (row["past_s"], row["watched_s"], row["clips"], row["visits"]) for row in rows}


def named(held_out):
    return next(name for name in map(str, range(100)) if is_held_out(name, HOLDOUT, EXPERIMENT) is held_out)


async def test_a_person_takes_part_from_the_second_surface_on_and_what_was_before_is_their_past(make_desk):
    desk = await make_desk(ITEMS)
    served, held_out = named(False), named(True)
    with desk._store.writing() as connection:

        def take(at, *events):
            taking.take(connection, events, HOLDOUT, at, designs=DESIGNS)

        take(1000.0, event(1, served))
        assert parts(connection, served) == {"holdout": (0.0, 60.0, 1, 1)}
        take(2000.0, event(2, served, 2, "shop"))
        assert parts(connection, served)["unified"] == (120.0, 0.0, 0, 1)
        take(3000.0, event(3, served, 3, seconds=30.0), event(4, served, 4, seconds=10.0, session="next"))
        assert parts(connection, served) == {"holdout": (0.0, 160.0, 4, 2), "unified": (120.0, 40.0, 2, 2)}
        # Who is held out takes part in nothing else.
        take(4000.0, event(1, held_out), event(2, held_out, 2, "shop"))
        assert parts(connection, held_out).keys() == {"holdout"}


async def test_each_arm_is_told_the_history_that_is_its_own(make_desk):
    desk = await make_desk(ITEMS, holdout=HOLDOUT, experiments={"unified": UNIFIED})
    for arm, history in (("unified", [1, 2]), ("surface", [2])):
        names = (name for name in map(str, range(200)) if not is_held_out(name, HOLDOUT, EXPERIMENT))
        person = next(name for name in names if DESIGNS[0].arm_of(name) == arm)
        await desk.take([event(1, person, 1, "home")])
        await desk.take([event(2, person, 2, "shop")])
        feed = await desk.feed(person, "shop", 3)
        assert feed.arms == {"unified": arm}
        asked = desk.context.pool.asked[-1]
        told = [each["item"] for each in asked["events"]]
        assert told == history
        # What was seen elsewhere is not shown again, whatever the arm.
        assert {1, 2} <= {*told, *asked["exclude"]}


async def test_the_effect_that_there_is_is_inside_its_interval_and_seen(make_desk, capsys):
    """People of one arm watch half as much again; nobody is told so but the reader of the experiment."""
    desk = await make_desk(ITEMS)
    draw = random.Random(5)
    with desk._store.writing() as connection:
        for number in range(14):
            told = []
            for person in map(str, range(260)):
                more = 1.5 if DESIGNS[0].arm_of(person) == "unified" else 1.0
                surface, seconds = ("home", "shop")[number % 2], 60.0 * more * draw.random()
                told.append(event(number, person, 1 + number % 8, surface, seconds, f"s{number // 4}"))
            taking.take(connection, told, HOLDOUT, 1000.0 + number, designs=DESIGNS)
        found = read_experiments(connection, SETTINGS)
    holdout, unified = found.experiments
    assert (holdout.name, unified.name, unified.control) == ("holdout", "unified", "surface")
    (arm,) = [each for each in unified.arms if each.arm == "unified"]
    by = {metric.metric: metric for metric in arm.against_control}
    per_person = by["watched seconds per person"].relative
    assert per_person.low < 0.5 < per_person.high
    assert per_person.is_sure
    assert by["watched seconds per visit"].relative.is_sure
    assert not by["visits per person"].relative.is_sure
    assert sum(each.people for each in unified.arms) == 260 - sum(
        is_held_out(str(n), HOLDOUT, EXPERIMENT) for n in range(260)
    )
    show(found, json=False)
    printed = capsys.readouterr().out
    assert "surface (control)" in printed and "sure" in printed
    assert "too early to compare" in printed or "ranked" in printed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"control": "nobody"}, "there is no arm 'nobody'; there are: unified, surface"),
        ({"arms": {"unified": {"share": 0.7}, "surface": {"share": 0.5}}}, "their shares come to 1.2"),
        ({"arms": {"surface": {"share": 0.5}}}, "at least 2 items"),
    ],
)
def test_an_experiment_that_cannot_be_is_refused(change, said):
    with pytest.raises(ValidationError, match=said):
        FeedSettings.model_validate({"experiments": {"unified": UNIFIED | change}})
