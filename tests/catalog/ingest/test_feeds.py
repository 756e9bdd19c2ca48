"""Product feeds of every kind that shops have: what is read, and what is left out and said."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.catalog.ingest.csv_feed import read_csv
from tenfold.catalog.ingest.decode import decode
from tenfold.catalog.ingest.google import read_google
from tenfold.catalog.ingest.schema_org import read_json_ld
from tenfold.catalog.ingest.shopify import read_shopify
from tenfold.catalog.ingest.source import feed_of, joined, read_html
from tenfold.catalog.item import Offer
from tenfold.catalog.money import Money

PLAIN = """id,title,options,price,stock
100,Trail jacket,"color: blue; size: M",89.00,3
101,Trail jacket,"color: red; size: M",79.00,0
200,Wool socks,,9.50,in stock
"""


def offers_of(item):
    return {
        variant.id: (str(variant.offer.price), variant.offer.available, variant.offer.stock)
        for variant in item.variants
    }


def test_rows_with_one_title_are_variants_of_one_item():
    read = read_csv(PLAIN, "products.csv")
    assert not read.skipped
    jacket, socks = read.items
    assert jacket.id == "trail-jacket" and jacket.title == "Trail jacket"
    assert offers_of(jacket) == {"100": ("89.00 USD", True, 3), "101": ("79.00 USD", False, 0)}
    assert [dict(variant.options) for variant in jacket.variants] == [
        {"color": "blue", "size": "M"},
        {"color": "red", "size": "M"},
    ]
    assert socks.id == "200" and socks.variants[0].id == "200" and socks.variants[0].options == {}


def test_rows_of_one_id_are_variants_named_by_their_options():
    text = (
        "sku;name;price;colour;material\nT1;Tee;12,00;red;cotton\nT1;Tee;12,00;blue;cotton\nT1;Tee;12,00;blue;cotton\n"
    )
    read = read_csv(text, "tees.csv", "EUR")
    (tee,) = read.items
    assert [(variant.id, dict(variant.options)) for variant in tee.variants] == [
        ("t1-red", {"color": "red"}),
        ("t1-blue", {"color": "blue"}),
    ]
    assert tee.attributes == {"material": "cotton"}
    assert str(tee.variants[0].offer.price) == "12.00 EUR"
    assert [skip.where for skip in read.skipped] == ["tees.csv, row 4"]


def test_titles_are_text_and_prices_have_signs_of_more_countries():
    text = 'id;title;price\n1;"Tea &amp; Co. <b>Pot</b>";3,500円\n2;Milk & <12 jars;Fr. 12.50\n3;Cup;SFr 4.-\n'
    pot, milk, cup = read_csv(text, "pots.csv").items
    assert (pot.title, milk.title) == ("Tea & Co. Pot", "Milk & <12 jars")
    assert [str(each.variants[0].offer.price) for each in (pot, milk, cup)] == ["3,500.00 JPY", "12.50 CHF", "4.00 CHF"]


def test_a_column_of_texts_describes_and_is_no_property():
    text = 'id,title,price,notes,features,finish\n1,Cup,4,"Kiln-fired\nin Aarau.",' + "Holds a litre. " * 9 + ",matt\n"
    (cup,) = read_csv(text, "cups.csv").items
    assert cup.description.startswith("Kiln-fired\nin Aarau.\nHolds a litre.") and cup.attributes == {"finish": "matt"}


@pytest.mark.parametrize("cell", ["https://cdn.example/" + "a" * 80, '{"' + "a" * 80 + '": 1}'])
def test_addresses_and_json_describe_nothing_however_long(cell):
    quoted = cell.replace('"', '""')
    (cup,) = read_csv(f'id,title,price,extra\n1,Cup,4,"{quoted}"\n', "cups.csv").items
    assert (cup.description, cup.attributes) == ("", {"extra": cell})


def test_a_row_that_comes_twice_keeps_the_id_that_the_shop_knows():
    text = (
        "id,title,options,price,stock\n"
        + 2 * '17,Floor lamp,"color: white",129,4\n'
        + "18,Floor lamp,color: red,99,1\n"
    )
    read = read_csv(text, "lamps.csv")
    assert offers_of(read.items[0]) == {"17": ("129.00 USD", True, 4), "18": ("99.00 USD", True, 1)}
    assert [skip.where for skip in read.skipped] == ["lamps.csv, row 3"] and "row 2 again;" in read.skipped[0].why


def test_a_row_that_comes_again_at_another_price_is_told_of_as_such():
    read = read_csv("id,title,price,stock\n17,Lamp,129,4\n17,Lamp,99,4\n", "lamps.csv")
    assert offers_of(read.items[0]) == {"17": ("129.00 USD", True, 4)}
    assert "row 2 again, with another price or stock" in read.skipped[0].why


def test_each_row_that_is_left_out_is_named_with_the_reason():
    rows = [
        "id,title,price,stock",
        "1,,5,1",
        "2,Cup,,1",
        "3,Cup,from 5,1",
        "4,Cup,5-6,1",
        "5,Cup,5,perhaps",
        "6,Cup,5,1,9",
    ]
    read = read_csv("\n".join([*rows, "7,Cup,5,1"]), "cups.csv")
    assert [variant.id for item in read.items for variant in item.variants] == ["7"]
    told = {skip.where: skip.why for skip in read.skipped}
    assert set(told) == {f"cups.csv, row {number}" for number in range(2, 8)}
    assert "title" in told["cups.csv, row 2"] and "range" in told["cups.csv, row 5"]
    assert "'perhaps'" in told["cups.csv, row 6"] and "5 cells under 4 names" in told["cups.csv, row 7"]


def test_a_file_that_is_no_feed_says_what_is_missing():
    (skip,) = read_csv("a,b\n1,2\n", "x.csv").skipped
    assert "'id,title,options,price,stock'" in skip.why and "'a', 'b'" in skip.why
    assert read_csv("", "empty.csv").skipped


def test_shopifys_export_in_csv():
    text = (
        "Handle,Title,Body (HTML),Vendor,Option1 Name,Option1 Value,Variant SKU,Variant Inventory Qty,Variant Price,"
        "Variant Compare At Price\n"
        'mug,Mug,"<p>Holds 0.4 l.</p><script>alert(1)</script>",Clay,Color,Green,MUG-G,4,8.00,10.00\n'
        "mug,,,,,Blue,MUG-B,0,8.00,\n"
    )
    read = read_csv(text, "export.csv")
    (mug,) = read.items
    assert (mug.id, mug.title, mug.description, mug.brand) == ("mug", "Mug", "Holds 0.4 l.", "Clay")
    green, blue = mug.variants
    assert green.offer == Offer(Money.of(8, "USD"), True, 4, Money.of(10, "USD")) and green.options == {
        "Color": "Green"
    }
    assert blue.offer == Offer(Money.of(8, "USD"), False, 0) and blue.id == "MUG-B"


def test_woocommerces_export_in_csv():
    text = (
        "ID,Type,SKU,Name,Regular price,Sale price,In stock?,Stock,Categories,Parent,Attribute 1 name,"
        "Attribute 1 value(s)\n"
        "5,variable,,Cap,,,1,,Hats,,,\n"
        "6,variation,CAP-R,Cap,20,15,1,4,Hats,id:5,Color,Red\n"
        "7,variation,CAP-B,Cap,20,,0,,Hats,id:5,Color,Blue\n"
    )
    read = read_csv(text, "woo.csv", "EUR")
    (cap,) = read.items
    assert cap.category == "Hats"
    assert {variant.id: (dict(variant.options), variant.offer) for variant in cap.variants} == {
        "6": ({"Color": "Red"}, Offer(Money.of(15, "EUR"), True, 4, Money.of(20, "EUR"))),
        "7": ({"Color": "Blue"}, Offer(Money.of(20, "EUR"), False)),
    }
    assert [skip.where for skip in read.skipped] == ["woo.csv, row 2"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_old_encodings_quoted_line_ends_and_signs_in_heads(encoding):
    text = 'ID,Name,"Price (EUR)",Description\r\n1,Café crème,"1.299,00","two\r\nlines"\r\n'
    (item,) = read_csv(decode(text.encode(encoding)), "x.csv").items
    assert item.title == "Café crème" and item.description == "two\nlines"
    assert str(item.variants[0].offer.price) == "1,299.00 EUR"


@pytest.mark.parametrize("head", ["Price (DKK)", "price_dkk", "Preis DKK"])
def test_a_price_column_tells_a_currency_beyond_the_great_ones(head):
    (item,) = read_csv(f"id,title,{head}\n1,Day Ticket,145.00\n", "x.csv").items
    assert str(item.variants[0].offer.price) == "145.00 DKK"


CELLS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs")), min_size=1, max_size=12
)


@given(
    st.lists(st.tuples(CELLS, CELLS, st.integers(0, 10**7), st.integers(0, 999)), min_size=1, max_size=8),
    st.sampled_from([",", ";", "\t"]),
)
def test_every_row_of_a_feed_becomes_a_variant_or_is_named(rows, delimiter):
    file = io.StringIO()
    table = csv.writer(file, delimiter=delimiter)
    table.writerow(["id", "title", "price", "stock"])
    for name, title, cents, stock in rows:
        table.writerow([name, title, f"{cents // 100}.{cents % 100:02}", stock])
    read = read_csv(file.getvalue(), "x.csv")
    variants = [variant for item in read.items for variant in item.variants]
    assert len(variants) + len(read.skipped) == len(rows)
    assert len({variant.id for variant in variants}) == len(variants)
    assert len({item.id for item in read.items}) == len(read.items)
    sold = {(round(variant.offer.price.amount * 100), variant.offer.stock) for variant in variants}
    assert sold <= {(cents, stock) for _, _, cents, stock in rows}


GOOGLE = """<?xml version="1.0"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title>
<item><g:id>TV-1</g:id><title>LED TV</title><description>&lt;b&gt;Sharp&lt;/b&gt;</description><link>https://s.example/tv</link>
<g:price>159.00 USD</g:price><g:sale_price>149.00 USD</g:sale_price><g:availability>in_stock</g:availability>
<g:item_group_id>TV</g:item_group_id><g:size>22"</g:size><g:brand>Acme</g:brand></item>
<item><g:id>TV-2</g:id><title>LED TV</title><g:price>259.00 USD</g:price><g:availability>out_of_stock</g:availability>
<g:item_group_id>TV</g:item_group_id><g:size>32"</g:size><g:brand>Acme</g:brand></item>
<item><g:id>X</g:id><title>No price</title></item>
</channel></rss>"""


def test_google_merchant_in_xml():
    read = read_google(GOOGLE, "feed.xml")
    (tv,) = read.items
    assert (tv.id, tv.brand, tv.description, tv.url) == ("TV", "Acme", "Sharp", "https://s.example/tv")
    assert [dict(variant.options) for variant in tv.variants] == [{"size": '22"'}, {"size": '32"'}]
    first, second = (variant.offer for variant in tv.variants)
    assert first == Offer(Money.of(149, "USD"), True, None, Money.of(159, "USD"))
    assert second == Offer(Money.of(259, "USD"), False)
    assert [skip.where for skip in read.skipped] == ["feed.xml, item 3"]


def test_google_merchant_in_atom_and_in_tabs():
    atom = (
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0"><entry><g:id>1</g:id>'
        '<title>Cup</title><link href="https://s.example/cup"/><g:price>5 EUR</g:price></entry></feed>'
    )
    tabs = "id\ttitle\tlink\tprice\tavailability\n1\tCup\thttps://s.example/cup\t5 EUR\tin_stock\n"
    assert feed_of(atom, "feed.xml", "USD").items == feed_of(tabs, "feed.tsv", "USD").items
    assert feed_of(atom, "feed.xml", "USD").items[0].url == "https://s.example/cup"


def test_xml_that_would_grow_or_is_broken_is_left_out():
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><rss><item><title>&a;</title></item></rss>'
    assert "entities" in read_google(bomb, "x").skipped[0].why
    assert "no XML" in read_google("<rss><item>", "x").skipped[0].why
    assert "no JSON" in feed_of("[" * 100_000, "x.json", "USD").skipped[0].why


def test_shopifys_products_json():
    products = json.loads("""[
      {"id": 7, "title": "Tee", "handle": "tee", "body_html": "<p>Soft.</p>", "vendor": "Acme", "tags": ["a", "b"],
       "options": [{"name": "Size"}], "images": [{"src": "https://s.example/t.jpg"}],
       "variants": [{"id": 71, "option1": "S", "price": "20.00", "compare_at_price": "25.00", "available": true},
                    {"id": 72, "option1": "M", "price": "20.00", "compare_at_price": null, "available": false}]},
      {"id": 8, "title": "Ghost"}]""")
    read = read_shopify(products, "products.json", "USD", "https://s.example")
    (tee,) = read.items
    assert (tee.id, tee.url, tee.description, tee.image) == (
        *("7", "https://s.example/products/tee", "Soft."),
        "https://s.example/t.jpg",
    )
    small, medium = tee.variants
    assert small.offer == Offer(Money.of(20, "USD"), True, None, Money.of(25, "USD")) and small.options == {"Size": "S"}
    assert not medium.offer.available and medium.offer.list_price is None
    assert [skip.where for skip in read.skipped] == ["products.json, product 2"]


PAGE = """<html><head><title>Lamp | Shop</title><link rel="canonical" href="https://s.example/lamp">
<script type="application/ld+json">{"@context": "https://schema.org", "@graph": [
 {"@type": "ProductGroup", "name": "Lamp", "productGroupID": "L", "brand": {"@type": "Brand", "name": "Lux"},
  "hasVariant": [
   {"@type": "Product", "sku": "L-b", "name": "Lamp black", "color": "black", "offers": {"price": 39.9,
    "priceCurrency": "EUR", "availability": "https://schema.org/InStock", "inventoryLevel": {"value": 4}}},
   {"@type": "Product", "sku": "L-w", "name": "Lamp white", "color": "white", "offers": [{"@type": "Offer",
    "priceSpecification": {"price": "41,90", "priceCurrency": "EUR"}, "availability": "OutOfStock"}]}]},
 {"@type": ["Product"], "name": "Bulb", "sku": "B", "offers": {"@type": "AggregateOffer", "lowPrice": "3",
   "highPrice": "5", "priceCurrency": "EUR"}},
 {"@type": "FAQPage", "mainEntity": [{"@type": "Question", "name": "Is it warm?",
   "acceptedAnswer": {"@type": "Answer", "text": "<p>2700 K.</p>"}}]}]}</script></head>
