"""Feeds, sitemaps and pages become passages with their address and date; what is hostile is refused."""

from datetime import UTC, datetime

import pytest

from tenfold.assistant.reading import Page, is_sitemap, read_feed, read_page, read_sitemap

NOW = datetime(2026, 11, 16, 12, tzinfo=UTC)
RSS = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>The Courier</title>
<item><title>Dam &amp; cracks</title><link>https://courier.example/dam</link>
<pubDate>Mon, 09 Nov 2026 08:10:00 GMT</pubDate>
<description>&lt;p&gt;Villages were cleared.&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;</description></item>
<item><title>From tomorrow</title><link>https://courier.example/late</link>
<pubDate>Mon, 09 Nov 2099 08:10:00 GMT</pubDate><description>Later.</description></item>
<item><title>No address</title><link>javascript:alert(1)</link><description>x</description></item></channel></rss>"""
ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>Northgate</title><entry><title>Kestrel</title>
<link href="https://north.example/k"/><updated>2026-11-09T19:30:00Z</updated>
<content type="html">&lt;b&gt;7,000&lt;/b&gt; evacuated.</content></entry></feed>"""
SITEMAP = b"""<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
<url><loc>https://site.example/old</loc><lastmod>2025-01-01</lastmod></url>
<url><loc>https://site.example/new</loc><lastmod>2026-11-10</lastmod></url></urlset>"""


def test_rss_and_atom_are_read():
    title, (dam, late) = read_feed(RSS, "https://courier.example/rss", NOW)
    assert title == "The Courier"
    assert (dam.url, dam.title, dam.text) == ("https://courier.example/dam", "Dam & cracks", "Villages were cleared.")
    assert dam.published == datetime(2026, 11, 9, 8, 10, tzinfo=UTC) and dam.fetched == NOW
    assert late.published == NOW
    title, (kestrel,) = read_feed(ATOM, "https://north.example/atom", NOW)
    assert (title, kestrel.text, kestrel.url) == ("Northgate", "7,000 evacuated.", "https://north.example/k")


def test_what_is_no_feed_is_refused():
    for content in (b"", b"<html><body>hello</body></html>", b"\x00\x01\x02"):
        with pytest.raises(ValueError, match="no RSS, no Atom and no sitemap"):
            read_feed(content, "https://a.example", NOW)


def test_a_sitemap_names_its_pages_the_latest_first():
    assert is_sitemap(SITEMAP) and not is_sitemap(RSS)
    inner, pages = read_sitemap(SITEMAP)
    assert inner == [] and [page.url for page in pages] == ["https://site.example/new", "https://site.example/old"]
    index = b"<sitemapindex><sitemap><loc>https://site.example/a.xml</loc></sitemap></sitemapindex>"
    assert read_sitemap(index) == (["https://site.example/a.xml"], [])


def test_a_sitemap_that_would_grow_is_refused():
    bomb = b'<!DOCTYPE urlset [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><urlset><url><loc>&b;</loc></url></urlset>'
    with pytest.raises(ValueError, match="document type"):
        read_sitemap(bomb)


def test_a_page_is_read_with_its_title_and_date():
    words = "The old bridge, built in 1957, will get new bearings so that buses may keep crossing it for years. " * 4
    html = f"""<html><head><title>Bridge delayed</title><meta property="article:published_time"
    content="2026-11-10T17:25:00Z"></head><body><nav>Home About</nav><article><h1>Bridge delayed</h1><p>{words}</p>
    </article></body></html>"""
    page = Page("https://site.example/bridge", None)
    found = read_page(html.encode(), page, "https://site.example/sitemap.xml", NOW)
    assert found is not None and "new bearings" in found.text and "About" not in found.text
    assert found.published is not None and found.published.date().isoformat() == "2026-11-10"
    assert read_page(b"<html><body>hi</body></html>", page, "x", NOW) is None
