"""``tenfold agents``: a business gets an agent from its files, customers chat in a terminal, and a human answers."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from agents_pool import agents

from tenfold.agents import onboarding, show, terminal
from tenfold.catalog.shipped import DEMO_FOLDER
from tenfold.core.errors import TenfoldError, UsageError
from tenfold.pool.keys import Keyring, read_keys

FEED = """\
id,title,options,price,stock
j1,Rain Jacket,color: blue; size: M,89.50,4
j2,Rain Jacket,color: red; size: M,79.00,0
c1,Wool Cap,color: green,15.00,12
x1,Broken Thing,,about ten,1
"""


@pytest.fixture
async def pool(tmp_path, monkeypatch):
    monkeypatch.setenv("TENFOLD_HOME", str(tmp_path))
    async with agents(tmp_path) as found:
        yield found


def write_sources(folder: Path):
    (folder / "products.csv").write_text(FEED)
    docs = folder / "docs"
    docs.mkdir(exist_ok=True)
    (docs / "returns.md").write_text("# Returns\n\nYou can return anything within 30 days. Sending back is free.\n")
    (docs / "photo.bin").write_bytes(b"\x00\x01")
    return onboarding.sources_of([str(folder / "products.csv")], [], [str(docs)])


async def add(pool, folder, **more):
    said = []
    sources = write_sources(folder)
    arguments = ("shop.example", more.get("name", ""), sources, "EUR", (), lambda what, _: said.append(what))
    added = await asyncio.to_thread(onboarding.add, pool.url, folder, folder / "cache", *arguments)
    return added, said


async def test_files_become_an_agent_that_answers_and_what_was_skipped_is_told(pool, tmp_path, capsys):
    added, said = await add(pool, tmp_path, name="The Shop")
    feed, docs = added.read
    assert (feed.source, feed.items, feed.variants, docs.passages) == ("feed products.csv", 2, 3, 1)
    assert [skip.where for skip in feed.skipped] == ["products.csv, row 5"] and "about ten" in feed.skipped[0].why
    assert [skip.where for skip in docs.skipped] == ["photo.bin"]
    assert any(text.startswith("embedding") for text in said)
    show.added(added, json=False)
    printed = capsys.readouterr().out
    assert "skipped products.csv, row 5" in printed and "shop.example has an agent" in printed

    # The tag's key is the visitors' of this business, for its own pages.
    key = re.search(r'src="\S+/v1/agents/public/widget\.js\?key=(tf_\S+)"', printed)[1]
    found = Keyring(tmp_path).find(key)
    assert (found.role, found.tenant, found.origins[0]) == ("visitor", "shop.example", "https://shop.example")
    # Added once more: nothing has changed, and the page keeps its tag.
    again, _ = await add(pool, tmp_path)
    assert again.tag == "" and len(read_keys(tmp_path)) == 1
    assert [(each.change.added, each.change.changed, each.change.same) for each in again.read] == [(0, 0, 2), (0, 0, 1)]
    assert [each.change.offers for each in again.read] == [0, 0]

    status, reply = await pool.write("How much is the blue rain jacket?", business="shop.example")
    assert status == 200 and "89.50 EUR" in reply["reply"]["text"]
    _, listed = await pool.ask("/v1/agents/businesses")
    assert [(each["id"], each["name"], each["items"]) for each in listed["businesses"]] == [
        ("shop.example", "shop.example", 2)
    ]


async def test_a_feed_with_new_prices_is_told_of_where_nothing_else_of_it_is_new(pool, tmp_path, capsys):
    await add(pool, tmp_path)
    feed = tmp_path / "products.csv"
    feed.write_text(FEED.replace("89.50,4", "85.00,4").replace("15.00,12", "15.00,0"))
    sources = onboarding.sources_of([str(feed)], [], [])
    arguments = (pool.url, tmp_path, tmp_path / "cache", "shop.example", "", sources, "EUR", (), lambda *_: None)
    found = await asyncio.to_thread(onboarding.add, *arguments)
    capsys.readouterr()
    show.added(found, json=True)
    (read,) = json.loads(capsys.readouterr().out)["read"]
    assert (read["changed"], read["same"], read["offers"]) == (0, 2, 2)


def test_the_shop_that_we_ship_is_a_feed_called_demo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (demo,) = onboarding.sources_of(["demo"], [], [])
    assert (demo.kind, demo.place) == ("docs", str(DEMO_FOLDER))
    # A file of one's own that is called so comes first.
    (tmp_path / "demo").write_text(FEED)
    (own,) = onboarding.sources_of(["demo"], [], [])
    assert (own.kind, own.place) == ("feed", "demo")


async def test_what_cannot_be_read_at_all_is_said_before_anything_is_done(pool, tmp_path):
    with pytest.raises(UsageError, match="nothing that the agent could know"):
        onboarding.sources_of([], [], [])
    with pytest.raises(UsageError, match=r"--feed: there is no .*nowhere\.csv"):
        onboarding.sources_of([str(tmp_path / "nowhere.csv")], [], [])
    (tmp_path / "bad.csv").write_text("id,title,options,price,stock\n1,Thing,,free beer,1\n")
    bad = onboarding.sources_of([str(tmp_path / "bad.csv")], [], [])
    with pytest.raises(UsageError, match="nothing could be read"):
        await asyncio.to_thread(
            onboarding.add, pool.url, tmp_path, tmp_path / "cache", "shop", "", bad, "EUR", (), lambda *_: None
        )
    with pytest.raises(TenfoldError, match="id: String should match"):
        await asyncio.to_thread(
            onboarding.add, pool.url, tmp_path, tmp_path / "cache", "a shop", "", bad, "EUR", (), lambda *_: None
        )


async def test_a_chat_in_a_terminal_and_the_inbox_beside_it(pool, tmp_path, monkeypatch, capsys):
    await add(pool, tmp_path)
    lines = iter(["How much is the green wool cap?", "I want to talk to a human", ""])
    monkeypatch.setattr("builtins.input", lambda _: next(lines))
    chat = (terminal.talk, pool.url, "shop.example", "thread-of-ann")
    await asyncio.to_thread(*chat, evidence=True)
    printed = capsys.readouterr().out
    assert "15.00 EUR" in printed and "<- " in printed and "c1" in printed

    inbox = terminal.Inbox(pool.url, "shop.example")
    waiting = await asyncio.to_thread(inbox.waiting)
    assert [each.id for each in waiting.threads] == ["thread-of-ann"]
    await asyncio.to_thread(inbox.say, "thread-of-ann", "Ben here.")
    lines = iter(["Hello Ben", ""])
    await asyncio.to_thread(*chat, evidence=False)
    assert "(human) Ben here." in capsys.readouterr().out
    await asyncio.to_thread(inbox.hand_back, "thread-of-ann")
    assert (await asyncio.to_thread(inbox.thread, "thread-of-ann")).held_by == "agent"

    with pytest.raises(UsageError, match=r"no business 'shp\.example'; there are shop\.example"):
        await asyncio.to_thread(terminal.talk, pool.url, "shp.example", "", evidence=False)


async def test_settings_of_a_business_are_read_from_a_file(pool, tmp_path):
    await add(pool, tmp_path)
    path = tmp_path / "shop.toml"
    path.write_text('notify_email = "owner@shop.example"\nmargin = 0.3\n')
    found = await asyncio.to_thread(onboarding.change_settings, pool.url, "shop.example", path)
    assert (found.notify_email, found.margin) == ("owner@shop.example", 0.3)
    path.write_text("margin = 0.4\n")
    found = await asyncio.to_thread(onboarding.change_settings, pool.url, "shop.example", path)
    assert (found.notify_email, found.margin) == ("owner@shop.example", 0.4)
    path.write_text("margins = 0.4\n")
    with pytest.raises(UsageError, match="margins"):
        await asyncio.to_thread(onboarding.change_settings, pool.url, "shop.example", path)


async def test_an_owners_answer_is_given_and_asked_for_again_whenever_a_source_changes(pool, tmp_path):
    await add(pool, tmp_path)
    question = "Do you gift wrap?"
    before = (await pool.write(question, business="shop.example"))[1]["reply"]["said"]
    assert before["type"] in ("unknown", "clarify", "handoff")
    correction = {"question": question, "answer": "Yes, we gift wrap every order for free."}
    status, found = await pool.ask("/v1/agents/shop.example/corrections", correction)
    assert status == 200 and found["corrections"][0]["holds"], found
    after = (await pool.write(question, business="shop.example", thread="another-thread"))[1]["reply"]["said"]
    assert after["type"] == "answer" and "gift wrap every order" in after["text"]
    checked = found["corrections"][0]["checked_at"]
    await add(pool, tmp_path)
    _, found = await pool.ask("/v1/agents/shop.example/corrections")
    assert found["corrections"][0]["checked_at"] > checked and found["corrections"][0]["holds"]

    _, told = await pool.ask("/v1/agents/shop.example/report")
    assert told["conversations"] == 2 and told["resolved"] == 0
    assert (await pool.ask("/v1/agents/shop.example/threads/another-thread/resolved", {"resolved": True}))[0] == 200
    _, told = await pool.ask("/v1/agents/shop.example/report")
    assert (told["resolved"], told["resolved_by"], told["resolution"]) == (1, {"button": 1}, 1.0)
