"""What texts tell is quoted where it surely answers, pointed at where it may, and else nothing is said."""

from datetime import UTC, datetime

import pytest

from tenfold.agents.ask import told
from tenfold.agents.brain import speak
from tenfold.agents.lookup import quoted
from tenfold.agents.memory import Memory
from tenfold.agents.said import said_of
from tenfold.agents.shop import Shop
from tenfold.agents.tells import Telling, windows_of
from tenfold.catalog.passage import Passage
from tenfold.reply.reply import Unknown

NOW = datetime(2026, 11, 28, tzinfo=UTC)
TEXTS = {
    "Colour": "After henna we cannot bleach. After a box dye we do a strand test first, 10 EUR. "
    "We do not tint or bleach hair of anyone under 16. From 16 to 18 a parent signs.",
    "Booking": "From Tuesday to Thursday we also take people without an appointment; on Friday and Saturday we cannot. "
    "If you are more than 15 minutes late we may have to shorten the treatment.",
    "Paying": "You can pay in cash, with a debit card and with our own vouchers. We have no credit card terminal.",
    "Dogs": "Dogs may come if they are quiet and the other guests don't mind.",
}


@pytest.fixture(scope="module")
def shop(minilm):
    passages = [Passage(title, title, f"{title.lower()}.md", title, text, NOW) for title, text in TEXTS.items()]
    return Shop.of("salon", (), passages, minilm, NOW)


async def ask(shop, question):
    return await speak(shop, question, Memory(), NOW)


@pytest.mark.parametrize(
    ("question", "has"),
    [
        ("do you take credit cards?", "no credit card terminal"),
        ("what if I am late?", "15 minutes late"),
        ("does the strand test cost anything?", "10 EUR"),
        ("I coloured my hair with henna some weeks ago, could you bleach it for me now?", "cannot bleach"),
        ("stuck in traffic, I will be half an hour late for my treatment, is that a problem?", "15 minutes late"),
    ],
)
async def test_what_surely_answers_is_quoted_with_where_it_stands(shop, question, has):
    said = told(await ask(shop, question))
    assert (said["type"], has in said["text"]) == ("answer", True), said["text"]
    assert any(source["url"].endswith(".md") for claim in said["claims"] for source in claim["evidence"])


async def test_what_may_answer_is_pointed_at_and_nobody_says_that_it_does(shop):
    found = await ask(shop, "can I pay with visa?")
    assert isinstance(found.reply, Unknown)
    said = told(found)
    assert said["type"] == "unknown"
    assert "nothing that surely answers" in said["text"] and "no credit card terminal" in said["text"]
    assert {"url": "paying.md"} in [each for claim in said["claims"] for each in claim["evidence"]]
    assert said_of(found.reply).claims[0].evidence[0].url == "paying.md"


async def test_what_no_text_comes_near_is_not_answered_by_another(shop):
    said = told(await ask(shop, "do you sell bicycles?"))
    assert (said["type"], said["claims"]) == ("unknown", [])


RENT = """We rent bikes by the day and by the week. A helmet comes with each bike.
Prices:
- city bike: 12 EUR a day
- e-bike: 30 EUR a day
Children under 12 ride with an adult. A deposit of 50 EUR is paid at the counter.
It is paid back when the bike is back whole. Who comes back late pays for another day.
Bikes can be left in the yard behind the shop until 22:00, locked."""


def test_a_quote_keeps_its_lines_and_says_no_sentence_twice():
    rent = Passage("rent", "rent", "rent.md", "Rent", RENT, NOW)
    windows = windows_of(rent)
    told = [Telling(windows[at], rent, 0.3) for at in (2, 0, -1)]
    first, second = (claim.text for claim in quoted(told).claims)
    assert first == "Rent: " + RENT[: RENT.index("\nChildren")]
    assert second == "Rent: " + RENT[RENT.index("It is paid back") :]
