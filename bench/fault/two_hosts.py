"""Two hosts on one machine with a wire between them that can be cut: network namespaces, and a Ray node in each.

Each host is a network namespace; a bridge in a third joins them. Both share this machine's files and processors. Making
them takes the rights of root.
"""

import concurrent.futures
import ctypes
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

RAY_PORT = 6399
END_S = 20.0
_ADDRESSES = {"a": "10.77.0.1", "b": "10.77.0.2"}
_CLOSED_PORT = 9
_CLONE_NEWNET = 0x40000000


def refusal() -> str:
    """Say why no namespace can be made here, or nothing."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    name = f"tf-try-{os.getpid()}"
    try:
        made = _ip("netns", "add", name, check=False)
    except FileNotFoundError:
        return "there is no 'ip' command"
    if made.returncode:
        return f"network namespaces may not be made here: {made.stderr.strip()}"
    _ip("netns", "delete", name)
    return ""


@dataclass
class TwoHosts:
    """The hosts ``a`` and ``b``. ``raylets``: what runs Ray on each, by host."""

    tag: str = field(default_factory=lambda: f"tf{os.getpid()}")
    raylets: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def namespace(self, host: str) -> str:
        """Name of a host's namespace; ``w`` is the wire's."""
        return f"{self.tag}{host}"

    def address(self, host: str) -> str:
        """Where the hosts reach each other."""
        return _ADDRESSES[host]

    @property
    def ray_address(self) -> str:
        """Where the head of the Ray cluster listens."""
        return f"{self.address('a')}:{RAY_PORT}"

    # ---- the wire

    def cut(self) -> None:
        """Cut the wire: both keep their carrier, and what they send arrives nowhere, as behind a dead switch."""
        _ip("-n", self.namespace("w"), "link", "set", "to-b", "nomaster")

    def mend(self) -> None:
        """Undo ``cut``."""
        _ip("-n", self.namespace("w"), "link", "set", "to-b", "master", "bridge")

    def reaches(self) -> bool:
        """Whether ``a`` reaches ``b``: a port where nobody listens is refused by a host that is there."""
        with self.inside("a"):
            try:
                socket.create_connection((self.address("b"), _CLOSED_PORT), timeout=1).close()
            except ConnectionRefusedError:
                return True
            except OSError:
                return False
        return True

    # ---- on a host

    def within(self, host: str) -> tuple[str, ...]:
        """Give the words before a command that run it on a host."""
        return ("ip", "netns", "exec", self.namespace(host))

    @contextmanager
    def inside(self, host: str) -> Iterator[None]:
        """Have this thread, and the processes and threads that it starts, use a host's network."""
        with Path("/proc/thread-self/ns/net").open() as own:
            self._enter(host)
            try:
                yield
            finally:
                _set_namespace(own.fileno())

    @contextmanager
    def on(self, host: str) -> Iterator[Callable[..., concurrent.futures.Future]]:
        """Give a function that calls another in a thread whose sockets are a host's."""
        with concurrent.futures.ThreadPoolExecutor(8, initializer=self._enter, initargs=(host,)) as threads:
            yield threads.submit

    def listening(self, host: str) -> list[tuple[int, str, int]]:
        """Tell who listens on a host: process id, address and port."""
        told = subprocess.run([*self.within(host), "ss", "-ltnpH"], check=True, capture_output=True, text=True).stdout
        found = []
        for line in told.splitlines():
            address, _, port = line.split()[3].rpartition(":")
            found += [(int(pid), address.strip("[]"), int(port)) for pid in re.findall(r"pid=(\d+)", line)]
        return found

    def start_ray(self, host: str, variables: Mapping[str, str], log: Path) -> None:
        """Start a Ray node of one core on a host: on ``a`` the cluster's head."""
        head = ("--head", "--port", str(RAY_PORT), "--include-dashboard", "false")
        where = head if host == "a" else ("--address", self.ray_address)
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

    def has_head(self) -> bool:
        """Whether the Ray cluster's head answers."""
        with self.inside("a"), suppress(OSError):
            socket.create_connection((self.address("a"), RAY_PORT), timeout=1).close()
            return True
        return False

    # ---- making and removing

    def build(self) -> None:
        """Make the namespaces and the wire."""
        wire = self.namespace("w")
        _ip("netns", "add", wire)
        _ip("-n", wire, "link", "add", "bridge", "type", "bridge")
        _ip("-n", wire, "link", "set", "bridge", "up")
        for host in _ADDRESSES:
            space = self.namespace(host)
            _ip("netns", "add", space)
            _ip("-n", space, "link", "set", "lo", "up")
            _ip("-n", space, "link", "add", "eth0", "type", "veth", "peer", "name", f"to-{host}", "netns", wire)
            _ip("-n", space, "address", "add", f"{self.address(host)}/24", "dev", "eth0")
            _ip("-n", space, "link", "set", "eth0", "up")
            _ip("-n", wire, "link", "set", f"to-{host}", "up", "master", "bridge")

    def take_down(self) -> None:
        """End Ray on both hosts with all that is below it, and remove them."""
        families = [family for process in self.raylets.values() for family in _below(process)]
        for process in self.raylets.values():
            process.terminate()
        _, alive = psutil.wait_procs(families, timeout=END_S)
        for member in alive:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        for process in self.raylets.values():
            process.wait()
        for name in (*_ADDRESSES, "w"):
            _ip("netns", "delete", self.namespace(name), check=False)

    def _enter(self, host: str) -> None:
        with Path(f"/run/netns/{self.namespace(host)}").open() as space:
            _set_namespace(space.fileno())


@contextmanager
def two_hosts() -> Iterator[TwoHosts]:
    """Make two hosts, and remove them in the end with all that Ray runs there."""
    hosts = TwoHosts()
    try:
        hosts.build()
        yield hosts
    finally:
        hosts.take_down()


def _below(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        top = psutil.Process(process.pid)
        return [top, *top.children(recursive=True)]
    return []


def _ip(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *words], check=check, capture_output=True, text=True)


def _set_namespace(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
