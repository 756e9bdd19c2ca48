"""The front as a process of its own, as ``tenfold up`` starts it; what is behind it is up to the test."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tenfold.cli.front import FrontSpec
from tenfold.core.config import Config
from tenfold.pool.product_route import ProductRoute
from tenfold.wiring import CONFIG

NOBODY = "http://127.0.0.1:9"


@dataclass
class FrontProcess:
    """A running front."""

    port: int
    process: subprocess.Popen
    log: Path
    key: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request with just these headers, and the key if there is one; gives status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        lines = {"authorization": f"Bearer {self.key}"} if self.key else {}
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.putrequest(method, path, skip_host="host" in lines, skip_accept_encoding=True)
            for name, value in lines.items():
                connection.putheader(name, value)
            if body is not None and "content-length" not in lines:
                connection.putheader("content-length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def refusal(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, str]:
        """Status and code of an answer that must be an error in our shape."""
        status, sent, text = self.ask(path, method, body, **headers)
        assert sent["content-type"] == "application/json"
        error = json.loads(text)["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return status, error["code"]


@contextmanager
def front(
    log: Path,
    config: Config | None = None,
    controller_url: str = NOBODY,
    products: dict[str, ProductRoute] | None = None,
    home: Path | None = None,
    key: str = "",
) -> Iterator[FrontProcess]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    port = listener.getsockname()[1]
    spec = FrontSpec(
        config=config or CONFIG(),
        url=f"http://127.0.0.1:{port}",
        listener=listener.fileno(),
        controller_url=controller_url,
        companions={"train": "127.0.0.1:9"},
        products=products or {},
        token="secret",
    )
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tenfold.cli.front"],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=[listener.fileno()],
            env=os.environ | ({"TENFOLD_HOME": str(home)} if home else {}),
        )
    assert process.stdin is not None
    process.stdin.write(spec.model_dump_json().encode() + b"\n")
    process.stdin.close()
    found = FrontProcess(port, process, log)
    try:
        deadline = time.monotonic() + 180
        while True:
            try:
                found.ask("/v1/models", **({"authorization": f"Bearer {key}"} if key else {}))
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
        yield found
    finally:
        process.terminate()
        process.wait(60)
        listener.close()
