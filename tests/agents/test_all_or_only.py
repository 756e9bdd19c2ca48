"""Questions of all, of each and of "only": what the table denies is denied, and what holds of all is affirmed."""

import pytest
from small_shop import NOW, item_of, small_shop

from tenfold.agents.brain import speak
from tenfold.agents.memory import Memory
from tenfold.reply.reply import Answer

MUG = item_of(
    "Stoneware Mug",
    ({"color": "blue", "size": "S"}, "10.00", 3),
    ({"color": "blue", "size": "M"}, "11.00", 3),
    ({"color": "blue", "size": "L"}, "12.00", 4),
    ({"color": "red", "size": "S"}, "10.00", 5),
    ({"color": "red", "size": "M"}, "11.00", 0),
)
LAMP = item_of("Desk Lamp", ({"color": "black"}, "30.00", 4), ({"color": "white"}, "35.00", 4))
POT = item_of("Tea Pot", ({"color": "green", "size": "S"}, "20.00", 2), ({"color": "red", "size": "L"}, "25.00", 2))


@pytest.fixture(scope="module")
def shop():
    return small_shop((MUG, LAMP, POT), ())


@pytest.mark.parametrize(
    ("question", "lead"),
    [
        ("Are the small blue mugs 10 dollars each?", "Yes."),
        ("Are all blue mugs in stock?", "Yes."),
        ("Are the blue mugs all in stock?", "Yes."),
        ("Are all red mugs in stock?", "No."),
        ("Are all the blue mugs under 20 dollars?", "Yes."),
        ("Are all the blue mugs under 11 dollars?", "No."),
        ("Are all the blue mugs 10 dollars?", "No."),
        ("Do the blue mugs cost 10 USD each?", "Stoneware Mug"),
        ("Do all blue mugs cost the same?", "Stoneware Mug"),
        ("Do you have the blue stoneware mug in every size?", "Stoneware Mug with color: blue comes in size: S, M, L."),
        ("Is the red mug in small always available?", "Yes."),
        ("Do you have any blue mugs at all?", "Yes."),
        ("Do you have all-black desk lamps?", "Yes."),
        ("Does every lamp come in black?", "Yes."),
        ("Are all the mugs blue?", "No. Stoneware Mug comes in color: blue, red."),
        ("Is the mug always blue?", "No. Stoneware Mug comes in color: blue, red."),
        ("Is every lamp black or white?", "Yes, only that."),
    ],
)
async def test_what_is_asked_of_all_is_told_of_all(shop, question, lead):
    said = await speak(shop, question, Memory(), NOW)
    assert isinstance(said.reply, Answer), said.text
    assert said.text.startswith(lead), said.text


async def test_for_every_day_claims_nothing_of_all_products(shop):
    said = await speak(shop, "Is there something in black for every day?", Memory(), NOW)
    assert "30.00 USD" in said.text, said.text
    assert "Mug" not in said.text, said.text


@pytest.mark.parametrize(
    ("question", "lead"),
    [
        ("Does the red tea pot only come in large?", "Yes, only that. Tea Pot with color: red comes in size: L."),
        ("Does the red tea pot come in large only?", "Yes, only that. Tea Pot with color: red comes in size: L."),
        ("Does the red mug only come in small?", "No. Stoneware Mug with color: red comes in size: S, M."),
        ("Is the red mug only available in small?", "In stock, only that."),
        ("Do you have mugs only in blue?", "No."),
        ("Do you have just a blue mug?", "Yes."),
    ],
)
async def test_only_is_judged_of_what_stands_beside_it(shop, question, lead):
    said = await speak(shop, question, Memory(), NOW)
    assert isinstance(said.reply, Answer), said.text
    assert said.text.startswith(lead), said.text


@pytest.mark.parametrize(
    ("question", "lead"),
    [
        ("Do you have 4 blue mugs?", "Yes."),
        ("Do you have 8 blue mugs?", "Stoneware Mug"),
        ("Do you have 11 blue mugs?", "No, not so many."),
    ],
)
async def test_so_many_of_several_kinds_are_neither_promised_nor_denied(shop, question, lead):
    said = await speak(shop, question, Memory(), NOW)
    assert said.text.startswith(lead), said.text
