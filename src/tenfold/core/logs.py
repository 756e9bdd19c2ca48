"""Where a process's output goes, and how its lines look."""

import logging
import os
import sys
import traceback
from pathlib import Path

log = logging.getLogger(__name__)


def open_log(path: Path) -> int:
    """Open a log for appending, as a descriptor for a process to be started; where that fails, nowhere.

    A process that cannot log, e.g. because the disk is full, is better than none.
    """
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as error:
        log.warning("cannot log to %s: %s", path, error.strerror)
        return os.open(os.devnull, os.O_WRONLY)


def append_line(path: Path, text: str) -> None:
    """Add a line to the log of a process that cannot do so itself any more."""
    descriptor = open_log(path)
    try:
        os.write(descriptor, f"{text}\n".encode())
    except OSError as error:
        log.warning("cannot log %r to %s: %s", text, path, error.strerror)
    finally:
        os.close(descriptor)


def end_process(status: int, error: BaseException | None = None) -> None:
    """End this process at once, with an error's traceback as its last words; never returns.

    It ends whatever becomes of those words: where the log is on a full disk, printing raises too, and a process that is
    broken must not stay and look alive.
    """
    try:
        if error is not None:
            traceback.print_exception(error)
        sys.stderr.flush()
    finally:
        os._exit(status)
