"""The judge of bidding counts as counting one by one does, and reads whatever log it is given."""

import json
import sys

import numpy as np
import polars as pl
import pytest

import ads_value
from market import kinds
from market.judge import best_constant, excess, settle
from market.log import BadMarket, read_market
from tenfold.ads.bid import bid


def written(folder, market):
    """A market as files, in any order, with columns and advertisers that nobody asked for."""
    rows = []
    for day in range(market.days):
        for tick in range(market.ticks):
            of_N, value_N, price_N = market.tick(day, tick)
            place_N = range(len(of_N))
            rows += [
                (day, tick, at, f"a{of}", v, p, "x")
                for at, of, v, p in zip(place_N, of_N, value_N, price_N, strict=True)
            ]
    rows.append((0, 0, 0, "nobody", 0.1, 0.1, "x"))
    names = ["day", "tick", "opportunity", "advertiser", "value", "price_to_win", "more"]
    table = pl.DataFrame(rows, schema=names, orient="row")
    table.sample(fraction=1.0, shuffle=True, seed=1).write_parquet(folder / "opportunities.parquet")
    names_A = [f"a{at}" for at in range(market.advertisers)]
    limits = pl.DataFrame(
        {"advertiser": [*names_A, "idle"], "budget": [*market.budget_A, 5.0], "cpa": [*market.cpa_A, 1.0]}
    )
    limits.write_csv(folder / "advertisers.csv")


@pytest.fixture(scope="module")
def market():
    return kinds.make("random days", 1, days=3, ticks=6, advertisers=5)


def test_a_log_is_read_whatever_its_order_and_more_columns(market, tmp_path):
    written(tmp_path, market)
    read = read_market(tmp_path)
    assert read.advertisers == market.advertisers + 1
    assert (read.starts_DT == market.starts_DT).all()
    for day in range(market.days):
        assert best_constant(read, day)[:-1] == pytest.approx(best_constant(market, day))


def test_a_log_that_cannot_be_judged_is_refused_with_what_is_wrong(market, tmp_path):
    with pytest.raises(BadMarket, match=r"there is no opportunities\.parquet"):
        read_market(tmp_path)
    written(tmp_path, market)
    pl.read_parquet(tmp_path / "opportunities.parquet").drop("value").write_parquet(tmp_path / "opportunities.parquet")
    with pytest.raises(BadMarket, match="no column value"):
        read_market(tmp_path)


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ("", "advertisers.csv|empty"),
        ("advertiser,budget,cpa\na0,$500,2\n", r"plain numbers.*\$500"),
        ("advertiser,budget,cpa\nzz,500,2\n", "no opportunity is of an advertiser"),
        ("advertiser;budget;cpa\na0;500;2\n", "no column advertiser"),
    ],
)
def test_limits_that_cannot_be_read_are_refused_with_what_is_wrong(market, tmp_path, limits, why):
    written(tmp_path, market)
    (tmp_path / "advertisers.csv").write_text(limits)
    with pytest.raises(BadMarket, match=why):
        read_market(tmp_path)


def test_files_of_other_programs_are_read(market, tmp_path):
    written(tmp_path, market)
    rows = pl.read_parquet(tmp_path / "opportunities.parquet")
    # Names that look like numbers, dates for days, times for ticks, a row of no time, and names of columns in capitals.
    rows = rows.with_columns(
        pl.col("advertiser").str.replace("a", "00"),
        day=pl.date(2026, 3, 6) + pl.duration(days=pl.col("day")),
        tick=pl.datetime(2026, 3, 6) + pl.duration(days=pl.col("day"), hours=pl.col("tick")),
    )
    torn = rows.head(1).with_columns(tick=pl.lit(None, pl.Datetime), value=pl.lit(None, pl.Float64))
    pl.concat([rows, torn]).rename({"day": "Day", "value": "VALUE"}).write_parquet(tmp_path / "opportunities.parquet")
    limits = (tmp_path / "advertisers.csv").read_text().replace("\na", "\n00").replace("budget", " Budget ")
    (tmp_path / "advertisers.csv").write_bytes(b"\xef\xbb\xbf" + limits.replace("\n", "\r\n").encode())
    read = read_market(tmp_path)
    assert (read.starts_DT == market.starts_DT).all()
    assert best_constant(read, 1)[:-1] == pytest.approx(best_constant(market, 1))


