"""Sites over HTTP: read politely, within bounds, and never an address of this machine's own network."""

import gzip
from collections import Counter
from datetime import timedelta

import pytest
from aiohttp import web as server

from tenfold.catalog.ingest.site import FRESH, read_site, read_web_feed
from tenfold.catalog.ingest.web import LARGEST_BYTES, Unreachable, is_public, open_web, unpacked

LAMP = """<title>Lamp</title><link rel=canonical href="{site}/lamp"><main><h1>Lamp</h1><p>For reading.</p>
<a href="/care#dust">care</a><a href="/cart">cart</a><a href="https://elsewhere.example/">partner</a></main>
<script type="application/ld+json">{{"@type": "Product", "name": "Lamp", "sku": "L", "offers": {{"price": "39.90",
"priceCurrency": "EUR", "availability": "InStock"}}}}</script>"""
CARE = "<title>Care</title><main><h1>Care</h1><p>Dust it.</p><a href='/lamp'>lamp</a><a href='/private/x'>x</a></main>"


@pytest.fixture
async def shop():
    """A site, what it was asked for, and how it answers."""
    asked: Counter[str] = Counter()
    pages: dict[str, object] = {}

    async def answer(request: server.Request) -> server.Response:
        asked[request.path] += 1
        body = pages.get(request.path, 404)
        if isinstance(body, int):
            return server.Response(status=body)
        if isinstance(body, server.Response):
            return server.Response(status=body.status, headers=body.headers, body=body.body)
        if request.headers.get("If-None-Match") == f'"{hash(body)}"':
            return server.Response(status=304)
        kind = "text/html" if body.lstrip().startswith("<title") else "text/plain"
        return server.Response(text=body, content_type=kind, headers={"ETag": f'"{hash(body)}"'})

    app = server.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = server.AppRunner(app)
    await runner.setup()
    await server.TCPSite(runner, "127.0.0.1", 0).start()
    site = f"http://127.0.0.1:{runner.addresses[0][1]}"
    pages |= {"/": CARE, "/lamp": LAMP.format(site=site), "/care": CARE}
    yield site, pages, asked
    await runner.cleanup()


@pytest.fixture
async def web():
    async with open_web(private=True, pause_s=0) as web:
        yield web


def sitemap(*urls: str) -> str:
    return "<urlset>" + "".join(f"<url><loc>{url}</loc></url>" for url in urls) + "</urlset>"


async def test_a_site_is_read_by_its_sitemap_its_robots_are_heeded_and_others_left_alone(shop, web, tmp_path, now):
    site, pages, asked = shop
    pages["/robots.txt"] = f"User-agent: *\nDisallow: /private\nSitemap: {site}/maps.xml"
    pages["/maps.xml"] = f"<sitemapindex><sitemap><loc>{site}/map.xml.gz</loc></sitemap></sitemapindex>"
    listed = sitemap(f"{site}/lamp", f"{site}/private/x", f"{site}/gone", "https://elsewhere.example/")
    pages["/map.xml.gz"] = server.Response(body=gzip.compress(listed.encode()), content_type="application/gzip")
    seen = []
    read = await read_site(web, site, tmp_path, now, progress=lambda *told: seen.append(told))
    assert [(each.url, each.title, each.text) for each in read.passages] == [
        (f"{site}/lamp", "Lamp", "For reading.\ncarecartpartner")
    ]
    assert [str(item.variants[0].offer.price) for item in read.items] == ["39.90 EUR"]
    assert {skip.where: skip.why for skip in read.skipped} == {
        f"{site}/private/x": "the site's robots.txt forbids it",
        f"{site}/gone": "HTTP 404",
    }
    assert asked["/private/x"] == 0 and seen[-1] == (f"{site}/gone", 3, 3)


async def test_without_a_sitemap_links_are_followed_and_carts_are_not(shop, web, tmp_path, now):
    site, _, asked = shop
    read = await read_site(web, site, tmp_path, now)
    assert {each.url for each in read.passages} == {site, f"{site}/lamp", f"{site}/care"}
    assert asked["/cart"] == 0 and asked["/lamp"] == 1
    assert [skip.why for skip in read.skipped] == ["HTTP 404"]


