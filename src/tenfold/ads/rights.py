"""Who may do what: an advertiser everything with their own account, operators everything, browsers what is public."""

from starlette.exceptions import HTTPException
from starlette.requests import Request

from tenfold.product.context import asker_of

_OF_THE_POOL = ("operator", "viewer", "")
"""Who may see every account; another product, which the door does not let in, has no role."""
_HOUSE = "house"
"""Whose campaigns are made without naming an account, on a pool where no key is needed."""


def account_for(request: Request, named: str) -> str:
    """The account that a request is about: the tenant of its key, or the one that an operator names.

    Raises:
        HTTPException: it is another's.
    """
    asker = asker_of(request)
    if asker.role in _OF_THE_POOL:
        return named or _HOUSE
    if named and named != asker.tenant:
        raise HTTPException(404, f"there is no account {named!r} of yours")
    return asker.tenant


def sees(request: Request, account: str) -> bool:
    """Whether an account is the asker's to see and change."""
    asker = asker_of(request)
    return asker.role in _OF_THE_POOL or asker.tenant == account


def of_asker(request: Request) -> str | None:
    """The asker's only account; none for those who see all."""
    asker = asker_of(request)
    return None if asker.role in _OF_THE_POOL else asker.tenant


def require_pool(request: Request) -> None:
    """See that whoever asks runs the pool.

    Raises:
        HTTPException: an advertiser does not.
    """
    if asker_of(request).role not in _OF_THE_POOL:
        raise HTTPException(403, "this is for operators of the pool")
