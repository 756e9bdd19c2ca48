"""What torch.distributed's gloo does between two machines that come, go, hang and are cut off.

Two network namespaces stand for the machines; 34 million floats go from one to the other. Measured are: forming a
group, sending, a peer that is killed, a link that is cut and mended, a peer that is slow, and a stranger without
any secret. ``docs/decisions/training-outposts.md`` says what follows from it. Takes the rights of root, and a minute.

    python bench/gloo_groups.py

The last line is one JSON object, in seconds.
"""

import datetime
import json
import multiprocessing
import os
import sys
import time
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import torch
import torch.distributed as dist

from fault.two_hosts import TwoHosts, refusal, two_hosts

FLOATS = 34_000_000
TIMEOUT_S = 8.0
STORE_PORT = 29_555
PATIENCE_S = 60.0


def member(hosts: TwoHosts, rank: int, epoch: int, orders: Connection) -> None:
    """One rank: forms the group, tells in how long, then sends or receives when it is told to."""
    with hosts.inside("ab"[rank]):
        os.environ["GLOO_SOCKET_IFNAME"] = "eth0"
        limit = datetime.timedelta(seconds=TIMEOUT_S)
        began = time.monotonic()
        address, port = hosts.address("a"), STORE_PORT + epoch
        store = dist.TCPStore(address, port, 2, rank == 0, limit, wait_for_workers=False)
        group = dist.ProcessGroupGloo(store, rank, 2, limit)
        orders.send((True, time.monotonic() - began))
        vector = torch.ones(FLOATS)
        while True:
            orders.recv()
            began = time.monotonic()
            try:
                (group.send([vector], 0, 0) if rank else group.recv([vector], 1, 0)).wait()
                done = True
            except RuntimeError as error:
                print(f"  rank {rank}: {str(error).splitlines()[0][:150]}", flush=True)
                done = False
            orders.send((done, time.monotonic() - began))


class Group:
    """Both ranks."""

    def __init__(self, hosts: TwoHosts, epoch: int) -> None:
        context = multiprocessing.get_context("fork")
        self.ranks: list[tuple[BaseProcess, Connection]] = []
        for rank in range(2):
            mine, theirs = context.Pipe()
            process = context.Process(target=member, args=(hosts, rank, epoch, theirs), daemon=True)
            process.start()
            theirs.close()
            self.ranks.append((process, mine))
        self.formed_s = max(self.answer(rank)[1] for rank in range(2))

    def order(self, rank: int) -> None:
        self.ranks[rank][1].send("go")

    def answer(self, rank: int) -> tuple[bool, float]:
        connection = self.ranks[rank][1]
        if not connection.poll(PATIENCE_S):
            sys.exit(f"error: rank {rank} said nothing for {PATIENCE_S:.0f} s")
        return connection.recv()

    def transfer(self) -> tuple[bool, float]:
        """Send from rank 1 to rank 0; whether both did, and seconds of the slower."""
        for rank in range(2):
            self.order(rank)
        answers = [self.answer(rank) for rank in range(2)]
        return all(done for done, _ in answers), max(seconds for _, seconds in answers)

    def kill(self, rank: int) -> None:
        self.ranks[rank][0].kill()
        self.ranks[rank][0].join()

    def close(self) -> None:
        for rank in range(2):
            self.kill(rank)


def killed(group: Group) -> float:
    """Seconds until a waiting rank notices that the other was killed."""
    group.order(0)
    time.sleep(0.5)
    began = time.monotonic()
    group.kill(1)
    group.answer(0)
    return time.monotonic() - began


def strange(hosts: TwoHosts, epoch: int) -> bool:
    """Whether a process with no secret can write over what a member said of itself in the store."""
    with hosts.inside("b"):
        store = dist.TCPStore(hosts.address("a"), STORE_PORT + epoch, None, False)
        store.set("rank_1", "an address of mine")
        return store.get("rank_1") == b"an address of mine"


def main() -> None:
    if why := refusal():
        sys.exit(f"error: {why}")
    figures: dict[str, float | bool] = {}
    with two_hosts() as hosts:
        first = Group(hosts, 0)
        figures["form_s"] = first.formed_s
        figures["send_s"] = first.transfer()[1]
        figures["killed_peer_noticed_s"] = killed(first)
        first.close()
        second = Group(hosts, 1)
        hosts.cut()
        figures["cut_link_noticed_s"] = second.transfer()[1]
        hosts.mend()
        time.sleep(1)
        figures["same_group_works_after"] = second.transfer()[0]
        second.close()
        third = Group(hosts, 2)
        figures["stranger_writes_store"] = strange(hosts, 2)
        third.order(0)
        time.sleep(TIMEOUT_S + 1)
        third.order(1)
        figures["slow_peer_survives"] = third.answer(0)[0]
        third.close()
    print(json.dumps({key: value if isinstance(value, bool) else round(value, 3) for key, value in figures.items()}))


if __name__ == "__main__":
    main()
