"""What is done for a customer in the shop's own system: once, for whom it is, through kills and a shop that is away."""

import hashlib
import hmac
import json
import time

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from product_processes import serving
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from tenfold.agents import identity, tables
from tenfold.agents.acting import code_in, is_no, is_thanks, is_yes
from tenfold.agents.conversations import Conversations
from tenfold.agents.deeds import Deeds, NotDone, digest_of, propose, read_deed
from tenfold.agents.orders import Ask
from tenfold.agents.shop_orders import ShopOrders
from tenfold.agents.tables import Business
from tenfold.core.store import open_store

SECRET = "s" * 40
SHOP = Business("shop", "Shop", 0.0, SECRET, {})
CANCEL = Ask("cancel_order", "A-1")


class Shop:
    """The shop's own system. ``mood``: how it answers."""

    def __init__(self):
        self.mood = "well"
        self.done: dict[str, dict] = {}
        self.calls = 0

    async def tool(self, request):
        raw = await request.body()
        expected = "sha256=" + hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
        assert request.headers["x-tenfold-signature"] == expected
        self.calls += 1
        body = json.loads(raw)
        order = {"id": body["id"], "customer": "ann", "state": "cancelled", "extra": "ignored"}
        if self.mood == "refuses":
            return JSONResponse({"message": "It has been shipped already."}, 409)
        if self.mood == "mistaken":
            return JSONResponse({**order, "customer": "ben"})
        if body["id"] != "A-1":
            return JSONResponse({}, 404)
        if request.path_params["tool"] == "get_contact":
            return JSONResponse({"customer": "ann", "email": "ann@example.com"})
        self.done.setdefault(request.headers["idempotency-key"], order)
        # It is done, and the answer is lost.
        return JSONResponse({}, 500) if self.mood == "breaks" else JSONResponse(order)


class Idle:
    async def think(self, thread, message):
        raise NotImplementedError


@pytest.fixture
async def shop():
    found = Shop()
    async with serving(Starlette(routes=[Route("/{tool}", found.tool, methods=["POST"])])) as found.url:
        yield found


@pytest.fixture
async def deeds(tmp_path, shop):
    store = open_store(f"sqlite:///{tmp_path / 'agents.db'}", tables.MIGRATIONS)
    talk = Conversations(store, Idle())
    async with aiohttp.ClientSession() as session:
        found = Deeds(talk.read, talk.write, lambda: found.now)
        found.now = 1000.0
        found.orders = ShopOrders(SHOP, shop.url, session)
        yield found
        await talk.close()
    store.close()


async def proposed(deeds, ask=CANCEL, key="k1", thread="t"):
    return await deeds.write(lambda c: propose(c, "shop", thread, ask, key, f"Cancel order {ask.id}.", deeds.now))


async def carry_out(deeds, deed, customer="ann", confirmed=None, thread="t"):
    return await deeds.carry_out(
        "shop",
        deed.id,
        orders=deeds.orders,
        customer=customer,
        confirmed=digest_of(deed.summary) if confirmed is None else confirmed,
        summary_now=lambda ask: f"Cancel order {ask.id}.",
        thread=thread,
    )


async def refused(deeds, deed, **more):
    with pytest.raises(NotDone) as told:
        await carry_out(deeds, deed, **more)
    return told.value.code


async def test_nothing_reaches_the_shop_before_all_that_is_needed_is_there(deeds, shop):
    deed = await proposed(deeds)
    assert await refused(deeds, deed, customer="") == "identity_required"
    assert await refused(deeds, deed, confirmed="") == "confirmation_required"
    assert await refused(deeds, deed, confirmed="yes") == "confirmation_required"
    assert await refused(deeds, deed, thread="another") == "unknown"
    deeds.now += 901
    assert await refused(deeds, deed) == "expired"
    await deeds.decline("shop", deed.id, "t")
    assert await refused(deeds, deed) == "declined"
    assert shop.calls == 0


async def test_an_answer_that_was_lost_is_asked_for_again_and_the_shop_does_it_once(deeds, shop):
    deed = await proposed(deeds)
    shop.mood = "breaks"
    with pytest.raises(OSError, match="answered 500"):
        await carry_out(deeds, deed)
    # Nobody else can take it over from here.
    assert await refused(deeds, deed, customer="ben") == "unknown"
    shop.mood = "well"

    async def orders_of(business):
        return deeds.orders if business == "shop" else None

    # As when a process starts: what was begun is gone on with.
    await deeds.resume(orders_of)
    found = await deeds.read(lambda connection: read_deed(connection, "shop", deed.id))
    assert (found.state, found.customer, found.result["state"]) == ("done", "ann", "cancelled")
    calls = shop.calls
    assert (await carry_out(deeds, deed)).result == found.result
    assert shop.calls == calls and len(shop.done) == 1


