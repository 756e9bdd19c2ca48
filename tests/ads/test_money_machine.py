"""Whatever is done to the money, in any order: a budget is never exceeded, and the books add up."""

import shutil
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from money_books import add_account, add_campaign, impression

from tenfold.ads.money import books
from tenfold.ads.money.budget import account_node, campaign_node, read_budget, set_limit
from tenfold.ads.money.cashier import Cashier, Running
from tenfold.ads.money.charge import BILLED, take
from tenfold.ads.money.invoice import credit, invoice, invoices_of
from tenfold.ads.tables import MIGRATIONS
from tenfold.core.errors import InfeasibleError
from tenfold.core.store import open_store

SETTLE_S, DEAD_S = 20.0, 10.0
CAMPAIGNS = ("shoes", "hats")
ACCOUNT_LIMIT, BUDGET = 3_000, 2_000


class Money(RuleBasedStateMachine):
    """Processes lease, sell, crash and sleep; impressions come once, twice, late or never; budgets change."""

    sold = Bundle("sold")

    @initialize()
    def begin(self):
        self.folder = tempfile.TemporaryDirectory()
        shutil.copyfile(_template(), f"{self.folder.name}/ads.db")
        self.store = open_store(f"sqlite:///{self.folder.name}/ads.db", MIGRATIONS, durable=False)
        self.now = 1_000.0
        self.limits = dict.fromkeys(CAMPAIGNS, BUDGET)
        self.processes: dict[int, Cashier] = {}
        self.charged: dict[str, int] = {}
        self.numbers = 0
        with self.store.writing() as connection:
            add_account(connection, "acme", ACCOUNT_LIMIT)
            for campaign in CAMPAIGNS:
                add_campaign(connection, campaign, "acme", BUDGET)

    @rule(which=st.integers(0, 2), paused=st.booleans())
    def turn(self, which, paused):
        cashier = self.processes.get(which)
        if cashier is None:
            # A process of its own clock, which is wrong by minutes.
            ahead = (-100.0, 0.0, 250.0)[which]
            own = lambda: self.now + ahead  # noqa: E731
            cashier = Cashier(
                dead_after_s=DEAD_S,
                settle_s=SETTLE_S,
                most_bid_micro=50,
                clock=own,
                steady=lambda: self.now,
                now_of=lambda _: self.now,
            )
            self.processes[which] = cashier
        wishes = cashier.wishes([Running(campaign, not paused) for campaign in CAMPAIGNS])
        with self.store.writing() as connection:
            turned = cashier.turn(connection, wishes)
        cashier.apply(turned)

    @rule(target=sold, which=st.integers(0, 2), campaign=st.sampled_from(CAMPAIGNS), price=st.integers(0, 80))
    def sell(self, which, campaign, price):
        self.numbers += 1
        event, cashier = f"e{self.numbers}", self.processes.get(which)
        until = self.now + SETTLE_S
        lease = cashier.sell(campaign, event, price, SETTLE_S) if cashier else None
        # What is sold without money, by a process that is broken, is nobody's to pay.
        return impression(event, lease or "made up", campaign, price, expires_at=until)

    @rule(seen=sold)
    def see(self, seen):
        self._take(seen)

    @rule(seen=consumes(sold))
    def see_dearer_than_signed(self, seen):
        # Signatures keep this out; the database alone does, too.
        self._take(replace(seen, event=f"{seen.event}!", price_micro=seen.price_micro + 500))

    def _take(self, seen):
        with self.store.writing() as connection:
            outcome = take(connection, [seen, seen], self.now)[seen.event]
        if outcome == BILLED:
            assert seen.event not in self.charged
            self.charged[seen.event] = seen.price_micro

    @rule(which=st.integers(0, 2))
    def crash(self, which):
        self.processes.pop(which, None)

    @rule(seconds=st.floats(0.1, 40))
    def wait(self, seconds):
        self.now += seconds

    @rule(campaign=st.sampled_from(CAMPAIGNS), limit=st.integers(0, 4_000))
    def edit(self, campaign, limit):
        try:
            with self.store.writing() as connection:
                set_limit(connection, campaign_node(campaign), limit)
            self.limits[campaign] = limit
        except InfeasibleError:
            with self.store.reading() as connection:
                found = read_budget(connection, campaign_node(campaign))
            assert limit < found.billed_micro + found.leased_micro

    @rule(seen=sold)
    def give_back(self, seen):
        with self.store.writing() as connection:
            micro = credit(connection, [seen.event], "found to be invalid", self.now)
        assert micro == self.charged.pop(seen.event, 0)

    @rule()
    def bill(self):
        with self.store.writing() as connection:
            invoice(connection, "acme", self.now + 1.0, self.now)

    @invariant()
    def nothing_is_exceeded_and_all_adds_up(self):
        if not hasattr(self, "store"):
            return
        with self.store.reading() as connection:
            assert books.check(connection) == []
            account = read_budget(connection, account_node("acme"))
            budgets = {campaign: read_budget(connection, campaign_node(campaign)) for campaign in CAMPAIGNS}
        assert account.billed_micro + account.leased_micro <= ACCOUNT_LIMIT
        for campaign, found in budgets.items():
            assert found.limit_micro == self.limits[campaign]
            assert 0 <= found.billed_micro <= found.billed_micro + found.leased_micro <= self.limits[campaign]
        assert account.billed_micro == sum(self.charged.values())

    def teardown(self):
        if not hasattr(self, "store"):
            return
        # Everybody is gone, and time passes: nothing stays reserved, and what is owed is what was charged.
        self.now += DEAD_S + SETTLE_S + 1.0
        self.processes.clear()
        last = Cashier(
            dead_after_s=DEAD_S,
            settle_s=SETTLE_S,
            most_bid_micro=50,
            clock=lambda: self.now,
            steady=lambda: self.now,
            now_of=lambda _: self.now,
        )
        for _ in range(3):
            with self.store.writing() as connection:
                last.apply(last.turn(connection, []))
            self.now += max(DEAD_S, SETTLE_S) + 1.0
        with self.store.writing() as connection:
            invoice(connection, "acme", self.now, self.now)
            assert read_budget(connection, account_node("acme")).leased_micro == 0
            assert sum(each.due_micro for each in invoices_of(connection, "acme")) == sum(self.charged.values())
        self.store.close()
        self.folder.cleanup()


@cache
def _template() -> Path:
    """A database with tables: making them anew for each example would take most of the time."""
    path = Path(tempfile.mkdtemp()) / "ads.db"
    open_store(f"sqlite:///{path}", MIGRATIONS, durable=False).close()
    return path


TestMoney = Money.TestCase
TestMoney.pytestmark = [pytest.mark.slow]
TestMoney.settings = settings(max_examples=15, stateful_step_count=40)
