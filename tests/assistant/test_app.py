"""The assistant over HTTP: threads are closed to whoever is not in them, no message is lost or answered twice."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import os
import signal
from datetime import UTC, datetime, timedelta

import aiohttp
import httpx2
import pytest
import sqlalchemy as sa
from icalendar import Calendar
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from minipool import TOKEN, until
from product_processes import inside, running, serving
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tenfold.assistant.contract import PERSON_KEY
from tenfold.assistant.product import ASSISTANT
from tenfold.assistant.settings import AssistantSettings
from tenfold.core.config import config_type
from tenfold.core.paths import cache_dir
from tenfold.pool.token import TOKEN_HEADER

TODAY = datetime.now(UTC)
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 32
QUESTION = "Who scored the winning goal of the Coastal Cup?"


def rss() -> str:
    day = f"{TODAY - timedelta(days=1):%a, %d %b %Y 10:00:00 GMT}"
    return f"""<rss version="2.0"><channel><title>The Bay</title><item><title>Rovanka lift the Coastal Cup</title>
    <link>https://bay.example/cup</link><pubDate>{day}</pubDate><description>Rovanka beat Athletic Sarne 3-2 to win the
    Coastal Cup. Milo Drazen scored the winning goal.</description></item></channel></rss>"""


class Outside:
    """The web and the pool's front, as far as the assistant asks them; the model that words answers lies."""

    def __init__(self):
        self.feeds = 0
        self.chats = 0
        self.sent = []
        self.not_modified = 0

    async def feed(self, request: Request) -> Response:
        if request.headers.get("if-none-match") == '"1"':
            self.not_modified += 1
            return Response(status_code=304)
        self.feeds += 1
        return Response(rss(), media_type="application/rss+xml", headers={"etag": '"1"'})

    async def search(self, request: Request) -> Response:
        found = {"url": "https://web.example/a", "title": "Halden telescope", "content": "Ida Marchetti repaired the "
                 "Halden telescope.", "published": TODAY.isoformat()}  # fmt: skip
        return JSONResponse({"results": [found] if "Halden" in request.query_params["q"] else []})

    async def draw(self, request: Request) -> Response:
        assert (await request.json())["prompt"] == "a red ferry"
        return JSONResponse({"data": [{"b64_json": base64.b64encode(PNG).decode()}]})

    async def chat(self, _: Request) -> Response:
        self.chats += 1
        message = {"role": "assistant", "content": "1. Zoltan Fake scored 9 goals."}
        return JSONResponse({"choices": [{"message": message}], "usage": {"completion_tokens": 9}})

    async def send(self, request: Request) -> Response:
        body = await request.json()
        self.sent.append(
            (request.path_params["number"], request.headers["authorization"], body["to"], body["text"]["body"])
        )
        return JSONResponse({"messages": [{"id": f"wamid.out{len(self.sent)}"}]})

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/graph/{number}/messages", self.send, methods=["POST"]),
                Route("/rss", self.feed),
                Route("/search", self.search),
                Route("/images", self.draw, methods=["POST"]),
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
            ]
        )


class People:
    """Asks the assistant as somebody."""

    def __init__(self, pool):
        self.pool = pool

    async def make(self, name: str) -> dict[str, str]:
        status, made = await self.pool.ask("assistant", "/v1/assistant/people", {"name": name})
        assert status == 200, made
        return {TOKEN_HEADER: TOKEN, PERSON_KEY: made["key"]}

    async def call(self, who: dict[str, str], method: str, path: str, body: dict | None = None) -> tuple[int, object]:
        url = f"{self.pool.products.urls['assistant']}/v1/assistant{path}"
        async with self.pool.session.request(method, url, json=body, headers=who) as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, await answer.json() if is_json else await answer.read()

    async def say(self, who: dict[str, str], thread: str, text: str, id: str = "") -> dict:
        body = {"id": id or os.urandom(8).hex(), "text": text}
        status, found = await self.call(who, "POST", f"/threads/{thread}/messages", body)
        assert status == 200, found
        return found

    async def thread(self, who: dict[str, str], name: str = "t") -> str:
        status, found = await self.call(who, "POST", "/threads", {"name": name})
        assert status == 200, found
        return found["thread"]

    async def messages(self, who: dict[str, str], thread: str) -> list[dict]:
        return (await self.call(who, "GET", f"/threads/{thread}/messages"))[1]["messages"]


