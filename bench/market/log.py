"""Logs of opportunities: read from files, cut into days and ticks.

Letters: A advertisers, D days, T ticks of a day, N rows: one advertiser's chance at one opportunity.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tenfold.ads.bid import NO_CAP

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_TICKS = 144
"""A day of more ticks is planned in runs of several, so that a log by the second is judged in minutes."""

ROWS = {"day", "tick", "opportunity", "advertiser", "value", "price_to_win"}
LIMITS = {"advertiser", "budget", "cpa"}

Table = TypeVar("Table", pl.DataFrame, pl.LazyFrame)


class BadMarket(Exception):
    """A log that cannot be judged; says why, and what would be right."""


@dataclass(frozen=True, slots=True)
class Market:
    """What came, and what each advertiser may spend in a day.

    Rows are in order of day, tick, advertiser and opportunity. ``starts_DT``: where each tick begins; one more at the
    end of each day is where it ends.
    """

    name: str
    kind: str
    budget_A: Floats
    cpa_A: Floats
    advertiser_N: Ints
    value_N: Floats
    price_N: Floats
    starts_DT: Ints

    @property
    def advertisers(self) -> int:
        return len(self.budget_A)

    @property
    def days(self) -> int:
        return len(self.starts_DT)

    @property
    def ticks(self) -> int:
        return self.starts_DT.shape[1] - 1

    def tick(self, day: int, tick: int) -> tuple[Ints, Floats, Floats]:
        """Whose rows, their values and prices to win."""
        rows = slice(self.starts_DT[day, tick], self.starts_DT[day, tick + 1])
        return self.advertiser_N[rows], self.value_N[rows], self.price_N[rows]


def make_market(
    name: str,
    kind: str,
    budget_A: Floats,
    cpa_A: Floats,
    *,
    day_N: Ints,
    tick_N: Ints,
    opportunity_N: Ints,
    advertiser_N: Ints,
    value_N: Floats,
    price_N: Floats,
) -> Market:
    """Bring rows in order; days and ticks may be any numbers.

    Rows without a value above 0, or with a price that is no number of at least 0, can bring nobody anything.
    """
    good_N = np.isfinite(value_N) & (value_N > 0) & np.isfinite(price_N) & (price_N >= 0)
    day_N, tick_N, opportunity_N, advertiser_N, value_N, price_N = (
        each[good_N] for each in (day_N, tick_N, opportunity_N, advertiser_N, value_N, price_N)
    )
    days, day_N = np.unique(day_N, return_inverse=True)
    tick_N = _within_day(day_N, tick_N, len(days))
    ticks, tick_N = np.unique(tick_N, return_inverse=True)
    if len(days) < 2:
        raise BadMarket(f"{name}: {len(days)} day(s) of opportunities; two at least: one to learn from, one to judge")
    together = -(-len(ticks) // MOST_TICKS)
    tick_N //= together
    count = -(-len(ticks) // together)
    order_N = np.lexsort((opportunity_N, advertiser_N, tick_N, day_N))
    key_N = day_N[order_N] * count + tick_N[order_N]
    starts_DT = np.searchsorted(key_N, np.arange(len(days) * count)).reshape(len(days), count)
    ends_D = np.append(starts_DT[1:, 0], len(key_N))
    return Market(
        name, kind, budget_A, cpa_A, advertiser_N[order_N].astype(np.int64), value_N[order_N], price_N[order_N],
        np.column_stack((starts_DT, ends_D)),
    )  # fmt: skip


def _within_day(day_N: Ints, tick_N: Ints, days: int) -> Ints:
    """Count ticks from the begin of their day, where a log counts them on from day to day."""
    first_D, last_D = np.full(days, np.iinfo(np.int64).max), np.full(days, np.iinfo(np.int64).min)
    np.minimum.at(first_D, day_N, tick_N)
    np.maximum.at(last_D, day_N, tick_N)
    return tick_N - first_D[day_N] if (first_D[1:] > last_D[:-1]).all() else tick_N


def read_market(folder: Path) -> Market:
    """Read somebody's log: ``opportunities.parquet`` and ``advertisers.csv``; further columns are ignored.

    Raises:
        BadMarket: a file or a column is missing or unreadable, or there is less than two days.
    """
    for name in ("opportunities.parquet", "advertisers.csv"):
        if not (folder / name).is_file():
            raise BadMarket(f"{folder}: there is no {name}")
    try:
        limits = _limits(folder / "advertisers.csv")
        read = _rows(folder / "opportunities.parquet", limits)
    except pl.exceptions.PolarsError as error:
        raise BadMarket(f"{folder}: {str(error).splitlines()[0]}") from error
    if not len(read):
        raise BadMarket(f"{folder}: no opportunity is of an advertiser of advertisers.csv")
    cpa_A = limits["cpa"].fill_null(np.inf).fill_nan(np.inf).to_numpy()
    return make_market(
        folder.name,
        "given",
        np.maximum(limits["budget"].fill_null(0.0).fill_nan(0.0).to_numpy(), 0.0),
        np.where(np.isfinite(cpa_A) & (cpa_A > 0), cpa_A, NO_CAP),
        day_N=read["day"].to_numpy(),
        tick_N=read["tick"].to_numpy(),
        opportunity_N=read["opportunity"].to_numpy(),
        advertiser_N=read["index"].to_numpy(),
        value_N=read["value"].fill_null(0.0).to_numpy(),
        price_N=read["price_to_win"].fill_null(np.nan).to_numpy(),
    )


def _limits(path: Path) -> pl.DataFrame:
    """Budget and cap by advertiser, and its number. Names stay as they are written: ``007`` is no number here."""
    read = _named(pl.read_csv(path, infer_schema=False), path, LIMITS)
    limits = read.select(_plain("advertiser"), *(pl.col(name).str.strip_chars() for name in ("budget", "cpa")))
    try:
        limits = limits.with_columns(pl.col("budget", "cpa").replace("", None).cast(pl.Float64))
    except pl.exceptions.InvalidOperationError as error:
        raise BadMarket(f"{path}: budget and cpa are plain numbers, as 120.5: {str(error).splitlines()[0]}") from error
    limits = limits.drop_nulls("advertiser").unique("advertiser", keep="last", maintain_order=True)
    return limits.with_columns(index=pl.int_range(pl.len()))


def _rows(path: Path, limits: pl.DataFrame) -> pl.DataFrame:
    """Opportunities of advertisers that have limits; rows of no day or tick are left out."""
    rows = _named(pl.scan_parquet(path), path, ROWS).select(sorted(ROWS)).drop_nulls(["day", "tick"])
    rows = rows.with_columns(_plain("advertiser"), pl.col("value", "price_to_win").cast(pl.Float64))
    rows = rows.join(limits.lazy().select("advertiser", "index"), on="advertiser", how="inner")
    return rows.with_columns(pl.col("day", "tick", "opportunity").rank("dense").fill_null(0).cast(pl.Int64)).collect()


def _named(table: Table, path: Path, needs: set[str]) -> Table:
    """The table with its columns' names in lower case, if it has all that are needed."""
    found = table.collect_schema().names()
    lower = [name.strip().lower() for name in found]
    if needs - set(lower):
        raise BadMarket(f"{path}: no column {', '.join(sorted(needs - set(lower)))}; it has {', '.join(sorted(found))}")
    return table.rename(
        {name: low for name, low in zip(found, lower, strict=True) if low in needs and name not in needs}
    )


def _plain(name: str) -> pl.Expr:
    """A name as text; of a number that was written as a fraction (``7.0``) without it."""
    return pl.col(name).cast(pl.String).str.strip_chars().str.strip_suffix(".0")
