"""Elastic training with real processes: whatever comes, goes or is killed, the result is the same bits."""

import socket

import pytest

from small_disk import WAYS, small_disk
from tenfold.core.errors import AlreadyRunning
from tenfold.llama.checkpoint import checkpoint_files
from tenfold.llama.coordinator import Coordinator
from tenfold.llama.data.index import read_index
from tenfold.llama.live import live_paths
from tenfold.llama.runs import describe, train_folder


def test_one_worker_is_the_plain_loop(cluster, reference):
    coordinator = cluster.coordinator()
    cluster.worker("alone")
    cluster.train_to(6)
    progress, state = cluster.final_state(coordinator)
    reference.check(progress, state)
    assert progress.tokens == progress.step * cluster.recipe.step_tokens


def test_workers_that_come_and_go_change_no_bit_and_recompute_nothing(cluster, reference):
    coordinator = cluster.coordinator()
    first = cluster.worker("first")
    cluster.train_to(3)
    second = cluster.worker("second", stall_s=0.02, machine="another, so over its connection")
    third = cluster.worker("third", stall_s=0.05)
    cluster.train_to(7)
    cluster.finish(first)
    cluster.finish(second)
    cluster.train_to(9)
    cluster.finish(third)
    status = cluster.status()
    assert status.rejected == 0, "a microbatch was computed twice"
    assert 0 <= status.accepted - cluster.recipe.microbatches * status.step < cluster.recipe.microbatches
    reference.check(*cluster.final_state(coordinator))


def test_a_worker_killed_inside_a_microbatch_costs_no_step(cluster, reference):
    coordinator = cluster.coordinator()
    victim = cluster.worker("victim", stall_s=600)
    cluster.worker("survivor")
    victim.kill()
    cluster.train_to(4)
    reference.check(*cluster.final_state(coordinator))


def test_a_worker_that_hangs_is_overtaken(cluster, reference):
    coordinator = cluster.coordinator(claim_timeout_s=0.5)
    cluster.worker("hung", stall_s=600)
    cluster.worker("survivor")
    cluster.train_to(4)
    reference.check(*cluster.final_state(coordinator))


def test_a_killed_coordinator_loses_at_most_one_step_and_its_workers_carry_on(cluster, reference):
    coordinator = cluster.coordinator()
    worker = cluster.worker("faithful")
    before = cluster.train_to(5)
    coordinator.kill()
    coordinator.join()
    assert not checkpoint_files(train_folder(cluster.home)), "only the live state was there to resume from"
    again = cluster.coordinator()
    assert cluster.status().step >= before.step
    after = cluster.train_to(before.step + 3)
    assert after.run == before.run
    assert after.rejected == 0, "what the worker had in hand was of use"
    assert worker.is_alive()
    reference.check(*cluster.final_state(again))


def test_down_and_up_continues_the_loss(cluster, reference):
    first = cluster.coordinator()
    worker = cluster.worker("one day")
    cluster.train_to(3)
    cluster.finish(worker)
    stopped_at = cluster.status()
    cluster.finish(first)
    assert not any(path.exists() for path in live_paths(train_folder(cluster.home))), "a clean stop leaves no memory"
    second = cluster.coordinator()
    resumed = cluster.status()
    assert (resumed.step, resumed.tokens, resumed.loss) == (stopped_at.step, stopped_at.tokens, stopped_at.loss)
    cluster.worker("the next day")
    cluster.train_to(stopped_at.step + 2)
    reference.check(*cluster.final_state(second))


def test_a_checkpoint_cut_short_by_a_kill_is_as_if_never_begun(cluster, reference):
    first = cluster.coordinator()
    cluster.worker("before")
    cluster.train_to(2)
    progress, _ = cluster.final_state(first)
    cluster.die_while_writing()
    described = describe(cluster.home)
    assert [checkpoint.progress.step for checkpoint in described.checkpoints] == [progress.step]
    second = cluster.coordinator()
    assert cluster.status().step == progress.step
    cluster.train_to(progress.step + 2)
    reference.check(*cluster.final_state(second))


def test_checkpoints_are_written_while_training_goes_on(cluster):
    cluster.coordinator(checkpoint_interval_s=0.2)
    cluster.worker("steady")
    cluster.wait_for(lambda: cluster.status().checkpoint_step is not None, "a checkpoint")
    newest = describe(cluster.home).checkpoints[0]
    assert 0 < newest.progress.step <= cluster.status().step


def test_on_a_full_disk_training_goes_on_says_so_and_writes_checkpoints_again_once_there_is_room(cluster):
    folder = train_folder(cluster.home)
    folder.mkdir(parents=True)
    with small_disk(WAYS[0], folder, "256m") as disk:
        cluster.coordinator(checkpoint_interval_s=0.2)
        cluster.worker("steady")
        cluster.wait_for(lambda: cluster.status().checkpoint_step is not None, "a checkpoint")
        disk.fill()
        cluster.wait_for(lambda: "No space left on device" in cluster.status().alarm, "an alarm")
        before = cluster.status()
        assert cluster.train_to(before.step + 3).checkpoint_step == before.checkpoint_step
        assert describe(cluster.home).checkpoints[0].progress.step == before.checkpoint_step
        disk.free()
        cluster.wait_for(lambda: not cluster.status().alarm, "a checkpoint after there was room")
        assert cluster.status().checkpoint_step > before.checkpoint_step
        cluster.finish(cluster.processes[0])


def test_the_loss_falls_on_real_text(cluster):
    cluster.coordinator()
    cluster.worker("learner")

    def has_fallen() -> bool:
        history = cluster.train_to(6).loss_history
        return sum(sample.loss for sample in history[-5:]) / 5 < history[0].loss - 1.0

    cluster.wait_for(lambda: has_fallen() or cluster.status().step > 60, "60 steps")
    assert has_fallen()


def test_two_coordinators_cannot_share_a_folder(cluster):
    cluster.coordinator()
    with pytest.raises(AlreadyRunning, match="another coordinator"):
        Coordinator(cluster.recipe, read_index(cluster.text).sha256, cluster.home, "any")


def test_a_stray_connection_holds_up_nobody(cluster):
    cluster.coordinator()
    with socket.create_connection(("127.0.0.1", cluster.port)):
        assert cluster.status().step == 0
