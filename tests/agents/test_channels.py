"""WhatsApp and Messenger with a Graph API on loopback, and the word to a human by webhook and mail."""

import asyncio
import hashlib
import hmac
import json
import re

import pytest
import sqlalchemy as sa
from agents_pool import NOW, SHOP, THREAD, agents
from minipool import until
from product_processes import serving
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from tenfold.agents import tables
from tenfold.agents.deliveries import DELIVERIES
from tenfold.agents.settings import AgentsSettings

WHATSAPP = {"phone_number_id": "555", "access_token": "wa-token", "app_secret": "wa-secret", "verify_token": "let-me"}
MESSENGER = {"page_id": "777", "access_token": "fb-token", "app_secret": "fb-secret", "verify_token": "let-me"}
HOOKS = "/v1/agents/public/shop/hooks"


class Graph:
    """Takes what is sent, and what the business's webhook is told.

    ``statuses``: answered first, in order; a body in place of one is a refusal with 400. ``expired``: tokens that are
    refused, ``refused`` so many times.
    """

    def __init__(self):
        self.sent = []
        self.told = []
        self.statuses = []
        self.expired = set()
        self.refused = 0

    async def send(self, request):
        if request.headers["authorization"].removeprefix("Bearer ") in self.expired:
            self.refused += 1
            error = {"message": "Session has expired", "type": "OAuthException", "code": 190}
            return JSONResponse({"error": error}, 401)
        if self.statuses and (status := self.statuses.pop(0)) != 200:
            if isinstance(status, dict):
                return JSONResponse(status, 400)
            return JSONResponse({"error": {"message": "try later"}}, status)
        self.sent.append((request.path_params["sender"], request.headers["authorization"], await request.json()))
        return JSONResponse({"messages": [{"id": f"wamid.out{len(self.sent)}"}]})

    async def tell(self, request):
        self.told.append((request.headers["x-tenfold-signature"], await request.body()))
        return JSONResponse({})

    def app(self):
        send = Route("/{sender}/messages", self.send, methods=["POST"])
        return Starlette(routes=[send, Route("/told", self.tell, methods=["POST"])])


class Mailbox:
    """A mail server that keeps what comes."""

    def __init__(self):
        self.mails = []

    async def take(self, reader, writer):
        async def say(text):
            writer.write(f"{text}\r\n".encode())
            await writer.drain()

        await say("220 here")
        while line := (await reader.readline()).decode().strip():
            if line.upper() == "DATA":
                await say("354 go on")
                self.mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
            await say("221 bye" if line.upper() == "QUIT" else "250 ok")
            if line.upper() == "QUIT":
                break
        writer.close()


@pytest.fixture
async def graph():
    found = Graph()
    async with serving(found.app()) as found.url:
        yield found


@pytest.fixture
async def mailbox():
    found = Mailbox()
    server = await asyncio.start_server(found.take, "127.0.0.1", 0)
    found.url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield found
    server.close()


