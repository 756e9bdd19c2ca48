"""Pages of a product in a real browser: the process that serves them, and looking at them without a complaint."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Served:
    """Where pages are served, and by which process."""

    url: str
    pid: int


@contextmanager
def serving(
    script: Path, folder: Path, ready: str, *, imports: Sequence[Path] = (), patience_s: float = 5
) -> Iterator[Served]:
    """Run ``script PORT FOLDER`` and wait until it answers ``ready``; nothing may go wrong in it until it is stopped.

    Args:
        script: serves the pages.
        folder: home of the process, and where its log is.
        ready: path that is asked for until it is answered.
        imports: folders that the script imports from.
        patience_s: seconds for that answer.
    """
    log = folder / "server.log"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"TENFOLD_HOME": str(folder)}
    if imports:
        environment["PYTHONPATH"] = os.pathsep.join(map(str, imports))
    command = [sys.executable, str(script), str(port), str(folder)]
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
    try:
        deadline = time.monotonic() + 240
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{ready}", timeout=patience_s).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
        yield Served(f"http://127.0.0.1:{port}", process.pid)
        assert "Traceback" not in log.read_text(), log.read_text()
    finally:
        process.terminate()
        process.wait(20)


class Windows:
    """Opens pages, each in a context of its own; none may complain, and ``hosts`` are all that they asked."""

    def __init__(self, browser) -> None:
        self._browser = browser
        self._contexts, self._complaints = [], []
        self.hosts: set[str] = set()

    def open(self, url: str, viewport: dict[str, int], **more):
        """Open an address in a window of this size."""
        context = self._browser.new_context(viewport=viewport, **more)
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self._complaints.append(str(error)))
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        page.goto(url)
        return page

    def close(self) -> None:
        """Close them all; nothing was complained of."""
        for context in self._contexts:
            context.close()
        assert self._complaints == []

    def _listen(self, told) -> None:
        if told.type in ("error", "warning"):
            self._complaints.append(told.text)
