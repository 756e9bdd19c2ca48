"""The log of a world: what surfaces have in common is the dial, and each surface is as its sources say."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tenfold.cli.main import main
from tenfold.core.errors import UsageError
from tenfold.world.events import Terms, draw_log
from tenfold.world.interests import draw_interests
from tenfold.world.surface import SURFACES, opening_of

SHORT = SURFACES[0]


@pytest.fixture(scope="module")
def log():
    return draw_log(Terms(people=400, days=4), seed=3)


@pytest.mark.parametrize("correlation", [0.0, 0.25, 0.5, 1.0])
def test_interests_on_two_surfaces_correlate_by_the_dial_and_still_do_after_they_drifted(correlation):
    interests = draw_interests(3000, 2, correlation, np.random.default_rng(0))
    later = interests.later(0.3, np.random.default_rng(1))
    for each in (interests, later):
        one, other = each.on(0).ravel(), each.on(1).ravel()
        assert np.corrcoef(one, other)[0, 1] == pytest.approx(correlation, abs=0.02)
        assert one.std() == pytest.approx(1.0, abs=0.02)
    assert np.corrcoef(interests.on(0).ravel(), later.on(0).ravel())[0, 1] == pytest.approx(0.7**0.5, abs=0.02)


def test_people_open_as_many_of_the_cards_as_was_published_chosen_or_at_random():
    # So many items that nobody runs out of what they like.
    many = tuple(replace(surface, items=8000, life_days=400.0) for surface in SURFACES)
    log = draw_log(Terms(people=1500, days=2, surfaces=many), seed=1)
    for index, surface in enumerate(SURFACES):
        on_E = (log.surface_E == index) & log.by_policy_E
        assert log.opened_E[on_E].mean() == pytest.approx(surface.opened_policy, abs=0.03), surface.name
    random_E = ~log.by_policy_E & (log.surface_E == 0)
    assert log.opened_E[random_E].mean() == pytest.approx(SHORT.opened_random, abs=0.06)
    assert opening_of(SHORT).skill > opening_of(SURFACES[-1]).skill


def test_what_stands_lower_is_seen_less_and_what_is_opened_is_watched(log):
    on_E = log.surface_E == 1
    seen_K = np.bincount(log.place_E[on_E])
    assert np.all(seen_K[1:] / seen_K[:-1] == pytest.approx(SURFACES[1].looks_on, abs=0.06))
    assert np.array_equal(log.watched_s_E > 0, log.opened_E)
    assert not log.liked_E[~log.opened_E].any()
    chance_E = log.chance_E[log.opened_E]
    part_E = log.watched_s_E[log.opened_E] / log.stock.length_s_I[log.item_E[log.opened_E]]
    assert part_E[chance_E > 0.6].mean() > 1.5 * part_E[chance_E < 0.2].mean()


def test_nobody_sees_an_item_twice_or_before_its_birth_or_after_its_death(log):
    pairs = log.person_E * len(log.stock) + log.item_E
    assert len(np.unique(pairs)) == len(pairs)
    day_E = np.floor(log.at_s_E / 86_400)
    stock = log.stock
    # A page that is opened before midnight may be read after it.
    assert np.all(stock.born_I[log.item_E] <= day_E)
    assert np.all(stock.dies_I[log.item_E] > day_E - 2)
    assert np.all(np.diff(log.at_s_E) >= 0)
    assert np.all(stock.surface_I[log.item_E] == log.surface_E)
    live = stock.surface_I == 2
    assert [len(stock.there(2, day)) for day in (0, 2)] == pytest.approx([SURFACES[2].items] * 2, rel=0.25)
    assert live.sum() > 1.5 * SURFACES[2].items


def test_the_same_seed_draws_the_same_log_and_impossible_worlds_are_named():
    terms = Terms(people=30, days=2)
    one, same, other = (draw_log(terms, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.item_E, same.item_E)
    assert not np.array_equal(one.item_E[:50], other.item_E[:50])
    with pytest.raises(UsageError, match=r"correlation 1\.2"):
        Terms(correlation=1.2)
    with pytest.raises(UsageError, match=r"'short' has [0-7] items for a page of 8"):
        draw_log(Terms(people=5, days=1, surfaces=(replace(SHORT, items=3, life_days=400.0),)), 1)
    with pytest.raises(ValueError, match="change opened_policy"):
        opening_of(replace(SHORT, opened_policy=0.95))


def test_the_command_writes_what_people_did_and_not_what_they_like(tmp_path, capsys):
    folder = tmp_path / "small"
    main(["world", str(folder), "--people", "60", "--days", "2", "--correlation", "1", "--json"])
    told = json.loads(capsys.readouterr().out)
    events, items = (pl.read_parquet(folder / f"{name}.parquet") for name in ("events", "items"))
    assert sum(surface["seen"] for surface in told["surfaces"]) == len(events)
    assert set(events["action"]) == {"shown", "opened", "liked"}
    assert events.columns == ["person", "item", "surface", "place", "action", "watched", "seconds", "at"]
    assert set(events["item"]) <= set(items["item"])
    assert (events.join(items, on="item").select(pl.col("surface") == pl.col("surfaces"))).to_series().all()
    with pytest.raises(SystemExit):
        main(["world", str(folder)])
    assert "next:  give another folder, or delete it" in capsys.readouterr().err


def test_where_nothing_drifts_the_truth_at_the_end_is_what_people_opened_by():
    log = draw_log(Terms(people=40, days=1, drift=0.0), seed=4)
    for surface in (0, 4):
        on = np.flatnonzero(log.surface_E == surface)[:200]
        chance_PI = log.chance_PI(surface, log.item_E[on])
        assert chance_PI[log.person_E[on], np.arange(len(on))] == pytest.approx(log.chance_E[on])