async def test_the_shops_no_is_told_and_its_mistakes_show_nobody_anothers_order(deeds, shop):
    shop.mood = "refuses"
    deed = await proposed(deeds)
    with pytest.raises(NotDone, match="shipped already") as told:
        await carry_out(deeds, deed)
    assert told.value.code == "refused"
    assert await refused(deeds, deed) == "refused"
    shop.mood = "mistaken"
    with pytest.raises(OSError, match="another customer's"):
        await deeds.orders.order("A-1", "ann")
    shop.mood = "well"
    assert await deeds.orders.order("A-9", "ann") is None
    assert await deeds.orders.contact_of("A-1") == ("ann", "ann@example.com")
    assert await deeds.orders.contact_of("A-9") is None


async def test_a_key_stands_for_one_thing_only(deeds):
    deed = await proposed(deeds)
    assert (await proposed(deeds)).id == deed.id
    with pytest.raises(NotDone, match="something else"):
        await proposed(deeds, Ask("cancel_order", "A-2"))
    with pytest.raises(NotDone, match="something else"):
        await proposed(deeds, thread="another")


def test_a_token_proves_who_somebody_is_only_as_the_shop_signed_it():
    now = time.time()
    good = identity.sign_customer(SHOP, "ann", now + 60)
    assert identity.customer_of(good, SHOP, now) == "ann"
    other = Business("other", "Other", 0.0, SECRET, {})
    stolen = Business("shop", "Shop", 0.0, "x" * 40, {})
    for token in (
        "",
        "ann",
        good[:-2],
        good.rpartition(".")[0] + ".",
        identity.sign_customer(SHOP, "", now + 60),
        identity.sign_customer(SHOP, "ann", now - 1),
        identity.sign_customer(SHOP, "ann", now + 10**9),
        identity.sign_customer(other, "ann", now + 60),
        identity.sign_customer(stolen, "ann", now + 60),
    ):
        with pytest.raises(identity.NotProven):
            identity.customer_of(token, SHOP, now)


def test_a_code_works_once_for_its_thread_and_guessing_ends(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'agents.db'}", tables.MIGRATIONS)
    with store.writing() as connection:
        web = tables.Opening("web", "", False, 0.0)
        for thread in ("t", "u", "v", "w"):
            tables.take_message(connection, "shop", thread, "m", "hi", web, 0.0)
        code = identity.make_code(connection, "shop", "t", "ann", 0.0)
        assert not identity.try_code(connection, "shop", "u", code, 1.0)
        assert not identity.try_code(connection, "other", "t", code, 1.0)
        assert not identity.try_code(connection, "shop", "t", code, 601.0)
        assert identity.try_code(connection, "shop", "t", code, 1.0)
        assert tables.read_thread(connection, "shop", "t").customer_at(2.0) == "ann"
        assert tables.read_thread(connection, "shop", "t").customer_at(3700.0) == ""
        assert not identity.try_code(connection, "shop", "t", code, 1.0)

        code = identity.make_code(connection, "shop", "t", "ann", 0.0)
        for _ in range(5):
            assert not identity.try_code(connection, "shop", "t", "none", 1.0)
        assert not identity.try_code(connection, "shop", "t", code, 1.0)
        made = [identity.make_code(connection, "shop", thread, "ann", 1.0) for thread in ("u", "v", "w")]
        assert made[0] and made[1] and made[2] is None
    store.close()


@given(st.text(max_size=60))
def test_no_message_is_a_yes_and_a_no_and_a_question_is_neither(text):
    assert not (is_yes(text) and is_no(text))
    if "?" in text:
        assert not is_yes(text) and not is_no(text)


def test_a_yes_a_no_a_code_and_thanks_are_told_apart():
    assert all(map(is_yes, ["yes", "Yes please!", "ok, do it", "Ja"]))
    assert not any(map(is_yes, ["yes?", "yesterday I ordered it", "is it ok?", "no yes"]))
    assert all(map(is_no, ["no", "No thanks", "stop", "don't"]))
    assert (code_in(" 123456 "), code_in("1234567"), code_in("code 123456")) == ("123456", "", "")
    assert all(map(is_thanks, ["Thanks!", "great, thank you so much", "Danke"]))
    assert not any(map(is_thanks, ["thanks, but is it waterproof?", "I need a thank you card"]))