@pytest.fixture
async def pool(tmp_path, graph, mailbox, monkeypatch):
    monkeypatch.setattr("tenfold.product.channels.courier.FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr("tenfold.product.channels.courier.LOOK_EVERY_S", 0.05)
    settings = AgentsSettings(graph_url=graph.url, smtp_url=mailbox.url, reply_wait_s=25.0)
    async with agents(tmp_path, settings) as found:
        await found.ask("/v1/agents/businesses", {"id": "shop", "name": "The Shop"})
        own = {"whatsapp": WHATSAPP, "messenger": MESSENGER, "notify_url": f"{graph.url}/told"}
        status, said = await found.ask("/v1/agents/shop/settings", own)
        assert status == 200 and said["whatsapp"]["app_secret"] == "(set)"
        found.desk.shelf.put("shop", "feed", SHOP, NOW)
        yield found


async def hook(pool, channel, body, secret):
    raw = json.dumps(body).encode()
    signature = "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    headers = {"x-hub-signature-256": signature, "content-type": "application/json", "x-tenfold-role": "public"}
    async with pool.session.post(f"{pool.url}{HOOKS}/{channel}", data=raw, headers=headers) as answer:
        return answer.status


def whatsapp(*messages, statuses=(), number="555"):
    rows = [
        {"from": sender, "id": identity, "timestamp": str(at), "type": "text", "text": {"body": text}}
        for sender, identity, at, text in messages
    ]
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": number}, "messages": rows}
    changes = [{"field": "messages", "value": value | {"statuses": list(statuses)}}]
    return {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": changes}]}


async def texts(pool, thread):
    _, found = await pool.ask(f"/v1/agents/shop/threads/{thread}")
    return [(each["role"], each["text"]) for each in found["messages"]]


async def test_metas_challenge_is_answered_to_who_knows_the_token(pool):
    async def challenge(**asked):
        params = {f"hub.{key}": value for key, value in asked.items()}
        async with pool.session.get(f"{pool.url}{HOOKS}/whatsapp", params=params) as answer:
            return answer.status, await answer.text()

    assert await challenge(mode="subscribe", verify_token="let-me", challenge="1234") == (200, "1234")
    assert (await challenge(mode="subscribe", verify_token="guess", challenge="1234"))[0] == 403
    assert (await challenge(verify_token="let-me", challenge="1234"))[0] == 403


async def test_batches_repeats_and_old_messages_are_replied_to_once_each_in_order(pool, graph):
    graph.statuses = [500, 429]
    batch = whatsapp(
        ("4915", "wamid.b", 20, "And in red?"),
        ("4915", "wamid.a", 10, "How much is the Trail Jacket in blue, size M?"),
        ("4917", "wamid.c", 15, "How much is the Wool Cap?"),
    )
    assert await hook(pool, "whatsapp", batch, "wrong") == 401
    for _ in range(3):
        assert await hook(pool, "whatsapp", batch, "wa-secret") == 200
    # For another number of the same app, and what has no text to answer.
    assert await hook(pool, "whatsapp", whatsapp(("4915", "wamid.x", 1, "hi"), number="556"), "wa-secret") == 200
    await until(lambda: len(graph.sent) == 3, 60)
    by_sender = {to: [body["text"]["body"] for _, _, body in graph.sent if body["to"] == to] for to in ("4915", "4917")}
    assert [("89.50 EUR" in text, "79.00 EUR" in text) for text in by_sender["4915"]] == [(True, False), (False, True)]
    assert len(by_sender["4917"]) == 1 and "15.00 EUR" in by_sender["4917"][0]
    assert {(sender, token) for sender, token, _ in graph.sent} == {("555", "Bearer wa-token")}
    assert [role for role, _ in await texts(pool, "whatsapp:4915")] == ["customer", "customer", "agent", "agent"]
    # The name of such a thread is a phone number: no visitor may read it.
    guest = {"x_tenfold_role": "public", "x_tenfold_tenant": "shop"}
    assert (await pool.ask("/v1/agents/public/shop/threads/whatsapp:4915", **guest))[0] == 404


async def test_a_delivery_that_a_killed_process_was_sending_is_not_sent_again_where_whatsapp_has_it(
    pool, graph, monkeypatch
):
    assert await hook(pool, "whatsapp", whatsapp(("4915", "wamid.a", 1, "Hello")), "wa-secret") == 200
    await until(lambda: len(graph.sent) == 1, 60)
    quoted = graph.sent[0][2]["biz_opaque_callback_data"]

    def as_killed(connection):
        connection.execute(sa.update(DELIVERIES.table).values(state="sending", next_at=0.0))

    status = {"id": "wamid.out1", "status": "delivered", "biz_opaque_callback_data": quoted}
    # Before the courier looks again.
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(DELIVERIES, "read_due", lambda *_: [])
        await pool.desk.conversations.write(as_killed)
        assert await hook(pool, "whatsapp", whatsapp(statuses=[status]), "wa-secret") == 200
    await asyncio.sleep(0.3)
    assert len(graph.sent) == 1
    # Where nobody says that it arrived it is sent again.
    await pool.desk.conversations.write(as_killed)
    await until(lambda: len(graph.sent) == 2, 60)


async def test_messenger_and_a_human_who_answers_there(pool, graph):
    def event(mid, text, **more):
        message = {"mid": mid, "text": text, **more}
        return {"sender": {"id": "psid-1"}, "recipient": {"id": "777"}, "timestamp": 1000, "message": message}

    body = {"object": "page", "entry": [{"id": "777", "messaging": [
        event("m_1", "Can I talk to a human please?"), event("m_2", "I said this", is_echo=True)]}]}  # fmt: skip
    assert await hook(pool, "messenger", body, "fb-secret") == 200
    await until(lambda: len(graph.sent) == 1 and len(graph.told) == 1, 60)
    assert graph.sent[0][0] == "777" and graph.sent[0][2]["recipient"] == {"id": "psid-1"}
    signature, told = graph.told[0]
    with pool.store.reading() as connection:
        secret = tables.read_business(connection, "shop").secret
    assert signature == "sha256=" + hmac.new(secret.encode(), told, hashlib.sha256).hexdigest()
    assert json.loads(told)["reason"] == "asked" and json.loads(told)["thread"] == "messenger:psid-1"
    answer = {"id": "h1", "text": "Ben here. " + "x" * 2500}
    for _ in range(2):
        assert (await pool.ask("/v1/agents/shop/inbox/messenger:psid-1/messages", answer))[0] == 200
    await until(lambda: len(graph.sent) == 3, 60)
    await asyncio.sleep(0.2)
    parts = [body["message"]["text"] for _, _, body in graph.sent[1:]]
    assert len(parts) == 2 and "".join(parts).replace(" ", "") == answer["text"].replace(" ", "")


async def test_an_order_is_cancelled_for_whom_it_is_with_a_code_that_goes_where_the_shop_knows_them(pool, mailbox):
    order = {"id": "A-1001", "customer": "ann", "email": "ann@example.com", "state": "placed"}
    assert (await pool.ask("/v1/agents/shop/orders", order))[0] == 200

    async def say(text, identity, thread=THREAD):
        status, found = await pool.write(text, identity=identity, thread=thread)
        assert status == 200, found
        return found["reply"]["said"]

    asked = await say("Please cancel my order A-1001, my mail is mallory@example.com", "m1")
    assert asked["proposal"]["tool"] == "cancel_order" and "A-1001" in asked["text"]
    # A yes alone does nothing: it is not known who says it.
    assert "sent a code" in (await say("yes", "m2"))["text"]
    await until(lambda: len(mailbox.mails) == 1, 60)
    assert "To: ann@example.com" in mailbox.mails[0] and "mallory" not in mailbox.mails[0].partition("\r\n\r\n")[0]
    confirm = {"confirm": asked["proposal"]["confirm"]}
    path = f"/v1/agents/shop/threads/{THREAD}/proposals/{asked['proposal']['id']}/confirm"
    status, found = await pool.ask(path, confirm)
    assert status == 403 and "identity_required" in found["error"]["message"]
    code = re.search(r"\b\d{6}\b", mailbox.mails[0])[0]
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    assert "not the code" in (await say(wrong, "m3"))["text"]
    done = await say(code, "m4")
    assert done["type"] == "answer" and "order A-1001 is cancelled" in done["text"]
    # Once: the same yes again, by the button, gives the same.
    assert (await pool.ask(path, confirm))[1]["text"] == done["text"]
    assert (
        "there is no such proposal"
        in (await pool.ask(path.replace(THREAD, "another-thread"), confirm))[1]["error"]["message"]
    )

    # Somebody else's thread, and an order that is not there: nobody learns more, and a human looks at it.
    await say("Please cancel my order A-9999", "n1", "thread-of-ben")
    assert (await say("yes", "n2", "thread-of-ben"))["type"] == "handoff"


def aged(connection):
    """Make all messages a day and an hour older."""
    connection.execute(sa.update(tables.messages).values(at=tables.messages.c.at - 25 * 3600))


async def test_what_meta_would_not_take_is_held_until_the_customer_writes_again(pool, graph):
    talk = "whatsapp:4915"
    assert await hook(pool, "whatsapp", whatsapp(("4915", "wamid.a", 1, "A human please")), "wa-secret") == 200
    await until(lambda: len(graph.sent) == 1, 60)
    await pool.desk.conversations.write(aged)
    for number in (1, 2):
        body = {"id": f"h{number}", "text": f"Ben here, {number}."}
        assert (await pool.ask(f"/v1/agents/shop/inbox/{talk}/messages", body))[0] == 200
    _, found = await pool.ask(f"/v1/agents/shop/threads/{talk}")
    assert [(each["text"], each["state"]) for each in found["unsent"]] == [
        ("Ben here, 1.", "held"),
        ("Ben here, 2.", "held"),
    ]
    assert "within 24 hours" in found["unsent"][0]["why"]
    _, listed = await pool.ask("/v1/agents/shop/threads?held_by=human")
    assert len(listed["threads"][0]["unsent"]) == 2
    await asyncio.sleep(0.3)
    assert len(graph.sent) == 1
    # The customer writes, and all of it goes out in order; Meta's own word that it is too late holds it back as well.
    graph.statuses = [{"error": {"message": "Re-engagement message", "code": 131047}}]
    assert await hook(pool, "whatsapp", whatsapp(("4915", "wamid.b", 2, "Anybody there?")), "wa-secret") == 200

    async def unsent():
        return [each["text"] for each in (await pool.ask(f"/v1/agents/shop/threads/{talk}"))[1]["unsent"]]

    deadline = asyncio.get_running_loop().time() + 60
    while not (await unsent() == ["Ben here, 1."] and len(graph.sent) == 2):
        assert asyncio.get_running_loop().time() < deadline, (await unsent(), graph.sent)
        await asyncio.sleep(0.05)
    assert await hook(pool, "whatsapp", whatsapp(("4915", "wamid.c", 3, "Hello?")), "wa-secret") == 200
    await until(lambda: len(graph.sent) == 3, 60)
    assert [body["text"]["body"] for _, _, body in graph.sent[1:]] == ["Ben here, 2.", "Ben here, 1."]
    assert await unsent() == []


async def test_a_token_that_expired_loses_no_reply_and_is_told_of_until_one_works(pool, graph, caplog):
    async def unsent(thread):
        _, found = await pool.ask(f"/v1/agents/shop/threads/whatsapp:{thread}")
        return [each["state"] for each in found["unsent"]]

    async def are(**states):
        deadline = asyncio.get_running_loop().time() + 60
        while (found := {thread: await unsent(thread) for thread in states}) != states:
            assert asyncio.get_running_loop().time() < deadline, found
            await asyncio.sleep(0.05)

    async def are_tried():
        def states(connection):
            return set(connection.execute(sa.select(DELIVERIES.table.c.state)).scalars())

        return not {"pending", "sending"} & await pool.desk.conversations.read(states)

    def alarm():
        return pool.desk.context.troubles.get("channels", "")

    graph.expired = {"wa-token", "better"}
    batch = whatsapp(("4915", "wamid.a", 1, "How much is the Wool Cap?"), ("4917", "wamid.b", 2, "And the jacket?"))
    assert await hook(pool, "whatsapp", batch, "wa-secret") == 200
    await until(lambda: "2 messages wait" in alarm(), 60)
    assert "whatsapp of shop takes nothing since" in alarm() and "Session has expired" in alarm()
    await are(**{"4915": ["refused"], "4917": ["refused"]})
    await until(are_tried, 60)
    # It is asked again in minutes, not at each look; a new message asks once.
    asked = graph.refused
    await asyncio.sleep(0.3)
    assert graph.refused == asked <= 2
    assert await hook(pool, "whatsapp", whatsapp(("4918", "wamid.c", 3, "Hello")), "wa-secret") == 200
    await are(**{"4918": ["refused"]})
    await until(are_tried, 60)
    assert graph.refused == asked + 1
    # Meta's 24 hours end the waiting, and begin anew with the customer's next message.
    await pool.desk.conversations.write(aged)
    assert (await pool.ask("/v1/agents/shop/settings", {"whatsapp": {**WHATSAPP, "access_token": "better"}}))[0] == 200
    await are(**{"4915": ["held"], "4917": ["held"], "4918": ["held"]})
    assert graph.refused == asked + 1
    assert await hook(pool, "whatsapp", whatsapp(("4915", "wamid.d", 4, "Are you there?")), "wa-secret") == 200
    await are(**{"4915": ["refused", "refused"]})
    await until(lambda: "2 messages wait" in alarm(), 60)
    assert (await pool.ask("/v1/agents/shop/settings", {"whatsapp": {**WHATSAPP, "access_token": "best"}}))[0] == 200
    await until(lambda: len(graph.sent) == 2 and not alarm(), 60)
    assert {(token, body["to"]) for _, token, body in graph.sent} == {("Bearer best", "4915")}
    assert "15.00 EUR" in graph.sent[0][2]["text"]["body"]
    await are(**{"4915": [], "4917": ["held"]})
    told = [record for record in caplog.records if "replies wait for it" in record.getMessage()]
    assert len(told) == 2


async def test_secrets_of_channels_lie_sealed_and_without_their_key_nothing_else_breaks(pool, graph):
    def kept(connection):
        return tables.read_business(connection, "shop").settings

    def as_before(connection):
        tables.set_settings(connection, "shop", {"whatsapp": WHATSAPP, "usd_per_resolved": 0.5})

    sealed = await pool.desk.conversations.read(kept)
    assert sealed["whatsapp"]["phone_number_id"] == "555"
    assert not {"wa-token", "wa-secret", "let-me", "fb-token"} & {*sealed["whatsapp"].values()}
    key = pool.desk.context.home / "agents.key"
    assert key.stat().st_mode & 0o777 == 0o600
    # Changing something else leaves them as they are.
    assert (await pool.ask("/v1/agents/shop/settings", {"margin": 0.2}))[0] == 200
    assert (await pool.desk.conversations.read(kept))["whatsapp"] == sealed["whatsapp"]
    # What an older Tenfold left in plain is sealed at the next start.
    await pool.desk.conversations.write(as_before)
    assert await hook(pool, "whatsapp", whatsapp(("4915", "wamid.a", 1, "Hello")), "wa-secret") == 200
    await pool.desk.conversations.write(pool.desk._seal_all)
    assert (await pool.desk.conversations.read(kept))["whatsapp"]["access_token"].startswith("sealed:")
    assert await hook(pool, "whatsapp", whatsapp(("4915", "wamid.b", 2, "Hello")), "wa-secret") == 200
    await until(lambda: len(graph.sent) == 2, 60)
    assert {token for _, token, _ in graph.sent} == {"Bearer wa-token"}
    # Without the key: the channel says so, and comes back with secrets entered again.
    key.unlink()
    pool.desk.seal.__dict__.pop("_key")
    assert await hook(pool, "whatsapp", whatsapp(("4915", "wamid.c", 3, "Hello")), "wa-secret") == 503
    assert (await pool.ask("/v1/agents/shop/settings"))[1]["usd_per_resolved"] == 0.5
    assert (await pool.ask("/v1/agents/shop/settings", {"whatsapp": WHATSAPP}))[0] == 200
    assert await hook(pool, "whatsapp", whatsapp(("4915", "wamid.c", 3, "Hello")), "wa-secret") == 200
    await until(lambda: len(graph.sent) == 3, 60)
