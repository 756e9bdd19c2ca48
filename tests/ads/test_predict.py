"""Predictions are right on what comes later, for campaigns with and without a past, and wait for late conversions."""

import numpy as np
import pytest

from tenfold.ads.predict import DELAYS_S, Calibration, Delays, Head

WIDTH, CAMPAIGNS = 8, 60


class Truth:
    """Clicks by a hidden taste: what a person and a campaign's content have in common, and each campaign's own pull."""

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)
        self.item_CD = self._unit(CAMPAIGNS)
        self.own_C = 0.5 * self.rng.standard_normal(CAMPAIGNS)
        self.taste_DD = 1.5 * np.eye(WIDTH) + 0.3 * self.rng.standard_normal((WIDTH, WIDTH))

    def _unit(self, count):
        vector = self.rng.standard_normal((count, WIDTH))
        return vector / np.linalg.norm(vector, axis=1, keepdims=True)

    def batch(self, count=2000, campaigns=CAMPAIGNS - 1):
        person_ND, campaign_N = self._unit(count), self.rng.integers(0, campaigns, count)
        item_ND = self.item_CD[campaign_N]
        logit_N = -2.5 + np.sum(person_ND @ self.taste_DD * item_ND * 1.5, axis=1) + self.own_C[campaign_N]
        chance_N = 1 / (1 + np.exp(-logit_N))
        return person_ND, item_ND, campaign_N, chance_N, (self.rng.random(count) < chance_N).astype(float)


@pytest.fixture(scope="module")
def taught():
    truth, head, calibration = Truth(), Head(WIDTH, base=0.05), Calibration()
    head.grow(CAMPAIGNS)
    for _ in range(200):
        person_ND, item_ND, campaign_N, _, happened_N = truth.batch()
        calibration.note(head.learn(person_ND, item_ND, campaign_N, happened_N), happened_N)
    calibration.refit()
    return truth, head, calibration


def predicted(taught, person_ND, item_ND, campaign_N):
    _, head, calibration = taught
    return 1 / (1 + np.exp(-calibration.logit(head.logit(person_ND, item_ND, campaign_N))))


def test_what_is_predicted_is_true_in_every_tenth(taught):
    person_ND, item_ND, campaign_N, chance_N, _ = taught[0].batch(100_000)
    predicted_N = predicted(taught, person_ND, item_ND, campaign_N)
    for tenth in np.array_split(np.argsort(predicted_N), 10):
        assert predicted_N[tenth].mean() / chance_N[tenth].mean() == pytest.approx(1.0, abs=0.08)
    assert np.corrcoef(predicted_N, chance_N)[0, 1] > 0.95


def test_a_campaign_that_was_never_shown_is_predicted_from_its_content(taught):
    truth = taught[0]
    person_ND = truth._unit(20_000)
    cold_N = np.full(20_000, CAMPAIGNS - 1)
    item_ND = truth.item_CD[cold_N]
    chance_N = 1 / (1 + np.exp(2.5 - 1.5 * np.sum(person_ND @ truth.taste_DD * item_ND, axis=1)))
    assert np.corrcoef(predicted(taught, person_ND, item_ND, cold_N), chance_N)[0, 1] > 0.8


def test_a_campaign_that_is_new_begins_at_what_others_have_in_common():
    truth, head = Truth(2), Head(WIDTH, base=0.02)
    truth.own_C[:] = 0.0
    head.grow(CAMPAIGNS)
    for first in range(0, 40, 10):
        # Ten at a time, each for a while: nearly all that is learned of the level is learned by each alone.
        for _ in range(6):
            person_ND, item_ND, campaign_N, _, happened_N = truth.batch(2000, 10)
            head.learn(person_ND, item_ND, campaign_N + first, happened_N)
    person_ND, item_ND, _, chance_N, _ = truth.batch(20_000)
    predicted_N = 1 / (1 + np.exp(-head.logit(person_ND, item_ND, np.full(20_000, CAMPAIGNS - 1))))
    assert predicted_N.mean() / chance_N.mean() == pytest.approx(1.0, abs=0.25)


def test_it_follows_a_campaign_that_becomes_better_liked(taught):
    truth, head = Truth(1), Head(WIDTH, base=0.05)
    head.grow(CAMPAIGNS)
    for change in (0.0, 1.5):
        truth.own_C[3] += change
        for _ in range(60):
            head.learn(*[each for at, each in enumerate(truth.batch()) if at != 3])
    person_ND, item_ND, campaign_N, chance_N, _ = truth.batch(20_000)
    mine = campaign_N == 3
    predicted_N = 1 / (1 + np.exp(-head.logit(person_ND, item_ND, campaign_N)))
    assert predicted_N[mine].mean() / chance_N[mine].mean() == pytest.approx(1.0, abs=0.2)


def test_calibration_keeps_the_order_and_waits_for_enough_actions():
    calibration = Calibration()
    calibration.note(np.array([0.1, 0.2]), np.array([1.0, 0.0]))
    calibration.refit()
    logits = np.linspace(-8, 4, 50)
    assert calibration.logit(logits) == pytest.approx(logits)
    rng = np.random.default_rng(0)
    predicted_N = rng.uniform(0.01, 0.5, 50_000)
    calibration.note(predicted_N, (rng.random(50_000) < predicted_N / 2).astype(float))
    calibration.refit()
    found = calibration.logit(logits)
    assert (np.diff(found) >= 0).all()
    chance = 1 / (1 + np.exp(-calibration.logit(np.log(0.2 / 0.8))))
    assert chance == pytest.approx(0.1, rel=0.1)


def test_a_click_that_is_young_may_still_convert():
    delays = Delays()
    rng = np.random.default_rng(0)
    for delay_s in rng.exponential(6 * 3600, 20_000):
        delays.note(0.0, delay_s)
    delays.refit(60 * 86_400.0)
    age_N = np.array([60.0, 3600.0, 86_400.0, 14 * 86_400.0])
    come_N = delays.come_by(age_N)
    assert come_N == pytest.approx(1 - np.exp(-age_N / (6 * 3600)), abs=0.05)
    predicted_N = np.full(4, 0.1)
    chance_N = delays.chance(predicted_N, age_N, np.zeros(4))
    assert (np.diff(chance_N) < 0).all()
    assert chance_N[0] == pytest.approx(0.1, abs=0.01)
    assert chance_N[-1] < 0.01
    assert delays.chance(predicted_N, age_N, np.ones(4)).tolist() == [1.0] * 4
    assert len(DELAYS_S) == 13


def test_delays_are_learned_from_clicks_that_are_still_young():
    delays, rng, now = Delays(), np.random.default_rng(0), 2 * 86_400.0
    clicked_at = rng.uniform(0.0, now, 20_000)
    delay_s = rng.exponential(3 * 3600, 20_000)
    has_come = clicked_at + delay_s <= now
    for at, delay in zip(clicked_at[has_come], delay_s[has_come], strict=True):
        delays.note(at, delay)
    # Of those that have come more came soon than of all, and nobody clicked long enough ago to come after three days.
    assert np.mean(delay_s[has_come] < 3600) > 1.04 * (1 - np.exp(-1 / 3))
    delays.refit(now)
    age_N = np.array([900.0, 3600.0, 6 * 3600.0, 86_400.0])
    assert delays.come_by(age_N) == pytest.approx(1 - np.exp(-age_N / (3 * 3600)), abs=0.03)


def test_before_any_conversion_delays_are_those_that_were_published():
    assert Delays().come_by(np.array([3600.0, 86_400.0])) == pytest.approx([0.29, 0.57], abs=0.02)
