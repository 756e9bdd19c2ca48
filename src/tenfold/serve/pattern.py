"""Bounds on the patterns of a JSON schema, which an engine turns into a grammar and asks for every token.

Measured with llama.cpp, 24 tokens each: ``a?`` fifty times took 1.4 CPU-seconds, a hundred times 11, ``(a?){500}`` did
not end within 20 s, and ``a{5,2}`` took 3.8 GB. The cost is in parts that may be left out; parts that must come are
cheap. So both are counted, repeats multiplied out.
"""

import re

LONGEST = 256
MOST_PARTS = 512
MOST_OPTIONAL = 24

_ATOM = re.compile(r"\\[dDwWsStnrfv.*+?()\[\]{}|^$/\\-]|\\u[0-9a-fA-F]{4}|\[\^?(?:\\.|[^\]\\\[])+\]|[^\\\[\](){}*+?|]")
_REPEAT = re.compile(r"[*+?]|\{(\d{1,4})(,?)(\d{0,4})\}")


class BadPattern(Exception):
    """A pattern that an engine is not given, and why."""


def check_pattern(pattern: str) -> None:
    """Refuse a pattern that is no plain regular expression, or that costs an engine too much.

    Raises:
        BadPattern: says what is wrong.
    """
    if len(pattern) > LONGEST:
        raise BadPattern(f"is longer than {LONGEST} characters")
    if not (pattern.startswith("^") and pattern.endswith("$")):
        raise BadPattern("must begin with ^ and end with $")
    parts, optional, at = _alternatives(pattern, 1, len(pattern) - 1)
    if at < len(pattern) - 1:
        raise BadPattern(f"has {pattern[at]!r} at {at}, which opens or closes nothing, or is not supported")
    if parts > MOST_PARTS:
        raise BadPattern(f"stands for {parts} parts once repeats are written out; at most {MOST_PARTS}")
    if optional > MOST_OPTIONAL:
        raise BadPattern(f"has {optional} optional parts once repeats are written out; at most {MOST_OPTIONAL}")


def _alternatives(pattern: str, at: int, end: int) -> tuple[int, int, int]:
    """Count the parts and the optional parts from ``at`` to what closes the group; where that is."""
    parts = optional = 0
    while at < end and pattern[at] != ")":
        if pattern[at] == "|":
            parts, optional, at = parts + 1, optional + 1, at + 1
            continue
        if pattern[at] == "(":
            at += 3 if pattern.startswith("(?:", at) else 1
            inner, inner_optional, at = _alternatives(pattern, at, end)
            if at >= end:
                raise BadPattern("has a group that is not closed")
            at += 1
        else:
            atom = _ATOM.match(pattern, at, end)
            if atom is None:
                raise BadPattern(f"has {pattern[at]!r} at {at}, which opens or closes nothing, or is not supported")
            inner, inner_optional, at = 1, 0, atom.end()
        most, may_miss, at = _repeat(pattern, at, end)
        parts += inner * most
        optional += (inner_optional + (1 if inner_optional else 0)) * most + may_miss
    return parts, optional, at


def _repeat(pattern: str, at: int, end: int) -> tuple[int, int, int]:
    """How often the part before ``at`` comes at most, how often of these it may be missing, and what follows."""
    found = _REPEAT.match(pattern, at, end)
    if found is None:
        return 1, 0, at
    if found[0] in ("?", "*", "+"):
        return 1, 1, found.end()
    least = int(found[1])
    if not found[2]:
        return max(1, least), 0, found.end()
    if not found[3]:
        return max(1, least), 1, found.end()
    most = int(found[3])
    if most < least or most == 0:
        raise BadPattern(f"repeats a part {found[0]}, of which the second number is too small")
    # The engine writes ``x{0,9}`` as nine parts in each other of which it keeps one place: cheap, unless x is optional.
    return most, 1, found.end()
