"""What conversations earn, and what of it the model's words earned beyond the templates."""

import pytest
import sqlalchemy as sa
from agents_pool import NOW, SHOP, agents
from minipool import until
from product_processes import serving
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from tenfold.agents import tables, worth
from tenfold.agents.settings import AgentsSettings
from tenfold.agents.tables import Opening
from tenfold.core.store import open_store
from tenfold.pool.metering.used import NANO

SHARE = 0.5
NAMES = [f"thread-of-person-{number}" for number in range(40)]
SERVED = [name for name in NAMES if not worth.draw("shop", name, SHARE)]
HELD_OUT = [name for name in NAMES if worth.draw("shop", name, SHARE)]


@pytest.fixture
def store(database):
    found = open_store(database("agents"), tables.MIGRATIONS)
    with found.writing() as connection:
        tables.add_business(connection, "shop", "Shop", 0.0)
        tables.set_settings(connection, "shop", {"usd_per_resolved": 2.0, "margin": 0.5})
    yield found
    found.close()


def begin(connection, name, share=SHARE, held_out=False):
    tables.take_message(connection, "shop", name, "m1", "hi", Opening("web", "", held_out, share), 0.0)
    return tables.read_business(connection, "shop")


def test_a_conversation_is_worth_its_resolution_once_and_what_it_sold(store):
    with store.writing() as connection:
        shop = begin(connection, "a")
        for by, usd in [("thanks", 2.0), ("button", 2.0), ("", 0.0), ("button", 2.0), ("button", 2.0)]:
            worth.resolve(connection, shop, "a", by)
            assert tables.read_thread(connection, "shop", "a").earned_usd == usd
        offer = SHOP.items[0].variants[0].offer
        worth.sell(connection, shop, "a", [worth.Line("jacket", 2), worth.Line("gone", 1)], {"jacket": offer})
        found = tables.read_thread(connection, "shop", "a")
        assert (found.earned_usd, found.resolved_by) == (2.0 + 89.5, "order")
        # What was bought stays bought, whatever the button says.
        worth.resolve(connection, shop, "a", "")
        assert tables.read_thread(connection, "shop", "a").resolved_by == "order"


def test_what_is_told_is_what_the_served_earned_less_what_as_many_held_out_did_each_dollar_once(store):
    with store.writing() as connection:
        shop = begin(connection, "served-1")
        begin(connection, "served-2")
        worth.resolve(connection, shop, "served-1", "button")
        # Nobody is held out yet: nothing is known, and what was earned is not told later either.
        assert worth.take_untold(connection) is None
        begin(connection, "held-out", held_out=True)
        begin(connection, "before", share=0.0)
        worth.resolve(connection, shop, "before", "button")
        assert not worth.has_untold(connection)
        worth.resolve(connection, shop, "served-2", "button")
        assert worth.take_untold(connection) == 2.0
        assert worth.take_untold(connection) is None
        worth.resolve(connection, shop, "held-out", "button")
        # One of one who is held out stands against two of two.
        assert worth.take_untold(connection) == -4.0
        assert worth.take_untold(connection) is None


class Model:
    """Words what it is asked to; ``words`` makes a sentence of a claim."""

    def __init__(self):
        self.words = lambda claim: f"Sure, {claim[0].lower()}{claim[1:]}"
        self.asked = []

    async def chat(self, request):
        body = await request.json()
        self.asked.append((request.headers["x-tenfold-for"], body))
        lines = [line for line in body["messages"][0]["content"].splitlines() if line[:1].isdigit()]
        text = "\n".join(f"{line.split('.', 1)[0]}. {self.words(line.split('. ', 1)[1])}" for line in lines)
        usage = {"completion_tokens": 7}
        return JSONResponse({"choices": [{"message": {"content": text}}], "usage": usage})


@pytest.mark.slow
async def test_the_model_words_replies_of_those_not_held_out_and_cannot_change_what_is_true(tmp_path):
    model = Model()
    routes = [Route("/v1/chat/completions", model.chat, methods=["POST"])]
    settings = AgentsSettings(writer="serve", holdout=SHARE)
    async with serving(Starlette(routes=routes)) as url, agents(tmp_path, settings, front_url=url) as pool:
        await pool.ask("/v1/agents/businesses", {"id": "shop"})
        await pool.ask("/v1/agents/shop/settings", {"usd_per_resolved": 2.0})
        pool.desk.shelf.put("shop", "feed", SHOP, NOW)

        async def reply(thread, identity):
            status, found = await pool.write("How much is the Wool Cap?", thread=thread, identity=identity)
            assert status == 200
            return found["reply"]["text"]

        template = await reply(HELD_OUT[0], "m1")
        assert "15.00 EUR" in template and not model.asked
        worded = await reply(SERVED[0], "m1")
        assert worded.startswith("Sure, ") and "15.00 EUR" in worded
        assert model.asked[0][0] == "agents/shop"
        # One that lies is not heard.
        for lie in ("It is free today.", "The cap costs 1 EUR.", "It has a lifetime warranty from NASA."):
            model.words = lambda _, lie=lie: lie
            assert await reply(SERVED[0], f"lie {lie}".replace("/", "")) == template

        for name in (HELD_OUT[0], SERVED[0]):
            path = f"/v1/agents/shop/threads/{name}/resolved"
            assert (await pool.ask(path, {"resolved": True}))[0] == 200
            if name == HELD_OUT[0]:
                await until(lambda: not untold(pool), 30)

        def told():
            with pool.store.reading() as connection:
                query = "SELECT coalesce(sum(nano_usd), 0), sum(units) FROM earnings WHERE workload = 'serve'"
                return tuple(connection.execute(sa.text(query)).one())

        # One of each group was helped: -2 against nobody's, then +2.
        await until(lambda: told() == (0 * NANO, 7.0 * 4), 30)


def untold(pool):
    with pool.store.reading() as connection:
        return worth.has_untold(connection)
