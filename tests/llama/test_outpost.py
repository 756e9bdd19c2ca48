"""Training on several machines: an outpost on each of the others, and the same bits whatever is lost."""

import os
import signal
import socket

import pytest

from tenfold.core.errors import NotRunning
from tenfold.llama.outpost import Outpost

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
