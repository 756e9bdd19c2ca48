"""The products' processes: where they listen, and what keeps each alive."""

import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from tenfold.cli.core_paths import core_paths
from tenfold.cli.keeper import Keeper
from tenfold.core.config import Config
from tenfold.core.store import store_url
from tenfold.pool.product_route import ProductRoute, check_paths
from tenfold.product.process import ProductSpec, type_name
from tenfold.product.product import Product
from tenfold.wiring import WORKLOADS

LOOPBACK = "127.0.0.1"


class Products:
    """All products of one pool. Their sockets are held here, so that requests wait while a process is started again.

    Args:
        products: which there are.
        config: the pool's, with a table for each.
        home: the pool's folder.
        cache: folder of fetched models and data.

    Raises:
        ConfigError: a product takes a path that is another's, or opens one that is.
    """

    def __init__(self, products: Sequence[Product], config: Config, home: Path, cache: Path) -> None:
        self._products = tuple(products)
        check_paths({each.name: _route(each, "") for each in self._products}, core_paths(WORKLOADS, self._products))
        self._config = config
        self._home = home
        self._cache = cache
        self._listeners = {
            product.name: socket.create_server((LOOPBACK, 0), backlog=1024) for product in self._products
        }

    @property
    def urls(self) -> dict[str, str]:
        """Address of each, for as long as this lives."""
        return {name: f"http://{LOOPBACK}:{held.getsockname()[1]}" for name, held in self._listeners.items()}

    @property
    def routes(self) -> dict[str, ProductRoute]:
        """What the front must know of each."""
        return {product.name: _route(product, self.urls[product.name]) for product in self._products}

    def keepers(
        self, front_url: str, controller_url: str, token: str, started: Callable[[], None] = lambda: None
    ) -> list[Keeper]:
        """Make what keeps each process alive.

        Args:
            front_url: through which they reach the workloads.
            controller_url: whom they tell what they earned.
            token: the pool's secret.
            started: told of each start.
        """
        return [self._keeper(product, front_url, controller_url, token, started) for product in self._products]

    def _keeper(
        self, product: Product, front_url: str, controller_url: str, token: str, started: Callable[[], None]
    ) -> Keeper:
        listener = self._listeners[product.name].fileno()
        peers = {name: url for name, url in self.urls.items() if name != product.name}

        def spec(beat_on: int) -> str:
            return ProductSpec(
                name=product.name,
                app=product.app,
                tables=product.tables,
                settings_type=type_name(product.settings),
                settings=self._config.table(product.name, product.settings).model_dump(mode="json"),
                database_url=store_url(self._config.store, self._home, product.name),
                front_url=front_url,
                controller_url=controller_url,
                peers=peers,
                home=self._home,
                cache=self._cache,
                token=token,
                listener=listener,
                beat_on=beat_on,
            ).model_dump_json()

        return Keeper(
            product.name,
            "tenfold.product.process",
            spec,
            self._home / "logs" / f"{product.name}.log",
            pass_fds=[listener],
            started=started,
        )

    def close(self) -> None:
        """Stop listening."""
        for listener in self._listeners.values():
            listener.close()


def _route(product: Product, url: str) -> ProductRoute:
    roles = tuple(sorted(product.roles))
    return ProductRoute(url=url, prefixes=(product.prefix,), roles=roles, public=product.public)
