"""Training on several machines: an outpost on each of the others, and the same bits whatever is lost."""

import os
import signal
import socket
import threading

import numpy as np
import pytest

from tenfold.core.errors import NotRunning
from tenfold.llama.outpost import Outpost
from tenfold.llama.server import Server
from tenfold.llama.wire import Attached, Bring, Channel, Due, HandedIn, Hello, Offer, Parameters, Welcome

ELSEWHERE = "another machine"


def test_a_machine_of_its_own_gets_parameters_once_a_step_and_hands_up_few_sums(cluster, reference):
    coordinator = cluster.coordinator()
    outpost, address = cluster.outpost("post", ELSEWHERE)
    there = [cluster.worker(f"there {n}", machine=ELSEWHERE, address=address, stall_s=0.01) for n in range(2)]
    cluster.train_to(3)
    here = cluster.worker("here", stall_s=0.01)
    assert cluster.status().workers == 3
    cluster.train_to(7)
    for worker in there:
        cluster.finish(worker)
    status = cluster.train_to(cluster.status().step + 2)
    assert status.rejected == 0, "a microbatch was computed twice"
    cluster.finish(here)
    cluster.finish(outpost)
    reference.check(*cluster.final_state(coordinator))


def test_what_a_killed_outpost_had_is_computed_again_and_the_next_one_takes_its_place(cluster, reference):
    coordinator = cluster.coordinator()
    outpost, address = cluster.outpost("post", ELSEWHERE)
    cluster.worker("here", stall_s=0.02)
    cluster.worker("there", machine=ELSEWHERE, address=address, stall_s=0.02)
    cluster.train_to(2)
    outpost.kill()
    outpost.join()
    cluster.train_to(cluster.status().step + 3)
    cluster.wait_for(lambda: cluster.status().workers == 1, "the worker without an outpost to be gone")
    _, address = cluster.outpost("next", ELSEWHERE)
    cluster.worker("there again", machine=ELSEWHERE, address=address, stall_s=0.02)
    cluster.train_to(cluster.status().step + 3)
    assert cluster.status().workers == 2
    reference.check(*cluster.final_state(coordinator))


def test_an_outpost_that_hangs_is_overtaken_and_comes_in_again(cluster, reference):
    coordinator = cluster.coordinator(claim_timeout_s=0.5)
    outpost, address = cluster.outpost("post", ELSEWHERE)
    cluster.worker("here", stall_s=0.02)
    cluster.worker("there", machine=ELSEWHERE, address=address, stall_s=0.02)
    os.kill(outpost.pid, signal.SIGSTOP)
    cluster.train_to(cluster.status().step + 3)
    os.kill(outpost.pid, signal.SIGCONT)
    cluster.wait_for(lambda: cluster.status().workers == 2, "the worker of the outpost")
    cluster.train_to(cluster.status().step + 3)
    reference.check(*cluster.final_state(coordinator))


def test_one_that_joined_gives_up_where_nobody_trains_any_more():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    outpost = Outpost("late", f"127.0.0.1:{port}", "any", patience_s=0.1)
    with pytest.raises(NotRunning, match=f"nobody has trained at 127.0.0.1:{port}"):
        outpost.run()
    outpost.close()


def test_an_outpost_whose_link_breaks_while_its_sums_are_due_begins_anew(recipe):
    offered, due, again = threading.Event(), threading.Event(), threading.Event()

    def coordinate(channel: Channel, connection: int) -> None:
        if isinstance(channel.receive(), Hello):
            channel.send(Welcome(run="run", recipe=recipe, step=0, parameters=Parameters(memory=None)))
            channel.receive()
            offered.set()
            # It has counted the gradient in, and is cut off before it says so.
            assert due.wait(30)
            return
        if offered.is_set():
            again.set()
        channel.send(Attached(outpost=connection, run="run", params=4, microbatches=2))
        channel.receive()
        channel.send(Bring(step=0), np.zeros(4, np.float32))
        channel.receive()
        assert offered.wait(30)
        channel.send(Due(step=0, microbatches=(0,)))
        due.set()
        channel.receive()

    coordinator = Server("any", coordinate, lambda _connection: None)
    outpost = Outpost("post", f"127.0.0.1:{coordinator.listen('127.0.0.1', 0)}", "any")
    thread = threading.Thread(target=outpost.run)
    address = f"127.0.0.1:{outpost.listen('127.0.0.1', 0)}"
    thread.start()
    worker = Channel.connect(address, "any")
    worker.send(Hello(worker="there", machine=ELSEWHERE, text="", run="", step=-1))
    assert worker.receive().step == 0
    worker.receive_into(vector_P := np.empty(4, np.float32))
    worker.send(Offer(run="run", step=0, microbatch=0, loss=1.0))
    worker.receive()
    worker.send(HandedIn(), vector_P)
    with pytest.raises((EOFError, ConnectionResetError)):
        worker.receive()
    assert again.wait(30)
    outpost.stop()
    thread.join(30)
    assert not thread.is_alive()
    worker.close()
    outpost.close()
    coordinator.close()
