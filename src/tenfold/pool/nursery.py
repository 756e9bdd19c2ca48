"""A warm process that forks residents.

It imports the heavy libraries once and forks a child per resident, so a resident starts in the time it takes to load
its model: 12 residents share one ``import torch`` (2.6 CPU-seconds) instead of paying it each. It is the parent of
all residents of its node, so it learns of a death at once, and they die with it. Between two imports it forks those
whose modules are there already, so that they load meanwhile.

It speaks JSON lines. In: ``{"spawn": ProcessSpec}``, ``{"signal": name, "number": n, "pid": p}``. Out: births and
deaths as ``{"name", "event": "started" | "ready" | "exited", "pid", "port", "status"}``. End of input ends it. A signal
with a ``pid`` is for that process only: by the time it comes, another may live under the name.

A child that was stopped is told to go on, and one that stays without a sign of life (see ``heartbeat``) is killed
here, whether or not anybody asks it for anything. Its own sign, once it has imported all, is the event ``beat``, once a
second, which names nobody.
"""

import gc
import importlib
import logging
import os
import selectors
import signal
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from tenfold.core.logs import append_line, end_process, log_as, open_log, rotate_logs
from tenfold.pool import process
from tenfold.pool.heartbeat import BEAT_EVERY_S, Pulse, Vigil, resume_if_stopped
from tenfold.pool.process import ProcessSpec

log = logging.getLogger(__name__)

RESIDENT_SILENT_LOOKS = 10
"""More patience than with companions: the controller asks those that are awake every tick, and acts sooner."""


@dataclass(slots=True)
class _Child:
    """A resident or companion that lives; ``heard``: since the last look. Its pipe carries its port, then beats."""

    spec: ProcessSpec
    pid: int
    vigil: Vigil
    heard: bool = False
    told: bytes = b""
    ready: bool = False
    condemned: bool = False


