"""How long a move takes, and the restart it replaces, per workload, interleaved in one run.

One slot is measured while training keeps the other slots busy. A *move* runs from the order to the donor's resident
until the receiver's is awake: the donor finishes what it has in hand (a microbatch; a streaming chat reply in every
second round; ranking requests). The *restart* it replaces is what a pool without residents does: the slot's process is
killed, which takes no time at all here, and the receiver starts in a fresh interpreter pinned to the same core, until
it is awake. Both end at the same point, checked by a real answer (or an accepted microbatch) right after.

    python bench/moves.py [--rounds 12]

Models and data are fetched and made first where the cache lacks them (a minute). The default takes some 5 minutes on 2
quiet cores.

The last line is one JSON object.
"""

import argparse
import asyncio
import itertools
import json
import os
import platform
import secrets
import signal
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import aiohttp
import torch

from ready import ready
from tenfold.cli.site import Site, new_companions
from tenfold.core.paths import cache_dir
from tenfold.llama.workload import TRAIN
from tenfold.pool.host import Host, Slot, make_slots
from tenfold.pool.moves import Address, Mover
from tenfold.pool.process import ProcessSpec
from tenfold.pool.token import TOKEN_HEADER
from tenfold.rank.workload import RANK
from tenfold.serve.workload import SERVE
from tenfold.wiring import CONFIG

WORKLOADS = {workload.name: workload for workload in (TRAIN, SERVE, RANK)}
DEADLINE_S = 2.0
DEATH_S = 3.0
LOADED_S = 120.0
PROOF_S = 20.0