@pytest.fixture
async def outside():
    return Outside()


@pytest.fixture
async def people(tmp_path, outside, minilm, monkeypatch):
    async with opened(inside, tmp_path, outside, monkeypatch) as found:
        yield found


@pytest.fixture
async def people_of_a_process(tmp_path, outside, minilm, monkeypatch):
    async with opened(running, tmp_path, outside, monkeypatch) as found:
        yield found


@contextlib.asynccontextmanager
async def opened(how, home, outside, monkeypatch):
    """Have the assistant run, by ``inside`` or ``running``, until it has read the feed; its models are in the cache."""
    for name in ("ACCESS_TOKEN", "APP_SECRET", "VERIFY_TOKEN"):
        monkeypatch.setenv(f"ASSISTANT_WHATSAPP_{name}", f"wa {name.lower()}")
    (home / "assets").symlink_to(cache_dir() / "assets")
    async with serving(outside.app()) as url:
        settings = AssistantSettings(
            subscriptions=(f"{url}/rss",),
            private_hosts=True,
            poll_s=10,
            holdout=0.5,
            writer=True,
            usd_per_answer=0.5,
            images_url=f"{url}/images",
            search_url=f"{url}/search?q={{query}}",
            reply_wait_s=25,
            whatsapp_number="555",
            messenger_page="777",
            graph_url=f"{url}/graph",
        )
        config = config_type({"assistant": AssistantSettings})(assistant=settings)
        async with how(home, ASSISTANT, front_url=url, config=config) as pool:

            async def has_read() -> bool:
                found = (await pool.ask("assistant", "/v1/assistant/subscriptions"))[1]
                return bool(found["subscriptions"] and found["subscriptions"][0]["passages"])

            await until(has_read, 60)
            yield People(pool)


