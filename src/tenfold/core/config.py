"""``tenfold.toml``: tables of pool, store and ledger, and how the file is read. Workloads bring tables of their own."""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, create_model, field_validator

from tenfold.core.errors import ConfigError
from tenfold.core.frozen import Frozen
from tenfold.core.toml_file import read_toml

CONFIG_FILE = "tenfold.toml"

Kind = Literal["cpu", "gpu"]
T = TypeVar("T", bound="Settings")


class Settings(Frozen):
    """Base of every table: frozen, and an unknown key is an error."""


class KindSettings(Settings):
    """One accelerator kind of the pool."""

    slots_per_core: int = Field(2, ge=1, le=16, description="slots that share one core (CPU kinds only)")
    slots: int | None = Field(None, ge=1, description="slots per node; default: cores x slots_per_core, or the GPUs")
    core_share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="part of each core that its slots have; the rest is left to others (CPU kinds only)",
    )
    borrow: bool = Field(False, description="training may use what other slots leave of its core (CPU kinds only)")


class PoolSettings(Settings):
    """The pool: its address, its slots and how it decides."""

    host: str = Field("127.0.0.1", description="address that the gateway and console listen on")
    port: int = Field(8000, ge=0, le=65535, description="port of the gateway and console; 0 picks a free one")
    hosts: tuple[str, ...] = Field((), description="further names in a Host header that the pool answers to")
    proxies: tuple[str, ...] = Field(
        ("127.0.0.1", "::1"), description="addresses or networks of proxies that are believed who the client is"
    )
    pages: int = Field(40, ge=1, description="console pages open at once; more are turned away")
    kinds: dict[Kind, KindSettings] = Field(default_factory=lambda: {"cpu": KindSettings()})
    policy: Literal["tenfold", "static", "shadow"] = Field(
        "tenfold", description="who decides; static keeps each floor, shadow too, and records what tenfold would do"
    )
    tick_s: float = Field(0.5, gt=0, le=60, description="seconds between decisions")
    move_deadline_s: float = Field(2.0, gt=0, description="seconds a donor has to finish and sleep before it is killed")
    drain_deadline_s: float = Field(15.0, gt=0, description="the same where the slot goes to training, which can wait")
    dwell_s: float = Field(3.0, ge=0, description="seconds that a move is expected to last; its gain must repay it")
    idle_s: float = Field(5.0, ge=0, description="seconds without a request before a service may lose its last slot")
    wait_deadline_s: float = Field(15.0, gt=0, description="seconds a request may wait for an awake resident")
    queue_per_slot: int = Field(8, ge=1, description="requests in work or waiting per slot before shedding, at least")
    body_limit_bytes: int = Field(1 << 20, ge=1024, description="largest request body")
    price_memory_s: float = Field(3600.0, ge=1, description="seconds in which what products earned fades from prices")

    @field_validator("proxies")
    @classmethod
    def _are_addresses(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError as error:
                raise ValueError(f"{proxy!r} is no address as '10.0.0.5' and no network as '10.0.0.0/24'") from error
        return proxies


class AccessSettings(Settings):
    """``[access]``: who may use the pool."""

    required: bool = Field(False, description="ask for an API key on every route, on loopback too")


class StoreSettings(Settings):
    """``[store]``: where the ledger and the products keep their tables."""

    url: str | None = Field(
        None, description="PostgreSQL database, postgresql://user@host/name; default: SQLite files in the home"
    )
    schema_prefix: str = Field(
        "tenfold_",
        pattern="^[a-z_][a-z0-9_]{0,30}$",
        description="begins the names of the schemas there; pools that share a database need one each",
    )

    @field_validator("url")
    @classmethod
    def _is_postgresql(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("postgresql://", "postgresql+psycopg://")):
            raise ValueError("must begin with postgresql://; without it tables are in SQLite files in the home")
        return url


class LedgerSettings(Settings):
    """``[ledger]``: how long events stay at hand."""

    keep_days: int = Field(14, ge=1, description="days that events stay in the ledger; older ones go to files, by day")


class Config(Settings):
    """``tenfold.toml``: the tables that every pool has, and further ones by name; ``config_type`` adds them."""

    pool: PoolSettings = PoolSettings()
    access: AccessSettings = AccessSettings()
    store: StoreSettings = StoreSettings()
    ledger: LedgerSettings = LedgerSettings()

    def table(self, name: str, of: type[T]) -> T:
        """The table ``[name]``, which is of this type."""
        found = getattr(self, name)
        assert isinstance(found, of), f"[{name}] is a {type(found).__name__}, not a {of.__name__}"
        return found


def config_type(tables: Mapping[str, type[Settings]]) -> type[Config]:
    """The schema of ``tenfold.toml`` with these tables as well; each must have defaults throughout."""
    fields: dict[str, Any] = {name: (table, table()) for name, table in tables.items()}
    return create_model("Config", __base__=Config, **fields)


def read_config(path: Path | None, schema: type[Config]) -> Config:
    """Read ``path``, or ``tenfold.toml`` of this folder, or the defaults when there is none.

    Raises:
        ConfigError: the file is missing, is not TOML, or has an unknown key or bad value; names file and key.
    """
    if path is None:
        path = Path(CONFIG_FILE)
        if not path.exists():
            return schema()
    return read_toml(path, schema, ConfigError, what="the config", advice="give --config a file", keys="docs/config.md")
