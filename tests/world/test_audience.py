"""Hidden interest in ads: half goes with their words; the chances of clicks are those of a real log on average."""

import numpy as np
import pytest

from tenfold.world.audience import CLICKS, Audience, Temper, audience_of
from tenfold.world.taste import Tastes

GENRES = ("Adventure", "Musical")
PEOPLE, FILMS = 4000, 40


def embed(texts):
    """One direction for each genre; a text is of those that it names."""
    found = np.array([[float(genre.lower() in text.lower()) for genre in GENRES] for text in texts]) + 1e-3
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def audience() -> Audience:
    random = np.random.default_rng(3)
    of_genre_IG = np.arange(FILMS)[:, None] % 2 == np.arange(2)
    fond_PG = random.standard_normal((PEOPLE, 2))
    like_PI = (fond_PG @ of_genre_IG.T + random.standard_normal((PEOPLE, FILMS))).astype(np.float32)
    return audience_of(Tastes(like_PI), [(GENRES[film % 2],) for film in range(FILMS)], embed)


def test_the_mean_chance_of_a_click_is_the_open_bandit_log_s_over_people_and_ads(audience):
    chances = [audience.chance_P(f"shop {n}", "an adventure tent", f"ad {n}").mean() for n in range(60)]
    assert np.mean(chances) == pytest.approx(CLICKS, rel=0.12)
    assert max(chances) > 1.3 * min(chances), "ads differ in how well they are made"


def test_half_of_the_interest_goes_with_the_words_and_the_rest_with_nothing_that_is_told(audience):
    fond_P = audience.tastes.like_PI[:, 0::2].mean(axis=1)
    found = [np.corrcoef(fond_P, audience.interest_P(f"shop {n}", "an adventure tent"))[0, 1] for n in range(30)]
    others = [np.corrcoef(fond_P, audience.interest_P(f"shop {n}", "a musical clock"))[0, 1] for n in range(30)]
    assert 0.4 < np.mean(found) < 0.9
    assert np.mean(found) > np.mean(others) + 0.3


def test_the_same_ad_is_as_interesting_again_and_an_ad_of_another_shop_is_not(audience):
    one = audience.interest_P("shop", "an adventure tent")
    again = Audience(audience.tastes, audience.genre_IG, audience.genres, embed, Temper(clicks=0.1))
    assert np.array_equal(one, again.interest_P("shop", "an adventure tent"))
    assert not np.allclose(one, audience.interest_P("another", "an adventure tent"))
    assert again.chance_P("shop", "an adventure tent", "ad").mean() == pytest.approx(0.1, rel=0.5)
