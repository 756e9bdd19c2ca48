"""What shops of goods do not ask for: ranges, hours of tariffs, what comes with a thing, what nothing tells."""

import pytest
from small_shop import NOW, item_of, small_shop, tells

from tenfold.agents.brain import speak
from tenfold.agents.memory import Memory
from tenfold.agents.reading.quantity import span_of
from tenfold.catalog.passage import Passage
from tenfold.reply.reply import Answer, Unknown

VISIT = item_of(
    "Home Visit", ({"distance": "up to 5 miles"}, "95.00", None), ({"distance": "5 to 12 miles"}, "130.00", None)
)
CAMP = item_of("Summer Camp", ({"age": "7 to 10"}, "240.00", 4), ({"age": "11 to 14"}, "260.00", 2))
CAKE = item_of(
    "Carrot Cake",
    ({"serves": "8 people", "cut": "whole"}, "26.00", 2),
    ({"serves": "14 people", "cut": "sliced"}, "38.00", 0),
    description="With walnuts and a frosting of cream cheese.",
)
LIGHT = item_of("Front Light", ({"lux": "40"}, "39.00", 7), ({"lux": "80"}, "69.00", 3))
COURSE = item_of(
    "French Evening Course",
    ({"level": "A1", "day": "Monday"}, "310.00", 3),
    ({"level": "B1", "day": "Tuesday"}, "330.00", 0),
)
TAP = item_of("Faucet Oslo", ({"finish": "chrome"}, "92.00", 3))
OTHER_TAP = item_of("Faucet Bergen", ({"finish": "matte black"}, "138.00", 3), ({"finish": "chrome"}, "120.00", 1))
CLEANING = item_of(
    "Drain Cleaning", ({"where": "kitchen sink"}, "119.00", None), ({"where": "main line"}, "289.00", None)
)
HOURS = Passage(
    "hours", "hours", "hours.md", "When we are open",
    "We are open from Tuesday to Saturday, 9 am to 6 pm. On Mondays we are closed.", NOW,
)  # fmt: skip


@pytest.fixture(scope="module")
def shop():
    return small_shop((VISIT, CAMP, CAKE, LIGHT, COURSE, TAP, OTHER_TAP, CLEANING), (HOURS,))


@pytest.mark.parametrize(
    ("question", "has", "has_not"),
    [
        ("how much is a home visit 8 miles away?", ["130.00 USD"], ["95.00"]),
        ("summer camp for my 12 year old", ["260.00 USD"], ["240.00"]),
        ("a carrot cake for 14", ["38.00 USD"], ["26.00 USD and"]),
        ("a carrot cake, unsliced", ["26.00 USD"], []),
        ("front light, not lux 80", ["39.00 USD"], ["69.00"]),
        ("Is there a front light with lux 60?", ["No.", "40, 80"], ["Yes"]),
        ("How much is the French evening course at B1?", ["330.00 USD", "out of stock"], ["310.00"]),
        ("French evening course on Fridays?", ["No.", "Monday, Tuesday"], []),
        ("Is the Oslo faucet available in matte black?", ["No.", "chrome"], ["Yes"]),
        ("what do you charge to clean a kitchen drain?", ["119.00 USD"], []),
        ("does the carrot cake contain walnuts?", ["With walnuts"], ["No"]),
        ("When is the French evening course?", ["Monday, Tuesday"], []),
    ],
)
async def test_a_question_is_answered_narrowly(shop, question, has, has_not):
    said = await speak(shop, question, Memory(), NOW)
    assert isinstance(said.reply, Answer), said.text
    tells(said.text, has, has_not)


@pytest.mark.parametrize(
    "question",
    [
        "How many calories has the carrot cake?",
        "does the front light come with a free gift?",
        "Is a candle included with the carrot cake?",
        "who makes the front light?",
        "do you have French cheese?",
    ],
)
async def test_what_no_text_and_no_option_tells_is_not_answered_by_a_price(shop, question):
    said = await speak(shop, question, Memory(), NOW)
    assert isinstance(said.reply, Unknown), said.text


def test_a_text_answers_by_its_own_words(shop):
    import asyncio

    said = asyncio.run(speak(shop, "Are you open on Mondays?", Memory(), NOW))
    assert isinstance(said.reply, Answer) and "On Mondays we are closed" in said.text