@pytest.mark.slow
async def test_a_thread_asks_remembers_plans_and_draws_and_is_closed_to_others(people, outside):
    ann, bob, eve = [await people.make(name) for name in ("Ann", "Bob", "Eve")]
    thread = await people.thread(ann, "Outing")
    code = (await people.call(ann, "POST", f"/threads/{thread}/invites"))[1]["code"]
    assert (await people.call(bob, "POST", "/join", {"code": code}))[0] == 200
    assert (await people.call(eve, "POST", "/join", {"code": code}))[0] == 404

    # Several people: only a message to the assistant is one; sent twice it is one message with one reply.
    assert (await people.say(bob, thread, "Let us meet at the Old Mill tavern."))["reply"] is None
    first = await people.say(ann, thread, f"@assistant {QUESTION}", "m1")
    again = await people.say(ann, thread, f"@assistant {QUESTION}", "m1")
    assert first["reply"] == again["reply"] and first["message"] == again["message"]
    reply = first["reply"]
    yesterday = TODAY - timedelta(days=1)
    assert reply["type"] == "answer" and "Milo Drazen" in reply["text"] and "Fake" not in reply["text"]
    assert f"(bay.example, {yesterday.day} {yesterday:%B %Y})" in reply["text"]
    assert reply["claims"][0]["evidence"][0]["url"] == "https://bay.example/cup"

    # What is found nowhere is looked for by the web search; what that does not find is unknown, and no denial.
    found = (await people.say(ann, thread, "@assistant Who repaired the Halden telescope?"))["reply"]
    assert "Ida Marchetti" in found["text"] and found["claims"][0]["evidence"][0]["url"] == "https://web.example/a"
    found = (await people.say(ann, thread, "@assistant Who won the Nobel Peace Prize?"))["reply"]
    assert found["type"] == "unknown" and found["as_of"] and "bay.example" in found["searched"]

    # It remembers what it is told, and what was said here; both lists and all that is in them can be deleted.
    await people.say(ann, thread, "@assistant remember that our code word is Zebra Lantern")
    assert "Zebra Lantern" in (await people.say(bob, thread, "@assistant What is our code word?"))["reply"]["text"]
    assert "Old Mill" in (await people.say(ann, thread, "@assistant Where do we meet, which tavern?"))["reply"]["text"]
    memory = (await people.call(bob, "GET", f"/threads/{thread}/memory"))[1]
    assert [(fact["text"], fact["by"]) for fact in memory["remembered"]] == [("our code word is Zebra Lantern", "Ann")]

    # In other threads it knows nothing of that, whoever asks; and nobody else can look.
    for who in (ann, eve):
        other = await people.thread(who)
        for question in ("What is our code word?", "Where do we meet, which tavern?", "what do you remember?"):
            text = (await people.say(who, other, question))["reply"]["text"]
            assert "Zebra" not in text and "Old Mill" not in text, text
    for method, path, body in (
        ("GET", "messages", None), ("POST", "messages", {"id": "x", "text": "hi"}), ("GET", "memory", None),
        ("DELETE", "memory", None), ("DELETE", "memory/1", None), ("DELETE", "messages/1", None),
        ("POST", "invites", None), ("GET", "plan.ics", None), ("GET", "images/1", None), ("DELETE", "me", None),
    ):  # fmt: skip
        status, told = await people.call(eve, method, f"/threads/{thread}/{path}", body)
        assert status == 404 and "no such thread" in told["error"]["message"], path
        assert (await people.call({TOKEN_HEADER: TOKEN}, method, f"/threads/{thread}/{path}", body))[0] == 401
    assert (await people.call(eve, "GET", "/threads"))[1]["threads"][0]["thread"] != thread

    plan = "@assistant plan Saturday: 10:00 museum at Lasziv, 1 pm lunch at Rosa's"
    assert "1. 10:00-11:00 museum, Lasziv" in (await people.say(ann, thread, plan))["reply"]["text"]
    await people.say(bob, thread, "@assistant move the museum to 3 pm")
    _, ics = await people.call(bob, "GET", f"/threads/{thread}/plan.ics")
    events = [(event["summary"], event["dtstart"].dt.hour) for event in Calendar.from_ical(ics).walk("VEVENT")]
    assert events == [("lunch", 13), ("museum", 15)]

    drawn = (await people.say(ann, thread, "@assistant draw a red ferry"))["reply"]
    assert "no photo" in drawn["text"]
    assert (await people.call(bob, "GET", drawn["image"].removeprefix("/v1/assistant")))[1] == PNG

    assert (await people.call(ann, "DELETE", f"/threads/{thread}/memory/1"))[1]["remembered"] == []
    after = (await people.say(ann, thread, "@assistant What is our code word?"))["reply"]["text"]
    # The messages that said it can be deleted, too.
    for said in await people.messages(ann, thread):
        if said["person"] and "Zebra" in said["text"]:
            assert (await people.call(ann, "DELETE", f"/threads/{thread}/messages/{said['number']}"))[0] == 200
    gone = (await people.say(ann, thread, "@assistant What is our code word?"))["reply"]
    assert "Zebra" not in gone["text"], after
    assert outside.feeds == 1


@pytest.mark.slow
async def test_a_message_that_it_fails_at_keeps_nobody_waiting(people):
    ann, bob = await people.make("Ann"), await people.make("Bob")
    # Its calendar ends before this party does.
    found = await people.say(ann, await people.thread(ann), "plan 9999-12-31: 23:30 party")
    assert "write it in other words" in found["reply"]["text"]
    assert "Milo Drazen" in (await people.say(bob, await people.thread(bob), QUESTION))["reply"]["text"]


