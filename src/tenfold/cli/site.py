"""What every process of one pool is told, and the ports of those that others must find."""

import dataclasses
import errno
import random
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenfold.core.config import Config
from tenfold.core.errors import PortTaken
from tenfold.pool.host import Slot
from tenfold.pool.process import ProcessSpec
from tenfold.pool.workload import Workload

OUTPOST_BIND = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Site:
    """What every process of one pool is told: folders, secret, companions' addresses."""

    config: Config
    home: Path
    cache: Path
    token: str
    companions: Mapping[str, str]

    def resident(self, workload: Workload[Any], slot: Slot, bind: str) -> ProcessSpec:
        """Describe the resident of a workload on a slot; it is told of its machine's outpost, if there is one."""
        spec = self._spec(f"{workload.name}@{slot.slot}", workload, workload.factory, slot, bind, 0)
        if not self.has_outpost(workload, bind):
            return spec
        outpost = {f"{workload.name}-outpost": f"{OUTPOST_BIND}:{self._port(workload)}"}
        return dataclasses.replace(spec, companions={**spec.companions, **outpost})

    def has_outpost(self, workload: Workload[Any], bind: str) -> bool:
        """Whether a workload has an outpost on a machine: on each where its companion is not."""
        return bool(workload.outpost) and self.companions[workload.name] != f"{bind}:{self._port(workload)}"

    def outpost(self, workload: Workload[Any], node: str) -> ProcessSpec:
        """Describe the outpost of a workload on a node: it listens on the companion's port, to its own machine only.

        So its residents know the port also after the pool's own process was killed and adopts them.
        """
        if workload.outpost is None:
            raise ValueError(f"{workload.name} has no outpost")
        name, port = f"{workload.name}-outpost@{node}", self._port(workload)
        return self._spec(name, workload, workload.outpost, None, OUTPOST_BIND, port)

    def _port(self, workload: Workload[Any]) -> int:
        return int(self.companions[workload.name].rpartition(":")[2])

    def companion(self, workload: Workload[Any]) -> ProcessSpec:
        """Describe the companion process of a workload."""
        if workload.companion is None:
            raise ValueError(f"{workload.name} has no companion")
        bind, port = self.companions[workload.name].rsplit(":", 1)
        return self._spec(f"{workload.name}-companion", workload, workload.companion, None, bind, int(port))

    def _spec(
        self, name: str, workload: Workload[Any], factory: str, slot: Slot | None, bind: str, port: int
    ) -> ProcessSpec:
        cpu_share, service_share = self._shares(slot)
        return ProcessSpec(
            name=name,
            workload=workload.name,
            factory=factory,
            slot=slot.slot if slot else None,
            cores=slot.cores if slot else (),
            threads=1,
            gpu=slot.gpu if slot else None,
            bind=bind,
            port=port,
            home=str(self.home),
            cache=str(self.cache),
            settings=workload.table(self.config).model_dump(mode="json"),
            # Only to those that talk to one: the others need not start again when a companion moves.
            companions=self.companions if workload.companion else {},
            token=self.token,
            cpu_share=cpu_share,
            service_share=service_share,
        )

    def _shares(self, slot: Slot | None) -> tuple[float | None, float | None]:
        """CPU-seconds a second that a job and a service may use on a slot; none for all that they can get."""
        if slot is None or slot.share is None:
            return None, None
        cpu = self.config.pool.kinds["cpu"]
        return None if cpu.borrow else slot.share, slot.share if cpu.core_share < 1 else None


def new_companions(workloads: Iterable[Workload[Any]], bind: str) -> dict[str, str]:
    """Choose a port of an address for the companion of each workload that has one."""
    return {each.name: f"{bind}:{free_port(bind)}" for each in workloads if each.companion}


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
