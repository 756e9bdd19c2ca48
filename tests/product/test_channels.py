"""On WhatsApp and Messenger nobody waits for who writes too much, and a long reply is there once all of it is."""

from contextlib import asynccontextmanager
from types import SimpleNamespace

import orjson
import pytest
import sqlalchemy as sa
from starlette.exceptions import HTTPException

from tenfold.product.channels import meta
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
    assert graph.bodies[1]["biz_opaque_callback_data"] == "7"


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

    assert told(status="read") == [Receipt(7)]
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


def test_what_the_channel_says_later_counts_only_for_what_it_took(deliveries):
    found, write = deliveries
    for number in range(3):
        write(found.send_later, "shop", "a", "whatsapp", "4915", {"text": str(number)}, 1000.0)
    write(lambda c: [found.note(c, number, {"state": "sent"}) for number in (1, 2)])
    write(found.take_receipt, "shop", Receipt(1, "no WhatsApp there"), 1001.0)
    write(found.take_receipt, "shop", Receipt(2, "too late", is_late=True), 1001.0)
    write(found.take_receipt, "shop", Receipt(3, "no WhatsApp there"), 1001.0)
    assert [(each.number, each.state) for each in write(found.read_unsent, "shop")] == [(1, "failed"), (2, "held")]
    assert [each.number for each in write(found.read_due, 1002.0)] == [3]
    write(found.take_receipt, "another", Receipt(3), 1001.0)
    assert [each.number for each in write(found.read_due, 1002.0)] == [3]
    write(found.take_receipt, "shop", Receipt(3), 1001.0)
    assert write(found.read_due, 1002.0) == []


def test_what_ended_long_ago_is_forgotten_and_no_number_is_given_twice(deliveries, monkeypatch):
    monkeypatch.setattr("tenfold.product.channels.deliveries.MOST_FORGOTTEN", 2)
    found, write = deliveries
    for number, state in enumerate(("sent", "failed", "held", "pending", "refused", "sent"), start=1):
        write(found.send_later, "shop", "a", "whatsapp", "4915", {"text": ""}, 1000.0)
        write(found.note, number, {"state": state})
    assert [write(found.forget, 999.0), write(found.forget, 1001.0), write(found.forget, 1001.0)] == [0, 2, 1]
    left = write(lambda c: c.execute(sa.select(found.table.c.number)).scalars().all())
    assert left == [4, 5, 6]
    assert write(found.forget, 1001.0) == 0
