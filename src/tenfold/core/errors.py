"""The one tree of errors.

A message says what is wrong, where, and what would be right; ``next_step`` is the command or edit to try.
"""

from pathlib import Path


class TenfoldError(Exception):
    """Any failure that Tenfold explains to its user.

    Args:
        message: what is wrong and where, with the offending value in quotes.
        next_step: what to do about it; printed on a line of its own.
    """

    exit_code = 1

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.next_step = next_step


class UsageError(TenfoldError):
    """The command line or a file that the user wrote is wrong."""

    exit_code = 2


class ConfigError(UsageError):
    """``tenfold.toml`` has an unknown key or a value out of range."""


class InfeasibleError(TenfoldError):
    """What was asked for cannot be had: floors above slots, memory below need."""

    exit_code = 3


class PortTaken(TenfoldError):
    """Another process listens on the address."""


class NotEnoughMemory(InfeasibleError):
    """The machine has less free memory than the residents need."""


class AssetError(TenfoldError):
    """A model or data file is missing, corrupt, or cannot be fetched."""


class HomeNotWritable(TenfoldError):
    """The pool's folder cannot be written: the disk is full, or its permissions forbid it."""


class Damaged(AssetError):
    """A file does not hold what was written to it.

    Args:
        path: the file.
        cause: how it was noticed.
        what: what the file is, e.g. ``checkpoint``.
        next_step: what to do about it.
    """

    def __init__(self, path: Path, cause: str, *, what: str = "", next_step: str = "") -> None:
        super().__init__(f"{what} {path} is damaged: {cause}".lstrip(), next_step=next_step)
        self.path, self.cause = path, cause


class OfAnotherVersion(Damaged):
    """A file is whole, but is not what this version of Tenfold writes there."""


class StoreError(TenfoldError):
    """A database cannot be used: its server or driver is away, or a newer Tenfold has written there."""


class LedgerError(TenfoldError):
    """The ledger cannot be opened, or is damaged and not this process's to mend."""


class NotRunning(TenfoldError):
    """A command needs a running pool and found none."""


class AlreadyRunning(TenfoldError):
    """``tenfold up`` found a pool that runs from the same home folder."""


class ClusterUnreachable(TenfoldError):
    """No Ray cluster answers at the address, or it does not let the asker in."""


class HostFailed(TenfoldError):
    """The process that keeps a node's residents alive did not start."""


class ResidentFailed(TenfoldError):
    """A resident did not load, or died more often than it is restarted."""