class Bench:
    def __init__(self, home: Path) -> None:
        config = CONFIG()
        companions = new_companions(WORKLOADS.values(), "127.0.0.1")
        self.site = Site(config, home, cache_dir(), secrets.token_hex(16), companions)
        self.host = Host(home / "logs", [module for each in WORKLOADS.values() for module in each.modules])
        cores = sorted(os.sched_getaffinity(0))
        self.slots = make_slots("n0", config.pool.kinds, cores, 0)
        self.epoch = 0
        self.killed: list[str] = []
        self.cut = 0
        self.moves: dict[str, list[float]] = defaultdict(list)
        self.restarts: dict[str, list[float]] = defaultdict(list)

    async def run(self, rounds: int) -> None:
        await self.host.start()
        try:
            async with aiohttp.ClientSession(headers={TOKEN_HEADER: self.site.token}) as self.session:
                self.mover = Mover(self.session, self.site.token, self.kill)
                await self.host.spawn(self.site.companion(TRAIN))
                measured, *others = self.slots
                for workload in WORKLOADS.values():
                    await self.host.spawn(self.site.resident(workload, measured, "127.0.0.1"))
                for slot in others:
                    await self.host.spawn(self.site.resident(TRAIN, slot, "127.0.0.1"))
                for slot in others:
                    await self.order(None, await self.address("train", slot))
                await self.measure(measured, rounds)
        finally:
            await self.host.close(5.0)

    async def measure(self, slot: Slot, rounds: int) -> None:
        awake = "train"
        await self.order(None, await self.address("train", slot))
        for number in range(rounds):
            # Both directions round the three workloads, so that each takes from each.
            order = list(WORKLOADS) if number % 2 else list(WORKLOADS)[::-1]
            for receiver in itertools.islice(itertools.cycle(order), order.index(awake) + 1, order.index(awake) + 4):
                donor = await self.address(awake, slot)
                reply = asyncio.create_task(self.chat(donor, 24)) if awake == "serve" and number % 4 < 2 else None
                await asyncio.sleep(0.3)
                seconds = await self.order(donor, await self.address(receiver, slot))
                self.moves[receiver].append(seconds)
                if reply:
                    self.cut += not await reply
                await self.prove(receiver, await self.address(receiver, slot))
                awake = receiver
            await self.order(await self.address(awake, slot), None)
            for workload in WORKLOADS:
                self.restarts[workload].append(await self.restart(workload, slot))
            await self.order(None, await self.address(awake, slot))
            print(f"round {number + 1} of {rounds}", file=sys.stderr)

    async def order(self, donor: Address | None, receiver: Address | None) -> float:
        self.epoch += 1
        ended = await self.mover.move(donor, receiver, self.epoch, DEADLINE_S)
        assert ended.state == "done", ended
        return ended.seconds

    async def restart(self, workload: str, slot: Slot) -> float:
        """Start the workload in a fresh interpreter on the slot's core and wake it."""
        resident = self.site.resident(WORKLOADS[workload], slot, "127.0.0.1")
        spec = ProcessSpec.from_json(resident.to_json().replace(resident.name.encode(), b"restarted"))
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(Path(__file__).with_name("fresh_resident.py"))),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            # Pinned from its first instruction, as the resident is.
            preexec_fn=lambda: os.sched_setaffinity(0, set(slot.cores)),
        )
        try:
            process.stdin.write(spec.to_json() + b"\n")
            port = int(await process.stdout.readline())
            address = Address("restarted", f"http://127.0.0.1:{port}", process.pid)
            await self.order(None, address)
            seconds = time.monotonic() - began
            await self.prove(workload, address)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        return seconds

    async def prove(self, workload: str, address: Address) -> None:
        """Fail unless the resident really works."""
        if workload == "serve":
            assert await self.chat(address, 1), "the reply was cut off"
        elif workload == "rank":
            async with self.session.post(f"{address.url}/v1/rank", json={"user": 196}) as response:
                assert len((await response.json())["items"]) == 10
        else:
            before = (await self.mover.counters(address, 5.0)).requests
            began = time.monotonic()
            while (await self.mover.counters(address, 5.0)).requests == before:
                assert time.monotonic() - began < PROOF_S, f"{address.name} accepted no microbatch in {PROOF_S:.0f} s"
                await asyncio.sleep(0.05)

    async def chat(self, address: Address, tokens: int) -> bool:
        """Whether the reply came whole: a donor at its deadline cuts it off."""
        body = {
            "model": "smollm2-135m",
            "messages": [{"role": "user", "content": "Tell me a story about the sea."}],
            "max_tokens": tokens,
            "stream": True,
        }
        async with self.session.post(f"{address.url}/v1/chat/completions", json=body) as response:
            assert response.status == 200, await response.text()
            try:
                return b"[DONE]" in await response.read()
            except aiohttp.ClientPayloadError:
                return False

    async def address(self, workload: str, slot: Slot) -> Address:
        name = f"{workload}@{slot.slot}"
        version, began = -1, time.monotonic()
        while True:
            version, statuses = await self.host.statuses(version, 1.0)
            status = next(status for status in statuses if status.name == name)
            if status.url and status.pid:
                return Address(name, status.url, status.pid)
            if time.monotonic() - began > LOADED_S:
                last = status.last_words or "it has said nothing"
                raise AssertionError(f"{name} has not loaded in {LOADED_S:.0f} s; its last words: {last}")

    async def kill(self, address: Address) -> None:
        """What the pool does with a donor that misses its deadline, or a receiver that does not wake."""
        self.killed.append(address.name)
        await self.host.signal(address.name, signal.SIGKILL, address.pid)
        version, began = -1, time.monotonic()
        while time.monotonic() - began < DEATH_S:
            version, statuses = await self.host.statuses(version, 0.2)
            if all(status.pid != address.pid for status in statuses):
                return
        raise TimeoutError


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    rounds = parser.parse_args().rounds
    ready()
    with tempfile.TemporaryDirectory(prefix="tenfold-moves-") as home:
        bench = Bench(Path(home))
        asyncio.run(bench.run(rounds))
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"torch {torch.__version__}, {rounds} rounds"
    )
    print(f"{'workload':<9}{'move p50':>10}{'move p95':>10}{'restart p50':>13}{'restart p95':>13}{'times faster':>14}")
    result = {}
    for workload in WORKLOADS:
        moves, restarts = bench.moves[workload], bench.restarts[workload]
        faster = statistics.median(restarts) / statistics.median(moves)
        print(
            f"{workload:<9}{statistics.median(moves):>8.2f} s{percentile(moves, 0.95):>8.2f} s"
            f"{statistics.median(restarts):>11.2f} s{percentile(restarts, 0.95):>11.2f} s{faster:>13.1f}x"
        )
        result[workload] = {
            "move_p95_s": round(percentile(moves, 0.95), 3),
            "restart_p50_s": round(statistics.median(restarts), 3),
            "times_faster": round(faster, 1),
        }
    if bench.killed or bench.cut:
        killed = ", ".join(bench.killed) or "none"
        print(
            f"killed at a deadline: {killed}; chat replies cut off: {bench.cut}; is the machine busy with other work?"
        )
    print(json.dumps({**result, "killed": len(bench.killed), "cut_replies": bench.cut}))


if __name__ == "__main__":
    main()
