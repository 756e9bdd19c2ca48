"""A writer makes a reply more fluent, and never less true."""

from tenfold.catalog.item import Item, Offer, Variant
from tenfold.catalog.money import Money
from tenfold.reply.reply import Answer, Claim, Evidence
from tenfold.reply.write import read_drafts, write

VARIANT = Variant("L1", "lamp", {"color": "white"}, Offer(Money.of("35", "USD"), True, 2))
ANSWER = Answer(
    (Claim("Desk Lamp (color: white) costs {price:L1}.", ("i",)), Claim("It is {stock:L1}.", ("i",))),
    {"i": Evidence("i", Item("lamp", "Desk Lamp", (VARIANT,)))},
)


async def test_sentences_that_the_gate_refuses_are_the_templates():
    async def half_a_liar(question, claims):
        assert question == "how much?" and "{price:L1}" in claims[0]
        return ["The white Desk Lamp costs {price:L1}.", "It is {stock:L1} and dimmable."]

    written = await write("how much?", ANSWER, half_a_liar)
    assert [claim.text for claim in written.answer.claims] == [
        "The white Desk Lamp costs {price:L1}.",
        "It is {stock:L1}.",
    ]
    assert written.refused == ("word 'dimmable'",)
    assert [claim.evidence for claim in written.answer.claims] == [("i",), ("i",)]


async def test_a_writer_that_says_too_little_or_nothing_is_not_used():
    async def short(question, claims):
        return ["Hello."]

    async def empty(question, claims):
        return ["", " "]

    assert (await write("?", ANSWER, short)).answer == ANSWER
    assert (await write("?", ANSWER, empty)).answer == ANSWER
    assert (await write("?", ANSWER, None)).refused == ()


def test_numbered_sentences_are_read_by_their_numbers():
    assert read_drafts("Sure!\n2. Second.\n1) First.\n", 3) == ["First.", "Second.", ""]