class Nursery:
    """The forking loop. Single-threaded, because a fork copies only the calling thread.

    Args:
        log_dir: where children log.
        modules: to import, in this order.
    """

    def __init__(self, log_dir: Path, modules: Sequence[str]) -> None:
        self._log_dir = log_dir
        self._pid = os.getpid()
        self._to_import = deque(modules)
        self._unborn: list[ProcessSpec] = []
        self._children: dict[str, _Child] = {}
        self._look_at = 0.0
        self._selector = selectors.DefaultSelector()
        self._inbox = b""

    def run(self) -> None:
        """Import and serve orders until standard input closes, then kill all children."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._selector.register(0, selectors.EVENT_READ, "orders")
        self._selector.register(wake_read, selectors.EVENT_READ, "children")
        while self._serve():
            if self._to_import:
                self._import_next()
            elif time.monotonic() >= self._look_at:
                self._look_at = time.monotonic() + BEAT_EVERY_S
                self._look()
        self._kill_all()

    def _serve(self) -> bool:
        """Do what has come, or wait for it until the next look is due; false once nothing will come any more."""
        wait_s = 0.0 if self._to_import else max(0.0, self._look_at - time.monotonic())
        for key, _ in self._selector.select(wait_s):
            if key.data == "orders":
                if not self._read_orders():
                    return False
            elif key.data == "children":
                os.read(key.fd, 4096)
                self._reap()
            else:
                self._hear(key.fd, key.data)
        return True

    def _import_next(self) -> None:
        importlib.import_module(self._to_import.popleft())
        # What is there now stays: children share it with this process for as long as no collection touches it.
        gc.collect()
        gc.freeze()
        unborn, self._unborn = self._unborn, []
        for spec in unborn:
            self._spawn(spec)

    def _read_orders(self) -> bool:
        chunk = os.read(0, 1 << 16)
        *lines, self._inbox = (self._inbox + chunk).split(b"\n")
        for line in lines:
            order = orjson.loads(line)
            if "spawn" in order:
                self._spawn(ProcessSpec.from_json(orjson.dumps(order["spawn"])))
            else:
                self._signal(order["signal"], order["number"], order["pid"])
        return bool(chunk)

    def _signal(self, name: str, number: int, pid: int | None) -> None:
        # A child that has ended keeps its id until it is reaped, which only this loop does: no stranger has it.
        living = self._children.get(name)
        if living is not None and pid in (None, living.pid):
            os.kill(living.pid, number)

    def _spawn(self, spec: ProcessSpec) -> None:
        """Fork a child, now or once its module is there."""
        if spec.factory.split(":")[0] in self._to_import:
            self._unborn.append(spec)
            return
        life_read, life_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(life_read)
            self._be_child(spec, life_write)
        os.close(life_write)
        vigil = Vigil() if spec.slot is None else Vigil(RESIDENT_SILENT_LOOKS)
        self._children[spec.name] = child = _Child(spec, pid, vigil)
        self._selector.register(life_read, selectors.EVENT_READ, child)
        _say(spec.name, "started", pid=pid)

    def _be_child(self, spec: ProcessSpec, life_write: int) -> None:
        """Become the resident; never returns."""
        status = 1
        try:
            process.die_with_parent()
            if os.getppid() != self._pid:
                # It died before the kernel knew; so nothing would end this process.
                os._exit(status)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            for key in list(self._selector.get_map().values()):
                os.close(key.fd)
            self._selector.close()
            nothing = os.open(os.devnull, os.O_RDONLY)
            output = open_log(log_path(self._log_dir, spec.name))
            for source, standard in ((nothing, 0), (output, 1), (output, 2)):
                os.dup2(source, standard)
            log_as(spec.name)
            process.run(spec, lambda port: _tell_port(life_write, port), Pulse(life_write))
            status = 0
        finally:
            end_process(status, sys.exception())

    def _hear(self, life_read: int, child: _Child) -> None:
        text = os.read(life_read, 4096)
        if not text:
            self._selector.unregister(life_read)
            os.close(life_read)
            return
        child.heard = True
        if not child.ready:
            child.told += text
            port, line_break, _ = child.told.partition(b"\n")
            if line_break:
                child.ready = True
                _say(child.spec.name, "ready", pid=child.pid, port=int(port))

    def _look(self) -> None:
        """Let those go on that were stopped; kill whoever stays silent. Its end is told like any other."""
        for child in self._children.values():
            if not child.heard and resume_if_stopped(child.pid):
                log.warning("%s was stopped; it was told to go on", child.spec.name)
            if child.vigil.look(child.heard) and not child.condemned:
                child.condemned = True
                append_line(log_path(self._log_dir, child.spec.name), f"killed: {child.vigil.verdict}")
                log.warning("%s was killed: %s", child.spec.name, child.vigil.verdict)
                os.kill(child.pid, signal.SIGKILL)
            child.heard = False
        rotate_logs(self._log_dir)
        # Its own sign of life, to its host.
        _say("", "beat")

    def _reap(self) -> None:
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for name in [name for name, child in self._children.items() if child.pid == pid]:
                del self._children[name]
                _say(name, "exited", pid=pid, status=os.waitstatus_to_exitcode(status))

    def _kill_all(self) -> None:
        for child in self._children.values():
            os.kill(child.pid, signal.SIGKILL)
        for child in self._children.values():
            os.waitpid(child.pid, 0)


def log_path(log_dir: Path, name: str) -> Path:
    """Where a resident's output goes."""
    return log_dir / f"{name.replace('/', '.')}.log"


def _tell_port(life_write: int, port: int) -> None:
    os.write(life_write, b"%d\n" % port)


def _say(name: str, event: str, *, pid: int | None = None, port: int | None = None, status: int | None = None) -> None:
    line = orjson.dumps({"name": name, "event": event, "pid": pid, "port": port, "status": status}) + b"\n"
    os.write(1, line)


def main() -> None:
    """``python -m tenfold.pool.nursery LOG_DIR MODULE...``: import the modules, then serve orders."""
    log_dir = Path(sys.argv[1])
    log_dir.mkdir(parents=True, exist_ok=True)
    log_as("nursery")
    Nursery(log_dir, sys.argv[2:]).run()


if __name__ == "__main__":
    main()
