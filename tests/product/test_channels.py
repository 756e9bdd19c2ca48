"""On WhatsApp and Messenger nobody waits for who writes too much, and a long reply is there once all of it is."""

from contextlib import asynccontextmanager
from types import SimpleNamespace

import orjson
import pytest
import sqlalchemy as sa
from starlette.exceptions import HTTPException

from tenfold.product.channels import meta
from tenfold.product.channels.courier import Courier
from tenfold.product.channels.deliveries import (
    ChannelRefused,
    Deliveries,
    Delivery,
    NotSent,
    OutsideWindow,
    Receipt,
)
from tenfold.product.channels.hooks import take_all
from tenfold.product.channels.meta import Incoming
from tenfold.product.channels.settings import WhatsApp
from tenfold.product.process import open_tables

NUMBER = WhatsApp(phone_number_id="555", access_token="wa-token", app_secret="wa-secret", verify_token="any")


class Full(Exception):
    """A sender has too many waiting."""


async def test_a_sender_with_too_many_waiting_keeps_nobody_else_waiting_and_their_own_in_order():
    taken, tried = [], []

    async def take(message):
        tried.append(message.id)
        if message.id == "a2":
            raise Full
        taken.append(message.id)

    names = ("a1", "a2", "b1", "a3", "b2")
    with pytest.raises(HTTPException) as refused:
        await take_all([Incoming(name, name[0], "hi", 1.0) for name in names], take, Full)
    assert refused.value.status_code == 503
    assert taken == ["a1", "b1", "b2"] and "a3" not in tried


class Graph:
    """Answers as Meta's Graph API, with the statuses that it is given, and an error where there is one."""

    def __init__(self, *statuses, **error):
        self.statuses, self.bodies, self.error = list(statuses), [], error

    @asynccontextmanager
    async def post(self, url, *, data, headers, timeout):
        del url, headers, timeout
        self.bodies.append(orjson.loads(data))

        async def text(errors):
            del errors
            return orjson.dumps({"error": self.error} if self.error else {}).decode()

        yield SimpleNamespace(status=self.statuses.pop(0), text=text)


async def test_only_the_last_part_of_a_long_reply_tells_that_it_arrived():
    content = {"text": "word " * 1500}
    delivery = Delivery(7, "", "thread", "whatsapp", "4915", content, "pending", 0, 0.0, "")
    graph = Graph(200, 500)
    with pytest.raises(NotSent):
        await meta.send(graph, "https://graph.example", delivery, NUMBER)
    # WhatsApp has the first part, and may say so: the second is still to come.
    assert "biz_opaque_callback_data" not in graph.bodies[0]
    assert graph.bodies[1]["biz_opaque_callback_data"] == "7.0"


@pytest.mark.parametrize(
    ("status", "error", "meant", "for_good"),
    [
        (401, {"code": 190}, ChannelRefused, False),
        (400, {"code": 190, "error_subcode": 463}, ChannelRefused, False),
        (403, {"code": 200}, ChannelRefused, False),
        (401, {}, ChannelRefused, False),
        (400, {"code": 131042}, ChannelRefused, False),
        (403, {"code": 130497}, NotSent, True),
        (403, {"code": 200, "error_subcode": 1545041}, NotSent, True),
        (400, {"code": 100}, NotSent, True),
        (400, {"code": 100, "error_subcode": 33}, ChannelRefused, False),
        (400, {"code": 131026}, NotSent, True),
        (400, {"code": 131047}, OutsideWindow, False),
        (403, {"code": 10, "error_subcode": 2018278}, OutsideWindow, False),
        (400, {"code": 4}, NotSent, False),
        (429, {"code": 130429}, NotSent, False),
        (500, {"code": 131000}, NotSent, False),
        (404, {}, NotSent, False),
    ],
)
async def test_a_refusal_ends_a_message_only_where_it_speaks_of_it(status, error, meant, for_good):
    delivery = Delivery(7, "", "thread", "whatsapp", "4915", {"text": "Hello"}, "pending", 0, 0.0, "")
    with pytest.raises(NotSent) as refused:
        await meta.send(Graph(status, **error), "https://graph.example", delivery, NUMBER)
    assert (type(refused.value), refused.value.for_good) == (meant, for_good)