CHECK = item_of(
    "Dog Check",
    ({"weight": "up to 10 kg"}, "40.00", None),
    ({"weight": "10 to 25 kg"}, "50.00", None),
    ({"weight": "over 25 kg"}, "60.00", None),
)
DROPS = item_of("Vitamin Drops", ({"strength": "1000 IU"}, "9.00", 4), ({"strength": "2000 IU"}, "12.00", 4))
TRAIN = item_of("Toy Train", ({"dispatch": "1 to 2 days"}, "20.00", 4), ({"dispatch": "3 to 5 days"}, "17.00", 4))
DESK = item_of("Desk", ({"drawers": "2"}, "200.00", 4), ({"drawers": "3"}, "230.00", 4))
MUG = item_of("Mug", ({"color": "waterblue"}, "8.00", 4), ({"color": "moss"}, "8.50", 4))
FLASK = item_of("Flask", ({"capacity": "500ml"}, "12.00", 5), ({"capacity": "1000ml"}, "29.00", 2))


@pytest.fixture(scope="module")
def mixed():
    return small_shop((CHECK, DROPS, TRAIN, DESK, MUG, FLASK), (HOURS,))


@pytest.mark.parametrize(
    ("question", "has", "has_not"),
    [
        ("How much is the dog check for more than 25 kg?", "60.00 USD", "50.00"),
        ("How much is the dog check for less than 10 kg?", "40.00 USD", "50.00"),
        ("How much is the dog check at 25 kg or more?", "50.00 USD", "40.00"),
        ("Do you have a flask of no more than 600 ml?", "12.00 USD", "29.00"),
        ("Do you have a flask of no less than 600 ml?", "29.00 USD", "12.00"),
    ],
)
async def test_more_or_less_than_so_much_is_no_range_that_ends_there(mixed, question, has, has_not):
    said = await speak(mixed, question, Memory(), NOW)
    assert isinstance(said.reply, Answer) and has in said.text and has_not not in said.text, said.text


@pytest.mark.parametrize(
    "question",
    [
        "How much are the vitamin drops 2000 mg?",
        "Is the toy train fine for my 6 year old?",
        "Does the desk come with drawer dividers?",
        "Is the mug good for water?",
    ],
)
async def test_another_unit_and_another_matter_are_neither_affirmed_nor_denied(mixed, question):
    said = await speak(mixed, question, Memory(), NOW)
    assert not said.text.startswith(("Yes", "No.")) and "12.00" not in said.text, said.text


async def test_who_says_no_and_then_what_they_want_wants_it(mixed):
    asked = await speak(mixed, "Do you have the mug in waterblue?", Memory(), NOW)
    said = await speak(mixed, "No, in moss please", asked.memory, NOW)
    assert "8.50 USD" in said.text and "8.00 USD" not in said.text, said.text


async def test_what_is_written_of_another_thing_tells_nothing_of_the_one_that_was_named_before():
    knife, skillet = item_of("Folding Knife", ({}, "30.00", 4)), item_of("Iron Skillet", ({}, "50.00", 4))
    care = Passage("care", "care", "care.md", "Care", "The iron skillet is dishwasher safe.", NOW)
    shop = small_shop((knife, skillet), (care,))
    named = await speak(shop, "How much is the folding knife?", Memory(), NOW)
    assert "skillet" not in (await speak(shop, "Is it dishwasher safe?", named.memory, NOW)).text
    named = await speak(shop, "How much is the iron skillet?", Memory(), NOW)
    assert "skillet is dishwasher safe" in (await speak(shop, "Is it dishwasher safe?", named.memory, NOW)).text


async def test_what_nothing_is_all_of_is_not_affirmed_and_takes_no_time_that_doubles_with_each_wish():
    options = [{f"trait {n}": f"{word}ish", f"other {n}": f"{word}less"} for n, word in enumerate(_SYLLABLES)]
    items = [item_of(f"Thing {n}", (each, "20.00", 4)) for n, each in enumerate(options)]
    shop = small_shop(items, ())
    said = await speak(shop, f"{', '.join(f'{word}ish' for word in _SYLLABLES)} under 50 dollars", Memory(), NOW)
    assert not said.text.startswith("Yes") and " fit" not in said.text, said.text


_SYLLABLES = [
    f"{a}{b}" for a in ("bor", "dal", "fen", "gum", "hul", "jap") for b in ("kan", "mol", "pir", "tuv", "zeg")
]


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("5 to 12 miles", 8 * 1609.34, 20 * 1609.34),
        ("over 25 kg", 26, 25),
        ("under 10 kg", 9, 10),
        ("3 or more bathrooms", 3, 2),
        ("7-10", 10, 11),
        ("1 week to 3 months", 2 * 168, 100),
        ("500 g to 2 kg", 1, 0.4),
    ],
)
def test_a_value_may_be_a_range(text, inside, outside):
    span = span_of(text)
    assert span is not None and span.has(inside) and not span.has(outside)


@pytest.mark.parametrize("text", ["1:50000", "12 December", "0.75 l", "within 24 hours", "12 x 85 g"])
def test_a_value_that_is_no_range(text):
    assert span_of(text) is None
