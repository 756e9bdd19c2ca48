"""Prices and stock as shops write them: a price that could be read in two ways is never guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.catalog.ingest.price import decimal_mark, read_price, read_stock
from tenfold.catalog.money import MICROS, Money


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("19.99", "19.99 USD"),
        ("$5", "5.00 USD"),
        ("5 USD", "5.00 USD"),
        ("USD 5.50", "5.50 USD"),
        ("1.299,00 €", "1,299.00 EUR"),
        ("€1,299.00", "1,299.00 EUR"),
        ("1 299,00 €", "1,299.00 EUR"),
        ("1'299.50 CHF", "1,299.50 CHF"),
        ("1,299", "1,299.00 USD"),
        ("0.125", "0.125 USD"),
        ("12,5 kr", "12.50 SEK"),
        ("£0", "0.00 GBP"),
        ("free", "0.00 USD"),
        ("1,23,456.00 INR", "123,456.00 INR"),
        ("$ 10.", "10.00 USD"),
        ("5,- €", "5.00 EUR"),
    ],
)
def test_prices_are_read_as_they_are_written(written, amount):
    assert str(read_price(written, "USD")) == amount


@pytest.mark.parametrize(
    "written", ["", "call us", "10-20 USD", "10 - 20", "-5", "$-5", "from 5", "12.34.56", "5 quid", "1,2,3", "1.2e3"]
)
def test_what_is_no_single_price_is_refused(written):
    with pytest.raises(ValueError, match=r"price|range|currency"):
        read_price(written, "USD")


def test_a_shared_sign_is_the_feeds_own_currency_if_it_can_be():
    assert read_price("$5", "CAD").currency == "CAD"
    assert read_price("$5", "EUR").currency == "USD"
    assert read_price("5 kr", "NOK").currency == "NOK"


def test_three_decimals_are_read_by_what_the_rest_of_the_feed_writes():
    assert str(read_price("19.990", "USD", decimal_mark(["12.50", "19.990"]))) == "19.99 USD"
    assert str(read_price("19.990", "USD", decimal_mark(["12,50", "19.990"]))) == "19,990.00 USD"
    assert decimal_mark(["1.299", "5"]) is None


@given(st.integers(0, 10**9), st.sampled_from(["USD", "EUR", "JPY"]))
def test_what_money_writes_is_read_back(cents, currency):
    money = Money(currency, cents * MICROS // 100)
    assert read_price(str(money), "GBP") == money
    continental = str(money).replace(",", " ").replace(".", ",")
    assert read_price(continental, "GBP") == money


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("", (True, None)),
        ("in stock", (True, None)),
        ("out_of_stock", (False, None)),
        ("https://schema.org/OutOfStock", (False, None)),
        ("InStock", (True, None)),
        ("preorder", (True, None)),
        ("True", (True, None)),
        ("no", (False, None)),
        ("0", (False, 0)),
        ("17", (True, 17)),
        ("3.0", (True, 3)),
        ("-2", (False, 0)),
        ("4 left", (True, 4)),
    ],
)
def test_stock_is_a_number_or_a_word(written, read):
    assert read_stock(written) == read


def test_another_word_for_stock_is_refused():
    with pytest.raises(ValueError, match="in stock"):
        read_stock("maybe")
