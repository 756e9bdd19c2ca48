import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.core.errors import UsageError
from tenfold.world.day import BURST_SHARE, CHAT_CALM_SHARE, chat_diurnal, diurnal, draw_day

HOURS = np.linspace(0, 24, 2401)


def test_the_night_is_a_tenth_of_the_evening_peak():
    rate = diurnal(HOURS)
    assert rate.min() == pytest.approx(0.1, abs=0.002)
    assert rate.max() == pytest.approx(1.0, abs=0.002)
    assert 2 <= HOURS[rate.argmin()] <= 6
    assert 19 <= HOURS[rate.argmax()] <= 21
    assert diurnal(np.array([0.0])) == pytest.approx(diurnal(np.array([24.0])))


def test_chat_follows_a_milder_day_than_ranking():
    assert chat_diurnal(HOURS).min() == pytest.approx(0.4, abs=0.002)
    assert (chat_diurnal(HOURS) >= diurnal(HOURS) - 1e-9).all()


@given(
    duration_s=st.floats(5, 3600),
    peak=st.floats(0, 200),
    burst=st.floats(0, 20),
    seed=st.integers(0, 2**32),
)
def test_arrivals_are_ascending_within_the_day_and_as_many_as_the_formula_says(duration_s, peak, burst, seed):
    day = draw_day(duration_s, rank_peak_per_s=peak, chat_burst_per_s=burst, seed=seed)
    for at_s in (day.rank_at_s, day.chat_at_s, day.bursts_s.ravel()):
        assert (np.diff(at_s) >= 0).all()
        assert ((at_s >= 0) & (at_s <= duration_s)).all()
    ranked = peak * duration_s * diurnal(HOURS).mean()
    assert abs(day.rank_at_s.size - ranked) <= 6 * np.sqrt(ranked) + 6
    at_s = HOURS / 24 * duration_s
    in_burst = ((at_s[:, None] >= day.bursts_s[:, 0]) & (at_s[:, None] < day.bursts_s[:, 1])).any(axis=1)
    chats = burst * duration_s * (np.where(in_burst, 1, CHAT_CALM_SHARE) * chat_diurnal(HOURS)).mean()
    assert abs(day.chat_at_s.size - chats) <= 6 * np.sqrt(chats) + 6 + 0.02 * chats


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32))
def test_a_seed_draws_the_same_day_and_more_ranking_leaves_chat_as_it_is(seed):
    one, same, busier = (draw_day(60, rank_peak_per_s=peak, chat_burst_per_s=3, seed=seed) for peak in (20, 20, 40))
    assert np.array_equal(one.rank_at_s, same.rank_at_s)
    assert np.array_equal(one.chat_at_s, busier.chat_at_s)


def test_bursts_take_their_share_of_many_days():
    days = [draw_day(300, rank_peak_per_s=0, chat_burst_per_s=0, seed=seed) for seed in range(300)]
    shares = [np.diff(day.bursts_s, axis=1).sum() / 300 for day in days]
    assert np.mean(shares) == pytest.approx(BURST_SHARE, abs=0.02)


def test_a_day_of_no_length_is_refused():
    with pytest.raises(UsageError, match="positive duration"):
        draw_day(0, rank_peak_per_s=1, chat_burst_per_s=1)