async def test_a_reading_goes_on_where_it_stopped_and_asks_later_only_whether_pages_changed(shop, web, tmp_path, now):
    site, pages, asked = shop
    pages["/sitemap.xml"] = sitemap(f"{site}/lamp", f"{site}/care")
    first = await read_site(web, site, tmp_path, now, most=1)
    assert [skip.why for skip in first.skipped] == ["1 more pages are known, and at most 1 are read"]
    whole = await read_site(web, site, tmp_path, now)
    assert asked["/lamp"] == 1 and asked["/care"] == 1 and len(whole.passages) == 2
    pages["/care"] = CARE.replace("Dust it.", "Wipe it.")
    later = await read_site(web, site, tmp_path, now + 2 * FRESH)
    assert [each.text.split("\n")[0] for each in later.passages] == ["For reading.", "Wipe it."]
    assert {each.fetched for each in later.passages} == {now + 2 * FRESH}
    assert asked["/lamp"] == 2


async def test_a_broken_note_of_a_page_is_fetched_again(shop, web, tmp_path, now):
    site, pages, asked = shop
    pages["/sitemap.xml"] = sitemap(f"{site}/lamp")
    await read_site(web, site, tmp_path, now)
    for path in tmp_path.glob("*.json"):
        path.write_text("{")
    assert len((await read_site(web, site, tmp_path, now + timedelta(seconds=1))).passages) == 1
    assert asked["/lamp"] == 2


@pytest.mark.parametrize("robots", ["User-agent: *\nDisallow: /", 503])
async def test_a_site_that_forbids_itself_is_an_error(shop, web, tmp_path, now, robots):
    site, pages, asked = shop
    pages["/robots.txt"] = robots
    with pytest.raises(Unreachable, match=r"robots\.txt"):
        await read_site(web, site, tmp_path, now)
    assert asked["/"] == 0


async def test_a_page_without_end_and_a_site_that_is_away_are_left_out(shop, web, tmp_path, now):
    site, pages, _ = shop
    bomb = gzip.compress(b" " * (LARGEST_BYTES + 1))
    pages["/bomb"] = server.Response(body=bomb, headers={"Content-Encoding": "gzip", "Content-Type": "text/html"})
    pages["/loop"] = server.Response(status=302, headers={"Location": "/loop"})
    pages["/sitemap.xml"] = sitemap(f"{site}/bomb", f"{site}/loop", f"{site}/care")
    read = await read_site(web, site, tmp_path, now)
    assert len(read.passages) == 1
    assert ["larger than 4 MB" in read.skipped[0].why, "redirects" in read.skipped[1].why] == [True, True]
    with pytest.raises(Unreachable, match="127"):
        await read_site(web, "http://127.0.0.1:9", tmp_path, now)


async def test_a_feed_is_read_by_its_address(shop, web):
    site, pages, _ = shop
    pages["/products.csv"] = "id,title,price\n1,Cup,5\n"
    assert [item.title for item in (await read_web_feed(web, f"{site}/products.csv")).items] == ["Cup"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "0x7f000001", "127.1", "10.0.0.1", "169.254.169.254"]
)
async def test_addresses_of_ones_own_network_are_never_asked(shop, host):
    site, _, asked = shop
    async with open_web(pause_s=0) as web:
        with pytest.raises(Unreachable, match="public address"):
            await web.get(f"http://{host}:{site.rpartition(':')[2]}/")
        with pytest.raises(Unreachable, match="http and https"):
            await web.get("file:///etc/passwd")
    assert not asked


def test_public_addresses():
    assert is_public("93.184.215.14") and is_public("2606:2800:21f:cb07:6820:80da:af6b:8b2c")
    for address in (
        "192.168.1.1",
        "100.64.0.1",
        "::ffff:127.0.0.1",
        "fe80::1%eth0",
        "fd00::1",
        "224.0.0.1",
        "0.0.0.0",
        "x",
    ):
        assert not is_public(address), address


def test_what_is_packed_wrongly_is_refused():
    with pytest.raises(Unreachable, match="packed"):
        unpacked(b"\x1f\x8bnot gzip", "", "u")
    assert unpacked(b"plain", "", "u") == b"plain"
