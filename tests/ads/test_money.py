"""What is billed never exceeds a budget, and what was sold is billed once, on SQLite and on PostgreSQL alike."""

import subprocess
from dataclasses import replace

import psutil
import pytest
import sqlalchemy as sa
from money_books import add_account, add_campaign, books, impression, spent

from tenfold.ads.money import lease as leasing
from tenfold.ads.money.books import check
from tenfold.ads.money.budget import account_node, campaign_node, move, path_of, set_limit
from tenfold.ads.money.cashier import STUCK, Cashier, Running
from tenfold.ads.money.charge import take
from tenfold.ads.money.invoice import credit, invoice, invoices_of
from tenfold.core.errors import InfeasibleError
from tenfold.pool.alive import place_here


@pytest.fixture
def store(database):
    with books(database("ads")) as store:
        with store.writing() as connection:
            add_account(connection, "acme", 1_000)
            add_campaign(connection, "shoes", "acme", 800)
            add_campaign(connection, "hats", "acme", 800)
        yield store
        with store.reading() as connection:
            assert check(connection) == []


def lease(store, campaign="shoes", micro=100) -> leasing.Lease:
    with store.writing() as connection:
        worker = leasing.enlist(connection, 0.0)
        leasing.grant(connection, worker, campaign, micro)
        return leasing.open_leases(connection, worker)[0]


def see(store, *seen, now=10.0) -> list[str]:
    with store.writing() as connection:
        outcomes = take(connection, seen, now)
    return [outcomes[each.event] for each in seen]


def test_an_impression_is_charged_once_at_its_price_however_often_and_late_it_is_told(store):
    held = lease(store)
    first, second = (impression(event, held.id, "shoes", price) for event, price in (("e1", 30), ("e2", 20)))
    assert see(store, second, second) == ["billed", "billed"]
    assert see(store, first, second) == ["billed", "repeated"]
    assert see(store, second, first) == ["repeated", "repeated"]
    assert spent(store, campaign_node("shoes")) == spent(store, account_node("acme")) == (50, 50)


def test_what_is_seen_too_late_or_was_never_leased_is_nobodys_to_pay(store):
    held = lease(store, micro=40)
    told = [
        replace(impression("late", held.id, "shoes", 10), expires_at=9.0),
        impression("nowhere", "no such lease", "shoes", 10),
        impression("other", held.id, "hats", 10),
        impression("fits", held.id, "shoes", 30),
        impression("more than is left", held.id, "shoes", 11),
    ]
    assert see(store, *told) == ["house", "house", "house", "billed", "house"]
    assert spent(store, campaign_node("shoes")) == (30, 10)


def test_campaigns_of_an_account_share_its_limit_by_the_same_leases(store):
    assert lease(store, "shoes", 700).granted_micro == 700
    # 800 are free of its own budget, but 300 of the account's.
    assert lease(store, "hats", 700).granted_micro == 300
    with store.writing() as connection:
        assert leasing.grant(connection, leasing.enlist(connection, 0.0), "shoes", 1) == 0


def test_the_database_refuses_to_go_beyond_a_budget_whoever_asks(store):
    with pytest.raises(sa.exc.IntegrityError), store.writing() as connection:
        move(connection, path_of(connection, campaign_node("shoes")), leased_micro=801)
    with pytest.raises(sa.exc.IntegrityError), store.writing() as connection:
        move(connection, path_of(connection, campaign_node("shoes")), billed_micro=-1)


def test_a_budget_is_raised_at_any_time_and_lowered_to_what_is_spent_or_reserved(store):
    held = lease(store, micro=100)
    see(store, impression("e1", held.id, "shoes", 60))
    with store.writing() as connection:
        set_limit(connection, campaign_node("shoes"), 900)
        set_limit(connection, campaign_node("shoes"), 100)
        with pytest.raises(InfeasibleError, match=r"0\.00 USD are billed"):
            set_limit(connection, campaign_node("shoes"), 99)


def test_what_a_process_that_is_gone_sold_is_still_charged_and_the_rest_goes_back(store):
    held = lease(store, micro=100)
    with store.writing() as connection:
        leasing.orphan(connection, [held.worker], closes_at=50.0)
        assert leasing.close_orphans(connection, 49.0) == 0
        with pytest.raises(leasing.Fenced):
            leasing.beat(connection, held.worker, 50.0)
    assert see(store, impression("e1", held.id, "shoes", 60), now=49.0) == ["billed"]
    with store.writing() as connection:
        assert leasing.close_orphans(connection, 50.0) == 40
    assert see(store, impression("e2", held.id, "shoes", 10), now=51.0) == ["house"]
    assert spent(store, campaign_node("shoes")) == (60, 0)