def test_a_log_on_which_nobody_can_win_is_refused(market, tmp_path, monkeypatch):
    written(tmp_path, market)
    limits = pl.read_csv(tmp_path / "advertisers.csv").with_columns(budget=pl.lit(0.0))
    limits.write_csv(tmp_path / "advertisers.csv")
    monkeypatch.setattr(sys, "argv", ["ads_value.py", "--market", str(tmp_path)])
    with pytest.raises(SystemExit, match="within budget and cap"):
        ads_value.main()


def test_the_best_constant_is_what_trying_every_one_finds(market):
    rows = slice(market.starts_DT[1, 0], market.starts_DT[1, -1])
    for advertiser in range(market.advertisers):
        mine = market.advertiser_N[rows] == advertiser
        value_N, price_N = market.value_N[rows][mine], market.price_N[rows][mine]
        best = 0.0
        for multiplier in price_N / value_N:
            wins = price_N <= multiplier * value_N * (1 + 1e-12)
            cost, won = price_N[wins].sum(), value_N[wins].sum()
            if cost <= market.budget_A[advertiser] and cost <= market.cpa_A[advertiser] * won:
                best = max(best, won)
        assert best_constant(market, 1)[advertiser] == pytest.approx(best)


@pytest.mark.parametrize("overdraft", [None, 0.0, 0.05])
def test_a_tick_is_settled_as_bidding_for_one_after_the_other_does(market, overdraft):
    multiplier_A = 1.7 * market.cpa_A
    spent_A, won_A = 0.2 * market.budget_A, 0.2 * market.budget_A / market.cpa_A
    overdraft_A = None if overdraft is None else overdraft * market.budget_A
    after_A, held_A = settle(market, market.tick(1, 2), multiplier_A, overdraft_A, spent_A, won_A)
    for advertiser in range(market.advertisers):
        spent, won = spent_A[advertiser], won_A[advertiser]
        for of, value, price in zip(*market.tick(1, 2), strict=True):
            if of != advertiser:
                continue
            left = market.budget_A[advertiser] - spent
            allowed = 1e30 if overdraft_A is None else overdraft_A[advertiser]
            if price <= bid(value, multiplier_A[advertiser], market.cpa_A[advertiser], spent, won, left, allowed):
                spent, won = spent + price, won + value
        assert (after_A[advertiser], held_A[advertiser]) == pytest.approx((spent, won))


def test_excess_is_money_per_value_above_the_cap():
    found_A = excess(np.array([3.0, 1.0, 2.0, 0.0]), np.array([2.0, 2.0, 0.0, 0.0]), np.array([1.0, 1.0, 1.0, 1.0]))
    assert found_A == pytest.approx([0.5, 0.0, 1.0, 0.0])


def test_the_last_line_has_what_was_asked_for(market, tmp_path, monkeypatch, capsys):
    written(tmp_path, market)
    monkeypatch.setattr(sys, "argv", ["ads_value.py", "--market", str(tmp_path)])
    ads_value.main()
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {"share_of_hindsight", "mean_excess", "worst_excess", "over_best_peer", "peers"} <= found.keys()
    assert {"pid", "naive", "online_lp", "mpc", "fixed_cpa", "told_volume"} <= found["peers"].keys()
    assert found["worst_excess"] <= 4.6
    assert found["share_of_hindsight"] > found["peers"]["fixed_cpa"]["share_of_hindsight"]
