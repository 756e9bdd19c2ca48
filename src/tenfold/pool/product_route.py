"""Where a product's process is, and which paths it answers; told by the supervisor, read by the front."""

from typing import Annotated

from pydantic import Field, StringConstraints

from tenfold.core.frozen import Frozen

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
