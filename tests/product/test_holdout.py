"""A holdout says what a workload's work earned, right on average, visits that it brought about included."""

import random

import pytest

from tenfold.product.holdout import earned_beyond_fallback, is_held_out


def test_the_same_person_is_always_in_the_same_group_and_the_share_is_kept():
    people = [f"person {number}" for number in range(20_000)]
    held = [is_held_out(person, 0.1, "feed") for person in people]
    assert held == [is_held_out(person, 0.1, "feed") for person in people]
    assert 0.09 < sum(held) / len(held) < 0.11
    both = sum(is_held_out(person, 0.1, "ads") for person, one in zip(people, held, strict=True) if one)
    assert 0.05 < both / sum(held) < 0.15, "another experiment must not hold out the same people"
    assert not any(is_held_out(person, 0.0, "feed") for person in people[:100])


def test_without_a_holdout_nothing_is_said():
    assert earned_beyond_fallback(10.0, 0.0, served_people=5, held_out_people=0) is None


@pytest.mark.parametrize(("visits_more", "earns_more"), [(0.0, 0.5), (0.5, 0.0), (0.0, 0.0)])
def test_it_is_right_on_average_for_what_a_visit_earns_and_for_visits_that_it_brings_about(visits_more, earns_more):
    """Truth known by construction: each served person comes more often, or earns more in a visit, by so much."""
    draw = random.Random(7)
    served, held = 450, 50
    found = []
    for _ in range(300):
        served_usd = sum(
            draw.random() * (1.0 + earns_more) for _ in range(served) if draw.random() < 0.4 * (1.0 + visits_more)
        )
        held_usd = sum(draw.random() for _ in range(held) if draw.random() < 0.4)
        beyond = earned_beyond_fallback(served_usd, held_usd, served_people=served, held_out_people=held)
        assert beyond is not None
        found.append(beyond)
    truth = served * 0.4 * 0.5 * ((1.0 + visits_more) * (1.0 + earns_more) - 1.0)
    mean = sum(found) / len(found)
    error = (sum((one - mean) ** 2 for one in found) / len(found) ** 2) ** 0.5
    assert abs(mean - truth) < 4 * error
    assert error < 3.0
