"""The address that a request asks for: that it means the same to whoever judges it and to whoever answers it."""

import re

from starlette.types import Scope

_AMBIGUOUS = re.compile(r"//|/\.\.?(?:/|\Z)|[\\\x00-\x1f\x7f]")


def fault_of(scope: Scope) -> str:
    """What is wrong with a request's path, in words; empty if nothing is.

    A path is judged by its beginning, as it reads once nothing is quoted, and passed on as it came.
    ``/v1/shop/widget/../admin`` begins like one thing and may be taken for another behind the door, as may a path with
    an empty part or a backslash, quoted or not.
    """
    path: str = scope["path"]
    if not path.startswith("/"):
        return "a path begins with '/'"
    if _AMBIGUOUS.search(path):
        return "a path has no empty parts, no '.' or '..' as a part, no backslash and no control characters"
    return ""
