"""Who may do what with a business: its owner and operators everything, its customers only what is public."""

from starlette.exceptions import HTTPException
from starlette.requests import Request

from tenfold.agents.product import PUBLIC
from tenfold.pool.asker import PUBLIC as GUEST
from tenfold.pool.product_route import covers
from tenfold.product.context import asker_of

_OF_THE_POOL = ("operator", "viewer", "")
"""Who may see every business; another product, which the door does not let in, has no role."""


def require_owner(request: Request, business: str) -> None:
    """See that whoever asks may see and change all of a business.

    Raises:
        HTTPException: they may not; to them there is no such business.
    """
    asker = asker_of(request)
    if asker.role == "owner" and asker.tenant == business:
        return
    if asker.role not in _OF_THE_POOL:
        raise HTTPException(404, f"there is no business {business!r} of yours")


def require_reader(request: Request, business: str) -> None:
    """See that whoever asks for what is public may: everybody on a public path, unless they show another's key.

    Raises:
        HTTPException: they show another's key, or it is no public path and they are not the owner.
    """
    if not covers(PUBLIC, request.url.path):
        require_owner(request, business)
    elif asker_of(request).tenant not in ("", business):
        raise HTTPException(404, f"there is no business {business!r} of yours")


def is_guest(request: Request) -> bool:
    """Whether whoever asks is a customer, and sees of a business what customers may."""
    return asker_of(request).role == GUEST


def require_customer(request: Request, business: str) -> None:
    """See that whoever writes comes from this business: by the key in its page, or by the host's name.

    Raises:
        HTTPException: they show another's key, or none.
    """
    if not covers(PUBLIC, request.url.path):
        require_owner(request, business)
        return
    asker = asker_of(request)
    if asker.role == GUEST and asker.tenant != business:
        raise HTTPException(403, f"this needs the visitors' key of {business!r}: add ?key=... to the address")
    if asker.role in ("owner", "advertiser") and asker.tenant != business:
        raise HTTPException(404, f"there is no business {business!r} of yours")
