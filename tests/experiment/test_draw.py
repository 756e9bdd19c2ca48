"""People are drawn evenly, for good, and independently of other experiments."""

from tenfold.experiment.draw import arm_of, is_drawn

PEOPLE = [f"person {number}" for number in range(20_000)]
SHARES = {"unified": 0.5, "surface": 0.3}


def test_each_arm_gets_its_share_and_the_rest_nothing():
    arms = [arm_of(person, SHARES, "one") for person in PEOPLE]
    assert arms == [arm_of(person, SHARES, "one") for person in PEOPLE]
    counts = [sum(arm == name for arm in arms) / len(arms) for name in ("unified", "surface", None)]
    assert all(abs(found - share) < 0.015 for found, share in zip(counts, (0.5, 0.3, 0.2), strict=True))


def test_another_experiment_draws_independently():
    both = sum(arm_of(p, SHARES, "one") == "surface" == arm_of(p, SHARES, "two") for p in PEOPLE)
    assert 0.075 < both / len(PEOPLE) < 0.105


def test_a_larger_share_keeps_those_who_were_drawn():
    few, more = ({p for p in PEOPLE[:2000] if is_drawn(p, share, "ads")} for share in (0.05, 0.2))
    assert few and few < more
    assert {p for p in PEOPLE[:2000] if arm_of(p, {"out": 0.05}, "ads")} == few
    assert not any(is_drawn(p, 0.0, "ads") for p in PEOPLE[:200])
    assert all(is_drawn(p, 1.0, "ads") for p in PEOPLE[:200])
