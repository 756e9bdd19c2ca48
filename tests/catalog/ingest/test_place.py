"""A source is read wherever it is: on this machine, or by its address."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from tenfold.catalog.ingest.place import read_place

PRODUCT = {"id": 1, "title": "Tee", "handle": "tee", "variants": [{"id": 11, "price": "20.00", "available": True}]}


@pytest.fixture
def site():
    class Shop(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
            kind, body = "text/html", "<title>Hours</title><main><h1>Hours</h1><p>From nine to six.</p></main>"
            if path == "/products.json":
                products = [PRODUCT] if query["page"] == ["1"] else []
                kind, body = "application/json", json.dumps({"products": products})
            elif path != "/":
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{listener.server_address[1]}"
        listener.shutdown()
        thread.join()


def test_a_site_and_a_shopify_feed_are_read_by_their_address(site, tmp_path, now):
    told = []
    read = read_place("site", site, now, "EUR", tmp_path, lambda *each: told.append(each), pause_s=0)
    assert [(each.url, each.title, each.text) for each in read.passages] == [(site, "Hours", "From nine to six.")]
    assert told == [(site, 1, 1)]
    feed = read_place("feed", f"{site}/products.json", now, "EUR", tmp_path, lambda *_: None, pause_s=0)
    assert [(item.title, item.url, str(item.variants[0].offer.price)) for item in feed.items] == [
        ("Tee", f"{site}/products/tee", "20.00 EUR")
    ]


def test_a_path_is_read_as_what_it_is(tmp_path, now):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "returns.md").write_text("Thirty days.")
    (tmp_path / "products.csv").write_text("id,title,price\n1,Cup,5\n")
    for kind, name in (("docs", "docs"), ("docs", "docs/returns.md"), ("site", "docs")):
        read = read_place(kind, str(tmp_path / name), now, "EUR", tmp_path, lambda *_: None)
        assert [each.text for each in read.passages] == ["Thirty days."]
    read = read_place("feed", str(tmp_path / "products.csv"), now, "EUR", tmp_path, lambda *_: None)
    assert str(read.items[0].variants[0].offer.price) == "5.00 EUR"
