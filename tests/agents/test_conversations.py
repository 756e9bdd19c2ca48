"""No message is lost or answered twice, in whatever order things come and whatever is killed in between."""

import asyncio

import pytest
import sqlalchemy as sa

from tenfold.agents import tables
from tenfold.agents.contract import MOST_WAITING
from tenfold.agents.conversations import Conversations, Replied, ThinkAgain, TooMany
from tenfold.agents.tables import Opening
from tenfold.core.store import open_store

WEB = Opening("web", "", False, 0.0)


class Echo:
    """Replies with the message and how many came before it in the thread."""

    def __init__(self):
        self.thought: list[str] = []
        self.stopped = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.again = 0

    async def think(self, thread, message):
        self.thought.append(message.text)
        self.stopped.set()
        await self.go_on.wait()
        turns = thread.memory.get("turns", 0) + 1

        def finish(_):
            if self.again:
                self.again -= 1
                raise ThinkAgain
            return Replied("answer", f"{turns}: {message.text}", {}, {"turns": turns})

        return finish


@pytest.fixture
def store(database):
    found = open_store(database("agents"), tables.MIGRATIONS)
    yield found
    found.close()


def replies(store, thread="t"):
    with store.reading() as connection:
        found = tables.read_messages(connection, "shop", thread, most=1000)
    return [message.text for message in found if message.role == "agent"]


async def test_messages_are_replied_to_once_in_their_order_and_the_same_again_gets_the_same(store):
    talk = Conversations(store, Echo())
    taken = [await talk.take("shop", "t", f"m{n}", f"hello {n}", WEB) for n in range(5)]
    last = await talk.reply_to(taken[-1], 30)
    assert last is not None and last.text == "5: hello 4"
    assert replies(store) == [f"{n + 1}: hello {n}" for n in range(5)]
    again = await talk.take("shop", "t", "m1", "something else", WEB)
    assert (again.number, again.text) == (taken[1].number, "hello 1")
    assert (await talk.reply_to(again, 30)).text == "2: hello 1"
    assert len(replies(store)) == 5
    # In another thread, and in another business, the same id is another message.
    other = await talk.take("shop", "u", "m1", "hello", WEB)
    elsewhere = await talk.take("bakery", "t", "m1", "hello", WEB)
    assert {(await talk.reply_to(each, 30)).text for each in (other, elsewhere)} == {"1: hello"}
    await talk.close()


async def test_what_was_not_replied_to_in_a_life_before_is_replied_to_in_the_next(store):
    echo = Echo()
    echo.go_on.clear()
    talk = Conversations(store, echo)
    for n in range(3):
        await talk.take("shop", "t", f"m{n}", f"hello {n}", WEB)
    await asyncio.wait_for(echo.stopped.wait(), 30)
    await talk.close()
    assert replies(store) == []

    talk = Conversations(store, Echo())
    await talk.open()
    last = await talk.take("shop", "t", "m3", "hello 3", WEB)
    assert (await talk.reply_to(last, 30)).text == "4: hello 3"
    assert replies(store) == [f"{n + 1}: hello {n}" for n in range(4)]
    await talk.close()


async def test_while_a_human_holds_a_thread_no_agent_replies_not_even_with_what_it_has_thought_already(store):
    echo = Echo()
    echo.go_on.clear()
    talk = Conversations(store, echo)
    first = await talk.take("shop", "t", "m0", "hello", WEB)
    await asyncio.wait_for(echo.stopped.wait(), 30)

    def takes_over(connection):
        tables.change_thread(connection, "shop", "t", held_by="human")
        tables.stop_waiting(connection, "shop", "t")

    await talk.write(takes_over)
    echo.go_on.set()
    second = await talk.take("shop", "t", "m1", "are you there", WEB)
    assert not second.waiting
    assert await talk.reply_to(second, 30) is None
    await asyncio.gather(*talk._at_work.values())
    assert replies(store) == [] and await talk.reply_to(first, 0.01) is None
    await talk.close()


async def test_a_reply_whose_grounds_have_changed_is_thought_of_again(store):
    echo = Echo()
    echo.again = 2
    talk = Conversations(store, echo)
    message = await talk.take("shop", "t", "m0", "hello", WEB)
    assert (await talk.reply_to(message, 30)).text == "1: hello"
    assert len(echo.thought) == 3
    await talk.close()


async def test_a_database_that_cannot_be_written_for_a_while_loses_no_reply(store, monkeypatch, caplog):
    monkeypatch.setattr("tenfold.agents.conversations.AGAIN_S", 0.01)
    failures = iter([sa.exc.OperationalError("INSERT", {}, OSError("disk full"))] * 2)
    answer = tables.answer

    def fails_at_first(*args):
        if (error := next(failures, None)) is not None:
            raise error
        return answer(*args)

    monkeypatch.setattr(tables, "answer", fails_at_first)
    talk = Conversations(store, Echo())
    message = await talk.take("shop", "t", "m0", "hello", WEB)
    assert (await talk.reply_to(message, 30)).text == "1: hello"
    assert replies(store) == ["1: hello"] and "disk full" in caplog.text
    await talk.close()


async def test_a_thread_that_never_waits_for_replies_is_told_to(store):
    echo = Echo()
    echo.go_on.clear()
    talk = Conversations(store, echo)
    for n in range(MOST_WAITING):
        await talk.take("shop", "t", f"m{n}", "hello", WEB)
    with pytest.raises(TooMany):
        await talk.take("shop", "t", "one more", "hello", WEB)
    assert (await talk.take("shop", "t", "m3", "hello", WEB)).waiting
    await talk.close()