def test_whatsapp_says_what_it_took_and_could_not_bring():
    def told(**status):
        value = {"metadata": {"phone_number_id": "555"}, "statuses": [{"biz_opaque_callback_data": "7", **status}]}
        return meta.read_whatsapp(orjson.dumps({"entry": [{"changes": [{"value": value}]}]}), NUMBER)[1]

    assert told(status="read") == [Receipt(7)] and told(status="sent") == [Receipt(7, is_under_way=True)]
    assert told(status="failed", biz_opaque_callback_data="7.2")[0].tried == 2
    assert told(status="deleted") == [] == told(status="sent", biz_opaque_callback_data="x")
    late = told(status="failed", errors=[{"code": 131047, "title": "Re-engagement message"}])
    assert late[0].is_late and "Re-engagement" in late[0].failed
    lost = told(status="failed", errors=[{"code": 131026, "error_data": {"details": "not on WhatsApp"}}])[0]
    assert "not on WhatsApp (code 131026)" in lost.failed and not lost.is_late
    assert told(status="failed")[0].failed


@pytest.fixture
def deliveries(tmp_path):
    """The table, in a database, and what runs something in a transaction that writes."""
    metadata = sa.MetaData()
    found = Deliveries(metadata, lambda _business, _thread: sa.select(sa.literal(1000.0)).scalar_subquery())
    store = open_tables(f"sqlite:///{tmp_path / 'channels.db'}", None)

    def write(work, *given):
        with store.writing() as connection:
            return work(connection, *given)

    write(metadata.create_all)
    yield found, write
    store.close()


def mark(connection, found, number, state):
    connection.execute(sa.update(found.table).where(found.table.c.number == number).values(state=state))


def states(connection, found):
    rows = connection.execute(sa.select(found.table.c.number, found.table.c.state)).all()
    return {row.number: row.state for row in rows}


def test_what_the_channel_says_later_counts_only_for_what_it_took(deliveries):
    found, write = deliveries
    for number in range(3):
        write(found.send_later, "shop", "a", "whatsapp", "4915", {"text": str(number)}, 1000.0)
    write(lambda c: [mark(c, found, number, "sent") for number in (1, 2)])
    write(found.take_receipt, "shop", Receipt(1, "no WhatsApp there"), 1001.0)
    write(found.take_receipt, "shop", Receipt(2, "too late", is_late=True), 1001.0)
    write(found.take_receipt, "shop", Receipt(3, "no WhatsApp there"), 1001.0)
    assert [(each.number, each.state) for each in write(found.read_unsent, "shop")] == [(1, "failed"), (2, "held")]
    assert [each.number for each in write(found.read_due, 1002.0)] == [3]
    write(found.take_receipt, "another", Receipt(3), 1001.0)
    assert [each.number for each in write(found.read_due, 1002.0)] == [3]
    write(found.take_receipt, "shop", Receipt(3), 1001.0)
    assert write(found.read_due, 1002.0) == []
    # That it went out comes after the word that it failed, or again; only one that arrived did not fail.
    for number in (1, 2):
        write(found.take_receipt, "shop", Receipt(number, is_under_way=True), 1001.0)
    assert write(states, found) == {1: "failed", 2: "held", 3: "sent"}
    write(found.take_receipt, "shop", Receipt(2), 1001.0)
    assert write(states, found) == {1: "failed", 2: "sent", 3: "sent"}


def test_what_ended_long_ago_is_forgotten_and_no_number_is_given_twice(deliveries, monkeypatch):
    monkeypatch.setattr("tenfold.product.channels.deliveries.MOST_FORGOTTEN", 2)
    found, write = deliveries
    for number, state in enumerate(("sent", "failed", "held", "pending", "refused", "sent"), start=1):
        write(found.send_later, "shop", "a", "whatsapp", "4915", {"text": ""}, 1000.0)
        write(mark, found, number, state)
    assert [write(found.forget, 999.0), write(found.forget, 1001.0), write(found.forget, 1001.0)] == [0, 2, 1]
    left = write(lambda c: c.execute(sa.select(found.table.c.number)).scalars().all())
    assert left == [4, 5, 6]
    assert write(found.forget, 1001.0) == 0


def courier_of(deliveries, send):
    found, write = deliveries

    async def run(work):
        return write(work)

    return Courier(found, run, run, send, lambda _: None, keep_days=30.0, clock=lambda: 1000.0)