@pytest.mark.slow
async def test_no_message_is_lost_or_answered_twice_when_the_process_is_killed(people_of_a_process):
    people = people_of_a_process
    ann = await people.make("Ann")
    thread = await people.thread(ann)
    await people.say(ann, thread, QUESTION, "warm")
    keeper = people.pool.keepers["assistant"]
    before = keeper.pid

    async def say(id: str) -> None:
        """As a client does: the same id again until it is answered."""
        while True:
            try:
                body = {"id": id, "text": f"Who scored the winning goal of the Coastal Cup, number {id}?"}
                status, _ = await people.call(ann, "POST", f"/threads/{thread}/messages", body)
            except (OSError, TimeoutError, aiohttp.ClientError):
                await asyncio.sleep(0.1)
                continue
            if status == 200:
                return

    asking = [asyncio.create_task(say(str(n))) for n in range(8)]
    await asyncio.sleep(0.15)
    os.kill(before, signal.SIGKILL)
    await asyncio.gather(*asking)
    assert keeper.pid != before

    async def all_answered() -> bool:
        said = await people.messages(ann, thread)
        return len([each for each in said if each["answers"]]) == 9

    await until(all_answered, 60)
    said = await people.messages(ann, thread)
    assert sorted(each["id"] for each in said if each["person"]) == sorted(["warm", *map(str, range(8))])
    answered = [each["answers"] for each in said if each["answers"]]
    assert len(answered) == len(set(answered)) == 9
    assert [each["number"] for each in said] == list(range(1, 19))


@pytest.mark.slow
async def test_what_a_model_earns_is_what_its_threads_come_to_beyond_those_of_the_templates(people, outside, tmp_path):
    ann = await people.make("Ann")
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'assistant.db'}")
    arms = {True: "", False: ""}
    while not all(arms.values()):
        thread = await people.thread(ann)
        with engine.connect() as connection:
            held_out = connection.execute(sa.text("SELECT held_out FROM threads WHERE id = :t"), {"t": thread}).scalar()
        arms[bool(held_out)] = arms[bool(held_out)] or thread
    before = outside.chats
    await people.say(ann, arms[True], QUESTION)
    assert outside.chats == before
    for _ in range(3):
        await people.say(ann, arms[False], QUESTION)
    assert outside.chats == before + 3

    def told() -> tuple[int, float]:
        with engine.connect() as connection:
            row = connection.execute(sa.text("SELECT sum(nano_usd), sum(units) FROM earnings")).one()
            counts = dict(connection.execute(sa.text("SELECT held_out, threads FROM arms")).all())
        expected = 3 * 0.5 - counts[0] / counts[1] * 0.5
        return row[0] is not None and abs(row[0] / 1e9 - expected) < 1e-6 and row[1] == 27

    await until(told, 30)
    engine.dispose()


