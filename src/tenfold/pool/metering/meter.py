"""The meter: today's sums in memory, where budgets are judged, and every day's in the database ``meter``.

The front counts, and writes what came since every few seconds; one that is started again goes on from what is written.
Where the database cannot be used, counting and judging go on in memory, and an alarm says so.
"""

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import sqlalchemy as sa

from tenfold.core.errors import StoreError
from tenfold.core.store import Store, cause_of, open_store
from tenfold.pool.metering.account import Account
from tenfold.pool.metering.budget import Budget
from tenfold.pool.metering.used import Used

MIGRATIONS = Path(__file__).parent / "migrations"
METER = "meter"
"""Name of its database."""

WRITE_EVERY_S = 2.0
DAY_S = 86_400

TABLES = sa.MetaData()
_SUMS = ("requests", "refused", "tokens_in", "tokens_out", "slot_s", "nano_usd")
_METER = sa.Table(
    "meter",
    TABLES,
    *(sa.Column(name, sa.String, primary_key=True) for name in ("day", "product", "tenant", "key", "model")),
    *(sa.Column(name, sa.Float if name == "slot_s" else sa.BigInteger, nullable=False) for name in _SUMS),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the meter: ``day`` is a date of UTC, as 2026-11-28."""

    day: str
    account: Account
    model: str


@dataclass(frozen=True, slots=True)
class Overspent:
    """Why a request is refused: whose budget it is, and what has been used of it."""

    whose: str
    budget: Budget
    seconds_left: float


class Meter:
    """Counts use and judges budgets.

    Args:
        budgets: by ``product`` (all its tenants together), ``product/tenant`` or ``product/*`` (each of its tenants).
        key_budget: gives the budget of a key, by its id.
        clock: Unix seconds.

    ``totals``: what was used since it was made, by product and tenant.
    """

    def __init__(
        self,
        budgets: Mapping[str, Budget],
        key_budget: Callable[[str], Budget | None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._budgets = budgets
        self._key_budget = key_budget
        self._clock = clock
        self._day = self._today()
        self._day_ends = self._end_of_day()
        self._sums: dict[Row, Used] = {}
        self._unwritten: dict[Row, Used] = {}
        self._by_name: dict[str, Used] = {}
        self.totals: dict[tuple[str, str], Used] = {}
        self._store: Store | None = None
        self.trouble = ""

    @property
    def today_is(self) -> dt.date:
        """Today, by UTC."""
        return dt.datetime.fromtimestamp(self._clock(), dt.UTC).date()

    def overspent(self, account: Account) -> Overspent | None:
        """Whether one of the budgets that hold for an account is used up."""
        self._turn_page()
        for whose, name, budget in self._budgets_of(account):
            if budget.left(self._by_name.get(name, Used())) <= 0:
                return Overspent(whose, budget, self._day_ends - self._clock())
        return None

    def note(self, account: Account, model: str, used: Used) -> None:
        """Count what a request has used."""
        self._turn_page()
        row = Row(self._day, account, model)
        for sums in (self._sums, self._unwritten):
            sums.setdefault(row, Used()).add(used)
        self._add_names(account, used)
        self.totals.setdefault((account.product, account.tenant), Used()).add(used)

    def today(self) -> dict[Row, Used]:
        """Today's sums."""
        self._turn_page()
        return dict(self._sums)

    def read(self, day: dt.date) -> dict[Row, Used]:
        """A day's sums from the database; blocking.

        Raises:
            StoreError: it is not open.
            sqlalchemy.exc.SQLAlchemyError: it cannot be read.
        """
        if self._store is None:
            raise StoreError(f"it is not open: {self.trouble or 'the front has just started'}")
        return read_day(self._store, day.isoformat())

    async def write_for_ever(self, url: str) -> None:
        """Keep the database at ``url`` up to date; reads today's sums from it first."""
        try:
            while True:
                try:
                    await self._write(await self._open(url))
                    self.trouble = ""
                except (sa.exc.SQLAlchemyError, StoreError, OSError) as error:
                    cause = cause_of(error) if isinstance(error, sa.exc.DBAPIError) else str(error)
                    self.trouble = f"what is used of models is counted and not recorded: {cause}"
                await asyncio.sleep(WRITE_EVERY_S)
        finally:
            if self._store is not None:
                with suppress(sa.exc.SQLAlchemyError):
                    if self._unwritten:
                        add_rows(self._store, self._unwritten)
                self._store.close()

    async def _open(self, url: str) -> Store:
        if self._store is None:
            store = await asyncio.to_thread(open_store, url, MIGRATIONS)
            self._take_over(await asyncio.to_thread(read_day, store, self._day))
            self._store = store
        return self._store

    async def _write(self, store: Store) -> None:
        rows, self._unwritten = self._unwritten, {}
        if not rows:
            return
        writing = asyncio.ensure_future(asyncio.to_thread(add_rows, store, rows))
        try:
            await asyncio.wait({writing})
        finally:
            # Its thread goes on whatever becomes of who waits for it. Only what it did not write is written again.
            while not writing.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({writing})
            if writing.exception() is not None:
                for row, used in rows.items():
                    self._unwritten.setdefault(row, Used()).add(used)
        writing.result()

    def _take_over(self, found: Mapping[Row, Used]) -> None:
        for row, used in found.items():
            if row.day == self._day:
                self._sums.setdefault(row, Used()).add(used)
                self._add_names(row.account, used)

    def _add_names(self, account: Account, used: Used) -> None:
        for name in (account.product, f"{account.product}/{account.tenant}", f"key {account.key}"):
            self._by_name.setdefault(name, Used()).add(used)

    def _budgets_of(self, account: Account) -> Iterable[tuple[str, str, Budget]]:
        """Whose each budget is in words, under which name its use is summed, and what it is."""
        tenant = f"{account.product}/{account.tenant}"
        if account.key and (budget := self._key_budget(account.key)) is not None:
            yield f"key {account.key}", f"key {account.key}", budget
        if (budget := self._budgets.get(tenant)) or (budget := self._budgets.get(f"{account.product}/*")):
            yield tenant, tenant, budget
        if budget := self._budgets.get(account.product):
            yield account.product, account.product, budget

    def _turn_page(self) -> None:
        if self._clock() >= self._day_ends:
            self._day, self._sums, self._by_name = self._today(), {}, {}
            self._day_ends = self._end_of_day()

    def _end_of_day(self) -> float:
        now = self._clock()
        return now - now % DAY_S + DAY_S

    def _today(self) -> str:
        return self.today_is.isoformat()


def add_rows(store: Store, rows: Mapping[Row, Used]) -> None:
    """Add sums to those of the database, in one transaction."""
    with store.writing() as connection:
        for row, used in rows.items():
            place = {"day": row.day, **asdict(row.account), "model": row.model}
            here = sa.and_(*(_METER.c[name] == value for name, value in place.items()))
            more = {name: _METER.c[name] + getattr(used, name) for name in _SUMS}
            if not connection.execute(_METER.update().where(here).values(more)).rowcount:
                connection.execute(_METER.insert().values(**place, **asdict(used)))


def read_day(store: Store, day: str) -> dict[Row, Used]:
    """Read a day's sums."""
    with store.reading() as connection:
        found = connection.execute(sa.select(_METER).where(_METER.c.day == day).order_by(*_METER.c)).mappings().all()
    return {
        Row(each["day"], Account(each["product"], each["tenant"], each["key"]), each["model"]): Used(
            **{name: each[name] for name in _SUMS}
        )
        for each in found
    }
