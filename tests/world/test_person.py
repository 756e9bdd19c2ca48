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


def test_the_correlation_of_surfaces_is_how_much_a_camp_on_one_says_of_the_other():
    # Each camp has items on both surfaces: who is of a camp on one is of it on the other only as far as they correlate.
    surface_I = np.arange(ITEMS) % 2

    def agreement(correlation):
        drawn = draw_tastes(*two_camps(), items=ITEMS, people=400, seed=1, surface_I=surface_I, correlation=correlation)
        half = np.arange(ITEMS) < ITEMS // 2
        leaning = [
            drawn.like_PI[:, half & (surface_I == surface)].mean(axis=1)
            - drawn.like_PI[:, ~half & (surface_I == surface)].mean(axis=1)
            for surface in (0, 1)
        ]
        return np.corrcoef(*leaning)[0, 1]

    whole = draw_tastes(*two_camps(), items=ITEMS, people=400, seed=1)
    piece = draw_tastes(*two_camps(), items=ITEMS, people=400, seed=1, surface_I=surface_I)
    assert np.array_equal(whole.like_PI, piece.like_PI)
    none, some, all_ = (agreement(correlation) for correlation in (0.0, 0.5, 1.0))
    # Both surfaces' likes are shares of one order over all items, so that even independent ones go together a little.
    assert none + 0.2 < some < all_ - 0.1
    assert all_ > 0.9


def test_who_looks_on_less_sees_what_stands_low_less_and_likes_the_page_as_it_is(tastes):
    seen = [0] * 10
    for seed in range(300):
        reading = visit(tastes, Habit(looks_on=0.8), seed=seed)
        for place in range(len([deed for deed in reading.read(range(10)) if deed.action == "shown"])):
            seen[place] += 1
        assert reading.liked == pytest.approx(float(tastes.like_PI[0, :10].mean()), abs=1e-6)
    assert seen[0] == 300
    assert seen[9] == pytest.approx(300 * 0.8**9, abs=30)
