"""A product behind a real front: found by its prefix, let in as the door says, and found again where it moved."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from front_process import front

from tenfold.pool.product_route import ProductRoute
from tenfold.pool.runfile import RunFile, own_start_time, write_run_file

PREFIXES = {"prefixes": ("/v1/shop",), "public": ("/v1/shop/widget",)}
ELSEWHERE = {"host": "shop.example", "origin": "http://shop.example:81"}


class Shop(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"{self.server.server_port} {self.path} {self.headers['host']}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def shops():
    found = [ThreadingHTTPServer(("127.0.0.1", 0), Shop) for _ in range(2)]
    for each in found:
        threading.Thread(target=each.serve_forever, daemon=True).start()
    yield found
    for each in found:
        each.shutdown()
        each.server_close()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def door(tmp_path_factory, shops, home):
    products = {"shop": ProductRoute(url=f"http://127.0.0.1:{shops[0].server_port}", **PREFIXES)}
    with front(tmp_path_factory.mktemp("front") / "front.log", products=products, home=home) as found:
        yield found


def test_a_product_is_asked_by_its_prefix_and_other_paths_are_as_before(door, shops):
    status, _, body = door.ask("/v1/shop/things?a=1")
    assert (status, body.decode()) == (200, f"{shops[0].server_port} /v1/shop/things?a=1 127.0.0.1:{door.port}")
    assert door.refusal("/v1/shops")[0] == 404
    assert door.refusal("/v1/models", "POST")[0] == 405
    assert door.refusal("/v1/rank", "GET") == (405, 405)
    assert door.ask("/v1/models")[0] == 200


def test_only_what_a_product_declares_public_is_open_to_other_sites_and_names(door):
    assert door.refusal("/v1/shop/things", host="shop.example") == (421, "unknown_host")
    assert door.refusal("/v1/shop/things", origin="http://evil.example") == (403, "foreign_origin")
    assert door.ask("/v1/shop/widget/a.js", **ELSEWHERE)[0] == 200
    assert door.refusal("/v1/shop/widgets", **ELSEWHERE)[0] == 421


def test_what_came_through_a_proxy_that_nobody_named_needs_a_key(door):
    assert door.ask("/v1/shop/things", x_forwarded_for="127.0.0.1")[0] == 200
    assert door.refusal("/v1/shop/things", x_forwarded_for="203.0.113.9") == (401, "no_key")
    assert door.refusal("/v1/rank/items", host="shop.example") == (401, "no_key")
    assert door.ask("/v1/shop/widget/a.js", x_forwarded_for="203.0.113.9")[0] == 200


def test_a_product_that_moved_is_found_by_the_run_file(door, shops, home):
    there = ProductRoute(url=f"http://127.0.0.1:{shops[1].server_port}", **PREFIXES)
    write_run_file(home, RunFile(pid=1, started=own_start_time(), url=door.url, products={"shop": there}))
    end = time.monotonic() + 30
    while not (body := door.ask("/v1/shop")[2]).startswith(str(shops[1].server_port).encode()):
        assert time.monotonic() < end, body
        time.sleep(0.1)
