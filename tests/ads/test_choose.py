"""People see the variant that people like them click, and every choice has its true probability."""

import numpy as np
import pytest

from tenfold.ads.choose import SEGMENTS, UNIFORM, Chooser, Segments, Shown, shares
from tenfold.ads.off_policy import doubly_robust, ips, snips

VARIANTS = ("a", "b", "c")


def test_propensities_are_those_of_the_draws_and_never_below_the_uniform_slice():
    chooser = Chooser(np.random.default_rng(1))
    chooser.learn(VARIANTS, [Shown(each, 2, each == "b" and at % 4 == 0) for at in range(200) for each in VARIANTS])
    chosen = [chooser.choose(VARIANTS, 2) for _ in range(20_000)]
    told = {each.variant: each.propensity for each in chosen}
    assert sum(told.values()) == pytest.approx(1.0)
    for variant, propensity in told.items():
        share = sum(each.variant == variant for each in chosen) / len(chosen)
        assert share == pytest.approx(propensity, abs=0.01)
        assert propensity >= UNIFORM / len(VARIANTS)
    assert told["b"] > 0.9


def test_variants_that_nobody_has_seen_are_equal():
    chooser = Chooser(np.random.default_rng(1))
    assert all(0.2 < chooser.choose(VARIANTS, segment).propensity < 0.5 for segment in range(SEGMENTS))


def test_a_new_variant_is_taken_up_and_one_that_is_gone_is_no_longer_chosen():
    chooser = Chooser(np.random.default_rng(1))
    chooser.learn(VARIANTS, ())
    assert {chooser.choose(("b", "d"), 0).variant for _ in range(100)} == {"b", "d"}


def test_what_is_known_in_other_segments_helps_and_what_is_known_in_its_own_outweighs():
    random = np.random.default_rng(2)
    seen, clicked = np.zeros((SEGMENTS, 2)), np.zeros((SEGMENTS, 2))
    seen[1:], clicked[1:] = 400, [[40, 8]]
    assert shares(random, seen, clicked, 0.0)[0, 0] > 0.8
    seen[0], clicked[0] = 2000, [40, 300]
    assert shares(random, seen, clicked, 0.0)[0, 1] > 0.95


def test_people_of_one_taste_come_to_see_what_they_click():
    random = np.random.default_rng(3)
    rates = np.array([[0.02, 0.06], [0.06, 0.02]])
    chooser, shown, clicks = Chooser(random), [], []
    for at in range(6000):
        taste = at % 2
        choice = chooser.choose(("a", "b"), taste)
        clicked = random.random() < rates[taste, "ab".index(choice.variant)]
        shown.append(Shown(choice.variant, taste, clicked))
        clicks.append(clicked)
        if at % 200 == 199:
            chooser.learn(("a", "b"), shown)
    # Without segments nobody could do better than 0.04.
    assert np.mean(clicks[3000:]) > 0.048


def test_segments_are_the_same_in_every_process_and_all_are_used():
    vectors = np.random.default_rng(4).standard_normal((500, 64))
    first, second = Segments(64), Segments(64)
    found = [first.of(vector) for vector in vectors]
    assert found == [second.of(vector) for vector in vectors]
    assert set(found) == set(range(SEGMENTS)) and first.of(np.zeros(64)) == 0


def logged(random, count, propensity_A, rate_A):
    action_N = random.choice(len(rate_A), size=count, p=propensity_A)
    reward_N = (random.random(count) < rate_A[action_N]).astype(float)
    return action_N, reward_N


@pytest.mark.parametrize("estimator", ["ips", "snips", "dr"])
def test_intervals_hold_the_truth_about_as_often_as_they_say(estimator):
    random = np.random.default_rng(5)
    log_A, target_A, rate_A = np.array([0.6, 0.3, 0.1]), np.array([0.1, 0.2, 0.7]), np.array([0.05, 0.1, 0.2])
    truth, held = float(target_A @ rate_A), 0
    for _ in range(300):
        action_N, reward_N = logged(random, 2000, log_A, rate_A)
        given = (reward_N, log_A[action_N], target_A[action_N])
        # A wrong model costs the doubly robust estimate width, never truth.
        model_A = np.array([0.2, 0.1, 0.1])
        estimate = (
            ips(*given) if estimator == "ips"
            else snips(*given) if estimator == "snips"
            else doubly_robust(*given, model_A[action_N], np.full(2000, target_A @ model_A))
        )  # fmt: skip
        held += estimate.low <= truth <= estimate.high
    assert held / 300 >= 0.92


def test_the_steadier_estimates_are_narrower():
    random = np.random.default_rng(6)
    log_A, target_A, rate_A = np.array([0.6, 0.3, 0.1]), np.array([0.1, 0.2, 0.7]), np.array([0.5, 0.5, 0.6])
    action_N, reward_N = logged(random, 2000, log_A, rate_A)
    given = (reward_N, log_A[action_N], target_A[action_N])
    right = doubly_robust(*given, rate_A[action_N], np.full(2000, target_A @ rate_A))
    widths = [each.high - each.low for each in (ips(*given), snips(*given), right)]
    assert widths[0] > widths[1] and widths[0] > widths[2]
    assert snips(*given).effective < 2000


def test_a_propensity_of_nothing_is_refused():
    with pytest.raises(ValueError, match="propensities above 0"):
        ips(np.ones(2), np.array([0.5, 0.0]), np.ones(2))
