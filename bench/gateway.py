"""What the way to models costs: CPU per JSON request and per streamed event, beside the LiteLLM proxy.

Both pass requests to the same local server of a model, which says the same each time, in the same run. An answer in
events sends each by itself, with a pause between, as a model does: in a burst a gateway would pass them as one. CPU is
that of the gateway's processes alone. Then 1,000 streams at once, and a backend that is killed under load.

LiteLLM is installed into a virtual environment of its own in the cache, the first time (1 to 2 minutes), and starts in
one to two minutes. Where it cannot be installed or started its figures are null, and the line before the last says why.

    python bench/gateway.py [--requests 3000] [--streams 200] [--at-once 1000] [--no-litellm]
"""

import argparse
import asyncio
import contextlib
import json
import os
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import aiohttp
import psutil

from tenfold.cli.front import FrontSpec
from tenfold.core.paths import cache_dir
from tenfold.wiring import CONFIG

LITELLM = "1.108.5"
LITELLM_START_S = 150
INSTALL_S = 210
EVENTS = 100
NOBODY = "http://127.0.0.1:9"
HERE = Path(__file__).parent
CHAT = "/v1/chat/completions"
MESSAGES = [
    {"role": "system", "content": "You are brief, and you answer in one sentence. " * 5},
    {"role": "user", "content": "Which way does the river take to the sea?"},
]


