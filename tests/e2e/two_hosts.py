"""Two machines with a wire between them that can be cut: two network namespaces joined by a bridge in a third.

Each has a raylet of its own, and both share this machine's files and processors. Making them takes the rights of root.
"""

import concurrent.futures
import contextlib
import ctypes
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

CLONE_NEWNET = 0x40000000
RAY_PORT = 6399


def ip(*words: str, check: bool = True) -> subprocess.CompletedProcess:
    return subprocess.run(["ip", *words], check=check, capture_output=True, text=True)


def refusal() -> str:
    """Why no namespace can be made here; empty if it can."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    name = f"tf-try-{os.getpid()}"
    try:
        made = ip("netns", "add", name, check=False)
    except FileNotFoundError:
        return "there is no 'ip' command"
    if made.returncode:
        return f"network namespaces may not be made here: {made.stderr.strip()}"
    ip("netns", "delete", name)
    return ""


@dataclass
class TwoHosts:
    """Namespaces ``a`` (10.77.0.1) and ``b`` (10.77.0.2)."""

    tag: str = field(default_factory=lambda: f"tf{os.getpid()}")
    raylets: dict[str, subprocess.Popen] = field(default_factory=dict)

    def namespace(self, host: str) -> str:
        return f"{self.tag}{host}"

    def address(self, host: str) -> str:
        return {"a": "10.77.0.1", "b": "10.77.0.2"}[host]

    def within(self, host: str) -> tuple[str, ...]:
        """What runs a command on a host."""
        return ("ip", "netns", "exec", self.namespace(host))

    def build(self) -> None:
        wire = self.namespace("w")
        ip("netns", "add", wire)
        ip("-n", wire, "link", "add", "bridge", "type", "bridge")
        ip("-n", wire, "link", "set", "bridge", "up")
        for host in "ab":
            space = self.namespace(host)
            ip("netns", "add", space)
            ip("-n", space, "link", "set", "lo", "up")
            ip("-n", space, "link", "add", "eth0", "type", "veth", "peer", "name", f"to-{host}", "netns", wire)
            ip("-n", space, "address", "add", f"{self.address(host)}/24", "dev", "eth0")
            ip("-n", space, "link", "set", "eth0", "up")
            ip("-n", wire, "link", "set", f"to-{host}", "up", "master", "bridge")

    def cut(self) -> None:
        """Both keep their carrier; what they send arrives nowhere, as behind a dead switch."""
        ip("-n", self.namespace("w"), "link", "set", "to-b", "nomaster")

    def mend(self) -> None:
        ip("-n", self.namespace("w"), "link", "set", "to-b", "master", "bridge")

    def listening(self, host: str) -> list[tuple[int, str, int]]:
        """Who listens on a host: process id, address and port."""
        told = subprocess.run([*self.within(host), "ss", "-ltnpH"], check=True, capture_output=True, text=True).stdout
        found = []
        for line in told.splitlines():
            address, _, port = line.split()[3].rpartition(":")
            found += [(int(pid), address.strip("[]"), int(port)) for pid in re.findall(r"pid=(\d+)", line)]
        return found

    def start_ray(self, host: str, variables: dict[str, str], log: Path) -> None:
        """Start a raylet of one core on a host, on ``a`` with the cluster's head."""
        where = (
            ("--head", "--port", str(RAY_PORT), "--include-dashboard", "false")
            if host == "a"
            else ("--address", f"{self.address('a')}:{RAY_PORT}")
        )
        with log.open("ab") as output:
            self.raylets[host] = subprocess.Popen(
                [
                    *self.within(host),
                    *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *where),
                    *("--node-ip-address", self.address(host), "--num-cpus", "1"),
                    *("--object-store-memory", str(80 << 20), "--disable-usage-stats"),
                ],
                env={**os.environ, **variables},
                stdout=output,
                stderr=output,
            )

    @contextlib.contextmanager
    def on(self, host: str) -> Iterator[Callable]:
        """Give a function that calls another in a thread whose sockets are a host's."""
        with concurrent.futures.ThreadPoolExecutor(8, initializer=self._enter, initargs=(host,)) as threads:
            yield threads.submit

    def _enter(self, host: str) -> None:
        with Path(f"/run/netns/{self.namespace(host)}").open() as space:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(space.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")

    def take_down(self) -> None:
        for process in self.raylets.values():
            process.terminate()
        for process in self.raylets.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for name in "abw":
            ip("netns", "delete", self.namespace(name), check=False)
