"""What a product's app is given: its settings, its database, and whom it may ask."""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import sqlalchemy as sa
from starlette.requests import HTTPConnection

from tenfold.core.config import Settings
from tenfold.core.store import Store
from tenfold.pool.asker import KEY_HEADER, ORIGINS_HEADER, ROLE_HEADER, TENANT_HEADER, Asker
from tenfold.product.outbox import Outbox
from tenfold.product.peers import Peers
from tenfold.product.pool_client import PoolClient


@dataclass(frozen=True, slots=True)
class Context:
    """Everything that a product has beside its code.

    ``settings``: its table of ``tenfold.toml``, of the type that the product named. ``store``: its database, with its
    migrations run. ``pool``: the workloads. ``peers``: the other products. ``home``: the pool's folder, ``cache``: that
    of fetched models and data. ``troubles``: what is wrong now, by what says so.
    """

    product: str
    settings: Settings
    store: Store
    pool: PoolClient
    peers: Peers
    outbox: Outbox
    home: Path
    cache: Path
    troubles: dict[str, str] = field(default_factory=dict)

    def say(self, source: str, trouble: str) -> None:
        """Say what is wrong now, so that whoever runs the pool sees it; nothing (empty) once it is right again."""
        if trouble:
            self.troubles[source] = trouble
        else:
            self.troubles.pop(source, None)

    def earned(self, connection: sa.Connection, workload: str, usd: Decimal | float, units: float, what: str) -> None:
        """Note what a workload's work earned this product, within the caller's transaction; see ``Outbox.earned``."""
        self.outbox.earned(connection, workload, usd, units, what)


def asker_of(request: HTTPConnection) -> Asker:
    """Read who sent a request, as the front found by key, cookie or host.

    Only the front and other products can say, since every route asks for the pool's token.
    """
    told = request.headers
    origins = tuple(told.get(ORIGINS_HEADER, "").split())
    return Asker(told.get(ROLE_HEADER, ""), told.get(TENANT_HEADER, ""), told.get(KEY_HEADER, ""), origins)
