"""What shops of goods do not ask for: ranges, hours of tariffs, what comes with a thing, what nothing tells."""

import pytest
from small_shop import NOW, item_of, small_shop

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
    for each in has:
        assert each in said.text
    for each in has_not:
        assert each not in said.text


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


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("5 to 12 miles", 8 * 1609.34, 20 * 1609.34),
        ("over 25 kg", 26, 25),
        ("under 10 kg", 9, 10),
        ("3 or more bathrooms", 3, 2),
        ("7-10", 10, 11),
    ],
)
def test_a_value_may_be_a_range(text, inside, outside):
    span = span_of(text)
    assert span is not None and span.has(inside) and not span.has(outside)


@pytest.mark.parametrize("text", ["1:50000", "12 December", "0.75 l", "within 24 hours", "12 x 85 g"])
def test_a_value_that_is_no_range(text):
    assert span_of(text) is None
