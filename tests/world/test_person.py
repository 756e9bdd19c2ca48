"""People of the world act on hidden tastes alone, and a seed gives the same people again."""

from random import Random

import numpy as np
import pytest

from tenfold.world.person import Habit, Visit
from tenfold.world.taste import draw_tastes

ITEMS = 60


def two_camps(random=None):
    """Users who choose from the first half of the items or from the second, forty of each."""
    random = random or np.random.default_rng(3)
    user, row = [], []
    for who in range(80):
        half = ITEMS // 2 * (who % 2)
        for item in random.choice(ITEMS // 2, 12, replace=False):
            user.append(who)
            row.append(half + item)
    return np.array(user), np.array(row)


@pytest.fixture(scope="module")
def tastes():
    return draw_tastes(*two_camps(), items=ITEMS, people=50, seed=1)


def test_what_people_like_goes_together_as_in_the_data(tastes):
    camps = np.stack([tastes.like_PI[:, : ITEMS // 2].mean(axis=1), tastes.like_PI[:, ITEMS // 2 :].mean(axis=1)])
    # Some are mixed of both camps; whoever is of one likes little of the other.
    assert (camps.max(axis=0) > 3 * camps.min(axis=0)).mean() > 0.4
    assert tastes.like_PI.min() >= 0
    assert tastes.like_PI.max() == 1


def test_the_same_seed_draws_the_same_people_and_another_does_not(tastes):
    again, other = (draw_tastes(*two_camps(), items=ITEMS, people=50, seed=seed) for seed in (1, 2))
    assert (again.like_PI == tastes.like_PI).all()
    assert (other.like_PI != tastes.like_PI).any()


def visit(tastes, habit=None, person=0, seed=5):
    return Visit(person, tastes, habit or Habit(), Random(seed), {item: item for item in range(ITEMS)})


def test_a_person_opens_about_what_is_liked_and_watches_only_what_was_opened(tastes):
    opened = {item: 0 for item in range(ITEMS)}
    for seed in range(400):
        deeds = visit(tastes, seed=seed).read(range(ITEMS))
        seen = [deed.item for deed in deeds if deed.action == "opened"]
        assert [deed.item for deed in deeds if deed.action == "watched"] == seen
        assert [deed.item for deed in deeds if deed.action == "shown"] == list(range(ITEMS))
        assert [deed.after_s for deed in deeds] == sorted(deed.after_s for deed in deeds)
        for item in seen:
            opened[item] += 1
    share = np.array(list(opened.values())) / 400
    assert np.abs(share - tastes.like_PI[0]).max() < 0.1


def test_a_better_page_holds_people_and_how_strongly_is_the_world_s(tastes):
    order = np.argsort(-tastes.like_PI[0])
    for hold, more in ((6.0, 0.3), (0.0, 0.0)):
        stays = []
        for page in (order[:10], order[-10:]):
            one = visit(tastes, Habit(hold=hold))
            one.read([int(item) for item in page])
            stays.append(one.habit.stays(one.pleased))
        assert stays[0] - stays[1] >= more
        assert hold or stays == [pytest.approx(0.65)] * 2


def test_an_empty_page_pleases_nobody(tastes):
    one = visit(tastes)
    assert one.read([]) == []
    assert one.pleased == 0
