"""What ads teach: conversions that come late are waited for as long as they take, and programs teach nothing."""

import numpy as np
import pytest

from tenfold.ads.lessons import Habit, Lessons

WIDTH = 4
ITEMS = {"c": np.eye(WIDTH, dtype=np.float32)[0]}


def predicted(lessons, person_D, which):
    clicks, conversions = lessons.chances(["c"], ITEMS["c"][None, :])
    return float((clicks if which == "click" else conversions).of_people(person_D[None, :])[0, 0])


@pytest.fixture
def lessons():
    made = Lessons(WIDTH)
    made.chances(["c"], ITEMS["c"][None, :])
    return made


def test_conversions_that_take_hours_are_predicted_as_many_as_come_in_the_end(lessons):
    rng, person_D, to_come = np.random.default_rng(0), np.eye(WIDTH, dtype=np.float32)[1], []
    for hour in range(96):
        now = 3600.0 * hour
        for at, event in [each for each in to_come if each[0] <= now]:
            lessons.converted(event, at)
        to_come = [each for each in to_come if each[0] > now]
        for number in range(50):
            event = f"{hour}/{number}"
            lessons.sold(event, "c", f"p{number % 40}", person_D, 0.2)
            lessons.seen(event, now)
            if rng.random() < 0.2:
                lessons.clicked(event, now)
                if rng.random() < 0.3:
                    to_come.append((now + rng.exponential(4 * 3600.0), event))
        lessons.learn(ITEMS, now)
    # Of those that click, 30% buy: a fifth of these within an hour, when a click is learned from.
    assert predicted(lessons, person_D, "conversion") == pytest.approx(0.3, rel=0.2)


def test_who_clicks_all_that_they_see_teaches_nothing(lessons):
    rng, person_D = np.random.default_rng(0), np.eye(WIDTH, dtype=np.float32)[1]
    for number in range(2000):
        event, is_program = str(number), number % 10 == 0
        lessons.sold(event, "c", "program" if is_program else f"p{number % 100}", person_D, 0.04)
        lessons.seen(event, float(number))
        if is_program or rng.random() < 0.04:
            lessons.clicked(event, float(number))
        if number == 10:
            lessons.learn(ITEMS, float(number))
    lessons.learn(ITEMS, 10_000.0)
    # One in 25 is clicked by people; with the program it would be one in 7.
    assert predicted(lessons, person_D, "click") == pytest.approx(0.04, rel=0.3)


@pytest.mark.parametrize(
    ("seen", "clicked", "chance", "is_program"),
    [
        pytest.param(3, 2, 0.03, False, id="two of the first three"),
        pytest.param(2, 2, 0.1, False, id="both of the first two, which suited them"),
        pytest.param(4, 3, 0.1, False, id="three of the first four, which suited them"),
        pytest.param(20, 10, 0.1, False, id="half of many"),
        pytest.param(1, 1, 0.001, False, id="the first, however unlikely"),
        pytest.param(2, 2, 0.004, True, id="the first two where one in 250 is clicked"),
        pytest.param(4, 4, 0.03, True, id="the first four"),
        pytest.param(20, 18, 0.1, True, id="nearly all of twenty"),
        pytest.param(12, 12, 0.3, True, id="all of twelve, which suited them"),
        pytest.param(1, 3, 0.02, True, id="more than is remembered that they saw"),
    ],
)
def test_a_program_is_told_from_a_person_by_how_unlikely_its_clicks_are(seen, clicked, chance, is_program):
    assert Habit(seen, clicked, chance * seen).is_of_a_program is is_program


def test_who_clicked_two_of_the_first_three_and_few_later_teaches(lessons):
    person_D = np.eye(WIDTH, dtype=np.float32)[1]
    for number in range(3):
        lessons.sold(str(number), "c", "somebody", person_D, 0.1)
        lessons.seen(str(number), 0.0)
    for number in range(2):
        lessons.clicked(str(number), 1.0)
    assert lessons.learn(ITEMS, 10_000.0) == 5  # All three ads, and what came of the two clicks.


def test_a_program_that_came_first_is_not_forgotten_for_those_who_came_later(lessons, monkeypatch):
    monkeypatch.setattr("tenfold.ads.lessons.MOST_PENDING", 10)
    person_D, taught = np.eye(WIDTH, dtype=np.float32)[1], 0
    for number in range(100):
        for person in ("program", f"p{number}"):
            event = f"{person}/{number}"
            lessons.sold(event, "c", person, person_D, 0.02)
            lessons.seen(event, 1000.0 * number)
            if person == "program":
                lessons.clicked(event, 1000.0 * number)
        taught += lessons.learn(ITEMS, 1000.0 * number + 500.0)
    assert taught == 100 + 1  # All people, and the program's first click, which was nobody's habit yet.