def test_a_credit_gives_money_back_once_and_each_charge_is_on_one_invoice(store):
    held = lease(store, micro=100)
    see(store, *(impression(f"e{n}", held.id, "shoes", 10) for n in range(5)), now=10.0)
    see(store, impression("later", held.id, "shoes", 7), now=30.0)
    with store.writing() as connection:
        assert credit(connection, ["e0", "e1"], "clicked by a program", 15.0) == 20
        assert credit(connection, ["e1", "e9"], "again", 16.0) == 0
        first = invoice(connection, "acme", 20.0, 40.0)
        assert invoice(connection, "acme", 20.0, 41.0) is None
        credit(connection, ["e2"], "found out later", 45.0)
        second = invoice(connection, "acme", 100.0, 100.0)
    assert (first.charged_micro, first.credited_micro, first.due_micro) == (50, 20, 30)
    assert (second.charged_micro, second.credited_micro, second.due_micro) == (7, 10, -3)
    assert spent(store, campaign_node("shoes")) == (27, 43)
    with store.reading() as connection:
        assert sum(each.due_micro for each in invoices_of(connection, "acme")) == 27


class Clock:
    def __init__(self):
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def cashier_at(clock: Clock, dead_after_s: float = 60, ahead_s: float = 0.0) -> Cashier:
    """A process whose own clock is ahead of the database's."""
    own = lambda: clock.now + ahead_s  # noqa: E731
    return Cashier(
        dead_after_s=dead_after_s, settle_s=30, most_bid_micro=5, clock=own, steady=own, now_of=lambda _: clock.now
    )


def turn(store, cashier: Cashier, *running: Running) -> None:
    wishes = cashier.wishes(running)
    with store.writing() as connection:
        turned = cashier.turn(connection, wishes)
    cashier.apply(turned)


SHOES = Running("shoes", True)


@pytest.mark.slow
def test_processes_side_by_side_sell_no_more_than_the_budget_and_all_of_it(store):
    clock = Clock()
    both = [cashier_at(clock) for _ in range(2)]
    sold = []
    for number in range(600):
        cashier = both[number % 2]
        if number % 4 < 2:
            turn(store, cashier, SHOES)
        for part in range(3):
            held = cashier.sell("shoes", f"e{number}.{part}", 5, 30)
            if held is not None:
                sold.append(impression(f"e{number}.{part}", held, "shoes", 5))
        # Told to either of the two, whoever sold it, some only much later.
        if number % 7 == 0:
            see(store, *sold[-9:], now=clock.now)
    assert sum(each.price_micro for each in sold) == 800
    see(store, *sold, now=clock.now)
    assert spent(store, campaign_node("shoes")) == (800, 0)


def test_more_is_leased_before_it_runs_dry_and_the_more_the_sooner_a_campaign_ends(store):
    clock, called = Clock(), []
    cashier = replace(cashier_at(clock), on_low=lambda: called.append(1))
    # Of 800 that are to last for 100 seconds, ten seconds take more than a twentieth: that is the most.
    soon = replace(SHOES, left_s=100)
    turn(store, cashier, soon)
    assert cashier.free_micro("shoes") == 40
    for number in range(4):
        assert cashier.sell("shoes", f"e{number}", 5, 30) is not None
    assert not called, "half of it is there"
    assert cashier.sell("shoes", "e4", 5, 30) is not None and called
    turn(store, cashier, soon)
    # What was sold since is sold again in four turns like this one.
    assert cashier.free_micro("shoes") == 100


def test_who_has_leased_all_that_is_left_asks_for_no_more(store):
    clock, called = Clock(), []
    cashier = replace(cashier_at(clock), on_low=lambda: called.append(1))
    for _ in range(200):
        turn(store, cashier, SHOES)
        while cashier.sell("shoes", f"e{clock.now}.{cashier.free_micro('shoes')}", 5, 1e9) is not None:
            pass
        clock.now += 1
    assert spent(store, campaign_node("shoes")) == (0, 800)
    called.clear()
    assert cashier.sell("shoes", "more", 5, 30) is None and not called


