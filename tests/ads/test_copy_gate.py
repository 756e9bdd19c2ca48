"""No ad says a number, price, date, superlative or name that no fact has, however it is written."""

import json
from pathlib import Path

import pytest
from ad_shops import FLOOR_LAMP, LAMP, NOW, SHEET
from hypothesis import given
from hypothesis import strategies as st

from tenfold.ads.copy_gate import CopyGate
from tenfold.ads.plain_words import PLAIN_WORDS
from tenfold.reply.gate import NUMBER_WORDS, SUPERLATIVE

ATTACKS = list(map(json.loads, (Path(__file__).parent / "attacks.jsonl").read_text().splitlines()))
GATE = CopyGate(SHEET, LAMP, NOW)
FLOOR = CopyGate(SHEET, FLOOR_LAMP, NOW)


@pytest.mark.parametrize(
    "body",
    [
        "Aurora Desk Lamp for $35.",
        "Meet the Aurora Desk Lamp, in white. 35.00 USD, was 50.00 USD.",
        "A small lamp that folds flat. Delivery is free over 60 USD.",
        "Your desk lamp folds flat, and the arm turns. Lamps can be returned within 45 days.",
        "It\u2019s lovely: the arm turns the whole way round.",
        "Save 30%. Norrsken won the Nordic Light Prize 2024.",
        "Brass, for your desk. See the lamp.",
    ],
)
def test_facts_between_plain_words_go_out(body):
    assert GATE.check(body).faults == ()


@pytest.mark.parametrize("body", ATTACKS)
def test_what_no_fact_has_does_not_go_out(body):
    assert GATE.check(body).faults


@pytest.mark.parametrize("body", ["Borealis Floor Lamp for $140.", "140 USD.", "$150.", "Aurora Desk Lamp.", "$35."])
def test_each_subject_has_its_own_facts(body):
    assert FLOOR.check(body).faults


def test_a_price_stands_beside_what_it_is_the_price_of():
    assert FLOOR.check("Borealis Floor Lamp, from $140.").faults == ()
    assert FLOOR.check("A linen shade, from $140.").faults


def test_an_ad_names_its_subject_and_has_a_button_that_is_known():
    assert GATE.faults("Aurora Desk Lamp", "35 USD.", "Shop now") == ()
    assert GATE.faults("Lovely", "35 USD.", "Shop now") == ("it does not name what it is about, 'Aurora Desk Lamp'",)
    assert "the button says" in GATE.faults("Aurora Desk Lamp", "35 USD.", "Buy one, get one free")[0]


def test_what_is_checked_is_what_goes_out_and_each_claim_has_its_place_there():
    checked = GATE.check("It\u2019s  the \u201cAurora Desk Lamp\u201d \u2014 \uff13\uff15 USD.")
    assert checked.text == 'It\'s the "Aurora Desk Lamp" - 35 USD.'
    assert [(use.claim, checked.text[use.start : use.end]) for use in checked.uses] == [
        ("name:L1", "Aurora Desk Lamp"),
        ("price:L1", "35 USD"),
    ]


def test_plain_words_hold_no_number_superlative_or_denial():
    assert not PLAIN_WORDS & NUMBER_WORDS
    assert not [word for word in PLAIN_WORDS if SUPERLATIVE.search(word)]
    held_out = [
        "free",
        "new",
        "only",
        "now",
        "save",
        "off",
        "more",
        "best",
        "cheap",
        "no",
        "not",
        "never",
        "sale",
        "will",
        "was",
        "may",
        "all",
        "any",
        "safe",
        "last",
        "today",
        "us$",
    ]
    assert not PLAIN_WORDS & set(held_out)


FACTS = [says for claim in SHEET.about(LAMP, NOW) for says in claim.says]


@given(
    st.lists(st.sampled_from([*FACTS, *sorted(PLAIN_WORDS), ",", ".", "-", "%", "$", "5", "0", "\u200b"]), max_size=8)
)
def test_every_digit_of_what_goes_out_is_of_a_claim(pieces):
    checked = GATE.check(" ".join(pieces))
    if not checked.faults:
        covered = {at for use in checked.uses for at in range(use.start, use.end)}
        assert all(at in covered for at, letter in enumerate(checked.text) if letter.isdigit() or letter in "%$")
