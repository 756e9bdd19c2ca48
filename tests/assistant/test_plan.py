"""A plan is made of sentences, changed by sentences, and given as a calendar file."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from tenfold.assistant.plan import Plan, Step, as_ics, as_text
from tenfold.assistant.planning import change, day_of, is_new_plan, new_plan, read_step

NOW = datetime(2026, 11, 16, 9, 30)  # A Monday.
ASKED = (
    "plan Saturday: 10:00 museum at Lasziv, 1 pm lunch at Rosa's for 2 hours, then 4 pm-5:30 pm walk along the canal"
)


@pytest.fixture
def plan() -> Plan:
    made = new_plan(ASKED, NOW).plan
    assert made is not None
    return made


def steps(plan: Plan | None) -> list[tuple[str, str, str, int]]:
    assert plan is not None
    return [(f"{step.starts:%a %H:%M}", step.what, step.place, step.minutes) for step in plan.steps]


def changed(plan: Plan, text: str) -> list[tuple[str, str, str, int]]:
    found = change(plan, text, NOW)
    assert found is not None, text
    return steps(found.plan)


def test_steps_have_times_places_and_lengths(plan):
    assert is_new_plan(ASKED) and plan.title == "Plan for Saturday"
    assert steps(plan) == [
        ("Sat 10:00", "museum", "Lasziv", 60),
        ("Sat 13:00", "lunch", "Rosa's", 120),
        ("Sat 16:00", "walk along the canal", "", 90),
    ]
    assert plan.steps[0].starts.date() == date(2026, 11, 21)


def test_a_plan_has_an_end_however_much_is_asked_for():
    asked = [f"{8 + n // 60}:{n % 60:02d} stop {n}" for n in range(51)]
    found = new_plan(f"plan Saturday: {', '.join(asked)}", NOW)
    assert found.plan is None and "up to 50 steps, and that would be 51" in found.trouble
    full = new_plan(f"plan Saturday: {', '.join(asked[:50])}", NOW).plan
    assert full is not None and len(full.steps) == 50
    more = change(full, "add dinner at 7 pm", NOW)
    assert more is not None and more.plan is None and "51" in more.trouble
    assert steps(new_plan(f"plan Saturday: 10:00 museum for {'9' * 400} hours", NOW).plan)[0][3] == 7 * 24 * 60
    long = new_plan(f"plan the {'very ' * 60}long day: 10:00 museum", NOW).plan
    assert long is not None and len(long.title) == 200
    assert day_of("news of the last 99999999 days", NOW.date()) is None


def test_follow_ups_change_it(plan):
    assert changed(plan, "move the museum to 3 pm")[1] == ("Sat 15:00", "museum", "Lasziv", 60)
    assert [step[1] for step in changed(plan, "drop the second")] == ["museum", "walk along the canal"]
    assert [step[1] for step in changed(plan, "remove the last one")] == ["museum", "lunch"]
    assert changed(plan, "add dinner at 7 pm at the Old Mill")[-1] == ("Sat 19:00", "dinner", "the Old Mill", 60)
    assert changed(plan, "move lunch to Sunday")[-1] == ("Sun 13:00", "lunch", "Rosa's", 120)
    assert changed(plan, "rename the walk to boat trip")[-1][1] == "boat trip"
    assert changed(plan, "move step 1 to the Grey Canal")[0][2] == "the Grey Canal"


def test_what_is_not_clear_changes_nothing_and_says_why(plan):
    for text, why in (
        ("drop the opera", "No step of the plan is called"),
        ("drop the seventh", "The plan has 3 steps"),
        ("add a swim", "Say at what time"),
    ):
        found = change(plan, text, NOW)
        assert found is not None and found.plan is None and why in found.trouble
    assert change(plan, "who won the cup?", NOW) is None
    assert new_plan("plan something nice", NOW).plan is None


def test_days_lie_ahead():
    assert day_of("on Monday", NOW.date()) == NOW.date()
    assert day_of("tomorrow", NOW.date()) == date(2026, 11, 17)
    assert day_of("on 3 January", NOW.date()) == date(2027, 1, 3)
    assert day_of("some day", NOW.date()) is None


def test_text_has_a_step_a_line(plan):
    assert as_text(plan).splitlines() == [
        "Plan for Saturday:",
        "Saturday, 21 November 2026",
        "1. 10:00-11:00 museum, Lasziv",
        "2. 13:00-15:00 lunch, Rosa's",
        "3. 16:00-17:30 walk along the canal",
    ]


texts = st.text(st.characters(exclude_categories=("C",)), min_size=1, max_size=40).filter(str.strip)


@given(st.lists(st.tuples(texts, st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1)), texts), max_size=4))
def test_the_calendar_file_says_what_the_plan_says(rows):
    made = [Step(what=what, starts=at.replace(microsecond=0), place=place) for what, at, place in rows]
    plan = Plan().with_steps(made)
    read = Calendar.from_ical(as_ics(plan, "t", datetime(2026, 11, 16, tzinfo=UTC)))
    events = [(e["summary"], e["dtstart"].dt, e["dtend"].dt, e["location"]) for e in read.walk("VEVENT")]
    assert events == [(step.what, step.starts, step.ends, step.place) for step in plan.steps]


@given(st.text(max_size=60))
def test_any_sentence_is_read_or_not(text):
    step = read_step(text, NOW.date())
    assert step is None or step.what


def test_steps_that_end_with_their_time_and_a_bare_hour():
    found = new_plan("Plan a day in Rome on Saturday: Colosseum at 9, lunch at 1 pm, museum at 3", NOW).plan
    assert [(step.what, step.starts.hour) for step in found.steps] == [("Colosseum", 9), ("lunch", 13), ("museum", 15)]
    moved = change(found, "move the museum to 4 pm", NOW).plan
    assert moved.steps[2].starts.hour == 16
