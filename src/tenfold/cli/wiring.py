"""Which workloads there are, and what the pool must know to run them. The only place that names them all."""

import errno
import random
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tenfold.core.config import Config
from tenfold.core.errors import PortTaken
from tenfold.pool.demand import WorkloadPlan
from tenfold.pool.host import Slot
from tenfold.pool.process import ProcessSpec
from tenfold.pool.traffic import GatewayRoute


@dataclass(frozen=True, slots=True)
class Wire:
    """One workload as the pool runs it.

    ``assumed_capacity``: units per second and CPU slot until measured. ``resident_mb``: memory of one resident.
    ``paths``: what it answers, each with the method that it takes.
    ``at_once``: requests that one resident works on together; none for any number.
    ``companion``: factory of the process that outlives its residents, if it has one.
    """

    factory: str
    unit: str
    paths: Mapping[str, str]
    probe: Callable[[Config], tuple[str, dict[str, object]]] | None
    assumed_capacity: float
    resident_mb: int
    at_once: Callable[[Config], int] | None = None
    companion: str | None = None


def _hello(config: Config) -> dict[str, object]:
    return {"model": config.serve.model, "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}


WIRES: Mapping[str, Wire] = {
    "rank": Wire(
        factory="tenfold.rank.resident:create",
        unit="request",
        paths={"/v1/rank": "POST", "/v1/rank/users": "GET", "/v1/rank/items": "GET"},
        probe=lambda _: ("/v1/rank", {"user": 1}),
        assumed_capacity=100.0,
        resident_mb=60,
    ),
    "serve": Wire(
        factory="tenfold.serve.resident:create",
        unit="token",
        paths={"/v1/chat/completions": "POST", "/v1/completions": "POST"},
        probe=lambda config: ("/v1/chat/completions", _hello(config)),
        assumed_capacity=20.0,
        resident_mb=230,
        at_once=lambda config: config.serve.parallel,
    ),
    "train": Wire(
        factory="tenfold.llama.resident:create",
        unit="token",
        paths={},
        probe=None,
        assumed_capacity=2000.0,
        resident_mb=150,
        companion="tenfold.llama.coordinator:serve_forever",
    ),
}
"""Floors are met in this order when there are fewer slots than floors."""

PRELOAD = ("tenfold.llama.resident", "tenfold.llama.coordinator", "tenfold.rank.resident", "tenfold.serve.resident")


def plans(config: Config) -> tuple[WorkloadPlan, ...]:
    """Describe the workloads to the controller."""
    settings = config.workloads()
    return tuple(
        WorkloadPlan(
            workload=name,
            unit=wire.unit,
            kinds=frozenset(settings[name].kinds),
            floor=settings[name].floor,
            ceiling=settings[name].ceiling,
            value_per_unit_usd=settings[name].value_per_unit_usd,
            latency_target_s=settings[name].latency_target_s,
            attains=settings[name].attains or None,
            assumed_capacity=wire.assumed_capacity,
            takes_requests=bool(wire.paths),
            probe=wire.probe(config) if wire.probe else None,
        )
        for name, wire in WIRES.items()
    )


def gateway_routes(config: Config) -> dict[str, GatewayRoute]:
    """List the paths of all workloads."""
    settings = config.workloads()
    return {
        path: GatewayRoute(
            path, name, settings[name].latency_target_s, wire.at_once(config) if wire.at_once else None, method
        )
        for name, wire in WIRES.items()
        for path, method in wire.paths.items()
    }


@dataclass(frozen=True, slots=True)
class Site:
    """What every process of one pool is told: folders, secret, companions' addresses."""

    config: Config
    home: Path
    cache: Path
    token: str
    companions: Mapping[str, str]

    def resident(self, workload: str, slot: Slot, bind: str) -> ProcessSpec:
        """Describe the resident of a workload on a slot."""
        return self._spec(f"{workload}@{slot.slot}", workload, WIRES[workload].factory, slot, bind, 0)

    def companion(self, workload: str) -> ProcessSpec:
        """Describe the companion process of a workload."""
        factory = WIRES[workload].companion
        if factory is None:
            raise ValueError(f"{workload} has no companion")
        bind, port = self.companions[workload].rsplit(":", 1)
        return self._spec(f"{workload}-companion", workload, factory, None, bind, int(port))

    def _spec(self, name: str, workload: str, factory: str, slot: Slot | None, bind: str, port: int) -> ProcessSpec:
        return ProcessSpec(
            name=name,
            workload=workload,
            factory=factory,
            slot=slot.slot if slot else None,
            cores=slot.cores if slot else (),
            threads=1,
            gpu=slot.gpu if slot else None,
            bind=bind,
            port=port,
            home=str(self.home),
            cache=str(self.cache),
            settings=self.config.workloads()[workload].model_dump(mode="json"),
            # Only to those that talk to one: the others need not start again when a companion moves.
            companions=self.companions if WIRES[workload].companion else {},
            token=self.token,
            cpu_share=self._cpu_share(slot),
        )

    def _cpu_share(self, slot: Slot | None) -> float | None:
        if slot is None or slot.share is None or self.config.pool.kinds["cpu"].borrow:
            return None
        return slot.share


def new_companions(bind: str) -> dict[str, str]:
    """Choose a port of an address for each companion."""
    return {name: f"{bind}:{free_port(bind)}" for name, wire in WIRES.items() if wire.companion}


def free_port(bind: str) -> int:
    """Find a free TCP port that stays free until it is used; of another machine's address, a likely one.

    It is below the range from which Linux takes the ports of outgoing connections (32768 up); one that the system
    chose for us was taken by a connection before the process that it was meant for had started.
    """
    for port in random.sample(range(20_000, 32_000), 100):
        try:
            with socket.create_server((bind, port)):
                return port
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                return port
    raise PortTaken(f"none of 100 ports of {bind} is free", next_step="see what listens there: ss -ltn")
