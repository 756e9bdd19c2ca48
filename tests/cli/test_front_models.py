"""Models elsewhere, through a real front: the openai client's calls, budgets, and backends that die, hang and fail."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import openai
import pytest
from aiohttp import web
from front_process import FrontProcess, front

from tenfold.pool.keys import make_key, read_keys
from tenfold.pool.metering.budget import read_budget
from tenfold.pool.model_door import TOKENS_PER_IMAGE
from tenfold.wiring import CONFIG

pytestmark = pytest.mark.slow

HELLO: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


class Upstream:
    """A server of models in a thread. ``mood`` says how it answers; ``seen`` is what it was asked."""

    def __init__(self) -> None:
        self.mood = "well"
        self.seen: list[tuple[str, dict[str, str], dict[str, object]]] = []
        self.loop = asyncio.new_event_loop()
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.1)
        self.port = 0

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/v1/{path:.*}", self._answer)
        return app

    def start(self) -> None:
        """Listen, at the same port as before."""

        async def listen() -> None:
            await self._runner.setup()
            site = web.TCPSite(self._runner, "127.0.0.1", self.port)
            await site.start()
            self.port = site._server.sockets[0].getsockname()[1]

        self.loop.run_until_complete(listen())
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self.loop).result(30)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.1)

    async def _end(self) -> None:
        await self._runner.cleanup()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.seen.append((request.path, dict(request.headers), body))
        if self.mood == "hangs":
            await asyncio.sleep(3600)
        if self.mood == "breaks":
            request.transport.close()
        if self.mood in ("500", "429"):
            error = {"message": f"upstream says {self.mood}", "type": "x", "param": None, "code": None}
            return web.json_response({"error": error}, status=int(self.mood))
        if request.path == "/v1/embeddings":
            data = [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]
            return web.json_response(
                {"object": "list", "model": "m", "data": data, "usage": {"prompt_tokens": 3, "total_tokens": 3}}
            )
        if not body.get("stream"):
            message = {"role": "assistant", "content": "Hello you."}
            choice = {"index": 0, "message": message, "finish_reason": "stop", "text": "Hello you."}
            table = {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [choice]}
            return web.json_response({**table, "usage": USAGE})
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        events = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in ("Hello ", "you.")]
        if (body.get("stream_options") or {}).get("include_usage"):
            events.append({"choices": [], "usage": USAGE})
        for event in events:
            table = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": body["model"], **event}
            await response.write(b"data: " + json.dumps(table, separators=(",", ":")).encode() + b"\n\n")
            if self.mood == "cuts":
                request.transport.close()
                return response
        await response.write(b"data: [DONE]\n\n")
        return response


@contextmanager
def upstreams(count: int) -> Iterator[list[Upstream]]:
    made = [Upstream() for _ in range(count)]
    for each in made:
        each.start()
    try:
        yield made
    finally:
        for each in made:
            each.mood = "well"
            each.stop()
            each.loop.close()


@pytest.fixture(scope="module")
def servers() -> Iterator[list[Upstream]]:
    with upstreams(3) as made:
        yield made


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def keys(home) -> dict[str, str]:
    return {
        "operator": make_key(home, "operator"),
        "viewer": make_key(home, "viewer"),
        "team": make_key(home, "developer", tenant="team", budget=read_budget("20 tokens")),
        "other": make_key(home, "developer", tenant="other"),
    }


@pytest.fixture(scope="module")
def door(servers, home, keys, tmp_path_factory) -> Iterator[FrontProcess]:
    alone, first, second = ({"url": f"http://127.0.0.1:{each.port}/v1"} for each in servers)
    bounds = {"failures": 3, "open_s": 3.0, "first_byte_s": 30.0, "silent_s": 30.0}
    hasty = bounds | {"first_byte_s": 1.0}
    backends = {
        "alone": {**alone, **bounds, "models": ["solo", "embed"], "key_env": "TEST_KEY", "usd_per_million_out": 1e6},
        "first": {**first, **hasty, "models": ["both"]},
        "slow": {**first, **bounds, "first_byte_s": 6.0, "models": ["hung"]},
        "second": {**second, **bounds, "models": ["both"]},
    }
    config = CONFIG.model_validate({"access": {"required": True}, "serve": {"backends": backends}})
    patch = pytest.MonkeyPatch()
    patch.setenv("TEST_KEY", "sk-upstream")
    with front(tmp_path_factory.mktemp("front") / "front.log", config, home=home, key=keys["operator"]) as running:
        yield running
    patch.undo()


@pytest.fixture(autouse=True)
def well(servers) -> None:
    for each in servers:
        each.mood = "well"
        each.seen.clear()


@contextmanager
def client_of(door: FrontProcess, key: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{door.url}/v1", api_key=key, max_retries=0, timeout=60) as client:
        yield client


@pytest.fixture
def client(door, keys) -> Iterator[openai.OpenAI]:
    with client_of(door, keys["operator"]) as client:
        yield client


def rows(door: FrontProcess, keys: dict[str, str], tenant: str = "") -> list[dict]:
    _, _, text = door.ask("/api/meter", authorization=f"Bearer {keys['viewer']}")
    return [row for row in json.loads(text)["rows"] if row["tenant"] == tenant]


def test_models_are_listed_with_the_default_chat_model_first(client):
    found = [model.id for model in client.models.list()]
    assert found[0] == "smollm2-135m" and found[-4:] == ["solo", "embed", "both", "hung"]
    assert client.models.retrieve("solo").id == "solo"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-9")


def test_an_answer_passes_with_the_backends_key_and_nothing_of_the_pools(client, servers, keys):
    answer = client.chat.completions.create(model="solo", messages=HELLO)
    assert answer.choices[0].message.content == "Hello you."
    ((_, headers, _),) = servers[0].seen
    assert headers["Authorization"] == "Bearer sk-upstream"
    assert not [name for name in headers if name.lower().startswith(("x-tenfold", "cookie"))]


@pytest.mark.parametrize("asked", [True, False])
def test_a_stream_passes_and_its_usage_is_counted_whether_or_not_it_is_shown(client, door, keys, asked):
    before = rows(door, keys)
    options = {"include_usage": True} if asked else openai.omit
    parts = list(client.chat.completions.create(model="solo", messages=HELLO, stream=True, stream_options=options))
    assert "".join(part.choices[0].delta.content for part in parts if part.choices) == "Hello you."
    assert [part.usage.completion_tokens for part in parts if part.usage] == ([2] if asked else [])
    (now,) = [row for row in rows(door, keys) if row["model"] == "solo"]
    was = next((row for row in before if row["model"] == "solo"), {"tokens_in": 0, "tokens_out": 0, "usd": 0})
    assert (now["tokens_in"] - was["tokens_in"], now["tokens_out"] - was["tokens_out"]) == (3, 2)
    assert now["usd"] - was["usd"] == pytest.approx(2.0)


def test_embeddings_and_completions_pass_too(client):
    assert client.embeddings.create(model="embed", input="a", encoding_format="float").data[0].embedding == [0.5, 0.25]
    assert client.completions.create(model="solo", prompt="a").choices[0].text == "Hello you."


def test_errors_raise_the_clients_own_classes(client, door, keys, servers):
    with pytest.raises(openai.NotFoundError, match="'gpt-9' does not exist; this pool serves 'smollm2-135m'") as caught:
        client.chat.completions.create(model="gpt-9", messages=HELLO)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    with client_of(door, "tf_wrong") as stranger, pytest.raises(openai.AuthenticationError):
        stranger.chat.completions.create(model="solo", messages=HELLO)
    with client_of(door, keys["viewer"]) as viewer, pytest.raises(openai.PermissionDeniedError):
        viewer.chat.completions.create(model="solo", messages=HELLO)
    servers[0].mood = "429"
    with pytest.raises(openai.RateLimitError, match="upstream says 429"):
        client.chat.completions.create(model="solo", messages=HELLO)
    servers[0].mood = "500"
    with pytest.raises(openai.InternalServerError, match="upstream says 500"):
        client.chat.completions.create(model="solo", messages=HELLO)
    servers[0].mood = "cuts"
    with pytest.raises(openai.APIConnectionError):
        list(client.chat.completions.create(model="solo", messages=HELLO, stream=True))


def test_a_key_over_its_budget_is_refused_and_another_goes_on(door, keys, home):
    with client_of(door, keys["team"]) as team, client_of(door, keys["other"]) as other:
        for _ in range(4):
            team.chat.completions.create(model="solo", messages=HELLO)
        with pytest.raises(openai.RateLimitError, match=r"20 tokens a day, is used up") as caught:
            team.chat.completions.create(model="solo", messages=HELLO)
        assert caught.value.code == "insufficient_quota"
        assert int(caught.value.response.headers["retry-after"]) <= 86_400
        with pytest.raises(openai.RateLimitError):
            team.embeddings.create(model="embed", input="a")
        assert other.chat.completions.create(model="solo", messages=HELLO).usage.total_tokens == 5
        assert [model.id for model in team.models.list()]
    used = rows(door, keys, "team")
    identity = next(key.id for key in read_keys(home) if key.tenant == "team")
    assert {row["key"] for row in used} == {identity}
    assert sum(row["tokens_in"] + row["tokens_out"] for row in used) == 20
    assert sum(row["refused"] for row in used) == 2
    _, _, text = door.ask("/metrics", authorization=f"Bearer {keys['viewer']}")
    assert 'tenfold_model_tokens_total{product="api",tenant="team",way="in"} 12.0' in text.decode()


def test_an_image_of_an_answer_that_broke_off_is_not_counted_by_its_bytes(client, servers, door, keys):
    def tokens_in() -> int:
        return sum(row["tokens_in"] for row in rows(door, keys) if row["model"] == "solo")

    before = tokens_in()
    servers[0].mood = "cuts"
    url = f"data:image/png;base64,{'A' * 400_000}"
    with pytest.raises(openai.APIConnectionError):
        parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What is it?"}]
        list(client.chat.completions.create(model="solo", messages=[{"role": "user", "content": parts}], stream=True))
    assert TOKENS_PER_IMAGE < tokens_in() - before < TOKENS_PER_IMAGE + 100


def test_who_leaves_before_the_first_byte_is_charged_the_prompt_but_not_for_an_error(client, servers, door, keys):
    def counted() -> list[tuple[int, int]]:
        return [(row["requests"], row["tokens_in"]) for row in rows(door, keys) if row["model"] == "hung"]

    servers[1].mood = "500"
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model="hung", messages=HELLO)
    assert counted() == []
    servers[1].mood = "hangs"
    with pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(model="hung", messages=HELLO, timeout=3.0)
    deadline = time.monotonic() + 60
    while not (found := counted()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert found[0][0] == 1 and found[0][1] > 0


@pytest.mark.parametrize("mood", ["500", "breaks", "hangs"])
def test_a_backend_that_fails_costs_no_request_where_another_serves_the_model(client, servers, mood, door, keys):
    servers[1].mood = mood
    for _ in range(4):
        assert client.chat.completions.create(model="both", messages=HELLO).choices
    assert client.chat.completions.create(model="solo", messages=HELLO).choices
    seen = len(servers[1].seen)
    assert seen <= 3, "after three failures it is left alone"
    servers[1].mood = "well"
    deadline = time.monotonic() + 60
    while len(servers[1].seen) <= seen or states(door, keys)["first"] != "closed":
        assert time.monotonic() < deadline
        client.chat.completions.create(model="both", messages=HELLO)
        time.sleep(0.1)


def states(door: FrontProcess, keys: dict[str, str]) -> dict[str, str]:
    _, _, text = door.ask("/api/backends", authorization=f"Bearer {keys['viewer']}")
    return {backend["name"]: backend["state"] for backend in json.loads(text)}


def test_a_dead_backend_is_said_to_be_left_alone_and_found_again_when_it_is_back(client, servers, door, keys):
    servers[0].stop()
    try:
        for _ in range(3):
            with pytest.raises(openai.InternalServerError, match="alone did not answer"):
                client.chat.completions.create(model="solo", messages=HELLO)
        with pytest.raises(openai.InternalServerError, match=r"again and again; tried again in [123] s") as caught:
            client.chat.completions.create(model="solo", messages=HELLO)
        assert caught.value.status_code == 503
        assert states(door, keys)["alone"] == "open"
    finally:
        servers[0].start()
    deadline = time.monotonic() + 60
    while True:
        try:
            client.chat.completions.create(model="solo", messages=HELLO)
            break
        except openai.InternalServerError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    assert states(door, keys)["alone"] == "closed"


def test_one_that_hangs_holds_nobody_else_up(client, servers):
    servers[1].mood = "hangs"
    with ThreadPoolExecutor(40) as pool:
        stuck = [pool.submit(client.chat.completions.create, model="hung", messages=HELLO) for _ in range(40)]
        for _ in range(5):
            assert client.chat.completions.create(model="solo", messages=HELLO).choices
        assert not all(each.done() for each in stuck)
        for each in stuck:
            assert isinstance(each.exception(60), openai.InternalServerError)
