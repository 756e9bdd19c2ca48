"""The sample of pages is of the last day, and its rate is that at which pages come."""

import numpy as np
import pytest

from tenfold.ads.asked import Asked, AskedPage


def page(number):
    return AskedPage(f"p{number % 50}", "home", (), np.zeros(2, np.float32), float(number))


def test_the_rate_is_that_of_the_last_day_however_short_it_was():
    asked = Asked(np.random.default_rng(0))
    assert asked.per_day(5.0) == 0.0
    for second in range(600):
        asked.note(page(second), 1e6 + second)
    assert asked.per_day(1e6 + 600) == pytest.approx(86_400, rel=0.01)
    asked.note(page(1), 1e6 + 3 * 86_400)
    assert asked.per_day(1e6 + 3 * 86_400) < 5


def test_old_pages_make_room_for_new_ones():
    asked = Asked(np.random.default_rng(0), most=100)
    for second in range(20_000):
        asked.note(page(second), 1e6 + 10.0 * second)
    assert len(asked.pages) == 100
    ages_s = [10.0 * (20_000 - each.least_micro) for each in asked.pages]
    assert 0.3 * 86_400 < np.mean(ages_s) < 2 * 86_400
