"""The meter as others see it: a day's use by product, tenant, key and model."""

import asyncio
import datetime as dt
from collections.abc import Mapping

from pydantic import Field

from tenfold.core.frozen import Frozen
from tenfold.pool.metering.meter import Meter, Row
from tenfold.pool.metering.used import NANO, Used


class MeterRow(Frozen):
    """What one account used of one model."""

    product: str = Field(description="that asked; api: from outside, by a key or without one")
    tenant: str = Field(description="on whose behalf; empty: none")
    key: str = Field(description="id of the API key that was shown; empty: none")
    model: str = Field(description="empty: refused before it was read")
    requests: int = Field(description="answered")
    refused: int = Field(description="over a budget")
    tokens_in: int
    tokens_out: int
    slot_s: float = Field(description="seconds of slots; shared by the requests that a resident works on together")
    usd: float = Field(description="at the price of the moment: of generated tokens, or the backend's")


class MeterView(Frozen):
    """A day's use, by UTC."""

    day: dt.date
    rows: tuple[MeterRow, ...]


async def meter_view(meter: Meter, day: dt.date | None) -> MeterView:
    """Show a day, or today.

    Raises:
        StoreError: the meter's database is not open.
        sqlalchemy.exc.SQLAlchemyError: it cannot be read.
    """
    shown = day or meter.today_is
    found = meter.today() if shown == meter.today_is else await asyncio.to_thread(meter.read, shown)
    return MeterView(day=shown, rows=tuple(_rows(found)))


def _rows(found: Mapping[Row, Used]) -> list[MeterRow]:
    return [
        MeterRow(
            product=row.account.product,
            tenant=row.account.tenant,
            key=row.account.key,
            model=row.model,
            requests=used.requests,
            refused=used.refused,
            tokens_in=used.tokens_in,
            tokens_out=used.tokens_out,
            slot_s=used.slot_s,
            usd=used.nano_usd / NANO,
        )
        for row, used in sorted(found.items(), key=lambda item: str(item[0]))
    ]
