"""Bring up, watch and stop a real pool by the real command."""

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import psutil

READY_TIMEOUT_S = 240


def get(url: str, timeout_s: float = 10) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return 0, b""


def until(condition, timeout_s: float, what: str = "the condition"):
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what} did not hold within {timeout_s} s")


@dataclass
class Pool:
    """A running ``tenfold up``."""

    home: Path
    process: subprocess.Popen
    url: str

    def state(self) -> dict:
        status, body = get(f"{self.url}/api/state")
        return json.loads(body) if status == 200 else {}

    def workload(self, name: str) -> dict:
        return next(w for w in self.state()["workloads"] if w["workload"] == name)

    def resident(self, workload: str, phase: str) -> dict | None:
        found = [r for s in self.state()["slots"] for r in s["residents"]]
        return next((r for r in found if r["workload"] == workload and r["phase"] == phase), None)

    def command(self, *words: str, timeout_s: float = 120) -> subprocess.CompletedProcess:
        return tenfold(self.home, *words, timeout_s=timeout_s)

    def hosts(self) -> list[dict]:
        """What the run file tells of hosts; they are nobody's children."""
        path = self.home / "run.json"
        return list(json.loads(path.read_text())["hosts"].values()) if path.exists() else []

    def family(self) -> list[psutil.Process]:
        """All processes of the pool on this machine."""
        found = []
        for pid in (self.process.pid, *(host["pid"] for host in self.hosts())):
            with contextlib.suppress(psutil.NoSuchProcess):
                top = psutil.Process(pid)
                found += [top, *top.children(recursive=True)]
        return found

    def child(self, module: str) -> int:
        """Process id of the child that runs a module."""
        return next(p.pid for p in self.family() if p.status() != "zombie" and module in p.cmdline())


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "TENFOLD_HOME": str(home), "NO_COLOR": "1", "COLUMNS": "160"}


def tenfold(home: Path, *words: str, timeout_s: float = 120) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "tenfold.cli.main", *words],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def start(home: Path, *words: str, within: tuple[str, ...] = (), **variables: str) -> Pool:
    """Bring a pool up; ``within``: a command that runs it elsewhere, ``variables``: of its environment."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "up.log").open("ab") as log:
        process = subprocess.Popen(
            [*within, sys.executable, "-m", "tenfold.cli.main", "up", "--port", "0", "--json", *words],
            env={**environment(home), **variables},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    process.stdout.close()
    assert line, (home / "up.log").read_text()
    return Pool(home, process, json.loads(line)["url"])


def stop(pool: Pool) -> list[psutil.Process]:
    """Stop by ``tenfold down``; returns what should be gone."""
    family = pool.family()
    pool.command("down")
    pool.process.wait(30)
    return family
