"""By what a run's gradients were computed: what of a machine decides their bits, as workers say it. Imports no torch.

Machines that say the same compute the same bits. Where a run was computed by more than one, its parameters are as good,
but they are not the bits that one machine would have come to, and nobody can come to them again.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from tenfold.core.errors import Damaged
from tenfold.core.sound import read_record, set_aside, write_record
from tenfold.llama.progress import Record

NUMERICS_FILE = "numerics.json"

log = logging.getLogger(__name__)


class Numerics(Record):
    """One way in which gradients of a run were computed."""

    what: str = Field(description="torch's build, instruction set, type of the products, and what computes the rest")
    step: int = Field(description="steps finished when the first worker came that computes so")


class _Kept(Record):
    """The file."""

    seen: tuple[Numerics, ...]


def numerics_of(folder: Path) -> tuple[Numerics, ...]:
    """In which ways the run in a folder was computed, the first one first; none where nobody wrote it down."""
    try:
        return _read(folder)
    except Damaged:
        return ()


def _read(folder: Path) -> tuple[Numerics, ...]:
    try:
        return read_record(folder / NUMERICS_FILE, _Kept).seen
    except FileNotFoundError:
        return ()


def mixed(seen: Sequence[Numerics]) -> str:
    """Say that a run was computed in more than one way; empty where it was not."""
    if len(seen) < 2:
        return ""
    ways = "; ".join(f"{each.what} (from step {each.step:,})" for each in seen)
    return f"computed in more than one way, so these are not the bits of one machine: {ways}"


class NumericsBook:
    """Writes down in which ways a run is computed; whoever has it holds the run, and lets one thread in at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._seen = _read(folder)
        except Damaged as error:
            set_aside(error.path, error.cause, "nobody knows any more by what the run was computed before")
            self._seen = ()

    def note(self, what: str, step: int, worker: str) -> None:
        """A worker comes that computes in this way, after so many steps."""
        if not what or any(each.what == what for each in self._seen):
            return
        self._seen = (*self._seen, Numerics(what=what, step=step))
        if len(self._seen) > 1:
            log.warning(
                "worker %s computes by %s, and this run was computed by %s: from step %d on its bits are not those of "
                "one machine",
                worker, what, self._seen[0].what, step,
            )  # fmt: skip
        try:
            write_record(self._folder / NUMERICS_FILE, _Kept(seen=self._seen))
        except OSError as error:
            # Training is worth more than this note; the coordinator's alarm tells of the full disk.
            log.warning("%s does not say how the run is computed: %s", self._folder / NUMERICS_FILE, error)
