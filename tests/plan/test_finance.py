"""What is charged of things that outlive the study, and prices over time."""

import pytest
from tiny_study import study_of

from tenfold.plan.finance import Finance, accelerator_price_usd, rent_usd_per_hour


def test_annuities_within_and_after_the_study_add_up_to_the_price():
    finance = Finance(periods=8, period_factor=0.96, salvage_share=None)
    for ready in range(9):
        for life in (1, 5, 10):
            charged = 1 - finance.unused_share(ready, life)
            used = max(0, min(life, 8 - ready))
            assert charged == pytest.approx(finance.annuity(used) / finance.annuity(life))
    assert finance.unused_share(0, 8) == pytest.approx(0)
    assert finance.unused_share(8, 5) == pytest.approx(1)


def test_salvage_is_the_unused_life_at_the_end_discounted():
    finance = Finance(periods=8, period_factor=0.96, salvage_share=0.5)
    assert finance.unused_share(4, 10) == pytest.approx(0.5 * 0.6 * 0.96**4)
    assert finance.unused_share(4, 3) == 0


def test_discount_is_per_year_whatever_the_period(tiny):
    tiny["discount_rate"] = 0.1
    assert Finance.of(study_of(tiny)).discount(2) == pytest.approx(1 / 1.1)


def test_prices_fall_by_the_year_or_step_by_period(tiny):
    gpu = tiny["accelerators"]["gpu"]
    study = study_of(tiny)
    assert accelerator_price_usd(study, study.accelerators["gpu"], 2) == pytest.approx(30_000 * 0.9)
    assert rent_usd_per_hour(study, study.rent["cloud"], 2) == 6
    gpu["prices_usd"] = {"2026H2": 28_000, "2027H2": 20_000}
    study = study_of(tiny)
    prices = [accelerator_price_usd(study, study.accelerators["gpu"], period) for period in range(4)]
    assert prices == [30_000, 28_000, 28_000, 20_000]
