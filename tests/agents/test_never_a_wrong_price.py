"""No writer, no order in a text, and no change of prices makes the agent say what is not so."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from small_shop import NOW, LetterEmbedder

from agent.lies import Market, faults_of, liar, market, question
from tenfold.agents.brain import respond, speak
from tenfold.agents.memory import Memory
from tenfold.agents.shop import Shop
from tenfold.reply.gate import faults
from tenfold.reply.reply import Answer


def open_shop(goods: Market) -> Shop:
    return Shop.of("random", goods.items, (), LetterEmbedder(), NOW, offer_of=goods.offers.__getitem__)


@given(st.integers(0, 2**32))
def test_prices_and_stock_are_right_whoever_writes_and_whatever_changes(seed):
    import asyncio

    random = Random(seed)
    goods = market(random)
    shop, memory = open_shop(goods), Memory()
    for _ in range(6):
        goods.change(random)
        asked = question(random, goods.items)
        said = asyncio.run(speak(shop, asked, memory, NOW, liar(random, goods)))
        memory = said.memory
        if isinstance(said.reply, Answer):
            assert faults_of(asked, said.reply, goods) == []


@given(st.integers(0, 2**32))
def test_templates_say_nothing_that_their_evidence_does_not(seed):
    random = Random(seed)
    goods = market(random)
    shop, memory = open_shop(goods), Memory()
    for _ in range(6):
        reply, memory = respond(shop, question(random, goods.items), memory, NOW)
        assert Memory.from_json(memory.to_json()) == memory
        if isinstance(reply, Answer):
            for claim in reply.claims:
                assert faults(claim.text, claim, reply.evidence, is_template=True) == (), claim.text


def test_the_oracle_finds_wrong_prices():
    """The test of the test: an answer by yesterday's prices is found out."""
    import asyncio

    random = Random(3)
    goods = market(random)
    said = asyncio.run(speak(open_shop(goods), f"cheapest {goods.items[0].title}", Memory(), NOW))
    assert isinstance(said.reply, Answer) and faults_of("", said.reply, goods) == []
    for _ in range(9):
        goods.change(random)
    assert faults_of("", said.reply, goods)
