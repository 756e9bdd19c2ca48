"""Subscriptions are read when they are due, and what is wrong with one is told and does no harm."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from tenfold.assistant import library
from tenfold.assistant.following import Following
from tenfold.assistant.library import Followed, follow, followed, freshness, read_passages
from tenfold.assistant.settings import AssistantSettings
from tenfold.assistant.tables import MIGRATIONS, metadata
from tenfold.catalog.ingest.web import Fetched, NotModified, Unreachable
from tenfold.core.migrate import migrate
from tenfold.core.store import open_store
from tenfold.product.outbox import MIGRATIONS as EVERY_PRODUCT

NOW = 1_794_830_400.0  # 16 November 2026, 12:00 UTC.
RSS = """<rss version="2.0"><channel><title>Bay</title><item><title>{title}</title><link>https://bay.example/a</link>
<pubDate>Fri, 13 Nov 2026 10:00:00 GMT</pubDate><description>{text}</description></item></channel></rss>"""
PAGE = "<html><head><title>Page {n}</title></head><body><article><p>{words}</p></article></body></html>"


class PretendWeb:
    """Answers by address; a text, or what is raised. ``asked``: address and etag of each request."""

    def __init__(self, **pages: str | Exception):
        self.pages = pages
        self.asked: list[tuple[str, str]] = []

    async def get(self, url: str, *, etag: str = "", modified: str = "") -> Fetched:
        self.asked.append((url, etag))
        found = self.pages[url.rsplit("/", 1)[1].replace(".", "_")]
        if isinstance(found, Exception):
            raise found
        if etag == '"1"':
            raise NotModified
        return Fetched(url, found.encode(), "text/xml", None, '"1"', "")


@pytest.fixture
def store(tmp_path: Path):
    path = tmp_path / "assistant.db"
    made = open_store(f"sqlite:///{path}", EVERY_PRODUCT)
    migrate(made, MIGRATIONS, str(path), versions="product_version")
    yield made
    made.close()


@pytest.fixture
def make(store):
    def make(web: PretendWeb, *urls: str, **settings):
        clock = [NOW]

        async def write(work):
            with store.writing() as connection:
                return work(connection)

        with store.writing() as connection:
            for url in urls:
                follow(connection, url)
        return Following(AssistantSettings(**settings), web, write, lambda: clock[0]), clock

    return make


def read(store, what):
    with store.reading() as connection:
        return what(connection)


def test_the_migrations_make_the_tables_that_the_assistant_uses(store):
    found = sa.inspect(store.engine)
    for table in metadata.sorted_tables:
        made = {column["name"]: column["nullable"] for column in found.get_columns(table.name)}
        assert made == {column.name: column.nullable for column in table.columns}, table.name


async def test_a_feed_is_read_when_it_is_due_and_asked_for_changes_only(store, make):
    web = PretendWeb(rss=RSS.format(title="One", text="The mill opened."))
    following, clock = make(web, "https://bay.example/rss", poll_s=60)
    assert await following.turn()
    assert not await following.turn() and len(web.asked) == 1
    clock[0] += 61
    assert not await following.turn() and web.asked[-1] == ("https://bay.example/rss", '"1"')
    (passage,) = read(store, read_passages)
    assert (passage.title, passage.text, passage.url) == ("One", "The mill opened.", "https://bay.example/a")
    (row,) = read(store, followed)
    assert (row.title, row.read_at, row.trouble) == ("Bay", NOW + 61, "")
    assert read(store, freshness)["https://bay.example/rss"][0] == 1


async def test_a_later_version_replaces_the_earlier(store, make):
    web = PretendWeb(rss=RSS.format(title="One", text="Nine died."))
    following, clock = make(web, "https://bay.example/rss")
    await following.turn()
    web.pages["rss"] = RSS.format(title="One", text="Ten died.")
    with store.writing() as connection:
        library.note(connection, Followed("https://bay.example/rss"))
    clock[0] += 10_000
    assert await following.turn()
    assert [passage.text for passage in read(store, read_passages)] == ["Ten died."]


async def test_one_in_trouble_says_why_and_is_asked_less_and_less(store, make):
    down = Unreachable("https://bay.example/rss: HTTP 500", next_step="wait")
    web = PretendWeb(
        rss=down,
        odd=OverflowError("date value out of range"),
        other=RSS.format(title="Two", text="It rained."),
        page="<html><body>no feed</body></html>",
    )
    names = ("rss", "odd", "other", "page")
    following, clock = make(web, *(f"https://bay.example/{name}" for name in names), poll_s=60)
    assert await following.turn()
    rows = {row.url.rsplit("/", 1)[1]: row for row in read(store, followed)}
    assert "HTTP 500" in rows["rss"].trouble and "no RSS, no Atom" in rows["page"].trouble and not rows["other"].trouble
    assert "date value out of range" in rows["odd"].trouble
    waits = []
    for _ in range(3):
        before = next(row for row in read(store, followed) if row.url.endswith("rss"))
        waits.append(before.next_at - clock[0])
        clock[0] = before.next_at
        await following.turn()
    assert waits == [60, 120, 240]
    web.pages["rss"] = RSS.format(title="One", text="Back.")
    clock[0] += 100_000
    await following.turn()
    assert next(row for row in read(store, followed) if row.url.endswith("rss")).trouble == ""


async def test_a_sitemaps_pages_are_read_and_only_changed_ones_again(store, make):
    words = "The old bridge, built in 1957, will get new bearings so that buses may keep crossing it. " * 3
    row = "<url><loc>https://bay.example/{}</loc><lastmod>{}</lastmod></url>"
    rows = [row.format("a", "2026-11-10"), row.format("b", "2026-11-12")]
    web = PretendWeb(
        map_xml=f"<urlset>{''.join(rows)}</urlset>", a=PAGE.format(n=1, words=words), b=PAGE.format(n=2, words=words)
    )
    following, clock = make(web, "https://bay.example/map.xml", poll_s=60)
    await following.turn()
    assert sorted(passage.url for passage in read(store, read_passages)) == [
        "https://bay.example/a",
        "https://bay.example/b",
    ]
    assert [url for url, _ in web.asked][1:] == ["https://bay.example/b", "https://bay.example/a"]
    web.pages["map_xml"] = f"<urlset>{rows[0]}{row.format('b', '2026-11-17')}</urlset>"
    with store.writing() as connection:
        library.note(connection, Followed("https://bay.example/map.xml", read_at=NOW))
    web.asked.clear()
    clock[0] += 100_000
    await following.turn()
    assert [url for url, _ in web.asked] == ["https://bay.example/map.xml", "https://bay.example/b"]


async def test_what_is_old_is_forgotten_and_an_ended_subscription_with_all_of_it(store, make):
    web = PretendWeb(rss=RSS.format(title="One", text="The mill opened."))
    following, clock = make(web, "https://bay.example/rss", keep_days=10)
    await following.turn()
    clock[0] += 12 * 86400
    assert await following.turn() and read(store, read_passages) == []
    with store.writing() as connection:
        assert library.unfollow(connection, "https://bay.example/rss")
        assert not library.unfollow(connection, "https://bay.example/rss")
    assert read(store, followed) == []
