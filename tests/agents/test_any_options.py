"""Options that no list of words has: measured, counted, compared, denied; answered as the table has it."""

import pytest
from small_shop import NOW, item_of, small_shop, tells

from tenfold.agents.brain import speak
from tenfold.agents.memory import Memory
from tenfold.agents.reading.cues import amounts_of
from tenfold.reply.reply import Answer, Unknown

PUMP = item_of(
    "Air Pump",
    ({"outlets": "1", "noise": "25 dB"}, "20.00", 3),
    ({"outlets": "2", "noise": "32 dB"}, "31.50", 0),
    ({"outlets": "4", "noise": "40 dB"}, "44.00", 12),
)
SEATS = item_of(
    "Hamlet",
    ({"category": "stalls", "surtitles": "yes"}, "60.00", 4),
    ({"category": "circle", "surtitles": "no"}, "45.00", 9),
    ({"category": "gallery", "surtitles": "no"}, "30.00", 0),
)
CHAIR = item_of("Stol Tromsø", ({"färg": "röd"}, "12.00", 5), ({"färg": "blå"}, "14.00", 1))
BOOK = item_of("Programme Book", ({"language": "English"}, "5.00", 2), ({"language": "French"}, "6.00", 2))


@pytest.fixture(scope="module")
def shop():
    return small_shop((PUMP, SEATS, BOOK, CHAIR), ())


@pytest.mark.parametrize(
    ("question", "has", "has_not"),
    [
        ("Which air pump has the most outlets?", ["44.00 USD"], ["20.00"]),
        ("which air pump has the fewest outlets?", ["20.00 USD"], ["44.00"]),
        ("what is the quietest air pump?", ["25 dB", "20.00 USD"], ["44.00"]),
        ("any air pump with more than 25 dB noise?", ["31.50 USD", "44.00 USD"], ["20.00"]),
        ("is there an air pump with at least 2 outlets?", ["31.50 USD", "44.00 USD"], ["20.00"]),
        ("is there an air pump with 69 dB noise?", ["No.", "25 dB, 32 dB, 40 dB"], ["Yes"]),
        ("what's the second cheapest air pump?", ["31.50 USD"], ["20.00"]),
        ("any air pump over 44.00?", ["No."], ["Yes"]),
        ("the cheapest air pump over 20 dollars?", ["31.50 USD"], ["20.00"]),
        ("how many different noises does the air pump come in?", ["3"], []),
        ("how much more is the Hamlet in stalls than in circle?", ["15.00 USD"], []),
        ("Hamlet in stalls?", ["60.00 USD"], ["45.00", "30.00"]),
        ("Is the circle Hamlet cheaper than the stalls one?", ["Yes."], []),
        ("Hamlet, without surtitles, gallery", ["30.00 USD"], ["60.00"]),
        ("Hamlet with another category than stalls?", ["45.00 USD"], ["60.00"]),
        ("Why is the Hamlet only available in circle?", ["No.", "stalls, circle, gallery"], ["Yes"]),
        ("are all the programme book French?", ["No.", "English, French"], ["Yes"]),
        ("is the Hamlet in gallery sold out?", ["Yes.", "out of stock"], []),
        ("is the Hamlet in circle sold out?", ["No.", "in stock"], []),
        ("which categories of the Hamlet are sold out?", ["30.00 USD and is out"], ["60.00 USD and", "45.00 USD and"]),
        ("which air pumps are in stock?", ["20.00 USD", "44.00 USD"], ["31.50"]),
        ("which air pumps are out of stock?", ["31.50 USD and is out"], ["20.00 USD and is", "44.00 USD and is"]),
        ("which air pumps aren't in stock?", ["31.50 USD and is out"], ["20.00 USD and is", "44.00 USD and is"]),
        ("isn't the French programme book in stock?", ["Yes.", "6.00 USD"], ["5.00"]),
        ("which air pumps are not sold out?", ["20.00 USD", "44.00 USD"], ["31.50"]),
        ("which programme books are sold out?", ["None.", "5.00 USD and is in stock"], []),
        ("are any air pumps sold out?", ["Yes.", "31.50 USD and is out"], ["20.00 USD and is"]),
        (
            "which are sold out?",
            ["31.50 USD and is out", "30.00 USD and is out"],
            ["45.00 USD and is", "5.00 USD and is"],
        ),
        ("how many languages does the French programme book come in?", ["one version, in stock"], ["1 version"]),
        ("how much is the stol tromso in rod?", ["12.00 USD"], ["14.00"]),
        ("Can I buy 12 of the Hamlet in circle?", ["No, not so many."], ["Yes"]),
        ("how much would 2 of the Hamlet in circle be altogether?", ["90.00 USD"], []),
    ],
)
async def test_the_answer_is_the_tables(shop, question, has, has_not):
    said = await speak(shop, question, Memory(), NOW)
    assert isinstance(said.reply, Answer), said.text
    tells(said.text, has, has_not)


