"""The API of agents: what a customer gets, what an owner gets, and what neither gets of another's."""

import asyncio
from dataclasses import replace

import pytest
from agents_pool import NOW, SHOP, THREAD, agents

from tenfold.catalog.gathered import Gathered
from tenfold.catalog.money import Money


@pytest.fixture
async def pool(tmp_path):
    async with agents(tmp_path) as found:
        assert (await found.ask("/v1/agents/businesses", {"id": "shop", "name": "The Shop"}))[0] == 200
        found.desk.shelf.put("shop", "feed", SHOP, NOW)
        yield found


async def said(pool, text, identity, **more):
    status, found = await pool.write(text, identity=identity, **more)
    assert status == 200, found
    return found["reply"]["said"]


async def test_a_customer_is_answered_from_what_the_shop_sells_and_writes_with_the_prices_of_the_moment(pool):
    first = await said(pool, "How much is the Trail Jacket in blue, size M?", "m1")
    assert first["type"] == "answer" and "89.50 EUR" in first["text"]
    assert "jacket-blue-M" in {each["product"] for claim in first["claims"] for each in claim["evidence"]}
    # The price changes in mid-conversation, and what is asked next is about the same.
    offer = SHOP.items[0].variants[0].offer
    pool.desk.shelf.set_offer("shop", "jacket-blue-M", replace(offer, price=Money.of("95", "EUR"), stock=2), NOW)
    assert "95.00 EUR" in (await said(pool, "What does it cost?", "m2"))["text"]
    policy = await said(pool, "Can I return things?", "m3")
    assert policy["claims"][0]["evidence"][0]["url"] == "https://shop.example/returns"
    assert "30 days" in policy["text"]
    # What the shop no longer has is gone with the next question.
    pool.desk.shelf.put("shop", "feed", Gathered(SHOP.items[1:], SHOP.passages[:1]), NOW)
    gone = await said(pool, "When is the store open on Saturday?", "m4")
    assert gone["type"] == "unknown" and gone["as_of"].startswith("2026-11-28")
    assert (await said(pool, "How much is the Wool Cap?", "m5"))["text"].count("15.00 EUR") == 1


async def test_a_customer_who_asks_for_a_human_gets_one_in_the_same_thread(pool):
    status, found = await pool.write("I want to talk to a human please")
    assert (status, found["reply"]["said"]["type"]) == (200, "handoff")
    status, found = await pool.write("still there?", identity="m2")
    assert (status, found["state"], found["reply"]) == (202, "with_human", None)
    _, inbox = await pool.ask("/v1/agents/shop/threads?held_by=human")
    assert [thread["id"] for thread in inbox["threads"]] == [THREAD]

    human = {"id": "h1", "text": "Ben here. What can I do?"}
    assert (await pool.ask(f"/v1/agents/shop/inbox/{THREAD}/messages", human))[0] == 200
    _, thread = await pool.ask(f"/v1/agents/shop/threads/{THREAD}?after={found['number']}")
    assert [(each["role"], each["text"]) for each in thread["messages"]] == [("human", human["text"])]
    _, thread = await pool.ask(f"/v1/agents/shop/inbox/{THREAD}/hand_back", {})
    assert thread["held_by"] == "agent"
    status, found = await pool.write("thanks", identity="m3")
    assert (status, found["state"]) == (200, "answered")


async def test_two_changes_of_settings_at_once_are_both_kept(pool):
    given = [{"notify_email": "owner@shop.example"}, {"margin": 0.25}, {"usd_per_resolved": 2.0}]
    path = "/v1/agents/shop/settings"
    assert {status for status, _ in await asyncio.gather(*(pool.ask(path, each) for each in given))} == {200}
    _, found = await pool.ask(path)
    assert {key: found[key] for each in given for key in each} == {key: each[key] for each in given for key in each}
    assert (await pool.ask(path, {"margin": 2.0}))[0] == 422


async def test_nobody_gets_at_another_business_or_thread(pool):
    await pool.ask("/v1/agents/businesses", {"id": "bakery"})
    await pool.write("hello")
    owner = {"x_tenfold_role": "owner", "x_tenfold_tenant": "bakery"}
    guest = {"x_tenfold_role": "public", "x_tenfold_tenant": "bakery"}
    nobody = {"x_tenfold_role": "public", "x_tenfold_tenant": ""}
    public = "/v1/agents/public/shop"
    for headers, path, body in [
        (owner, "/v1/agents/shop/threads", None),
        (owner, f"/v1/agents/shop/threads/{THREAD}", None),
        (owner, f"{public}/threads/{THREAD}", None),
        (owner, "/v1/agents/businesses", {"id": "shop"}),
        (owner, f"/v1/agents/shop/inbox/{THREAD}/messages", {"id": "1", "text": "pay me"}),
        (owner, f"/v1/agents/shop/inbox/{THREAD}/hand_back", {}),
        (guest, f"{public}/threads/{THREAD}", None),
        (guest, f"{public}/threads/{THREAD}/messages", {"id": "1", "text": "hello"}),
        (guest, f"/v1/agents/bakery/threads/{THREAD}", None),
        (nobody, f"{public}/threads/{THREAD}", None),
        (nobody, f"{public}/threads/{THREAD}/messages", {"id": "1", "text": "hello"}),
    ]:
        status, found = await pool.ask(path, body, **headers)
        assert status in (403, 404), (path, found)
    _, found = await pool.ask("/v1/agents/businesses", **owner)
    assert [each["id"] for each in found["businesses"]] == ["bakery"]
    # Whose key the page has may write, and read what it has the name of.
    mine = {"x_tenfold_role": "public", "x_tenfold_tenant": "shop"}
    assert (await pool.ask(f"{public}/threads/{THREAD}", **mine))[0] == 200
    status, found = await pool.ask(f"{public}/threads/short/messages", {"id": "1", "text": "hi"}, **mine)
    assert status == 422 and "thread:" in found["error"]["message"]


async def test_what_is_wrong_is_named(pool):
    for body, part in [({"id": "a/b", "text": "x"}, "id:"), ({"id": "a", "text": ""}, "text:"), ({"id": "a"}, "text:")]:
        status, found = await pool.ask(f"/v1/agents/shop/threads/{THREAD}/messages", body)
        assert status == 422 and part in found["error"]["message"], found
    status, found = await pool.write("hello", business="nobody")
    assert status == 404 and "tenfold agents add" in found["error"]["message"]
    assert (await pool.ask("/v1/agents/businesses", {"id": "public"}))[0] == 422
