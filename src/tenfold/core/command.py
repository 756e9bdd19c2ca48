"""Options that several commands take; beside a package's ``command.py`` and ``cli/`` the only file with cyclopts."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import Token

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON on standard output.")]


def amount(description: str) -> Parameter:
    """An option that takes any number."""
    return Parameter(help=description, converter=_amount)


def whole(description: str, least: int | None = None) -> Parameter:
    """An option that takes a whole number; by itself cyclopts would round 2.5 to 2 and say nothing."""
    return Parameter(help=description, converter=partial(_whole, least=least))


def _amount(_: object, tokens: "Sequence[Token]") -> float:
    from tenfold.core.written import number

    value = number(tokens[0].value)
    if not isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a number; give one like 405e9 or 405B")
    return float(value)


def _whole(_: object, tokens: "Sequence[Token]", *, least: int | None) -> int:
    from tenfold.core.written import number

    value = number(tokens[0].value)
    if not isinstance(value, int):
        raise ValueError(f"{tokens[0].value!r} is not a whole number; give one like 16 or 16384")
    if least is not None and value < least:
        raise ValueError(f"{value} is below {least}")
    return value