@pytest.mark.parametrize(
    ("question", "has"),
    [
        ("I ordered an air pump yesterday, is the one with 4 outlets still in stock?", "12 pieces"),
        ("How much is the programme book in French? I used to have one", "6.00 USD"),
        ("I gave the programme book to my mother and she loved it, how much is the French one?", "6.00 USD"),
        ("Someone told us of the Hamlet in circle, what does it cost?", "45.00 USD"),
        ("Have you sold out of the Hamlet in gallery?", "Yes."),
    ],
)
async def test_what_is_told_beside_a_question_changes_no_answer(shop, question, has):
    said = await speak(shop, question, Memory(), NOW)
    assert isinstance(said.reply, Answer) and has in said.text, said.text


async def test_what_no_table_tells_is_named_as_that(shop):
    said = await speak(shop, "is the Hamlet in circle worth it?", Memory(), NOW)
    assert isinstance(said.reply, Unknown) and "worth (Hamlet)" in said.text
    said = await speak(shop, "I want the air pump engraved, how much is it?", Memory(), NOW)
    assert isinstance(said.reply, Unknown) and "engraved" in said.text


@pytest.mark.parametrize(
    "question",
    [
        "which programme book is the heaviest?",
        "how much did the air pump cost last year?",
        "will the air pump get cheaper soon?",
        "how many air pumps did you sell last month?",
        "what is the average price of the air pump?",
        "does the air pump come with a ten year guarantee?",
    ],
)
async def test_what_no_table_tells_is_not_answered_by_the_table(shop, question):
    said = await speak(shop, question, Memory(), NOW)
    assert isinstance(said.reply, Unknown), said.text


@pytest.mark.parametrize(
    ("questions", "has", "has_not"),
    [
        (["air pump with 25 dB?", "which other noises does it come in?"], ["25 dB, 32 dB, 40 dB"], []),
        (["air pump with 2 outlets?", "and the cheapest of all of them?"], ["20.00 USD"], ["31.50"]),
        (["Hamlet in stalls?", "who made it?"], ["I don't find"], ["60.00"]),
    ],
)
async def test_a_follow_up_keeps_only_what_it_does_not_turn(shop, questions, has, has_not):
    memory = Memory()
    for question in questions:
        said = await speak(shop, question, memory, NOW)
        memory = said.memory
    tells(said.text, has, has_not)


MUG = item_of("Stoneware Mug", ({"color": "blue"}, "10.00", 3), ({"color": "red"}, "10.00", 5))
KIT = item_of("Model Kit", ({"scale": "5s"}, "10.00", 5), ({"scale": "6s"}, "12.00", 5), ({"scale": "7s"}, "30.00", 5))
COURSE = item_of("Pottery Course", ({"level": "beginner"}, "10.00", 3), ({"level": "advanced"}, "11.00", 3))
PAINT = item_of("Wall Paint", ({"color": "white"}, "20.00", 9), ({"color": "black"}, "22.00", 9))


@pytest.fixture(scope="module")
def oddments():
    return small_shop((MUG, KIT, COURSE, PAINT), ())


@pytest.mark.parametrize(
    ("question", "has", "has_not"),
    [
        ("Do you have any model kit for less than 7 dollars?", ["No.", "10.00 USD"], ["Yes"]),
        ("Do you have any model kit for less than 7?", ["No.", "10.00 USD"], ["Yes"]),
        ("Do you have a model kit under 11?", ["Yes.", "10.00 USD"], ["12.00", "30.00"]),
        ("I want 2 model kits", ["20.00 USD", "24.00 USD", "60.00 USD"], []),
        ("Can I buy 3 of the beginner pottery course?", ["Yes.", "30.00 USD"], []),
    ],
)
async def test_a_number_is_a_price_or_a_count_where_options_end_in_s(oddments, question, has, has_not):
    said = await speak(oddments, question, Memory(), NOW)
    assert isinstance(said.reply, Answer), said.text
    tells(said.text, has, has_not)


@pytest.mark.parametrize(
    "question",
    [
        "Is week 3 of the pottery course available?",
        "Do you have a model kit for 12?",
        "Do you sell a mug warmer?",
        "Do you have paint thinner?",
    ],
)
async def test_a_part_or_another_thing_is_not_taken_for_the_thing_named(oddments, question):
    said = await speak(oddments, question, Memory(), NOW)
    assert isinstance(said.reply, Unknown), said.text


@pytest.mark.parametrize(
    ("text", "most", "currency"),
    [
        ("under 1300 kr", 1300, "SEK"),
        ("under 20 kroner", 20, "NOK"),
        ("under 9 krills", 9, ""),
        ("under 1.300 kr", 1300, "SEK"),
        ("under 1.299,50 eur", 1299.5, "EUR"),
        ("under $1,299.50", 1299.5, "USD"),
    ],
)
def test_amounts_are_read_as_people_of_any_country_write_them(text, most, currency):
    found = amounts_of(text)
    assert (found.most, found.currency) == (most, currency)
