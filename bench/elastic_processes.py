"""What the processes of ``elastic.py`` run: a coordinator, and parked workers that wake and sleep as the pool's do."""

import asyncio
import signal
import time
from ctypes import c_longlong
from multiprocessing.connection import Connection
from pathlib import Path

from tenfold.llama.coordinator import Coordinator
from tenfold.llama.data.index import read_index
from tenfold.llama.pace import keep_freed_memory
from tenfold.llama.recipe import ModelShape, Recipe
from tenfold.llama.resident import TrainResident
from tenfold.pool.resident import Context

TOKEN = "of this bench only"
STEPS = 10
LOOK_S = 0.001
PRECISIONS = {
    "float32": {"bfloat16": False, "compile": False},
    "bfloat16 + compile": {"bfloat16": True, "compile": True},
}


def recipe_of(precision: str) -> Recipe:
    """Some 34 million parameters, 8 experts; six short microbatches a step."""
    shape = ModelShape(
        hidden_size=384,
        num_hidden_layers=8,
        num_attention_heads=6,
        head_dim=64,
        intermediate_size_mlp=1024,
        intermediate_size=560,
    )
    sizes = {"sequence_tokens": 256, "microbatch_sequences": 1, "microbatches": 6, "steps": STEPS, "warmup_steps": 4}
    return Recipe(model=shape, learning_rate=1e-3, **sizes, **PRECISIONS[precision])


def coordinate(precision: str, text: Path, home: Path, port: int, ready: Connection) -> None:
    """Coordinate until SIGTERM."""
    coordinator = Coordinator(recipe_of(precision), read_index(text).sha256, home, TOKEN)
    signal.signal(signal.SIGTERM, lambda _number, _frame: coordinator.stop())
    ready.send(coordinator.listen("127.0.0.1", port))
    coordinator.run()


def park(
    precision: str, text: Path, home: Path, name: str, port: int, orders: Connection, computed: c_longlong
) -> None:
    """Load, then obey ``wake`` and ``sleep``; answers each with when it was done. Counts what was computed.

    Awake is who computes a microbatch with the run's parameters; asleep who has handed in what it had.
    """
    keep_freed_memory()
    companions = {"train": f"127.0.0.1:{port}"}
    context = Context(
        slot=name, threads=1, home=home, cache=home, settings={}, companions=companions, token=TOKEN, cpu_share=None
    )
    resident = TrainResident(recipe_of(precision), text, context)
    resident.load()
    asyncio.run(_obey(resident, orders, computed))
    resident.close()


async def _obey(resident: TrainResident, orders: Connection, computed: c_longlong) -> None:
    counting = asyncio.create_task(_count(resident, computed))
    orders.send(time.monotonic())
    while (order := await asyncio.to_thread(orders.recv)) != "end":
        if order == "wake":
            before = resident.counters()
            await resident.wake()
            while not (resident.counters().in_flight or resident.counters().requests > before.requests):
                # Another thread works; there is no event to wait for.
                await asyncio.sleep(LOOK_S)
        else:
            await resident.sleep(60.0)
        orders.send(time.monotonic())
    counting.cancel()


async def _count(resident: TrainResident, computed: c_longlong) -> None:
    while True:
        computed.value = int(resident.counters().facts["computed"])
        await asyncio.sleep(LOOK_S)
