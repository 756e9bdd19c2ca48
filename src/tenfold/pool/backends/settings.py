"""``[serve.backends.NAME]``: where a backend is and what it serves."""

import os
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from tenfold.core.config import Settings
from tenfold.core.errors import ConfigError


class BackendSettings(Settings):
    """Any URL that speaks OpenAI's API."""

    url: str = Field(description="its base, with or without /v1")
    models: tuple[str, ...] = Field(min_length=1, description="names by which clients ask it, as it knows them itself")
    key_env: str | None = Field(None, description="environment variable that holds its key; none for no key")
    at_once: int = Field(256, ge=1, description="requests in its hands at once; more are turned away")
    first_byte_s: float = Field(60.0, gt=0, description="seconds until an answer must have begun")
    silent_s: float = Field(60.0, gt=0, description="longest silence within an answer")
    failures: int = Field(5, ge=1, description="in a row, after which it is left alone")
    open_s: float = Field(10.0, gt=0, description="seconds for which it is left alone before a request tries it")
    usd_per_million_in: float = Field(0.0, ge=0, description="price of a million tokens of prompts, USD")
    usd_per_million_out: float = Field(0.0, ge=0, description="price of a million generated tokens, USD")

    @field_validator("url")
    @classmethod
    def _is_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("it must be an address as https://host or http://host:port/v1")
        return url.rstrip("/").removesuffix("/v1")

    def key(self, name: str) -> str | None:
        """Its key, from the environment.

        Raises:
            ConfigError: the variable is not set.
        """
        if self.key_env is None:
            return None
        if not (key := os.environ.get(self.key_env)):
            raise ConfigError(
                f"serve.backends.{name} has its key in the environment variable {self.key_env}, which is empty",
                next_step=f"export {self.key_env}=..., or take key_env out",
            )
        return key
