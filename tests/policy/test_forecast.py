"""The forecast covers bursts, forgets them, follows the level and the season, and survives gaps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.policy.forecast import CHANCES_D, LEVELS_D, Forecasts


def feed(forecast: Forecasts, rates, step_s=0.5) -> None:
    for rate in rates:
        forecast.observe(np.array([rate * step_s]), step_s)


def live() -> Forecasts:
    return Forecasts(np.array([1.5]))


def test_steady_demand_is_forecast_as_it_is():
    forecast = live()
    feed(forecast, [10.0] * 400)
    assert forecast.level_S[0] == pytest.approx(10.0)
    assert forecast.upper_S()[0] == pytest.approx(10.0, rel=0.05)


def test_before_errors_are_known_a_tenth_is_kept_ready_and_the_first_measurement_is_no_error():
    forecast = live()
    feed(forecast, [100.0])
    assert 105.0 < forecast.upper_S()[0] < 120.0


def test_bursty_demand_gets_a_margin_and_quiet_gives_it_back():
    forecast = live()
    feed(forecast, ([1.0] * 10 + [20.0] * 10) * 10)
    feed(forecast, [1.0] * 20)
    assert forecast.upper_S()[0] > 5
    feed(forecast, [1.0] * 400)
    assert forecast.upper_S()[0] < 2


@pytest.mark.slow
@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.99])
def test_demand_exceeds_a_quantile_as_often_as_it_says(quantile):
    chance = np.random.default_rng(0)
    forecast = Forecasts(np.array([1.5]), memory_s=1e9)
    rates = chance.exponential(5.0, 4000)
    level = np.searchsorted(LEVELS_D, quantile)
    covered = []
    for index, rate in enumerate(rates[:-3]):
        forecast.observe(np.array([rate * 0.5]), 0.5)
        if index > 400:
            covered.append(rates[index + 1 : index + 4].mean() <= forecast.demands_SD()[0, level])
    assert np.mean(covered) == pytest.approx(LEVELS_D[level], abs=0.01)


def test_a_surge_is_unforeseen_once_and_then_it_is_thought_possible():
    forecast = Forecasts(np.array([1.0]))
    for _ in range(100):
        forecast.observe(np.array([10.0]), 1.0)
    assert forecast.unforeseen_S == pytest.approx([0.0])
    forecast.observe(np.array([60.0]), 1.0)
    assert forecast.unforeseen_S[0] == pytest.approx(50.0, abs=5.0)
    forecast.observe(np.array([60.0]), 1.0)
    assert forecast.unforeseen_S == pytest.approx([0.0])
    for _ in range(20):
        forecast.observe(np.array([10.0]), 1.0)
    forecast.observe(np.array([60.0]), 1.0)
    assert forecast.unforeseen_S[0] < 12.0


def test_surges_keep_slots_ready_while_they_last_and_not_on_calm_days():
    """Half an hour of surge in every 8 hours: some 6% of all errors are large, but none of them comes in calm hours."""
    chance = np.random.default_rng(0)
    noise = chance.gamma(10.0, 10.0, 1000)
    surges = noise * np.where(np.arange(1000) % 96 < 6, 8.0, 1.0)
    with_surges, calm = (Forecasts(np.array([300.0]), memory_s=1e9) for _ in range(2))
    feed(with_surges, surges[:960], step_s=300.0)
    feed(calm, noise[:960], step_s=300.0)
    assert with_surges.upper_S(0.97)[0] < 1.3 * calm.upper_S(0.97)[0]
    feed(with_surges, surges[960:963], step_s=300.0)
    assert with_surges.upper_S(0.97)[0] > 1.8 * with_surges.predicted_S[0]


def test_before_anything_was_measured_nothing_is_unforeseen():
    forecast = Forecasts(np.array([1.0]))
    forecast.observe(np.array([1000.0]), 1.0)
    assert forecast.unforeseen_S == pytest.approx([0.0])


def test_what_comes_out_of_nothing_is_not_taken_to_grow_as_much_again():
    forecast = Forecasts(np.array([1.0]), memory_s=1e9)
    for _ in range(2000):
        forecast.observe(np.array([0.0]), 1.0)
    for _ in range(200):
        forecast.observe(np.array([100.0]), 1.0)
    assert forecast.demands_SD()[0, -1] <= 100.0 + 5 * 100.0
    assert forecast.upper_S(0.99)[0] == pytest.approx(100.0, rel=0.01)


@pytest.mark.parametrize("idle", [4, 12, 30])
@pytest.mark.parametrize("horizon_s", [1.5, 5.0])
def test_a_service_that_wakes_up_does_not_take_the_pool(idle, horizon_s):
    """Two requests a second after silence: slots for some more are kept ready, not for thousands."""
    forecast = Forecasts(np.array([horizon_s]), memory_s=90.0)
    feed(forecast, [0.0] * idle)
    upper, mean = _most_expected(forecast, [2.0] * 200)
    assert upper < 20.0
    assert mean < 10.0


def test_a_request_now_and_then_is_not_taken_for_thousands():
    """One request in ten seconds: most observations see nothing, so each request comes out of nothing."""
    rates = np.random.default_rng(0).poisson(0.1 * 0.5, 2000) / 0.5
    upper, mean = _most_expected(live(), rates)
    assert upper < 20.0
    assert mean < 10.0


def _most_expected(forecast: Forecasts, rates) -> tuple[float, float]:
    """The largest 90% quantile and the largest mean of what was thought possible while these rates came."""
    found = []
    for rate in rates:
        feed(forecast, [rate])
        found.append((forecast.upper_S()[0], forecast.demands_SD()[0] @ CHANCES_D))
    return tuple(np.max(found, axis=0))


def test_each_service_is_forecast_as_if_it_were_alone():
    rates_TS = np.random.default_rng(1).exponential(5.0, (300, 3))
    horizons_s = np.array([1.5, 4.0, 1.5])
    together = Forecasts(horizons_s)
    alone = [Forecasts(horizons_s[[column]]) for column in range(3)]
    for rates_S in rates_TS:
        together.observe(rates_S, 0.5)
        for column, forecast in enumerate(alone):
            forecast.observe(rates_S[[column]], 0.5)
    for column, forecast in enumerate(alone):
        assert together.demands_SD()[column] == pytest.approx(forecast.demands_SD()[0])


def test_a_gap_is_not_taken_for_silence():
    forecast = live()
    feed(forecast, [10.0] * 200 + [np.nan] * 50 + [10.0] * 5)
    assert forecast.level_S[0] == pytest.approx(10.0)
    assert forecast.predicted_S[0] == pytest.approx(10.0)
    assert forecast.upper_S()[0] == pytest.approx(10.0, rel=0.02)


def test_a_shift_of_level_is_followed_at_once_and_soon_only_remembered_as_one_error():
    forecast = Forecasts(np.array([120.0]), memory_s=1e9)
    feed(forecast, [100.0] * 400, step_s=120.0)
    feed(forecast, [300.0], step_s=120.0)
    assert forecast.predicted_S[0] >= 300.0 * 0.99
    feed(forecast, [300.0] * 20, step_s=120.0)
    assert forecast.upper_S(0.95)[0] == pytest.approx(300.0, rel=0.02)


def test_a_known_season_is_expected_to_come_again():
    """Half an hour ahead on a steep daily ramp, the third day is forecast better than the last measurement says."""
    step_s, horizon_s = 1800.0, 1800.0
    at_s = np.arange(4 * 48) * step_s
    rates = 100 + 90 * np.sin(2 * np.pi * at_s / 86400.0)
    forecast = Forecasts(np.array([horizon_s]), memory_s=1e9)
    missed, held = [], []
    for index, rate in enumerate(rates[:-1]):
        forecast.observe(np.array([rate * step_s]), step_s)
        if index > 3 * 48:
            missed.append(abs(forecast.predicted_S[0] - rates[index + 1]))
            held.append(abs(rate - rates[index + 1]))
    assert np.mean(missed) < 0.5 * np.mean(held)


def test_irregular_ticks_see_the_same_demand():
    forecast = live()
    for index in range(600):
        seconds = (0.05, 0.5, 1.1)[index % 3]
        forecast.observe(np.array([7.0 * seconds]), seconds)
    assert forecast.predicted_S[0] == pytest.approx(7.0)
    assert forecast.demands_SD()[0] == pytest.approx(7.0, rel=0.02)


@pytest.mark.slow
@given(st.lists(st.one_of(st.floats(0, 1e4), st.just(np.nan)), min_size=1, max_size=60))
def test_demands_are_ascending_and_never_negative_nor_missing(rates):
    forecast = live()
    feed(forecast, rates)
    demands_D = forecast.demands_SD()[0]
    assert np.all(demands_D >= 0)
    assert np.all(np.diff(demands_D) >= 0)
    assert forecast.upper_S()[0] >= forecast.predicted_S[0] >= 0


def test_chances_are_a_distribution():
    assert CHANCES_D.sum() == pytest.approx(1.0)
    assert np.all(np.diff(LEVELS_D) > 0)