def test_the_last_of_a_campaign_is_sold_without_a_turn_between_its_ads(store):
    clock, called = Clock(), []
    cashier = replace(cashier_at(clock), most_bid_micro=500, on_low=lambda: called.append(1))
    turn(store, cashier, SHOES)
    for number in range(60):
        assert cashier.sell("shoes", f"e{number}", 5, 30) is not None
    assert called
    turn(store, cashier, SHOES)
    assert (cashier.free_micro("shoes"), spent(store, campaign_node("shoes"))) == (500, (0, 800))
    called.clear()
    for number in range(60, 160):
        assert cashier.sell("shoes", f"e{number}", 5, 30) is not None
        # A turn now would give back what is too little for the dearest ad, and sell nothing until the next.
        assert not called


def test_what_was_sold_and_never_seen_may_be_sold_again_and_a_pause_gives_all_back(store):
    clock = Clock()
    cashier = cashier_at(clock)
    turn(store, cashier, SHOES)
    assert cashier.sell("shoes", "e1", 5, 30) is not None
    assert cashier.sell("shoes", "e2", 5, 30) is None, "it has leased a two-hundredth, or one bid"
    clock.now += 36
    turn(store, cashier, SHOES)
    assert cashier.free_micro("shoes") >= 5
    turn(store, cashier, replace(SHOES, is_running=False))
    assert (cashier.free_micro("shoes"), spent(store, campaign_node("shoes"))) == (0, (0, 0))


def test_a_process_that_was_only_asleep_begins_anew_with_nothing_whatever_its_clock_says(store):
    clock = Clock()
    one, other = cashier_at(clock, 10), cashier_at(clock, 10, ahead_s=3_600)
    turn(store, other, SHOES)
    assert other.now() == clock.now
    held = other.sell("shoes", "e1", 5, 30)
    turn(store, one, SHOES)
    clock.now += 11
    turn(store, one, SHOES)
    # Its number is gone: it gets another, and what it had sold is charged all the same.
    before = other.worker
    turn(store, other, SHOES)
    assert other.worker != before and other.free_micro("shoes") >= 5
    seen = replace(impression("e1", held, "shoes", 5), expires_at=clock.now + 5)
    assert see(store, seen, now=clock.now) == ["billed"]
    clock.now += 31
    turn(store, one, SHOES)
    with store.reading() as connection:
        assert leasing.leases_of(connection, [held])[held].state == leasing.CLOSED


def test_a_process_that_is_busy_is_not_taken_for_dead_while_it_lives_and_one_that_ended_is(store):
    clock = Clock()
    one = cashier_at(clock, 10)
    with subprocess.Popen(["sleep", "60"]) as asleep:
        machine, started = place_here().split()[0], psutil.Process(asleep.pid).create_time()
        other = replace(cashier_at(clock, 10), place=f"{machine} {asleep.pid} {started!r}")
        for cashier in (one, other):
            turn(store, cashier, SHOES)
        before = other.worker
        for _ in range(3):
            clock.now += 30
            turn(store, one, SHOES)
        # It waited for the machine, or for the database: what it holds is its own still.
        turn(store, other, SHOES)
        assert other.worker == before
        assert other.sell("shoes", "e1", 5, 30) is not None
        asleep.kill()
    clock.now += 11
    turn(store, one, SHOES)
    turn(store, other, SHOES)
    assert other.worker != before


def test_one_that_lives_and_never_shows_itself_again_counts_as_gone_in_the_end(store):
    clock = Clock()
    one, stuck = cashier_at(clock, 10), replace(cashier_at(clock, 10), place=place_here())
    for cashier in (one, stuck):
        turn(store, cashier, SHOES)
    before = stuck.worker
    clock.now += 10 * STUCK + 1
    turn(store, one, SHOES)
    turn(store, stuck, SHOES)
    assert stuck.worker != before


def test_a_turn_that_fails_loses_no_money_for_good(store):
    clock = Clock()
    cashier = cashier_at(clock)
    for _ in range(3):
        turn(store, cashier, SHOES)
    free = cashier.free_micro("shoes")
    cashier.wishes([replace(SHOES, is_running=False)])
    assert cashier.free_micro("shoes") == 0, "it waits for the answer that never came"
    turn(store, cashier, SHOES)
    assert cashier.free_micro("shoes") >= free
