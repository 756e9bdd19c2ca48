"""A decision in arrays is the decision that one would make campaign by campaign."""

import numpy as np
import pytest

from tenfold.ads.auction import Rules
from tenfold.ads.bid import NO_CAP, bid
from tenfold.ads.candidates import Book, Chances, decide, look_up

BUYS = np.array([False, False, True, True, False])


@pytest.fixture
def book():
    rng = np.random.default_rng(0)
    table_K = look_up(lambda logit: logit)

    def chances():
        return Chances.of(rng.standard_normal((5, 3)), rng.standard_normal(5) - 3, rng.standard_normal(3), table_K)

    return Book(
        click=chances(),
        conversion=chances().only_where(BUYS),
        is_seen_C=np.array([1, 0, 0, 0, 0], dtype=np.float32),
        per_action_C=np.array([1, 1, 1, 30, 1], dtype=np.float32),
        multiplier_C=np.array([100.0, 5e3, 1e5, 4e3, 8e3]),
        cap_C=np.array([NO_CAP, 4e3, 9e4, 3e3, NO_CAP]),
        spent_C=np.zeros(5),
        won_C=np.zeros(5),
        left_C=np.full(5, 1e9),
        overdraft_C=np.zeros(5),
    )


def test_chances_are_those_of_the_logistic_function_to_half_a_percent():
    table_K = look_up(lambda logit: logit - 1.0)
    logits = np.linspace(-9, 9, 301)
    found = Chances(np.zeros((1, 301), np.float32), logits.astype(np.float32), table_K).of_people(
        np.zeros((1, 1), np.float32)
    )
    assert found[0] == pytest.approx(1 / (1 + np.exp(1.0 - logits)), rel=5e-3)


def test_each_bids_for_the_action_that_it_wants(book):
    person_RD = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)
    none = np.zeros((4, 5), dtype=bool)
    found = decide(book, person_RD, none, none, Rules(reserve=1.0))
    click_RC, conversion_RC = book.click.of_people(person_RD), book.conversion.of_people(person_RD)
    for request in range(4):
        for campaign in range(5):
            chance = click_RC[request, campaign] if not book.is_seen_C[campaign] else 1.0
            chance *= conversion_RC[request, campaign] if BUYS[campaign] else 1.0
            value = chance * book.per_action_C[campaign]
            expected = bid(value, book.multiplier_C[campaign], book.cap_C[campaign], 0.0, 0.0, 1e9, 0.0)
            assert found.bid_RC[request, campaign] == pytest.approx(float(expected), rel=1e-5)


def test_what_was_sold_is_known_to_the_next_bid(book):
    person_RD = np.zeros((1, 3), np.float32)
    none = np.zeros((1, 5), dtype=bool)
    before = decide(book, person_RD, none, none, Rules()).bid_RC[0, 1]
    book.sold(1, 1e9 - 5.0, 0.1)
    assert decide(book, person_RD, none, none, Rules()).bid_RC[0, 1] == min(before, 5.0)
