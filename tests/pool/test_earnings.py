"""What products earn is recorded once and becomes the price, which a restarted controller knows again."""

from dataclasses import replace

import pytest
from minipool import plan

from tenfold.ledger.ledger import Ledger
from tenfold.ledger.recorder import Recorder
from tenfold.pool.demand import DemandMeter
from tenfold.pool.earnings import Earned, Earnings, EarningsReport

MEMORY_S = 600.0


class Pool:
    """The controller's part of the books, on a real ledger and a clock of the test's."""

    def __init__(self, home, *, is_fixed: bool = False) -> None:
        self.now = 1e9
        self._home = home
        self._is_fixed = is_fixed
        self.start()

    def start(self) -> None:
        self.ledger = Recorder(self._open, "the ledger", clock=lambda: self.now)
        plans = [plan("rank", value=1e-6), plan("serve", value=2e-6)]
        if self._is_fixed:
            plans = [replace(each, price_is_fixed=True) for each in plans]
        self.earnings = Earnings(self.ledger, plans, MEMORY_S, clock=lambda: self.now)
        self.earnings.resume()

    def _open(self) -> Ledger:
        return Ledger(f"sqlite:///{self._home / 'ledger.db'}", clock=lambda: self.now, mends=True)

    async def earn(
        self, number: int, usd: float, units: float, workload: str = "rank", seconds: float = 5.0, product: str = "till"
    ) -> bool:
        self.now += seconds
        row = Earned(workload=workload, nano_usd=round(usd * 1e9), units=units, what="sales")
        return await self.earnings.take(EarningsReport(product=product, incarnation="a", number=number, earned=(row,)))

    async def earn_for_long(self, usd_per_unit: float) -> None:
        for number in range(1, 121):
            assert await self.earn(number, usd_per_unit * 100.0, 100.0)


@pytest.fixture
def pool(tmp_path):
    found = Pool(tmp_path)
    yield found
    found.ledger.close()


async def test_without_a_product_the_price_is_the_configured_one_and_nothing_is_measured(pool):
    view = pool.earnings.price_of("rank")
    assert (view.usd, view.source, view.low_usd, view.units) == (1e-6, "configured", None, 0.0)


async def test_what_products_earn_becomes_the_price_by_which_slots_are_valued(pool):
    await pool.earn_for_long(3e-6)
    view = pool.earnings.price_of("rank")
    assert view.source == "measured" and view.configured_usd == 1e-6
    assert view.usd == pytest.approx(3e-6, rel=0.1)
    assert view.low_usd < view.usd < view.high_usd
    assert pool.earnings.price_of("serve").source == "configured", "each workload has a price of its own"
    meter = DemandMeter(plan("rank", value=1e-6))
    meter.take_price(view)
    assert meter.plan.value_per_unit_usd == view.usd and meter.price == view


async def test_how_much_of_a_price_each_product_earned_is_told_also_after_a_restart(pool):
    await pool.earn(1, 3e-4, 100.0)
    await pool.earn(1, -1e-4, 0.0, seconds=0.0, product="stall")
    parts = pool.earnings.price_of("rank").by_product
    assert parts == {"stall": pytest.approx(-1e-4), "till": pytest.approx(3e-4)}
    pool.ledger.close()
    pool.start()
    assert pool.earnings.price_of("rank").by_product == {name: pytest.approx(usd) for name, usd in parts.items()}


async def test_a_report_that_is_told_again_counts_once(pool):
    await pool.earn(1, 1e-4, 100.0)
    once = pool.earnings.price_of("rank").earned_usd
    for _ in range(3):
        assert await pool.earn(1, 1e-4, 100.0, seconds=0.0), "it is acknowledged again, so that its teller forgets it"
    assert pool.earnings.price_of("rank").earned_usd == once == pytest.approx(1e-4)
    assert len(pool.ledger.latest("earned", 10)) == 1


async def test_a_restarted_controller_knows_the_price_again(pool):
    await pool.earn_for_long(3e-6)
    before = pool.earnings.price_of("rank")
    pool.ledger.close()
    pool.start()
    assert pool.earnings.price_of("rank") == before
    assert await pool.earn(120, 1.0, 1.0, seconds=0.0)
    assert pool.earnings.price_of("rank") == before, "and what it has seen before"


async def test_a_fixed_price_stays_and_what_was_earned_is_told_beside_it(tmp_path):
    pool = Pool(tmp_path, is_fixed=True)
    assert pool.earnings.price_of("rank").source == "fixed"
    await pool.earn_for_long(3e-6)
    view = pool.earnings.price_of("rank")
    assert (view.usd, view.source) == (1e-6, "fixed")
    assert view.low_usd > 2e-6
    pool.ledger.close()


async def test_earnings_with_a_workload_that_this_pool_has_not_are_recorded_all_the_same(pool):
    assert await pool.earn(1, 1.0, 1.0, workload="draw")
    (event,) = pool.ledger.latest("earned")
    assert event.body["earned"][0]["nano_usd"] == 10**9


async def test_a_ledger_that_cannot_be_written_acknowledges_nothing(pool, monkeypatch):
    def full(*_) -> bool:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "append_once", full)
        assert not await pool.earn(1, 1e-4, 100.0)
        assert "No space left" in pool.ledger.trouble
    assert pool.earnings.price_of("rank").source == "configured"
    assert await pool.earn(1, 1e-4, 100.0)
