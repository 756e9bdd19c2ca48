"""A warm process that forks residents.

It imports the heavy libraries once and forks a child per resident, so a resident starts in the time it takes to load
its model: 12 residents share one ``import torch`` (2.6 CPU-seconds) instead of paying it each. It is the parent of
all residents of its node, so it learns of a death at once, and they die with it.

It speaks JSON lines. In: ``{"spawn": ProcessSpec}``, ``{"signal": name, "number": n, "pid": p}``. Out: births and
deaths as ``{"name", "event": "started" | "ready" | "exited", "pid", "port", "status"}``. End of input ends it. A signal
with a ``pid`` is for that process only: by the time it comes, another may live under the name.
"""

import gc
import importlib
import os
import selectors
import signal
import sys
from pathlib import Path

import orjson

from tenfold.pool import process
from tenfold.pool.process import ProcessSpec


class Nursery:
    """The forking loop. Single-threaded, because a fork copies only the calling thread."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._pids: dict[str, int] = {}
        self._selector = selectors.DefaultSelector()
        self._inbox = b""

    def run(self) -> None:
        """Serve orders until standard input closes, then kill all children."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._selector.register(0, selectors.EVENT_READ, "orders")
        self._selector.register(wake_read, selectors.EVENT_READ, "children")
        while True:
            for key, _ in self._selector.select():
                if key.data == "orders":
                    if not self._read_orders():
                        self._kill_all()
                        return
                elif key.data == "children":
                    os.read(wake_read, 4096)
                    self._reap()
                else:
                    self._read_port(key.fd, key.data)

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
        living = self._pids.get(name)
        if living is not None and pid in (None, living):
            os.kill(living, number)

    def _spawn(self, spec: ProcessSpec) -> None:
        port_read, port_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(port_read)
            self._be_child(spec, port_write)
        os.close(port_write)
        self._pids[spec.name] = pid
        self._selector.register(port_read, selectors.EVENT_READ, spec.name)
        _say(spec.name, "started", pid=pid)

    def _be_child(self, spec: ProcessSpec, port_write: int) -> None:
        """Become the resident; never returns."""
        status = 1
        try:
            process.die_with_parent()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            self._selector.close()
            log = os.open(log_path(self._log_dir, spec.name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            nothing = os.open(os.devnull, os.O_RDONLY)
            for source, standard in ((nothing, 0), (log, 1), (log, 2)):
                os.dup2(source, standard)
            process.run(spec, lambda port: _tell_port(port_write, port))
            status = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _read_port(self, port_read: int, name: str) -> None:
        text = os.read(port_read, 64)
        if text:
            _say(name, "ready", pid=self._pids.get(name), port=int(text))
        self._selector.unregister(port_read)
        os.close(port_read)

    def _reap(self) -> None:
        while self._pids:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for name in [name for name, known in self._pids.items() if known == pid]:
                del self._pids[name]
                _say(name, "exited", pid=pid, status=os.waitstatus_to_exitcode(status))

    def _kill_all(self) -> None:
        for pid in self._pids.values():
            os.kill(pid, signal.SIGKILL)
        for pid in self._pids.values():
            os.waitpid(pid, 0)


def log_path(log_dir: Path, name: str) -> Path:
    """Where a resident's output goes."""
    return log_dir / f"{name.replace('/', '.')}.log"


def _tell_port(port_write: int, port: int) -> None:
    os.write(port_write, str(port).encode())
    os.close(port_write)


def _say(name: str, event: str, *, pid: int | None = None, port: int | None = None, status: int | None = None) -> None:
    line = orjson.dumps({"name": name, "event": event, "pid": pid, "port": port, "status": status}) + b"\n"
    os.write(1, line)


def main() -> None:
    """``python -m tenfold.pool.nursery LOG_DIR MODULE...``: import the modules, then serve orders."""
    log_dir = Path(sys.argv[1])
    log_dir.mkdir(parents=True, exist_ok=True)
    for module in sys.argv[2:]:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    Nursery(log_dir).run()


if __name__ == "__main__":
    main()
