"""A real pool that may be broken: ``tenfold up`` with a home and a cache of its own, its processes, and its health."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tenfold.core.paths import cache_dir
from tenfold.llama.live import live_paths, peek
from tenfold.llama.runs import train_folder
from tenfold.pool.runfile import read_run_file

HOME_MB = 400
READY_TIMEOUT_S = 240
PROBE_S = 10.0
LOOK_EVERY_S = 0.1

HELLO = {"model": "smollm2-135m", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4}

Json = dict[str, object]


class NotHappened(Exception):
    """A fault that was meant to happen did not, so nothing can be said of it."""


@dataclass
class Pool:
    """A running pool.

    ``has_small_disk``: its home is a file system of its own, of ``HOME_MB``. ``seen``: every process that was ever part
    of it, number to start time. ``slots``: how many it must have; the most that it had.
    """

    home: Path
    cache: Path
    process: subprocess.Popen[str]
    url: str
    has_small_disk: bool
    seen: dict[int, float] = field(default_factory=dict)
    slots: int = 0

    # ---- what it says of itself

    def state(self) -> Json:
        """``/api/state``, or nothing if it does not answer 200."""
        status, body = ask(f"{self.url}/api/state")
        return json.loads(body) if status == 200 else {}

    def residents(self) -> list[Mapping[str, object]]:
        """All residents that the pool reports."""
        return [r for slot in self.state().get("slots", ()) for r in slot["residents"]]

    def step(self) -> int | None:
        """Training's step, from its live state in shared memory; none while there is none."""
        progress = peek(train_folder(self.home))
        return None if progress is None else progress.step

    # ---- its processes

    def family(self) -> list[psutil.Process]:
        """The supervisor, its hosts, which are not its children, and all living processes that were ever below them."""
        run = read_run_file(self.home)
        hosts = run.hosts.values() if run is not None else ()
        known = [*self.seen.items(), *((host.pid, host.started) for host in hosts)]
        roots = [process for pid, started in known if (process := _same(pid, started))]
        with suppress(psutil.NoSuchProcess):
            roots.append(psutil.Process(self.process.pid))
        living: dict[int, psutil.Process] = {}
        for root in roots:
            with suppress(psutil.NoSuchProcess):
                for process in (root, *root.children(recursive=True)):
                    if process.pid not in living and not _is(process, psutil.STATUS_ZOMBIE):
                        self.seen[process.pid] = process.create_time()
                        living[process.pid] = process
        return list(living.values())

    def pid(self, role: str) -> int:
        """Process id of a role: controller, front, nursery, host, raylet, coordinator, or a workload's resident.

        Of a workload's residents, one that is awake, if there is one.

        Raises:
            NotHappened: nobody has that role now.
        """
        found = next(iter(self.pids(role)), None)
        if found is None:
            raise NotHappened(f"the pool has no {role} now")
        return found

    def pids(self, role: str) -> list[int]:
        """Process ids of all that have a role, those who are awake first."""
        if role in ("rank", "serve", "train"):
            mine = [r for r in self.residents() if r["workload"] == role and r["pid"]]
            return [int(str(r["pid"])) for r in sorted(mine, key=lambda r: r["phase"] != "awake")]
        found = []
        for process in self.family():
            with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
                if _ROLES[role](process, self.home):
                    found.append(process.pid)
        return found

    def memory_mb(self) -> float:
        """Proportional memory of all its processes together, MB."""
        total_kb = 0
        for process in self.family():
            with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
                rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
                total_kb += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        return total_kb / 1024

    def left_behind(self) -> list[str]:
        """Processes of this pool that still live; to be asked once it was stopped."""
        alive = [process for pid, started in self.seen.items() if (process := _same(pid, started))]
        return [f"{process.pid} {process.name()}" for process in alive]

    def log_tail(self, name: str, lines: int = 3) -> str:
        """The last lines of one of its logs."""
        path = self.home / "logs" / name
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    # ---- whether it is whole

    def until_whole(
        self, step: int, limit_s: float, unhealed: Callable[[], str] = lambda: ""
    ) -> tuple[float | None, str]:
        """Wait until every workload serves and every slot works.

        Args:
            step: training must get beyond it.
            limit_s: how long to wait.
            unhealed: says what else must change, or nothing.

        Returns:
            Seconds until it was whole, or none if it was not within the limit, and what was missing last.
        """
        began = time.monotonic()
        missing = ""
        while True:
            found = self.missing(step) or unhealed()
            waited_s = time.monotonic() - began
            if not found:
                return waited_s, missing
            missing = found
            if waited_s > limit_s:
                return None, missing
            time.sleep(LOOK_EVERY_S)

    def missing(self, step: int) -> str:
        """Say what is not as it should be, or nothing."""
        return self._processes() or self._slots() or self._training(step) or self.probe()

    def _processes(self) -> str:
        if self.process.poll() is not None:
            return f"tenfold up ended with {self.process.returncode}"
        status, body = ask(f"{self.url}/healthz")
        if status != 200:
            return f"healthz says {status}: {body[:200].decode(errors='replace')}"
        stopped = [process.name() for process in self.family() if _is(process, psutil.STATUS_STOPPED)]
        return f"stopped: {', '.join(stopped)}" if stopped else ""

    def _slots(self) -> str:
        state = self.state()
        if state.get("controller") != "running":
            return f"the controller is {state.get('controller', 'silent')}"
        count = len(state["slots"])
        self.slots = max(self.slots, count)
        return f"{count} of {self.slots} slots are there" if count < self.slots or not count else _idle_slot(state)

    def _training(self, step: int) -> str:
        now = self.step()
        return f"training is at step {now}, was at {step}" if now is None or now <= step else ""

    def probe(self) -> str:
        """Ask each service once; say who did not answer, or nothing."""
        for path, question in (("/v1/rank", {"user": 7, "k": 3}), ("/v1/chat/completions", HELLO)):
            status, body = ask(f"{self.url}{path}", question, PROBE_S)
            if status != 200:
                return f"{path} answers {status}: {body[:200].decode(errors='replace')}"
        return ""