<body><nav>Home</nav><main><h1>Lamp</h1><p>A lamp for reading.</p><h2>Care</h2><p>Dust it.</p></main></body></html>"""


def test_a_page_tells_what_it_sells_and_what_people_ask(now):
    read = read_html(PAGE, "lamp", "", now)
    assert [(row.id, row.title, row.group, row.price, row.currency) for row in read.rows] == [
        ("L-b", "Lamp", "L", "39.9", "EUR"),
        ("L-w", "Lamp", "L", "41,90", "EUR"),
        ("B", "Bulb", "", "3 to 5", "EUR"),
    ]
    assert [(passage.title, passage.text) for passage in read.gathered.passages] == [
        ("Lamp", "A lamp for reading."),
        ("Lamp - Care", "Dust it."),
        ("Is it warm?", "2700 K."),
    ]
    assert {passage.url for passage in read.gathered.passages} == {"https://s.example/lamp"}


def test_what_is_told_of_one_variant_is_not_told_of_another():
    feed = """id,title,options,price,description
t1,Course,place: classroom,190,Starts in May. The book is included.
t2,Course,place: online,120,Starts in May. The book is not included.
u1,Updo,occasion: party,65,
u2,Updo,occasion: wedding,140,A rehearsal is included
"""
    course, updo = read_csv(feed, "x.csv").items
    told = "Starts in May. place: classroom: The book is included. place: online: The book is not included."
    assert course.description == told
    assert updo.description == "occasion: wedding: A rehearsal is included."


def test_what_only_some_variants_have_is_not_told_where_no_option_says_which():
    feed = """id,title,price,description
