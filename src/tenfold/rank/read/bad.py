"""Rows that cannot be used: each is named, with what would be right; none is dropped unasked."""

from dataclasses import dataclass, field

from tenfold.core.errors import UsageError

_NAMED = 5


class BadRows(UsageError):
    """A file has rows that cannot be used; names the first of them and says how many there are."""


@dataclass(slots=True)
class Complaints:
    """What is wrong with the rows of one file. ``skip``: leave such rows out, having said so."""

    origin: str
    skip: bool = False
    named: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, place: str, problem: str) -> None:
        """Note one bad row, e.g. ``line 7``, ``item is missing``."""
        self.count += 1
        if len(self.named) < _NAMED:
            self.named.append(f"{place}: {problem}")

    def told(self) -> str:
        """All of it in one line per row named; empty where nothing is wrong."""
        more = [f"and {self.count - len(self.named)} more"] if self.count > len(self.named) else []
        return "\n".join(f"{self.origin}: {line}" for line in [*self.named, *more])

    def settle(self) -> None:
        """Refuse the file unless bad rows are to be left out.

        Raises:
            BadRows: it has any.
        """
        if self.count and not self.skip:
            rows = "1 row" if self.count == 1 else f"{self.count} rows"
            raise BadRows(
                f"{rows} cannot be used\n{self.told()}", next_step="mend them, or leave them out with --skip-bad-rows"
            )