def _idle_slot(state: Json) -> str:
    """Name a slot that lacks a loaded resident or on which nobody works; nothing if all are well."""
    for slot in state["slots"]:
        for resident in slot["residents"]:
            if resident["phase"] in ("loading", "dead") or resident["pid"] is None:
                return f"{resident['resident']} is {resident['phase']}"
            if not psutil.pid_exists(int(resident["pid"])):
                return f"{resident['resident']}'s process {resident['pid']} is gone, which the pool does not know"
        if len(slot["residents"]) < 3:
            return f"{slot['slot']} has {len(slot['residents'])} residents"
        if slot["awake"] is None and not any(r["phase"] in ("waking", "draining") for r in slot["residents"]):
            return f"nobody works on {slot['slot']}"
    return ""


def _same(pid: int, started: float) -> psutil.Process | None:
    """Return a process that lives and started then; none if it is gone, or its number is another's by now."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if abs(process.create_time() - started) < 1 and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def _is(process: psutil.Process, status: str) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() == status)
    return False


def _runs(module: str) -> Callable[[psutil.Process, Path], bool]:
    return lambda process, _: module in process.cmdline()


def _is_nursery(process: psutil.Process, _: Path) -> bool:
    """It is named like the residents that it forks, but its parent is no nursery."""
    parent = process.parent()
    module = "tenfold.pool.nursery"
    return module in process.cmdline() and (parent is None or module not in parent.cmdline())


def _is_coordinator(process: psutil.Process, home: Path) -> bool:
    """It is the one process that maps the live state."""
    if "tenfold.pool.nursery" not in process.cmdline():
        return False
    mapped = Path(f"/proc/{process.pid}/maps").read_text()
    return any(str(path) in mapped for path in live_paths(train_folder(home)))


_ROLES: Mapping[str, Callable[[psutil.Process, Path], bool]] = {
    "controller": _runs("tenfold.pool.controller_server"),
    "front": _runs("tenfold.cli.front"),
    "nursery": _is_nursery,
    "coordinator": _is_coordinator,
    "host": lambda process, _: (
        process.name().startswith("ray::Host") or "tenfold.pool.host_server" in process.cmdline()
    ),
    "raylet": lambda process, _: process.name() == "raylet",
}


def ask(url: str, question: object = None, timeout_s: float = 5.0) -> tuple[int, bytes]:
    """GET, or POST a question as JSON; status 0 if there was no whole answer."""
    data = None if question is None else json.dumps(question).encode()
    try:
        request = urllib.request.Request(url, data, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except (OSError, ValueError, urllib.error.URLError) as error:
        return 0, str(error).encode()


@contextmanager
def running(root: Path, *words: str) -> Iterator[Pool]:
    """Bring up a pool under ``root``: its home on a small file system where one may be mounted, a copy of the cache.

    The user's own cache must be prepared (``prepare``). ``words`` are more arguments of ``tenfold up``.
    """
    home, cache = root / "home", root / "cache"
    home.mkdir()
    shutil.copytree(cache_dir(), cache)
    small = ["mount", "-t", "tmpfs", "-o", f"size={HOME_MB}m", "tmpfs", str(home)]
    # Hosts of a cluster that was there before see nothing that is mounted later.
    mounted = "--address" not in words and not subprocess.run(small, capture_output=True, check=False).returncode
    environment = {**os.environ, "TENFOLD_HOME": str(home), "TENFOLD_CACHE": str(cache), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "tenfold.cli.main"]
    try:
        with (root / "up.log").open("ab") as log:
            process = subprocess.Popen(
                [*command, "up", "--port", "0", "--json", *words],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the pool did not come up:\n{(root / 'up.log').read_text()}")
            yield Pool(home, cache, process, json.loads(line)["url"], mounted)
        finally:
            subprocess.run([*command, "down"], env=environment, check=False, capture_output=True, timeout=90)
            _end(process)
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(home)], check=False, capture_output=True)


def _end(process: subprocess.Popen[str]) -> None:
    """Wait for a pool that was told to stop; one that does not is killed with all that is below it."""
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.send_signal(signal.SIGKILL)
        process.wait(10)
    if process.stdout is not None:
        process.stdout.close()


def prepare() -> None:
    """Fetch and make what a pool needs, into the user's cache; quick where all is there."""
    subprocess.run([sys.executable, "-m", "tenfold.cli.main", "assets"], check=True, stdout=sys.stderr)


def wait_for(condition: Callable[[], object], limit_s: float, what: str) -> None:
    """Wait until something holds.

    Raises:
        NotHappened: it did not within the limit.
    """
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            raise NotHappened(f"{what} did not hold within {limit_s:g} s")
        time.sleep(0.02)
