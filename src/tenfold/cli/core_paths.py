"""The paths that the front answers itself or by a workload: no product may take or open one of them."""

from collections.abc import Iterable
from typing import Any

from tenfold.core.errors import ConfigError
from tenfold.pool.login import LOGIN_PATH
from tenfold.pool.workload import Workload
from tenfold.product.product import Product

OWN_PATHS = (
    "/",
    "/plan",
    "/replay",
    "/compute",
    "/ladder",
    LOGIN_PATH,
    "/healthz",
    "/metrics",
    "/openapi.json",
    "/v1/models",
    "/v1/models/",
    "/api/",
    "/_nicegui/",
    "/_nicegui_ws/",
)
"""Of one that ends in a slash, all below it too."""


def core_paths(workloads: Iterable[Workload[Any]], products: Iterable[Product]) -> frozenset[str]:
    """List the front's own paths, the workloads' and those of products' pages.

    Raises:
        ConfigError: a product's page would be at a path that is the front's own.
    """
    asked = (operation.path for workload in workloads for operation in workload.operations)
    pages = [f"/{product.name}" for product in products if product.page is not None]
    for page in pages:
        if page in OWN_PATHS:
            raise ConfigError(f"a product's page cannot be at {page!r}, which is the pool's own", next_step="rename it")
    return frozenset((*OWN_PATHS, *asked, *pages))
