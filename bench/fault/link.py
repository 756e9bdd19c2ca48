"""Two hosts on one machine: network namespaces, a link between them that can be cut, and a Ray node in each."""

import ctypes
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import psutil

from fault.kinds import Struck
from fault.pool import NotHappened, Pool

HEAD, OTHER = "10.77.0.1", "10.77.0.2"
RAY_PORT = 6379
CUT_S = 20.0
JOIN_S = 8.0
_CLOSED_PORT = 9
_CLONE_NEWNET = 0x40000000


class TwoHosts:
    """Two network namespaces joined by one link."""

    def __init__(self) -> None:
        self.head, self.other = f"tf{os.getpid()}a", f"tf{os.getpid()}b"

    def link(self, state: str) -> None:
        """Set the link ``up`` or ``down``."""
        _ip("-n", self.head, "link", "set", "veth-a", state)

    def reaches(self) -> bool:
        """Whether the first host reaches the second: a port where nobody listens is refused by a host that is there."""
        with inside(self.head):
            try:
                socket.create_connection((OTHER, _CLOSED_PORT), timeout=1).close()
            except ConnectionRefusedError:
                return True
            except OSError:
                return False
        return True

    def cut(self, _: Pool) -> Struck:
        """Cut the link for a while: a strike."""
        if not self.reaches():
            raise NotHappened("there was no link to cut")
        self.link("down")
        try:
            time.sleep(CUT_S)
            if self.reaches():
                raise NotHappened("the link was not cut")
        finally:
            self.link("up")
        return Struck(lambda: "" if self.reaches() else "the link did not come back")


@contextmanager
def two_hosts() -> Iterator[TwoHosts]:
    """Make the namespaces and their link, and remove them in the end.

    Raises:
        NotHappened: they may not be made here.
    """
    hosts = TwoHosts()
    try:
        try:
            for name in (hosts.head, hosts.other):
                _ip("netns", "add", name)
                _ip("-n", name, "link", "set", "lo", "up")
            _ip("link", "add", "veth-a", "netns", hosts.head, "type", "veth", "peer", "veth-b", "netns", hosts.other)
            for name, end, address in ((hosts.head, "veth-a", HEAD), (hosts.other, "veth-b", OTHER)):
                _ip("-n", name, "addr", "add", f"{address}/24", "dev", end)
                _ip("-n", name, "link", "set", end, "up")
        except (OSError, subprocess.CalledProcessError) as error:
            raise NotHappened(f"no network namespaces may be made here (needs root): {error}") from error
        yield hosts
    finally:
        for name in (hosts.head, hosts.other):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Have this thread, and the processes and threads that it starts, use a namespace's network."""
    with Path("/proc/thread-self/ns/net").open() as own, Path(f"/run/netns/{namespace}").open() as other:
        _enter(other.fileno())
        try:
            yield
        finally:
            _enter(own.fileno())


@contextmanager
def ray_cluster(hosts: TwoHosts) -> Iterator[str]:
    """Start a Ray node of one core on each host, with a token; gives the cluster's address.

    While it lasts, this process's environment says where Ray's files and token are.
    """
    address = f"{HEAD}:{RAY_PORT}"
    ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1", "--disable-usage-stats"]
    ray.append(f"--object-store-memory={80 << 20}")
    with ExitStack() as started:
        # Short, because Ray's sockets lie in it.
        folder = started.enter_context(TemporaryDirectory(prefix="tfr", dir="/tmp", ignore_cleanup_errors=True))
        token = Path(folder) / "token"
        token.write_text(secrets.token_hex(24))
        token.chmod(0o600)
        variables = {"RAY_TMPDIR": folder, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
        started.enter_context(mock.patch.dict(os.environ, variables))
        with inside(hosts.head):
            head = [*ray, "--head", f"--port={RAY_PORT}", "--include-dashboard=false", f"--node-ip-address={HEAD}"]
            started.enter_context(_kept(head))
            _wait_for_port(HEAD, RAY_PORT)
        with inside(hosts.other):
            started.enter_context(_kept([*ray, f"--address={address}", f"--node-ip-address={OTHER}"]))
        time.sleep(JOIN_S)
        yield address


@contextmanager
def _kept(command: list[str]) -> Iterator[None]:
    """Run a process, and end it with all that is below it."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.terminate()
        _, alive = psutil.wait_procs(family, timeout=15)
        for member in alive:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        process.wait(15)


def _wait_for_port(address: str, port: int) -> None:
    end = time.monotonic() + 60
    while True:
        with suppress(OSError), socket.create_connection((address, port), timeout=1):
            return
        if time.monotonic() > end:
            raise NotHappened(f"Ray does not listen on {address}:{port}")
        time.sleep(0.5)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def _enter(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
