"""Every nano-dollar that a product has committed is in the ledger once, whoever ends and whatever is lost."""

import asyncio
import shutil
import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path

import hypothesis.strategies as st
import pytest
import till
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from minipool import plan

from tenfold.core.config import StoreSettings
from tenfold.core.store import open_store, store_url
from tenfold.ledger.ledger import Ledger
from tenfold.ledger.recorder import Recorder
from tenfold.pool.earnings import EARNED, Earnings, EarningsReport
from tenfold.product.outbox import MIGRATIONS, Outbox
from tenfold.product.process import open_tables


class Books(RuleBasedStateMachine):
    """A product's database and the ledger, with processes that end and messages that are lost between them."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="tenfold-books-"))
        self.earned: Counter[str] = Counter()
        self.on_the_way: list[EarningsReport] = []
        self.is_full = False
        self.start_product()
        self.start_controller()

    def teardown(self) -> None:
        self.is_full = False
        self.deliver_all()
        self.agree()
        self.store.close()
        self.recorder.close()
        shutil.rmtree(self.home)

    @rule()
    def start_product(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
        self.store = open_store(store_url(StoreSettings(), self.home, "till"), MIGRATIONS)
        self.outbox = Outbox(self.store, "till")

    @rule()
    def start_controller(self) -> None:
        if hasattr(self, "recorder"):
            self.recorder.close()
        self.recorder = Recorder(self.open_ledger, "the ledger")
        self.earnings = Earnings(self.recorder, [plan("rank")], 3600.0)
        self.earnings.resume()

    def open_ledger(self) -> Ledger:
        ledger = Ledger(f"sqlite:///{self.home / 'ledger.db'}", mends=True)
        write = ledger.append_once

        def append_once(*given) -> bool:
            if self.is_full:
                raise OSError(28, "No space left on device")
            return write(*given)

        ledger.append_once = append_once
        return ledger

    def take(self, report: EarningsReport) -> bool:
        return asyncio.run(self.earnings.take(report))

    @rule(nano_usd=st.integers(-(10**12), 10**12), workload=st.sampled_from(["rank", "serve"]), fails=st.booleans())
    def earn(self, nano_usd: int, workload: str, fails: bool) -> None:
        try:
            with self.store.writing() as connection:
                self.outbox.earned(connection, workload, nano_usd / 1e9, 1.0, "sales")
                if fails:
                    raise ValueError("undone")
        except ValueError:
            return
        self.earned[workload] += nano_usd

    @rule()
    def seal(self) -> None:
        self.outbox.seal()

    @rule()
    def send(self) -> None:
        """Reports go out, and may arrive late, twice, or never."""
        self.on_the_way += self.outbox.sealed()

    @rule(which=st.integers(0, 100), is_told=st.booleans(), again=st.booleans())
    def arrive(self, which: int, is_told: bool, again: bool) -> None:
        """One report arrives, perhaps from long ago; its acknowledgement may be lost, and it may arrive again."""
        if not self.on_the_way:
            return
        report = self.on_the_way[which % len(self.on_the_way)] if again else self.on_the_way.pop(0)
        # A sender waits for the one before to be acknowledged, so nothing overtakes it.
        waiting = [found.number for found in self.outbox.sealed()]
        if waiting and report.number > waiting[0]:
            return
        if self.take(report) and is_told:
            self.outbox.acknowledged(report.number)

    @rule(is_full=st.booleans())
    def fill_disk(self, is_full: bool) -> None:
        self.is_full = is_full

    def deliver_all(self) -> None:
        self.outbox.seal()
        for report in self.outbox.sealed():
            assert self.take(report)
            self.outbox.acknowledged(report.number)
        assert self.outbox.sealed() == []

    def recorded(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for event in self.recorder.latest(EARNED, 10_000):
            for row in EarningsReport.model_validate(event.body).earned:
                found[row.workload] += row.nano_usd
        return found

    @invariant()
    def no_report_is_recorded_twice(self) -> None:
        numbers = [event.body["number"] for event in self.recorder.latest(EARNED, 10_000)]
        assert len(numbers) == len(set(numbers))

    def agree(self) -> None:
        recorded = self.recorded()
        for workload in ("rank", "serve"):
            assert recorded[workload] == self.earned[workload]


TestBooks = pytest.mark.slow(Books.TestCase)
TestBooks.settings = settings(max_examples=10, stateful_step_count=25)


@pytest.fixture
def outbox(tmp_path):
    store = open_store(store_url(StoreSettings(), tmp_path, "till"), MIGRATIONS)
    yield Outbox(store, "till"), store
    store.close()


def test_a_database_made_anew_is_another_incarnation_and_begins_again(tmp_path):
    """So that the controller does not take its first report for one that it has seen."""
    told = []
    for name in ("one", "other"):
        store = open_store(store_url(StoreSettings(), tmp_path, name), MIGRATIONS)
        outbox = Outbox(store, "till")
        with store.writing() as connection:
            outbox.earned(connection, "rank", 1.0, 1.0, "sales")
        outbox.seal()
        assert Outbox(store, "till").sealed() == outbox.sealed(), "a second life of the same database tells the same"
        told += outbox.sealed()
        store.close()
    assert [report.number for report in told] == [1, 1]
    assert told[0].incarnation != told[1].incarnation


def test_amounts_that_are_no_numbers_are_refused_where_they_are_given(outbox):
    first, store = outbox
    for wrong in (float("nan"), float("inf")):
        with pytest.raises((ValueError, OverflowError)), store.writing() as connection:
            first.earned(connection, "rank", wrong, 1.0, "sales")
    with pytest.raises(ValueError, match="units"), store.writing() as connection:
        first.earned(connection, "rank", 1.0, -1.0, "sales")
    first.seal()
    assert first.sealed() == []


def test_on_postgresql_it_is_the_same_beside_the_products_own_tables(postgres):
    """Two folders of migrations in one schema, each with its own table of versions."""
    url = store_url(StoreSettings(url=postgres.url, schema_prefix="outbox_"), Path("unused"), "till")
    for life in (1, 2):
        store = open_tables(url, "till:MIGRATIONS")
        outbox = Outbox(store, "till")
        with pytest.raises(ValueError, match="undone"), store.writing() as connection:
            connection.execute(till.sales.insert().values(nano_usd=1))
            outbox.earned(connection, "rank", 1e-9, 1.0, "sales")
            raise ValueError("undone")
        with store.writing() as connection:
            connection.execute(till.sales.insert().values(nano_usd=life * 10**12))
            outbox.earned(connection, "rank", Decimal(1000 * life), 1.0, "sales")
            outbox.earned(connection, "rank", 1e-9, 0.5, "sales")
        outbox.seal()
        outbox.seal()
        (report,) = outbox.sealed()
        assert (report.number, report.earned[0].nano_usd, report.earned[0].units) == (life, life * 10**12 + 1, 1.5)
        outbox.acknowledged(report.number)
        assert outbox.sealed() == []
        store.close()
