"""What whoever imports says beside the files, and how it is written: ``chat=4,code=6``, or ``4`` for all services."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, overload

from tenfold.core.errors import UsageError
from tenfold.core.explain import suggest
from tenfold.core.written import number
from tenfold.replay.importing.reading import Reading

ALL = "*"
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Wishes:
    """All options of an import; tables are by service, ``*`` for all that are not named.

    ``fleet``: accelerators by kind. ``node``: of a node. ``capacity``: requests per second of a replica. ``replica``:
    accelerators of one. ``start``: when to begin. ``days``: how many. ``elastic``: whether jobs may run on a quarter
    to twice what they had.
    """

    name: str
    reading: Reading
    fleet: Mapping[str, float]
    node: int
    capacity: Mapping[str, float]
    replica: Mapping[str, float]
    parallel: Mapping[str, float]
    model: Mapping[str, str]
    family: Mapping[str, str]
    start: str | None
    days: float | None
    elastic: bool

    def check(self, services: Sequence[str]) -> None:
        """Refuse options that name a service that there is not.

        Raises:
            UsageError: see there; names the nearest.
        """
        tables: Mapping[str, Mapping[str, object]] = {
            "--capacity": self.capacity,
            "--accelerators-per-replica": self.replica,
            "--parallel": self.parallel,
            "--latency-target": self.reading.latency_target,
            "--model": self.model,
            "--family": self.family,
        }
        for option, table in tables.items():
            check_services(option, table, services)


@overload
def of(table: Mapping[str, Value], name: str) -> Value | None: ...
@overload
def of(table: Mapping[str, Value], name: str, otherwise: Value) -> Value: ...
def of(table: Mapping[str, Value], name: str, otherwise: Value | None = None) -> Value | None:
    """What a table says of a service, or of all, or else ``otherwise``."""
    return table.get(name, table.get(ALL, otherwise))


def replica_of(wishes: Wishes, name: str) -> int:
    """Accelerators of one replica of a service."""
    return max(1, round(of(wishes.replica, name, 1.0)))


def words(option: str, text: str) -> dict[str, str]:
    """A table as it is written on a command line; a value alone is all services'.

    Raises:
        UsageError: a part has no value.
    """
    found = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, is_named, value = part.rpartition("=")
        if not value.strip() or (is_named and not name.strip()):
            raise UsageError(f"{option} {part!r} is no name=value", next_step=f"write e.g. {option} chat=4,code=6")
        found[name.strip() if is_named else ALL] = value.strip()
    return found


def figures(option: str, text: str) -> dict[str, float]:
    """The same, of numbers above 0.

    Raises:
        UsageError: a value is none.
    """
    found = {}
    for name, value in words(option, text).items():
        figure = number(value)
        if not isinstance(figure, int | float) or not 0 < figure < float("inf"):
            raise UsageError(
                f"{option}: {value!r} is no number above 0", next_step=f"write e.g. {option} chat=4, or {option} 4"
            )
        found[name] = float(figure)
    return found


def check_services(option: str, table: Mapping[str, object], services: Sequence[str]) -> None:
    """Refuse a name that is no service's.

    Raises:
        UsageError: see there; names the nearest.
    """
    for name in table:
        if name != ALL and name not in services:
            hint = suggest(name, services) if services else "there are none"
            raise UsageError(f"{option}: there is no service {name!r}; {hint}", next_step=f"mend {option}")
