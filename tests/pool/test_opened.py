"""What a key has opened ends with it."""

import asyncio

import pytest

from tenfold.pool.keys import Keyring, keys_path, make_key, revoke_key
from tenfold.pool.opened import POLICY_VIOLATION, Opened


class Client:
    """One connection of a client that stays."""

    def __init__(self, kind: str) -> None:
        self.scope = {"type": kind, "path": "/", "headers": []}
        self.told: list[dict] = []

    async def receive(self) -> dict:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message) -> None:
        self.told.append(message)


def held_app(*begin: dict):
    async def app(_scope, receive, send) -> None:
        for message in begin:
            await send(message)
        await receive()

    return app


@pytest.mark.parametrize(
    ("kind", "begin", "end"),
    [
        ("websocket", ({"type": "websocket.accept"},), {"type": "websocket.close", "code": POLICY_VIOLATION}),
        ("websocket", (), {"type": "websocket.close", "code": POLICY_VIOLATION}),
        ("http", (), {"type": "http.response.start", "status": 401}),
        ("http", ({"type": "http.response.start", "status": 200, "headers": []},), {"type": "http.response.start"}),
    ],
)
async def test_what_a_revoked_key_has_opened_ends_and_nothing_else(tmp_path, kind, begin, end):
    keyring = Keyring(tmp_path)
    ids = [make_key(tmp_path, "viewer").split("_")[1] for _ in range(2)]
    opened, clients = Opened(keyring), [Client(kind), Client(kind)]
    tasks = [
        asyncio.create_task(opened.run(held_app(*begin), key, each.scope, each.receive, each.send))
        for key, each in zip(ids, clients, strict=True)
    ]
    await asyncio.sleep(0)
    assert opened.close_revoked() == 0
    revoke_key(tmp_path, ids[0])
    assert opened.close_revoked() == 1
    await asyncio.wait_for(tasks[0], 20)
    last = clients[0].told[len(begin)] if len(clients[0].told) > len(begin) else clients[0].told[-1]
    assert {name: last[name] for name in end} == end
    assert not tasks[1].done() and len(clients[1].told) == len(begin)
    assert opened.close_revoked() == 0
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not opened._held


async def test_keys_that_cannot_be_read_now_end_nothing(tmp_path):
    keyring, client = Keyring(tmp_path), Client("websocket")
    key = make_key(tmp_path, "viewer").split("_")[1]
    opened = Opened(keyring)
    task = asyncio.create_task(opened.run(held_app(), key, client.scope, client.receive, client.send))
    await asyncio.sleep(0)
    whole = keys_path(tmp_path).read_text()
    keys_path(tmp_path).write_text(whole.replace("viewer", "owner"))
    assert opened.close_revoked() == 0 and keyring.trouble
    keys_path(tmp_path).unlink()
    assert opened.close_revoked() == 1
    await asyncio.wait_for(task, 20)


async def test_what_an_app_itself_raises_is_raised(tmp_path):
    async def late(*_):
        raise TimeoutError("its own")

    client = Client("http")
    with pytest.raises(TimeoutError, match="its own"):
        await Opened(Keyring(tmp_path)).run(late, "key", client.scope, client.receive, client.send)
    assert client.told == []
