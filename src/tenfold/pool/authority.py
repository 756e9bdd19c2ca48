"""The name in a request's ``Host``: whether it is one, and whether it is this machine's own."""

import ipaddress
import re

_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{0,5})?")


def host_name(authority: str | None) -> str | None:
    """The name in the value of a ``Host`` header, in lower case and without port; none if it is no such value."""
    match = _AUTHORITY.fullmatch(authority or "")
    return match[1].lower().strip("[]").rstrip(".") or None if match else None


def address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that a name is, if it is one; an IPv4 address that is written as IPv6 is the IPv4 one."""
    try:
        found = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def is_loopback(name: str) -> bool:
    """Whether a name or address is this machine for whoever says it: nobody else is reached by it."""
    found = address(name)
    if found is not None:
        return found.is_loopback
    name = name.lower().rstrip(".")
    return name == "localhost" or name.endswith(".localhost")
