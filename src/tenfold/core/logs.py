"""Where a process's output goes, how its lines look, and how much of it is kept.

A process writes to descriptors that it was started with, native code and last words included. So logs are rotated from
outside, by whoever keeps processes alive: a log that has grown is copied, and emptied in place. All who write to it
append, so they go on at its new end. A line that is written between the copy and the emptying is lost.
"""

import contextlib
import fcntl
import logging
import os
import re
import shutil
import sys
from contextvars import ContextVar
from pathlib import Path

log = logging.getLogger(__name__)

LOG_LIMIT_BYTES = 10_000_000
KEPT_LOGS = 3
"""Older parts of a log, as ``NAME.log.1`` (the newest) and so on."""

LAST_BYTES = 8192
"""Of a log, in which its last line is looked for."""

REQUEST: ContextVar[str] = ContextVar("request", default="")
"""Id of the request that is being answered here; lines that are logged meanwhile name it."""


_KEY = re.compile(r"\b(tf_[0-9a-f]{12}_)[A-Za-z0-9_-]{8,}")
"""An API key (see ``pool/keys.py``), in whatever is quoted: an address with its query, an error's text."""


class _Lines(logging.Formatter):
    """One line: time, level, process, who says it, and what, with its request's id if there is one; no secret of a key.

    A key's id stays, which ``tenfold keys`` lists too.
    """

    def __init__(self, process: str) -> None:
        # A % in a name would be taken for a field.
        name = process.replace("%", "%%")
        super().__init__(f"%(asctime)s %(levelname)s {name}[%(process)d] %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return _KEY.sub(r"\1...", super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:
        line, request = super().formatMessage(record), REQUEST.get()
        # Whoever names the request itself need not be corrected.
        return f"{line} (request {request})" if request and request not in line else line


def log_as(process: str) -> None:
    """Log to standard error with time, level and ``process``; Tenfold's own from INFO on, others' from WARNING."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines(process))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("tenfold").setLevel(logging.INFO)


def rotate_logs(folder: Path) -> None:
    """Empty each ``*.log`` of a folder that is over ``LOG_LIMIT_BYTES``, and keep its last ``KEPT_LOGS`` parts.

    Where several processes do it, one does at a time. On a full disk a log grows until its oldest part is gone, which
    makes room.
    """
    with contextlib.ExitStack() as stack:
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            log.debug("logs in %s are not rotated now: %s", folder, error)
            return
        for path in folder.glob("*.log"):
            try:
                if path.stat().st_size > LOG_LIMIT_BYTES:
                    _rotate(path)
            except OSError as error:
                log.warning("cannot rotate %s: %s", path, error.strerror)


def _rotate(path: Path) -> None:
    parts = [path.with_name(f"{path.name}.{number}") for number in range(1, KEPT_LOGS + 1)]
    parts[-1].unlink(missing_ok=True)
    for older, newer in zip(reversed(parts), reversed(parts[:-1]), strict=False):
        if newer.exists():
            newer.replace(older)
    try:
        shutil.copyfile(path, parts[0])
    except OSError:
        parts[0].unlink(missing_ok=True)
        raise
    os.truncate(path, 0)


def open_log(path: Path) -> int:
    """Open a log for appending, as a descriptor for a process to be started; where that fails, nowhere.

    A process that cannot log, e.g. because the disk is full, is better than none.
    """
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as error:
        log.warning("cannot log to %s: %s", path, error.strerror)
        return os.open(os.devnull, os.O_WRONLY)


def last_line(path: Path) -> str:
    """Read the end of a log, for an exception its message; where it cannot be read, say why."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LAST_BYTES))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError as error:
        return f"{path}: {error.strerror}"
    return f"{lines[-1] if lines else 'it said nothing'} ({path})"


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
    """End this process at once, with the error that ends it as its last words; never returns.

    It ends whatever becomes of those words: where the log is on a full disk, printing raises too, and a process that is
    broken must not stay and look alive.
    """
    try:
        if error is not None:
            log.critical("an error ends this process", exc_info=error)
        sys.stderr.flush()
    finally:
        os._exit(status)