g1,Gift card,5,Never expires. Worth five.
g2,Gift card,10,Never expires. Is it big? Yes!
"""
    (card,) = read_csv(feed, "x.csv").items
    assert card.description == "Never expires."


def test_customers_choose_by_any_property_in_which_variants_differ(now):
    def variant(sku: str, **properties: str) -> dict:
        told = [{"@type": "PropertyValue", "name": name, "value": value} for name, value in properties.items()]
        return {"@type": "Product", "sku": sku, "additionalProperty": told, "offers": {"price": "58"}}

    variants = [variant("a", Heating="yes", Door="steel"), variant("b", Heating="no", Door="steel")]
    group = {"@type": "ProductGroup", "productGroupID": "u", "name": "Storage Unit", "hasVariant": variants}
    page = f'<script type="application/ld+json">{json.dumps(group)}</script>'
    entries = "".join(
        f"<item><g:id>{sku}</g:id><g:item_group_id>u</g:item_group_id><title>Storage Unit</title><g:price>58</g:price>"
        + "".join(
            f"<g:product_detail><g:attribute_name>{name}</g:attribute_name>"
            f"<g:attribute_value>{value}</g:attribute_value></g:product_detail>"
            for name, value in (("Heating", heating), ("Door", "steel"))
        )
        + "</item>"
        for sku, heating in (("a", "yes"), ("b", "no"))
    )
    feed = f'<rss xmlns:g="http://base.google.com/ns/1.0"><channel>{entries}</channel></rss>'
    for read in (joined([read_html(page, "units", "", now)], "USD"), read_google(feed, "x.xml")):
        (unit,) = read.items
        assert [dict(each.options) for each in unit.variants] == [{"heating": "yes"}, {"heating": "no"}]
        assert dict(unit.attributes) == {"door": "steel"}


def test_numbers_of_articles_are_no_options(now):
    told = (
        ("red", "4006381333931", "ZX-19 (margin 40)", "512 g", "AB1", "40 W", "2", "yes"),
        ("blue", "4006381333948", "ZX-20 (margin 20)", "498 g", "AB2", "40 W", "2", "no"),
        ("green", "4006381333955", "ZX-21 (margin 30)", "505 g", "AB3", "60 W", "4", ""),
    )
    names = ("EAN", "Supplier code", "Packed weight", "Listing", "Power", "Number of shelves", "Heating")
    variants = [
        {
            "@type": "Product",
            "sku": color,
            "color": color,
            "additionalProperty": [
                {"name": name, "value": value} for name, value in zip(names, values, strict=True) if value
            ],
            "offers": {"price": "50"},
        }
        for color, *values in told
    ]
    group = {"@type": "ProductGroup", "productGroupID": "u", "name": "Cabinet", "hasVariant": variants}
    page = f'<script type="application/ld+json">{json.dumps(group)}</script>'
    (cabinet,) = joined([read_html(page, "cabinet", "", now)], "USD").items
    assert [dict(each.options) for each in cabinet.variants] == [
        {"color": "red", "heating": "yes", "number of shelves": "2", "power": "40 W"},
        {"color": "blue", "heating": "no", "number of shelves": "2", "power": "40 W"},
        {"color": "green", "number of shelves": "4", "power": "60 W"},
    ]
    del variants[2]
    for each in variants:
        del each["color"]
    page = f'<script type="application/ld+json">{json.dumps(group)}</script>'
    (cabinet,) = joined([read_html(page, "cabinet", "", now)], "USD").items
    assert [set(each.options) for each in cabinet.variants] == 2 * [{"heating", "listing"}], "nothing else tells them"


def test_broken_json_ld_is_said_and_the_rest_is_read():
    said = read_json_ld(["{", '{"@type": "Product", "name": "Cup", "sku": "c", "offers": {"price": "5"}}'], "page")
    assert len(said.skipped) == 1 and [row.title for row in said.rows] == ["Cup"]
