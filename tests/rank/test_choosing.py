"""From values to a list: what is worth how much, what may stand beside what, and how likely it came out so."""

import numpy as np
import pytest

from tenfold.rank.contract import Filters
from tenfold.rank.diversity import Standing
from tenfold.rank.explain import because
from tenfold.rank.explore import choose
from tenfold.rank.person import Judgement
from tenfold.rank.rules import Rules
from tenfold.rank.stream import Item, Items
from tenfold.rank.surface import SurfaceSettings
from tenfold.rank.value import expected, value

DRAW = np.random.default_rng(0)
NOBODY = np.full(4, -1)
ALIKE = np.eye(4, dtype=np.float32)


def test_a_value_is_the_sum_of_its_terms_by_the_weights_of_the_surface():
    settings = SurfaceSettings(relevance=2.0, actions={"liked": 3.0, "skipped": -1.0}, watched=1.0, minute=0.5)
    chances = np.array([[0.5, 0.25, 0.1], [0.0, 1.0, 0.0]], np.float32)
    watched = np.array([[0.2] * 5, [1.0] * 5], np.float32)
    length_s = np.array([120.0, np.nan])
    found = value(
        settings,
        ("liked", "skipped", "shared"),
        np.array([0.5, 0.1], np.float32),
        Judgement(chances, watched),
        length_s,
        np.array([0.0, 4.0]),
    )
    terms = {name: term.tolist() for name, term in found.terms.items()}
    assert terms["relevance"] == pytest.approx([1.0, 0.2])
    assert terms["liked"] == pytest.approx([1.5, 0.0])
    assert terms["skipped"] == pytest.approx([-0.25, -1.0])
    assert terms["watched"] == pytest.approx([0.2, 1.0])
    assert terms["minute"] == pytest.approx([0.2, 0.0])
    assert "shared" not in terms
    assert found.value_K == pytest.approx(np.sum(list(terms.values()), axis=0))
    assert found.value_K[1] == pytest.approx(0.2 - 1.0 + 1.0 + 4.0)


def test_the_mean_watched_is_that_of_the_distribution_that_the_quantiles_tell():
    even = np.array([[0.1, 0.25, 0.5, 0.75, 0.9]], np.float32)
    assert expected(even)[0] == pytest.approx(0.5, abs=1e-6)
    assert expected(np.zeros((1, 5), np.float32))[0] == 0.0


def test_without_diversity_or_chance_a_list_is_the_order_of_values():
    standing = Standing(np.array([0.1, 0.9, 0.5, 0.7]), ALIKE, NOBODY, SurfaceSettings(diversity=0.0))
    places = choose(standing, 3, 0.0, DRAW)
    assert [place.candidate for place in places] == [1, 3, 2]
    assert {place.propensity for place in places} == {1.0}


def test_what_is_like_the_item_above_gives_way_to_something_else():
    twins = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    values = np.array([1.0, 0.95, 0.5])
    plain = choose(Standing(values, twins, NOBODY[:3], SurfaceSettings(diversity=0.0)), 3, 0.0, DRAW)
    mixed = choose(Standing(values, twins, NOBODY[:3], SurfaceSettings(diversity=0.6)), 3, 0.0, DRAW)
    assert [place.candidate for place in plain] == [0, 1, 2]
    assert [place.candidate for place in mixed] == [0, 2, 1]


def test_an_author_counts_less_with_each_item_and_has_no_more_than_the_rule_lets():
    author = np.array([7, 7, 7, 8])
    values = np.array([1.0, 0.9, 0.8, 0.0])
    settings = SurfaceSettings(diversity=0.0, author_decay=1.0, most_per_author=2)
    assert [place.candidate for place in choose(Standing(values, ALIKE, author, settings), 4, 0.0, DRAW)] == [0, 1, 3]
    decays = SurfaceSettings(diversity=0.0, author_decay=0.5)
    values = np.array([1.0, 0.9, 0.6, 0.0])
    author = np.array([7, 7, 8, 8])
    assert [place.candidate for place in choose(Standing(values, ALIKE, author, decays), 3, 0.0, DRAW)] == [0, 2, 1]


def test_logged_propensities_are_how_often_each_item_stands_first():
    draw = np.random.default_rng(1)
    values, rounds = np.array([0.1, 0.9, 0.5, 0.7]), 4000
    count, told = np.zeros(4), np.zeros(4)
    for _ in range(rounds):
        (first, *_) = choose(Standing(values, ALIKE, NOBODY, SurfaceSettings(diversity=0.0)), 2, 0.4, draw)
        count[first.candidate] += 1
        told[first.candidate] = first.propensity
    assert told.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(count / rounds, told, atol=0.03)


def test_filters_and_rules_leave_what_passes_all_of_them():
    items = Items(
        (
            Item("a", attributes=("news",), author="x", born_at=1_000.0),
            Item("b", attributes=("sport",), author="y", born_at=900_000.0),
            Item("c", attributes=("sport", "loud"), author="x"),
            Item("d", attributes=(), author="z", born_at=900_000.0),
        )
    )
    rules = Rules(items)

    def left(settings: SurfaceSettings | None = None, **filters: object) -> str:
        allowed = np.ones(len(items), dtype=np.bool_)
        told = Filters.model_validate(filters) if filters else None
        rules.forbid(allowed, told, settings or SurfaceSettings(), now=1_000_000.0)
        return "".join(str(items[row].id) for row in np.flatnonzero(allowed))

    assert left() == "abcd"
    assert left(attributes=("sport",)) == "bc"
    assert left(attributes=("sport",), without_attributes=("loud",)) == "b"
    assert left(authors=("x", "z")) == "acd"
    assert left(without_authors=("x",)) == "bd"
    assert left(without=("a", "nobody-knows")) == "bcd"
    assert left(born_after=10_000.0) == "bcd"
    assert left(SurfaceSettings(without=("loud",), newest_days=2.0)) == "bd"
    assert rules.boosts(np.array([0, 2]), SurfaceSettings(boosts={"loud": 0.5, "news": -1.0})).tolist() == [-1.0, 0.5]


def test_the_reason_is_the_event_without_which_the_score_falls():
    query = np.array([1.0, 0.0], np.float32)
    without = np.array([[1.0, 0.0], [0.2, 0.9], [0.9, 0.1]], np.float32)
    (first,) = because(query, without, np.array([[1.0, 0.0]], np.float32))
    assert first.tolist() == [1]
    (nothing,) = because(query, np.repeat(query[None], 3, axis=0), np.array([[1.0, 0.0]], np.float32))
    assert nothing.tolist() == []
