"""In whose name a request for a model comes."""

from dataclasses import dataclass

from starlette.types import Scope

from tenfold.pool.access import headers_of
from tenfold.pool.asker import FOR_HEADER, KEY_HEADER, TENANT_HEADER

OUTSIDE = "api"
"""Product of whoever comes from outside, by a key or without one."""

LONGEST_NAME = 64
_WANTED = (FOR_HEADER.encode(), KEY_HEADER.encode(), TENANT_HEADER.encode())


@dataclass(frozen=True, slots=True)
class Account:
    """In whose name a request comes: a product, a tenant within it, and the id of the key that was shown, if any."""

    product: str
    tenant: str = ""
    key: str = ""

    def __str__(self) -> str:
        return f"{self.product}/{self.tenant}" if self.tenant else self.product


def account_of(scope: Scope) -> Account:
    """Find in whose name a request comes, by what the doorkeeper has put among its headers."""
    told = headers_of(scope, _WANTED)
    behalf, tenant = told[FOR_HEADER], told[TENANT_HEADER] or ""
    if behalf:
        product, _, tenant = behalf.partition("/")
        return Account(product[:LONGEST_NAME], tenant[:LONGEST_NAME])
    return Account(OUTSIDE, tenant[:LONGEST_NAME], told[KEY_HEADER] or "")