@dataclass
class Gateway:
    """A gateway that runs."""

    name: str
    url: str
    process: psutil.Process

    def cpu_s(self) -> float:
        """CPU of it and its children so far."""
        total = 0.0
        for each in (self.process, *self.process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = each.cpu_times()
                total += times.user + times.system
        return total

    def memory_mb(self) -> float:
        return sum(each.memory_info().rss for each in (self.process, *self.process.children(recursive=True))) / 1e6


@dataclass
class Outcome:
    """How requests ended, and how long each took, seconds."""

    counts: Counter[str] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)
    events: int = 0

    @property
    def failed(self) -> int:
        return sum(count for how, count in self.counts.items() if how != "200")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for(port: int, process: subprocess.Popen, within_s: float, path: str = "") -> bool:
    """Wait until a port answers (to ``path`` with anything but an error of the server)."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            if not path:
                return True
            connection.sendall(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n".encode())
            if connection.recv(64).split(b" ")[1:2] == [b"200"]:
                return True
        time.sleep(0.2)
    return False


@contextlib.contextmanager
def ended(process: subprocess.Popen) -> Iterator[subprocess.Popen]:
    """End a process and its children with the block."""
    try:
        yield process
    finally:
        family = []
        with contextlib.suppress(psutil.NoSuchProcess):
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.terminate()
        _, alive = psutil.wait_procs(family, timeout=10)
        for each in alive:
            each.kill()
        process.wait()


@contextlib.contextmanager
def upstream(*options: str) -> Iterator[tuple[str, subprocess.Popen]]:
    port = free_port()
    with ended(subprocess.Popen([sys.executable, str(HERE / "gateway_upstream.py"), str(port), *options])) as process:
        assert wait_for(port, process, 60)
        yield f"http://127.0.0.1:{port}", process


@contextlib.contextmanager
def tenfold(folder: Path, backends: dict[str, dict[str, object]]) -> Iterator[Gateway]:
    """The front as ``tenfold up`` starts it, with nothing behind it but backends."""
    for backend in backends.values():
        backend["at_once"] = 4096
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    spec = FrontSpec(
        config=CONFIG.model_validate({"serve": {"backends": backends}}),
        url=url,
        listener=listener.fileno(),
        controller_url=NOBODY,
        companions={"train": "127.0.0.1:9"},
        token="secret",
    )
    with (folder / "front.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tenfold.cli.front"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=[listener.fileno()],
            env=os.environ | {"TENFOLD_HOME": str(folder)},
        )
    listener.close()
    with ended(process):
        assert process.stdin is not None
        process.stdin.write(spec.model_dump_json().encode() + b"\n")
        process.stdin.close()
        port = int(url.rsplit(":", 1)[1])
        assert wait_for(port, process, 120, "/v1/models"), (folder / "front.log").read_text()
        yield Gateway("tenfold", url, psutil.Process(process.pid))


# ---- LiteLLM


def install_litellm() -> Path:
    """The Python of LiteLLM's own virtual environment.

    Raises:
        RuntimeError: it cannot be installed.
    """
    folder = cache_dir() / "bench" / f"litellm-{LITELLM}"
    python, mark = folder / "bin" / "python", folder / "installed"
    if not mark.exists():
        print(f"installing litellm {LITELLM} into {folder} ...", flush=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=60, capture_output=True)
            pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            subprocess.run([*pip, f"litellm[proxy]=={LITELLM}"], check=True, timeout=INSTALL_S, capture_output=True)
        except subprocess.CalledProcessError as error:
            raise RuntimeError(f"pip: {error.stderr.decode(errors='replace').strip()[-300:]}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RuntimeError(str(error)) from error
        mark.touch()
    return python


@contextlib.contextmanager
def litellm(folder: Path, upstream_url: str) -> Iterator[Gateway]:
    """LiteLLM's proxy with one worker and no database.

    Raises:
        RuntimeError: it cannot be installed, or does not start.
    """
    python = install_litellm()
    config = folder / "litellm.yaml"
    parameters = {"model": "openai/stub", "api_base": f"{upstream_url}/v1", "api_key": "none"}
    table = {"model_list": [{"model_name": "stub", "litellm_params": parameters}]}
    config.write_text(json.dumps(table))
    port = free_port()
    command = [str(python.parent / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    own = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_TELEMETRY": "False",
        # It is on loopback, and asks for no key, as the other one does not.
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }
    log = folder / "litellm.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--num_workers", "1"], env=os.environ | own, stdout=output, stderr=output, cwd=folder
        )
    with ended(process):
        began = time.monotonic()
        if not wait_for(port, process, LITELLM_START_S, "/health/liveliness"):
            why = "ended" if process.poll() is not None else f"did not answer within {LITELLM_START_S} s"
            raise RuntimeError(f"litellm {why}: {log.read_text()[-300:]}")
        print(f"litellm {LITELLM} answers after {time.monotonic() - began:.0f} s", flush=True)
        yield Gateway("litellm", f"http://127.0.0.1:{port}", psutil.Process(process.pid))


# ---- load


async def ask(session: aiohttp.ClientSession, url: str, model: str, stream: bool, outcome: Outcome) -> None:
    body = {"model": model, "messages": MESSAGES, "stream": stream, "max_tokens": EVENTS}
    began = time.perf_counter()
    try:
        async with session.post(f"{url}{CHAT}", json=body) as response:
            text = await response.read()
        events = text.count(b"data: {")
        whole = b"[DONE]" in text if stream else text.rstrip().endswith(b"}")
        outcome.counts[str(response.status) if whole or response.status != 200 else "cut"] += 1
        outcome.events += events
    except aiohttp.ClientError as error:
        outcome.counts[type(error).__name__] += 1
    outcome.took_s.append(time.perf_counter() - began)


async def load(url: str, model: str, count: int, at_once: int, *, stream: bool) -> Outcome:
    """Send so many requests, so many at a time."""
    outcome, left = Outcome(), iter(range(count))
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=300)
    ) as session:

        async def one_after_the_other() -> None:
            for _ in left:
                await ask(session, url, model, stream, outcome)

        await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
    return outcome


def quantile_ms(seconds: list[float], share: float) -> float:
    return 1e3 * sorted(seconds)[min(len(seconds) - 1, int(share * len(seconds)))]


async def cpu_of(gateway: Gateway, requests: int, streams: int, at_once: int) -> tuple[float, float]:
    """CPU milliseconds per JSON request and per streamed event, after a warm-up."""
    await load(gateway.url, "stub", max(10, requests // 10), at_once, stream=False)
    found = []
    for count, stream in ((requests, False), (streams, True)):
        before = gateway.cpu_s()
        outcome = await load(gateway.url, "stub", count, at_once, stream=stream)
        spent_ms = 1e3 * (gateway.cpu_s() - before)
        assert not outcome.failed, (gateway.name, outcome.counts)
        found.append(spent_ms / (outcome.events if stream else count))
        what = "event" if stream else "JSON request"
        print(f"{gateway.name:8} {found[-1]:8.3f} CPU-ms per {what} ({count} requests, {at_once} at once)", flush=True)
    return found[0], found[1]


async def added_latency(gateway: Gateway, upstream_url: str) -> tuple[float, float]:
    """Milliseconds that the gateway adds, one request after the other: at the median and at the 99th of 100."""
    direct = await load(upstream_url, "stub", 500, 1, stream=False)
    through = await load(gateway.url, "stub", 500, 1, stream=False)
    p50, p99 = (quantile_ms(through.took_s, q) - quantile_ms(direct.took_s, q) for q in (0.5, 0.99))
    print(f"{gateway.name:8} adds {p50:.2f} ms at the median, {p99:.2f} ms at p99", flush=True)
    return p50, p99


async def many_streams(gateway: Gateway, count: int) -> Outcome:
    before = gateway.cpu_s()
    outcome = await load(gateway.url, "stub", count, count, stream=True)
    cpu_ms = 1e3 * (gateway.cpu_s() - before) / max(1, outcome.events)
    median_s = statistics.median(outcome.took_s)
    print(
        f"{gateway.name:8} {count} streams at once: {dict(outcome.counts)}, {cpu_ms:.3f} CPU-ms per event, "
        f"median {median_s:.1f} s, {gateway.memory_mb():.0f} MB",
        flush=True,
    )
    return outcome


async def kill_under_load(gateway: Gateway, victim: subprocess.Popen) -> int:
    """Kill a backend while requests go to it, to a healthy one, and to a model that both serve; who failed of these."""
    loads = {
        "healthy, JSON": load(gateway.url, "healthy", 1500, 20, stream=False),
        "healthy, streams": load(gateway.url, "healthy", 60, 20, stream=True),
        "both, JSON": load(gateway.url, "both", 1500, 20, stream=False),
        "victim, JSON": load(gateway.url, "victim", 1500, 20, stream=False),
    }
    running = [asyncio.create_task(each) for each in loads.values()]
    await asyncio.sleep(1.0)
    victim.send_signal(signal.SIGKILL)
    outcomes = dict(zip(loads, await asyncio.gather(*running), strict=True))
    for name, outcome in outcomes.items():
        print(f"{gateway.name:8} backend killed: {name}: {dict(outcome.counts)}", flush=True)
    return sum(outcome.failed for name, outcome in outcomes.items() if not name.startswith("victim"))


async def run(args: argparse.Namespace, folder: Path) -> dict[str, object]:
    slow = ("--think-ms", "20")
    with upstream() as (url, _), upstream(*slow) as (healthy, _), upstream(*slow) as (victim, process):
        backends: dict[str, dict[str, object]] = {
            "stub": {"url": url, "models": ["stub"]},
            "healthy": {"url": healthy, "models": ["healthy", "both"]},
            "victim": {"url": victim, "models": ["victim", "both"]},
        }
        with tenfold(folder, backends) as gateway:
            request_ms, event_ms = await cpu_of(gateway, args.requests, args.streams, 20)
            p50, p99 = await added_latency(gateway, url)
            crowd = await many_streams(gateway, args.at_once)
            failed = await kill_under_load(gateway, process)
            memory_mb = gateway.memory_mb()
        theirs: dict[str, float | None] = {"request": None, "event": None}
        if not args.no_litellm:
            try:
                with litellm(folder, url) as other:
                    theirs["request"], theirs["event"] = await cpu_of(other, 100, 10, 4)
                    print(f"litellm  {other.memory_mb():.0f} MB", flush=True)
            except RuntimeError as error:
                print(f"litellm was not measured: {error}", flush=True)
    times = None if theirs["request"] is None else theirs["request"] / request_ms
    return {
        "cpu_ms_per_request": round(request_ms, 4),
        "cpu_ms_per_event": round(event_ms, 4),
        "times_less_than_litellm": None if times is None else round(times, 1),
        "failed_healthy": failed,
        "litellm_cpu_ms_per_request": theirs["request"] and round(theirs["request"], 2),
        "litellm_cpu_ms_per_event": theirs["event"] and round(theirs["event"], 3),
        "added_p50_ms": round(p50, 3),
        "added_p99_ms": round(p99, 3),
        "streams_at_once": args.at_once,
        "streams_failed": crowd.failed,
        "memory_mb": round(memory_mb),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=1000)
    parser.add_argument("--no-litellm", action="store_true")
    args = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    print(f"uvicorn {metadata.version('uvicorn')}, aiohttp {metadata.version('aiohttp')}, {os.cpu_count()} CPUs")
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(run(args, Path(folder)))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
