"""Bring up, watch and stop a real pool by the real command."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import psutil

PATIENCE_S = 120
"""For how long anything is waited for: far longer than it takes, so that only what never comes fails a test."""


def get(url: str, timeout_s: float = 10) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return 0, b""


def until(condition, timeout_s: float = PATIENCE_S, what: str = "the condition"):
    """Give what a condition gives once it holds."""
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
        """What the pool tells of a workload, once it does: a controller that has just started knows none yet."""
        return until(lambda: self._told(name), what=f"the state of {name}")

    def _told(self, name: str) -> dict | None:
        return next((w for w in self.state().get("workloads", ()) if w["workload"] == name), None)

    def step(self) -> int:
        """Training's step, once it is told."""
        return until(lambda: self.workload("train")["facts"].get("step"), what="training's step")

    def awake(self, workload: str) -> int:
        """How many slots work for a workload."""
        return self.workload(workload)["slots"]

    def slots(self) -> list[dict]:
        return self.state().get("slots", [])

    def residents(self) -> list[dict]:
        return [resident for slot in self.slots() for resident in slot["residents"]]

    def resident(self, workload: str, phase: str) -> dict:
        """One that is in a phase, once there is one."""

        def found() -> dict | None:
            return next((r for r in self.residents() if (r["workload"], r["phase"]) == (workload, phase)), None)

        return until(found, what=f"a resident of {workload} that is {phase}")

    def settle(self) -> list[dict]:
        """Give all residents once every one is loaded, on every slot."""

        def settled() -> list[dict]:
            found, count = self.residents(), 3 * len(self.slots())
            loaded = [r for r in found if r["pid"] and r["phase"] in ("awake", "asleep", "waking", "draining")]
            return found if len(loaded) == count else []

        return until(settled, what="every resident loaded")

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
        """Process id of the child that runs a module, once there is one."""
        return until(lambda: next((p.pid for p in living(self.family()) if runs(p, module)), None), what=module)

    def up_again(self, *words: str) -> None:
        """Bring up what has ended, from the same home."""
        again = start(self.home, *words)
        self.process, self.url = again.process, again.url


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def runs(process: psutil.Process, module: str) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return module in process.cmdline()
    return False


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
    """Stop by ``tenfold down``; returns what is left."""
    family = pool.family()
    pool.command("down")
    pool.process.wait(PATIENCE_S)
    return living(family)


def interrupt(pool: Pool) -> list[psutil.Process]:
    """Stop by Ctrl-C; returns what is left."""
    family = pool.family()
    pool.process.send_signal(signal.SIGINT)
    pool.process.wait(PATIENCE_S)
    return living(family)