@pytest.mark.parametrize(
    ("said", "error", "state"),
    [
        (Receipt(1), NotSent("it did not answer within 20 s"), "sent"),
        (Receipt(1, is_under_way=True), NotSent("it did not answer within 20 s"), "sent"),
        (Receipt(1), ChannelRefused("the token has expired"), "sent"),
        (Receipt(1, "too late", is_late=True), None, "held"),
        (Receipt(1, "no WhatsApp there"), None, "failed"),
    ],
)
async def test_what_the_channel_says_while_a_delivery_is_sent_counts(deliveries, monkeypatch, said, error, state):
    monkeypatch.setattr("tenfold.product.channels.courier.LOOK_EVERY_S", 0.01)
    found, write = deliveries

    async def send(_):
        write(found.take_receipt, "shop", said, 1000.0)
        if error is not None:
            raise error

    write(found.send_later, "shop", "a", "whatsapp", "4915", {"text": "Hello"}, 1000.0)
    await courier_of(deliveries, send).turn()
    assert write(states, found) == {1: state}


async def test_a_delivery_that_arrived_since_it_was_read_is_not_sent_again(deliveries, monkeypatch):
    monkeypatch.setattr("tenfold.product.channels.courier.LOOK_EVERY_S", 0.01)
    found, write = deliveries
    sent = []

    async def send(delivery):
        sent.append(delivery.number)
        # The one behind it had been sent by a process that was killed before it could note it.
        write(found.take_receipt, "shop", Receipt(2), 1000.0)

    for text in ("one", "two", "three"):
        write(found.send_later, "shop", "a", "whatsapp", "4915", {"text": text}, 1000.0)
    courier = courier_of(deliveries, send)
    await courier.turn()
    await courier.turn()
    assert sent == [1, 3] and set(write(states, found).values()) == {"sent"}


@pytest.mark.parametrize("error", [{}, {"code": 190}])
async def test_what_the_channel_took_of_a_long_reply_is_not_sent_again_where_the_rest_fails(
    deliveries, monkeypatch, error
):
    monkeypatch.setattr("tenfold.product.channels.courier.LOOK_EVERY_S", 0.01)
    found, write = deliveries
    graph = Graph(200, 500, 200, 200, **error)
    write(found.send_later, "shop", "a", "whatsapp", "4915", {"text": "one " * 1000 + "two " * 1000}, 1000.0)
    courier = courier_of(deliveries, lambda each: meta.send(graph, "https://graph.example", each, NUMBER))
    await courier.turn()
    write(lambda c: c.execute(sa.update(found.table).values(next_at=1000.0)))
    await courier.turn()
    assert write(states, found) == {1: "sent"}
    sent = [body["text"]["body"] for body in graph.bodies]
    assert len(sent) == 3 and sent[0].startswith("one") and sent[1] == sent[2] != sent[0]


async def test_what_is_said_again_of_an_earlier_try_does_not_have_a_later_one_sent_once_more(deliveries, monkeypatch):
    """WhatsApp may repeat its word that a message came too late, after it was sent again and arrived."""
    monkeypatch.setattr("tenfold.product.channels.courier.LOOK_EVERY_S", 0.01)
    found, write = deliveries
    sent = []

    async def send(delivery):
        sent.append(delivery.tries)

    write(found.send_later, "shop", "a", "whatsapp", "4915", {"text": "Hello"}, 1000.0)
    courier = courier_of(deliveries, send)
    await courier.turn()
    late = Receipt(1, "too late", tried=0, is_late=True)
    write(found.take_receipt, "shop", late, 999.0)
    assert write(states, found) == {1: "held"}
    # The customer writes again (at 1000, see the table).
    await courier.turn()
    write(found.take_receipt, "shop", late, 999.0)
    assert write(states, found) == {1: "sent"} and sent == [0, 1]
    write(found.take_receipt, "shop", Receipt(1, "no WhatsApp there", tried=1), 1001.0)
    assert write(states, found) == {1: "failed"}


async def test_what_nobody_foresaw_of_one_delivery_keeps_no_other_waiting(deliveries, monkeypatch):
    monkeypatch.setattr("tenfold.product.channels.courier.LOOK_EVERY_S", 0.01)
    monkeypatch.setattr("tenfold.product.channels.courier.MOST_TRIES", 2)
    found, write = deliveries

    async def send(delivery):
        if delivery.thread == "a":
            raise ValueError("a line break in a header")

    for thread in ("a", "b"):
        write(found.send_later, "shop", thread, "whatsapp", "4915", {"text": "Hello"}, 1000.0)
    await courier_of(deliveries, send).turn()
    assert write(states, found) == {1: "pending", 2: "sent"}
    write(lambda c: c.execute(sa.update(found.table).values(next_at=1000.0)))
    await courier_of(deliveries, send).turn()
    assert write(states, found) == {1: "failed", 2: "sent"}
    assert "a line break in a header" in write(found.read_unsent, "shop")[0].detail
