"""On WhatsApp and Messenger nobody waits for who writes too much, and a long reply is there once all of it is."""

from contextlib import asynccontextmanager
from types import SimpleNamespace

import orjson
import pytest
from starlette.exceptions import HTTPException

from tenfold.product.channels import meta
from tenfold.product.channels.deliveries import Delivery, NotSent
from tenfold.product.channels.hooks import take_all
from tenfold.product.channels.meta import Incoming
from tenfold.product.channels.settings import WhatsApp

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
    """Answers as Meta's Graph API, with the statuses that it is given."""

    def __init__(self, *statuses):
        self.statuses, self.bodies = list(statuses), []

    @asynccontextmanager
    async def post(self, url, *, data, headers, timeout):
        del url, headers, timeout
        self.bodies.append(orjson.loads(data))

        async def text(errors):
            del errors
            return "{}"

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
