"""Where a product's process is, and which paths it answers; told by the supervisor, read by the front."""

from collections.abc import Collection, Mapping
from typing import Annotated

from pydantic import Field, StringConstraints

from tenfold.core.errors import ConfigError
from tenfold.core.frozen import Frozen

COUNTS_PATH = "/product/counts"
"""Answered by every product's process: calls that went without an answer, what is not told yet, what is wrong."""

Prefix = Annotated[str, StringConstraints(pattern=r"^/[^/?#][^?#]*$")]


class ProductRoute(Frozen):
    """A product as the front sees it.

    A prefix covers itself and what is below it: ``/v1/feed`` covers ``/v1/feed/events`` and not ``/v1/feeds``.
    """

    url: str = Field(description="base URL of its process")
    prefixes: tuple[Prefix, ...] = Field(description="paths that it answers, with all below each")
    roles: tuple[str, ...] = Field((), description="roles of keys that may use it, beside operators'")
    public: tuple[Prefix, ...] = Field(
        (), description="more such paths, answered without a key and under any name; see pool/doorkeeper.py"
    )


def covers(prefix: str, path: str) -> bool:
    """Whether a path is ``prefix`` or below it."""
    return path.startswith(prefix) and (len(path) == len(prefix) or prefix[-1] == "/" or path[len(prefix)] == "/")


def check_paths(routes: Mapping[str, ProductRoute], core: Collection[str]) -> None:
    """See that no product takes a path of the front, of a workload or of another product, nor opens one to everybody.

    Args:
        routes: the products, by name.
        core: the front's and the workloads' paths; of one that ends in a slash, all below it too.

    Raises:
        ConfigError: one does; names both paths.
    """
    for name, route in routes.items():
        for path in (*route.prefixes, *route.public):
            taken = next((each for each in sorted(core) if _meet(path, each)), None)
            if taken is not None:
                raise _conflict(name, path, f"would take {taken!r}, which is the pool's own")
        for path in route.public:
            whole = next((each for each in route.prefixes if covers(path.rstrip("/"), each)), None)
            if whole is not None:
                raise _conflict(name, path, f"would open all of its API, {whole!r}, to everybody")
            others = [(other, its) for other, its in routes.items() if other != name]
            for other, each in [(other, each) for other, its in others for each in (*its.prefixes, *its.public)]:
                if covers(path, each) or covers(each, path):
                    raise _conflict(name, path, f"is in the way of {each!r}, which is the product {other}'s")


def _meet(path: str, core: str) -> bool:
    return covers(path, core) or (core != "/" and core.endswith("/") and covers(core, path))


def _conflict(name: str, path: str, what: str) -> ConfigError:
    return ConfigError(
        f"the product {name}: its path {path!r} {what}",
        next_step="name the paths that it needs, one by one; see docs/adding-a-product.md",
    )
