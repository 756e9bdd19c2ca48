"""The front's own routes and its door, in a real process over a real socket; no controller is behind it."""

import asyncio
import json
import time

import aiohttp
import pytest
from front_process import front

from tenfold.cli.api import without_files
from tenfold.pool.keys import make_key, revoke_key
from tenfold.wiring import CONFIG

CHAT = "/v1/chat/completions"
SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport=polling"
OPERATOR_PATHS = ("/", "/healthz", "/api/state", "/metrics", "/openapi.json", SOCKET)
UPGRADE = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec_websocket_version": "13",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def door(tmp_path_factory, home):
    config = CONFIG.model_validate({"pool": {"hosts": ["pool.example.com"], "wait_deadline_s": 0.1}})
    with front(tmp_path_factory.mktemp("front") / "front.log", config, home=home) as found:
        # It has a name that others can reach it by, so that it asks for keys.
        assert found.refusal("/api/state") == (401, "no_key")
        found.key = make_key(home, "operator")
        yield found


@pytest.mark.parametrize("path", OPERATOR_PATHS)
def test_a_name_that_was_made_to_point_at_the_pool_opens_nothing(door, path):
    assert door.refusal(path, host="evil.example:8000") == (421, "unknown_host")
    assert door.ask(path, host="pool.example.com")[0] != 421
    assert door.ask(path, host=f"localhost:{door.port}")[0] != 421


@pytest.mark.parametrize("path", OPERATOR_PATHS)
def test_a_page_of_another_site_reads_and_polls_nothing(door, path):
    assert door.refusal(path, origin="http://evil.example") == (403, "foreign_origin")
    assert door.refusal(path, origin="http://localhost:3000") == (403, "foreign_origin")
    assert door.ask(path, origin=door.url)[0] != 403


def test_the_consoles_websocket_takes_the_pools_own_page_only(door):
    path = SOCKET.replace("polling", "websocket")
    assert door.ask(path, origin="http://evil.example", **UPGRADE)[0] == 403
    assert door.ask(path, host="evil.example", origin="http://evil.example", **UPGRADE)[0] == 403
    assert door.ask(path, origin=door.url, **UPGRADE)[0] == 101


def test_the_socket_tells_no_other_page_that_it_may_read(door):
    _, headers, _ = door.ask(SOCKET, origin=door.url)
    assert headers["access-control-allow-origin"] == door.url
    assert "access-control-allow-origin" not in door.ask(SOCKET)[1]


def test_a_message_beyond_the_limit_is_refused_unread(door):
    status, _, body = door.ask(SOCKET)
    sid = json.loads(body[1:])["sid"]
    assert status == 200
    assert door.refusal(f"{SOCKET}&sid={sid}", "POST", b"4" * 200_000) == (413, 413)
    assert door.refusal(f"{SOCKET}&sid={sid}", "POST", transfer_encoding="chunked") == (413, 413)


def test_text_from_another_sites_page_does_not_act_and_curl_does(door):
    body = b'{"model": "smollm2-135m", "messages": [{"role": "user", "content": "Hi"}]}'
    plain = {"content_type": "text/plain"}
    assert door.refusal(CHAT, "POST", body, origin="http://evil.example", **plain) == (403, "foreign_origin")
    assert door.refusal(CHAT, "POST", body, origin=door.url, **plain) == (415, "not_json")
    assert door.refusal(CHAT, "POST", body, sec_fetch_site="cross-site", **plain) == (403, "foreign_origin")
    # What goes through finds nobody awake, since nobody is there.
    assert door.refusal(CHAT, "POST", body, content_type="application/x-www-form-urlencoded")[0] == 503
    assert door.refusal(CHAT, "POST", body, host="tenfold.internal:80")[0] == 503


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/api/nothing", 404),
        ("POST", "/v1/nothing", 404),
        ("GET", "/_nicegui/nothing", 404),
        ("DELETE", "/api/state", 405),
        ("POST", "/healthz", 405),
        ("GET", "/docs", 404),
        ("GET", "/api/state", 503),
    ],
)
def test_every_error_is_json_in_one_shape(door, method, path, status):
    assert door.refusal(path, method)[0] == status


