"""What the pool's refusal looks like to somebody at a terminal: a sentence, not a body."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tenfold.core.errors import NotRunning, TenfoldError
from tenfold.pool.api_error import error_body
from tenfold.pool.client import ask

ANSWERS = {
    "/own": (404, error_body(404, "there is no campaign 'x'")),
    "/fastapi": (422, b'{"detail":"surface: there is no surface \'x\'"}'),
    "/starting": (503, error_body(503, "the pool is still starting")),
    "/plain": (500, b"Internal Server Error"),
}


class _Refuses(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = ANSWERS[self.path]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *told: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Refuses) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/own", r"^there is no campaign 'x' \(http://127\.0\.0\.1:\d+/own answered 404\)$"),
        ("/fastapi", r"^surface: there is no surface 'x' \(http://127\.0\.0\.1:\d+/fastapi answered 422\)$"),
        ("/plain", r"^Internal Server Error \("),
    ],
)
def test_a_refusal_is_a_sentence_in_whatever_shape_it_came(url, path, said):
    with pytest.raises(TenfoldError, match=said):
        ask(url, path)


def test_a_pool_that_still_starts_is_to_be_asked_again(url):
    with pytest.raises(NotRunning, match=r"^the pool is still starting \(") as found:
        ask(url, "/starting")
    assert found.value.next_step == "try again in a moment"
