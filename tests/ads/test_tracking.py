"""A token says what was sold, and nobody can make one up, or change it."""

import pytest
from money_books import books, impression

from tenfold.ads.clicks import with_click
from tenfold.ads.tracking import BadToken, Click, Signer, read_keys

SIGNER = Signer({"k1": b"1" * 32})


def test_what_was_sold_comes_back_as_it_was():
    sold = impression("e1", "l1", "shoes", 123)
    assert SIGNER.read_impression(SIGNER.impression(sold)) == sold
    clicked = Click("e1", "shoes", 5.0)
    assert SIGNER.read_click(SIGNER.click(clicked)) == clicked
    assert "ann" not in SIGNER.click(clicked)


def test_nothing_else_is_a_token():
    token = SIGNER.impression(impression("e1", "l1", "shoes", 123))
    key, body, mac = token.split(".")
    changed = [token[:-2] + "AA", f"k2.{body}.{mac}", f"{key}.{body[:-2]}AA.{mac}", body, "", "é.é.é", f"{token}="]
    # A click's token is not an impression's, though the same key signs both.
    for wrong in [*changed, SIGNER.click(Click("e1", "shoes", 5.0)), "x" * 5000]:
        with pytest.raises(BadToken):
            SIGNER.read_impression(wrong)
    with pytest.raises(BadToken):
        Signer({"k1": b"2" * 32}).read_impression(token)


def test_all_processes_share_a_key_and_an_older_one_still_reads(tmp_path):
    with books(f"sqlite:///{tmp_path / 'ads.db'}") as store:
        with store.writing() as connection:
            first = read_keys(connection, 1.0)
        with store.writing() as connection:
            assert read_keys(connection, 2.0) == first
    newer = Signer({"k2": b"3" * 32, "k1": b"1" * 32})
    assert newer.read_impression(SIGNER.impression(impression("e1", "l1", "shoes", 1))).event == "e1"
    assert newer.impression(impression("e1", "l1", "shoes", 1)).startswith("k2.")


def test_the_click_is_added_to_an_address_whatever_it_has():
    assert with_click("https://a.example/x?y=1#z", "k.b") == "https://a.example/x?y=1&tf_click=k.b#z"
    assert with_click("https://a.example", "k.b") == "https://a.example?tf_click=k.b"
