"""The forecast covers bursts, forgets them, and follows the level."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.pool.forecast import Forecast


def feed(forecast: Forecast, rates, step_s=0.5) -> None:
    for rate in rates:
        forecast.observe(rate * step_s, step_s)


def test_steady_demand_is_forecast_as_it_is():
    forecast = Forecast()
    feed(forecast, [10.0] * 400)
    assert forecast.level == pytest.approx(10.0)
    assert forecast.upper() == pytest.approx(10.0, rel=0.05)


def test_bursty_demand_gets_a_margin_and_quiet_gives_it_back():
    forecast = Forecast()
    feed(forecast, ([1.0] * 10 + [20.0] * 10) * 10)
    feed(forecast, [1.0] * 20)
    bursty = forecast.upper()
    assert bursty > 5
    feed(forecast, [1.0] * 400)
    assert forecast.upper() < 2


def test_upper_covers_most_of_what_comes_next():
    chance = random.Random(0)
    forecast = Forecast()
    rates = [chance.expovariate(0.2) for _ in range(2000)]
    covered = 0
    for index, rate in enumerate(rates[:-3]):
        forecast.observe(rate * 0.5, 0.5)
        ahead = sum(rates[index + 1 : index + 4]) / 3
        covered += index > 200 and ahead <= forecast.upper()
    assert 0.8 <= covered / (len(rates) - 3 - 201) <= 0.97


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=60))
def test_forecast_is_never_negative_nor_below_its_level(rates):
    forecast = Forecast()
    feed(forecast, rates)
    assert forecast.upper() >= forecast.level >= 0
