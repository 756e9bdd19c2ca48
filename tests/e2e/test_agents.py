"""A business's agent and the assistant behind a real pool's front: on another site's page, over MCP, asked anything."""

import asyncio
import json
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from playwright.sync_api import expect
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from tenfold.assistant.contract import PERSON_KEY

WAIT_MS = 60_000
SHOP = "mug.example"
FEED = 'id,title,options,price,stock\nM1,Clay Mug,"color: blue",12.50,4\nM2,Clay Mug,"color: red",11.00,0\n'
STRICT = "default-src 'none'; script-src {url}; connect-src {url}; style-src 'none'"


class ShopPage(BaseHTTPRequestHandler):
    """A page of the shop's own site, which allows nothing but the pool's script."""

    def __init__(self, tag: str, url: str, *rest) -> None:
        self._tag, self._url = tag, url
        super().__init__(*rest)

    def do_GET(self) -> None:
        body = f"<!doctype html><html lang=en><title>Mugs</title><h1>Mugs</h1>{self._tag}</html>".encode()
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-security-policy", STRICT.format(url=self._url))
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site():
    """Where the shop's pages will be: an origin of its own, and another that is not the shop's."""
    found = [ThreadingHTTPServer(("127.0.0.1", 0), None) for _ in range(2)]
    yield found
    for each in found:
        each.shutdown()
        each.server_close()


@pytest.fixture(scope="module")
def added(pool, site, tmp_path_factory):
    """What ``tenfold agents add`` printed, with the shop's page served."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "feed.csv").write_text(FEED)
    (folder / "docs").mkdir()
    (folder / "docs" / "returns.md").write_text("# Returns\nMugs can be sent back within 21 days.")
    origin = f"http://127.0.0.1:{site[0].server_port}"
    sources = ["--feed", str(folder / "feed.csv"), "--docs", str(folder / "docs"), "--origin", origin]
    done = pool.command("agents", "add", SHOP, *sources, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for each in site:
        each.RequestHandlerClass = partial(ShopPage, found["tag"], pool.url)
        threading.Thread(target=each.serve_forever, daemon=True).start()
    return found


def test_the_widget_answers_on_the_shops_own_site_and_on_no_other(site, added, browser):
    context = browser.new_context()
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda told: complaints.append(told.text) if told.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"http://127.0.0.1:{site[0].server_port}/")
    for text, answer in (("How much is the blue mug?", "12.50 USD"), ("Can I send it back?", "21 days")):
        _say(page, text)
        expect(page.get_by_role("log")).to_contain_text(answer, timeout=WAIT_MS)
    assert complaints == []
    page.goto(f"http://127.0.0.1:{site[1].server_port}/")
    with page.expect_event("console", lambda told: told.type == "error", timeout=WAIT_MS):
        _say(page, "How much is the blue mug?")
    expect(page.get_by_role("log")).not_to_contain_text("12.50 USD")
    context.close()


def _say(page, text: str) -> None:
    """Write to the agent, whose window is opened first where it is closed."""
    opens = page.get_by_role("button", name=f"Chat with {SHOP}")
    box = page.get_by_label("Your message")
    expect(opens.or_(box).first).to_be_visible(timeout=WAIT_MS)
    if not box.is_visible():
        opens.click()
    box.fill(text)
    box.press("Enter")


def test_other_programs_use_a_shop_and_the_assistant_through_the_front_by_the_official_client(pool, added):
    made = _post(f"{pool.url}/v1/assistant/people", {"name": "Ann"})
    # In a thread of its own: the browser of the other tests has a running loop in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _use_by_mcp(pool.url, added["mcp"], made["key"])).result()


async def _use_by_mcp(url: str, shop_url: str, person_key: str) -> None:
    async with Client(shop_url) as client:
        found = (await client.call_tool("search_catalog", {"query": "blue mug"})).structured_content
        assert found["products"][0]["title"] == "Clay Mug"
        told = (await client.call_tool("check_policy", {"question": "How long can I return a mug?"})).structured_content
        assert "21 days" in told["passages"][0]["text"]
    async with (
        httpx2.AsyncClient(headers={PERSON_KEY: person_key}, timeout=60) as http,
        Client(streamable_http_client(f"{url}/v1/assistant/mcp", http_client=http)) as client,
    ):
        thread = (await client.call_tool("make_thread", {"name": "trip"})).structured_content["thread"]
        asked = {"thread": thread, "id": "1", "text": "remember that we leave at nine"}
        await client.call_tool("send_message", asked)
        said = (await client.call_tool("read_messages", {"thread": thread})).structured_content["messages"]
        assert said[0]["name"] == "Ann"


def ask_anything(pool, product: str, own: dict[str, str], headers: dict[str, str], examples: int) -> None:
    """Ask every operation of a product's schema what it allows and what not: never a server's error.

    Args:
        pool: a real one.
        product: whose schema.
        own: values of path parameters that are there, put into about half of what is asked.
        headers: sent with all.
        examples: how many for each operation.
    """
    schema = schemathesis.openapi.from_url(f"{pool.url}/v1/{product}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 10
    for operation in operations:
        _ask_operation(operation, own, headers, examples)


def _ask_operation(operation, own: dict[str, str], headers: dict[str, str], examples: int) -> None:
    is_set_up = operation.method.upper() in ("POST", "DELETE") and operation.path.endswith(_SET_UP)
    wrong = operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)
    right = operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE)

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=wrong if is_set_up else st.one_of(right, wrong), is_own=st.booleans())
    def ask(case, is_own):
        if is_own and not is_set_up:
            case.path_parameters = {**(case.path_parameters or {}), **_known(own, operation.path)}
        case.headers = {**(case.headers or {}), **headers}
        case.validate_response(case.call(timeout=60), checks=[not_a_server_error, response_schema_conformance])

    ask()


_SET_UP = ("/subscriptions", "/settings", "/businesses")
"""What would have the pool call addresses that nobody chose: asked what it does not allow only."""


def _known(own: dict[str, str], path: str) -> dict[str, str]:
    return {name: value for name, value in own.items() if f"{{{name}}}" in path}


def _post(url: str, body: dict) -> dict:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.loads(response.read())


def _owns(pool) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """Of each product: what is there, and the headers to ask it with."""
    made = _post(f"{pool.url}/v1/assistant/people", {"name": "Bea"})
    request = urllib.request.Request(
        f"{pool.url}/v1/assistant/threads",
        b'{"name": "any"}',
        {"content-type": "application/json", PERSON_KEY: made["key"]},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        thread = json.loads(response.read())["thread"]
    talk = "a-thread-of-nobody"
    _post(f"{pool.url}/v1/agents/{SHOP}/threads/{talk}/messages", {"id": "1", "text": "How much is the red mug?"})
    return {
        "agents": ({"business": SHOP, "thread": talk}, {}),
        "assistant": ({"thread": thread}, {PERSON_KEY: made["key"]}),
    }


@pytest.mark.parametrize("product", ["agents", "assistant"])
def test_whatever_is_asked_of_their_apis_is_no_servers_error(pool, added, product):
    del added
    ask_anything(pool, product, *_owns(pool)[product], examples=3)


@pytest.mark.soak
@pytest.mark.parametrize("product", ["agents", "assistant"])
def test_whatever_is_asked_of_their_apis_is_no_servers_error_at_length(pool, added, product):
    del added
    ask_anything(pool, product, *_owns(pool)[product], examples=60)
