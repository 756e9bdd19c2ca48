"""A product as small as can be: it sells, keeps what it sold, and says what it earned."""

from pathlib import Path

import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tenfold.core.config import Settings
from tenfold.product.calls import Late
from tenfold.product.context import Context, asker_of
from tenfold.product.product import Product

MIGRATIONS = Path(__file__).parent / "till_migrations"
sales = sa.Table(
    "sales",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("nano_usd", sa.BigInteger, nullable=False),
)


class TillSettings(Settings):
    """``[till]``."""

    greeting: str = "hello"


def make_app(context: Context) -> Starlette:
    """Sell, greet, rank through the pool, ask the neighbour."""
    settings = context.settings
    assert isinstance(settings, TillSettings)

    async def sell(request: Request) -> Response:
        nano_usd = int((await request.json())["nano_usd"])
        with context.store.writing() as connection:
            connection.execute(sales.insert().values(nano_usd=nano_usd))
            context.earned(connection, "rank", nano_usd / 1e9, 1.0, "sales")
            if nano_usd % 7 == 0:
                raise ValueError("a sale that fails after it was written, so that neither may be kept")
        return JSONResponse({"sold": nano_usd})

    async def greet(request: Request) -> Response:
        asker = asker_of(request)
        return JSONResponse({"greeting": settings.greeting, "role": asker.role, "tenant": asker.tenant})

    async def ranked(_: Request) -> Response:
        found = await context.pool.rank({"user": 1}, deadline_s=2.0, tenant="acme")
        if isinstance(found, Late):
            return JSONResponse({"fallback": True, "reason": found.reason})
        return JSONResponse(found)

    async def neighbour(_: Request) -> Response:
        return JSONResponse({"said": await context.peers.ask("shop", "/v1/shop/greet", None, 0.5)})

    async def hang(_: Request) -> Response:
        import time

        time.sleep(3600)
        return Response()

    return Starlette(
        routes=[
            Route("/v1/till/sell", sell, methods=["POST"]),
            Route("/v1/till/greet", greet),
            Route("/v1/till/ranked", ranked),
            Route("/v1/till/neighbour", neighbour),
            Route("/v1/till/hang", hang),
        ]
    )


TILL = Product(
    name="till",
    settings=TillSettings,
    app="till:make_app",
    tables="till:MIGRATIONS",
    public=("/v1/till/greet",),
    roles=frozenset({"owner"}),
)
