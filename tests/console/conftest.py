"""The pretended pool, as a module for the pure tests and as a served page for the browser's."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("pretend_pool.py")


@pytest.fixture(scope="session")
def pretend_pool():
    spec = importlib.util.spec_from_file_location("pretend_pool", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class ServedPage:
    """The page in a process of its own, as in the gateway."""

    def __init__(self, port: int, process: subprocess.Popen, home: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.process = process
        self.home = home

    def show(self, phase: str) -> None:
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/pretend/{phase}", method="PUT"), timeout=60).close()

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=60) as response:
            return response.read()


@contextmanager
def serving(folder: Path) -> Iterator[ServedPage]:
    log, home = folder / "server.log", folder / "home"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(port)],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=os.environ | {"TENFOLD_HOME": str(home)},
        )
    page = ServedPage(port, process, home)
    try:
        for _ in range(600):
            try:
                page.get("/v1/models")
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                time.sleep(0.1)
        else:
            pytest.fail(f"the page's server did not start: {log.read_text()}")
        yield page
        assert log.read_text() == "", "the server has nothing to complain of"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("console")) as page:
        yield page


@pytest.fixture
def served_afresh(tmp_path):
    with serving(tmp_path) as page:
        yield page