@contextlib.asynccontextmanager
async def by_mcp(people, who):
    """The official client, as somebody."""
    url = f"{people.pool.products.urls['assistant']}/v1/assistant/mcp"
    async with (
        httpx2.AsyncClient(headers=who, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


async def test_other_programs_talk_to_it_over_mcp_in_their_persons_threads_only(people):
    ann, ben = await people.make("Ann"), await people.make("Ben")
    async with by_mcp(people, ann) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert names == {"list_threads", "make_thread", "send_message", "read_messages"}
        thread = (await client.call_tool("make_thread", {"name": "cup"})).structured_content["thread"]
        asked = {"thread": thread, "id": "m1", "text": QUESTION}
        said = (await client.call_tool("send_message", asked)).structured_content
        assert said["reply"]["type"] == "answer" and "Milo Drazen" in said["reply"]["text"]
        assert said["reply"]["claims"][0]["evidence"][0]["url"] == "https://bay.example/cup"
        # The same message again is the same, with the same reply.
        assert (await client.call_tool("send_message", asked)).structured_content == said
        found = (await client.call_tool("read_messages", {"thread": thread})).structured_content["messages"]
        assert [each["name"] for each in found] == ["Ann", "Assistant"]
        wrong = await client.call_tool("send_message", {"thread": thread, "id": "m2", "text": ""})
        assert wrong.is_error and wrong.structured_content["error"].startswith("text:")
        assert (await client.call_tool("ask", {})).is_error
    assert (await people.messages(ann, thread))[0]["text"] == QUESTION
    async with by_mcp(people, ben) as client:
        assert (await client.call_tool("list_threads", {})).structured_content == {"threads": []}
        foreign = await client.call_tool("read_messages", {"thread": thread})
        assert foreign.is_error and "no such thread, or you are not in it" in foreign.structured_content["error"]
    url = f"{people.pool.products.urls['assistant']}/v1/assistant/mcp"
    async with people.pool.session.post(url, json={}, headers={TOKEN_HEADER: TOKEN}) as answer:
        assert answer.status == 401


async def hook(pool, channel: str, *messages: tuple[str, str, str], secret: str = "wa app_secret") -> tuple[int, str]:
    """Tell the assistant of messages as Meta does: sender, id and text of each."""
    rows = [
        {"from": sender, "id": id, "timestamp": "1", "type": "text", "text": {"body": text}}
        for sender, id, text in messages
    ]
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": "555"}, "messages": rows}
    raw = json.dumps({"entry": [{"changes": [{"field": "messages", "value": value}]}]}).encode()
    signature = "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    headers = {TOKEN_HEADER: TOKEN, "x-hub-signature-256": signature}
    url = f"{pool.products.urls['assistant']}/v1/assistant/hooks/{channel}"
    async with pool.session.post(url, data=raw, headers=headers) as answer:
        return answer.status, await answer.text()


@pytest.mark.slow
async def test_on_whatsapp_each_is_alone_with_it_and_is_replied_to_once_through_repeats_and_a_kill(
    people_of_a_process, outside
):
    pool = people_of_a_process.pool
    params = {"hub.mode": "subscribe", "hub.verify_token": "wa verify_token", "hub.challenge": "42"}
    url = f"{pool.products.urls['assistant']}/v1/assistant/hooks/whatsapp"
    async with pool.session.get(url, params=params, headers={TOKEN_HEADER: TOKEN}) as answer:
        assert (answer.status, await answer.text()) == (200, "42")
    asked = ("4915", "wamid.a", "remember that our code word is Zebra Lantern"), ("4915", "wamid.b", QUESTION)
    assert (await hook(pool, "whatsapp", *asked, secret="guess"))[0] == 401
    for _ in range(3):
        assert (await hook(pool, "whatsapp", *asked))[0] == 200
    os.kill(pool.keepers["assistant"].pid, signal.SIGKILL)
    # What was just being sent waits a minute for a word that it arrived.
    await until(lambda: len(set(outside.sent)) >= 2, 120)
    assert (await hook(pool, "whatsapp", *asked, ("4917", "wamid.c", "What is our code word?")))[0] == 200
    assert (await hook(pool, "whatsapp", ("4915", "wamid.d", "draw a red ferry")))[0] == 200
    await until(lambda: len(set(outside.sent)) >= 4, 120)
    await asyncio.sleep(0.5)
    assert {(number, token) for number, token, _, _ in outside.sent} == {("555", "Bearer wa access_token")}
    first = [text for _, _, to, text in outside.sent if to == "4915"]
    # A process killed between sending and noting it sends once more: here it was not, or the same words came again.
    first = list(dict.fromkeys(first))
    assert len(first) == 3 and "Milo Drazen" in first[1] and first[1].endswith("https://bay.example/cup")
    assert first[2] == "I can send no images here."
    (other,) = [text for _, _, to, text in outside.sent if to == "4917"]
    assert "Zebra" not in other

    status, told = await hook(pool, "messenger", asked[0])
    assert status == 404 and "ASSISTANT_MESSENGER_ACCESS_TOKEN" in told