def test_prometheus_is_answered_before_the_controller_is(door):
    status, headers, body = door.ask("/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=")
    lines = body.decode().splitlines()
    assert "tenfold_ready 0.0" in lines
    assert 'tenfold_requests_waiting{workload="rank"} 0.0' in lines


def test_health_names_no_file():
    alarm = (
        "serve@n0/cpu1 does not stay up; it ended with -6: FileNotFoundError: '/root/.cache/tenfold/x.gguf'"
        " (/root/tenfold/logs/serve@n0-cpu1.log), see http://127.0.0.1:8000/api/state"
    )
    assert without_files(alarm) == (
        "serve@n0/cpu1 does not stay up; it ended with -6: FileNotFoundError: '<file>' (<file>), see"
        " http://127.0.0.1:8000/api/state"
    )
    assert without_files("no counters from rank@n0/cpu0, 3/4 slots, ~/x/y.log") == (
        "no counters from rank@n0/cpu0, 3/4 slots, <file>"
    )


def test_health_names_nobody_whom_a_product_speaks_of():
    alarm = "the product agents says that something is wrong: whatsapp of shop takes nothing\nsince today"
    assert without_files(alarm) == "the product agents says that something is wrong"


async def test_a_console_ends_within_seconds_of_its_key(door, home):
    key = make_key(home, "viewer")
    with_key = {"authorization": f"Bearer {key}"}
    url = f"{door.url}{SOCKET.replace('polling', 'websocket')}"
    polling = await asyncio.to_thread(door.ask, SOCKET, **with_key)
    async with aiohttp.ClientSession(headers=with_key) as session, session.ws_connect(url) as socket:
        assert (await socket.receive_str(timeout=30)).startswith("0")
        sid = json.loads(polling[2][1:])["sid"]
        poll = asyncio.create_task(session.get(f"{door.url}{SOCKET}&sid={sid}"))
        revoke_key(home, key.split("_")[1])
        while (await socket.receive(timeout=30)).type is not aiohttp.WSMsgType.CLOSED:
            pass
        async with await asyncio.wait_for(poll, 30) as answer:
            assert answer.status == 401
    assert (await asyncio.to_thread(door.ask, "/", **with_key))[0] == 401


@pytest.mark.parametrize("path", ["/v1/shop/../../api/state", "//api/state", "/v1/shop%2f..%2f..%2fapi", "/./api"])
def test_a_path_that_could_be_read_in_two_ways_is_refused(door, path):
    assert door.refusal(path) == (400, "bad_path")


def test_no_other_site_shows_the_console_in_a_frame(door):
    for path in ("/", "/plan", "/login", "/api/state", "/nothing"):
        _, headers, _ = door.ask(path)
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"


def test_the_log_holds_no_key(door):
    secret = make_key(door.log.parent, "visitor", tenant="acme")
    door.ask(f"/v1/feed?key={secret}&person=%00")
    door.ask(f"/login?key={secret}", "POST", b"x" * 10_000)
    assert secret not in door.log.read_text()


@pytest.mark.slow
def test_pages_beyond_the_bound_get_a_light_one_and_room_comes_back(tmp_path):
    with front(tmp_path / "front.log", CONFIG.model_validate({"pool": {"pages": 3}})) as few:
        assert [few.ask("/")[0] for _ in range(4)] == [200, 200, 200, 503]
        status, headers, body = few.ask("/")
        assert (status, headers["retry-after"]) == (503, "10")
        assert b"at most 3 open" in body and b"<script" not in body and len(body) < 20_000
        assert few.ask("/v1/models")[0] == 200
        for _ in range(6):
            few.ask(SOCKET)
        assert few.refusal(SOCKET)[0] == 503
        end = time.monotonic() + 180
        while (status := few.ask("/")[0]) == 503 and time.monotonic() < end:
            time.sleep(0.5)
        assert status == 200, "pages that no browser has are still held"
