"""What a program gets from a real pool when it asks for what is not there, or for what would end an engine."""

import http.client
import json
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.timeout(600)

CHAT = {"model": "smollm2-135m", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4}


@pytest.fixture
def ask(pool):
    """Ask on one connection, which must stay good."""
    connection = http.client.HTTPConnection(urlsplit(pool.url).netloc, timeout=60)

    def send(method: str, path: str, body: bytes = b"", **headers: str):
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read()), response.headers

    yield send
    connection.close()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("POST", "/api/nothing", 404),
        ("GET", "/v1/chat/completions", 405),
        ("DELETE", "/v1/models", 405),
        ("POST", "/v1/rank/users", 405),
        ("POST", "/api/state", 405),
    ],
)
def test_a_wrong_path_or_method_is_answered_in_json(ask, method, path, status):
    found, body, headers = ask(method, path, **{"x-request-id": "mine-1"})
    assert (found, body["error"]["type"]) == (status, "invalid_request_error")
    assert body["request_id"] == headers["x-request-id"] == "mine-1"
    assert status == 404 or headers["allow"]


def test_bodies_that_would_end_an_engine_harm_nothing_after_them(ask, pool):
    before = [resident["pid"] for resident in pool.settle()]
    for body in (
        b"[" * 500_000,
        b'{"model": ' + b'{"a":' * 900 + b"1" + b"}" * 901,
        json.dumps(CHAT | {"grammar": "root ::= " + "(" * 300_000 + '"a"' + ")" * 300_000}).encode(),
        json.dumps(CHAT | {"tools": {}}).encode(),
    ):
        status, answer, headers = ask("POST", "/v1/chat/completions", body)
        assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
        assert answer["request_id"] == headers["x-request-id"]
        status, answer, _ = ask("POST", "/v1/chat/completions", json.dumps(CHAT).encode())
        assert (status, len(answer["choices"])) == (200, 1)
    assert [resident["pid"] for resident in pool.residents()] == before


def test_an_answer_of_rank_names_its_request(ask):
    for body, status in (({"user": 196}, 200), ({"user": 0}, 422), ({"user": 10**5000}, 400)):
        with_digits = json.dumps(body) if body["user"] < 10**9 else '{"user": ' + "9" * 5000 + "}"
        found, answer, headers = ask("POST", "/v1/rank", with_digits.encode(), **{"x-request-id": "r-1"})
        assert (found, headers["x-request-id"]) == (status, "r-1")
        assert status == 200 or answer["error"]
