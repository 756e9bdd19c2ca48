import pytest

from tenfold.pool.doorkeeper import Doorkeeper, HostNames, same_origin

PATHS = ("/v1/chat/completions", "/v1/models")
NAMES = HostNames(["127.0.0.1", "pool.example.com"])


def scope(path: str = "/api/state", method: str = "GET", kind: str = "http", **headers: str) -> dict:
    sent = {"host": "127.0.0.1:8000"} | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
    found = {"type": kind, "path": path, "headers": lines}
    return found | ({"method": method} if kind == "http" else {})


def refused(**request) -> tuple[int, str] | None:
    refusal = Doorkeeper(None, NAMES, PATHS).judge(scope(**request))
    return None if refusal is None else (refusal.status, refusal.code)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8000", "localhost", "LOCALHOST:9000", "a.localhost:1", "[::1]:8000", "10.0.0.7:80", "pool.example.com",
     "Pool.Example.com.:8000"],
)  # fmt: skip
def test_the_pool_answers_to_addresses_loopback_names_and_names_it_was_given(host):
    assert host in NAMES
    assert refused(host=host) is None


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "127.0.0.1.evil.example:8000", "localhost.evil.example", "notlocalhost", "[::1", "a b",
     "127.0.0.1@evil.example", "pool.example.com.evil.example", "127.0.0.1, evil.example"],
)  # fmt: skip
def test_a_name_that_was_made_to_point_here_is_refused(host):
    assert host not in NAMES
    assert refused(host=host) == (421, "unknown_host")
    assert refused(host=host, kind="websocket", path="/_nicegui_ws/socket.io/") == (421, "unknown_host")


def test_a_request_without_or_with_two_hosts_is_refused():
    door = Doorkeeper(None, NAMES, PATHS)
    assert door.judge(scope() | {"headers": []}).status == 421
    twice = [(b"host", b"127.0.0.1"), (b"host", b"evil.example")]
    assert door.judge(scope() | {"headers": twice}).status == 421


@pytest.mark.parametrize(
    ("origin", "own"),
    [("http://127.0.0.1:8000", True), ("https://127.0.0.1:8000", True), ("http://127.0.0.1", False),
     ("http://localhost:8000", False), ("http://127.0.0.1:3000", False), ("http://evil.example", False),
     ("null", False), ("", False), ("file://", False), ("http://127.0.0.1:8000.evil.example", False)],
)  # fmt: skip
def test_a_browser_is_answered_on_the_pools_own_page_only(origin, own):
    assert same_origin(origin, "127.0.0.1:8000") is own
    foreign = None if own else (403, "foreign_origin")
    assert refused(origin=origin) == foreign
    assert refused(origin=origin, kind="websocket", path="/_nicegui_ws/socket.io/") == foreign
    assert refused(origin=origin, path=PATHS[0], method="POST", content_type="application/json") == foreign


def test_behind_a_proxy_that_speaks_tls_the_default_port_may_be_left_out():
    assert same_origin("https://pool.example.com", "pool.example.com:443")
    assert not same_origin("https://pool.example.com", "pool.example.com:80")


def test_a_page_of_another_site_may_link_to_the_console_and_nothing_else():
    away = {"sec_fetch_site": "cross-site"}
    assert refused(path="/", sec_fetch_mode="navigate", **away) is None
    assert refused(path="/api/state", sec_fetch_mode="no-cors", **away) == (403, "foreign_origin")
    assert refused(path="/v1/models", sec_fetch_mode="no-cors", **away) == (403, "foreign_origin")
    assert refused(path=PATHS[0], method="POST", sec_fetch_mode="navigate", **away) == (403, "foreign_origin")
    assert refused(sec_fetch_site="same-origin") is None


def test_a_program_may_call_a_workload_under_any_name_and_a_rebound_page_may_not():
    call = {"path": PATHS[0], "method": "POST", "host": "evil.example:8000"}
    assert refused(**call, content_type="application/x-www-form-urlencoded") is None
    assert refused(**call, origin="http://evil.example:8000", content_type="application/json") == (421, "unknown_host")


def test_the_pools_own_page_sends_workloads_nothing_but_json():
    call = {"path": PATHS[0], "method": "POST", "origin": "http://127.0.0.1:8000"}
    assert refused(**call, content_type="application/json; charset=utf-8") is None
    assert refused(**call, content_type="text/plain") == (415, "not_json")
    assert refused(**call) == (415, "not_json")
