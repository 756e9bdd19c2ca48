"""A product: what people use, made of what the pool's workloads do."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tenfold.core.config import Settings
from tenfold.pool.need import Need

_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+/?")
_NAME = re.compile(r"[a-z][a-z0-9]{0,30}")


@dataclass(frozen=True, slots=True)
class Product:
    """One product: a constant in its own package, named in ``PRODUCTS`` in ``wiring.py``.

    It runs as one HTTP process, without a slot and without torch. Heavy things are named by strings, so that naming a
    product imports nothing but its settings.

    ``name``: its API is under ``/v1/name``, its table in ``tenfold.toml`` is ``[name]``, its database is called
    ``name``.
    ``settings``: the type of that table. ``app``: ``module:function``, which makes its ASGI app from a ``Context``.
    ``tables``: ``module:name`` of the folder of its migrations; none if it keeps nothing but what it earned.
    ``public``: beginnings of paths that are answered without an API key: a widget, a webhook, something under
    ``/.well-known/``. None may cover another product's, the whole API, or what the pool answers itself.
    ``page``: ``module:function`` that fills its page in the console, at ``/name``: ``draw(heading, base_url)``, called
    in each browser's page with the place at the head's right for a summary, and with what gives the front's address.
    ``roles``: of keys that may use its API, beside operators. ``needs``: what must be in the cache before it starts.
    ``asks_for``: the pool's model that it asks for by its name, which its settings tell; empty: by no name.
    """

    name: str
    settings: type[Settings]
    app: str
    tables: str | None = None
    page: str | None = None
    public: tuple[str, ...] = ()
    roles: frozenset[str] = frozenset()
    needs: tuple[Need, ...] = ()
    asks_for: Callable[[Any], str] | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"a product's name is lower-case letters and digits, not {self.name!r}")
        for path in self.public:
            if not _PATH.fullmatch(path):
                raise ValueError(f"{self.name}: a public path is one as '/v1/{self.name}/widget', not {path!r}")

    @property
    def prefix(self) -> str:
        """Beginning of the paths of its API."""
        return f"/v1/{self.name}"
