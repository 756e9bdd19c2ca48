"""What a product earned, kept in its own database until the controller has recorded it.

Earnings are written in the transaction of what they were earned with, so that neither exists without the other. Every
few seconds what was committed since is sealed under the next number, which never changes again; sealed reports are told
in order, again and again, until the controller says that they are in the ledger. It takes each number once, so that
nothing is lost or doubled whoever is started again in between.

The numbers count within one incarnation of the database: a name drawn when it is made. A database that was lost and
made anew begins at 1 under another name.
"""

import uuid
from decimal import Decimal
from pathlib import Path

import sqlalchemy as sa

from tenfold.core.store import Store
from tenfold.pool.earnings import Earned, EarningsReport
from tenfold.pool.metering.used import NANO

MIGRATIONS = Path(__file__).parent / "migrations"

AT_ONCE = 100
"""Reports read at once; a controller that was away for a day left some 40,000."""

TABLES = sa.MetaData()
_SOURCE = sa.Table(
    "earnings_source",
    TABLES,
    sa.Column("only", sa.Integer, primary_key=True),
    sa.Column("incarnation", sa.String, nullable=False),
    sa.Column("reports", sa.Integer, nullable=False),
)
_EARNED = sa.Table(
    "earnings",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("report", sa.Integer, index=True),
    sa.Column("workload", sa.String, nullable=False),
    sa.Column("nano_usd", sa.BigInteger, nullable=False),
    sa.Column("units", sa.Float, nullable=False),
    sa.Column("what", sa.String, nullable=False),
)
_UNSEALED = _EARNED.c.report.is_(None)


class Outbox:
    """Earnings on their way to the ledger.

    Args:
        store: the product's database, with the migrations of ``MIGRATIONS`` run.
        product: its name.
    """

    def __init__(self, store: Store, product: str) -> None:
        self._store = store
        self._product = product
        with store.writing() as connection:
            if connection.execute(sa.select(_SOURCE.c.only)).first() is None:
                connection.execute(_SOURCE.insert().values(only=1, incarnation=uuid.uuid4().hex, reports=0))

    def earned(self, connection: sa.Connection, workload: str, usd: Decimal | float, units: float, what: str) -> None:
        """Note what a workload's work earned, within the caller's transaction.

        Args:
            connection: of the product's database, in the transaction that writes what it was earned with.
            workload: by whose work: rank, serve.
            usd: with that work, less what the fallback would have earned (see ``holdout``); rounded to nano-dollars.
            units: of its work that this took: requests of rank, tokens of serve.
            what: what it was earned with, e.g. watched minutes.
        """
        row = Earned(workload=workload, nano_usd=round(usd * NANO), units=units, what=what)
        connection.execute(_EARNED.insert().values(report=None, **row.model_dump()))

    def seal(self) -> None:
        """Put what was committed since under the next number; nothing if there is nothing."""
        with self._store.writing() as connection:
            number = connection.execute(sa.select(_SOURCE.c.reports)).scalar_one() + 1
            if connection.execute(_EARNED.update().where(_UNSEALED).values(report=number)).rowcount:
                connection.execute(_SOURCE.update().values(reports=number))

    def sealed(self) -> list[EarningsReport]:
        """Reports that were not acknowledged, the oldest first, so many as are told at once."""
        totals = sa.func.sum(_EARNED.c.nano_usd), sa.func.sum(_EARNED.c.units)
        keys = _EARNED.c.report, _EARNED.c.workload, _EARNED.c.what
        oldest = sa.select(_EARNED.c.report).where(~_UNSEALED).distinct().order_by(_EARNED.c.report).limit(AT_ONCE)
        query = sa.select(*keys, *totals).where(_EARNED.c.report.in_(oldest)).group_by(*keys).order_by(*keys)
        with self._store.reading() as connection:
            incarnation = connection.execute(sa.select(_SOURCE.c.incarnation)).scalar_one()
            rows = connection.execute(query).all()
        earned: dict[int, list[Earned]] = {}
        for number, workload, what, nano_usd, units in rows:
            row = Earned(workload=workload, nano_usd=int(nano_usd), units=float(units), what=what)
            earned.setdefault(number, []).append(row)
        return [
            EarningsReport(product=self._product, incarnation=incarnation, number=number, earned=tuple(found))
            for number, found in earned.items()
        ]

    def acknowledged(self, number: int) -> None:
        """Forget the report ``number`` and those before: they are in the ledger."""
        with self._store.writing() as connection:
            connection.execute(_EARNED.delete().where(_EARNED.c.report <= number))
