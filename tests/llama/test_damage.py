"""Damaged state: the newest whole state is taken, what is damaged is set aside, and nothing damaged is trained on."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from damage import harms
from tenfold.core.errors import AssetError, Damaged
from tenfold.llama.checkpoint import (
    StateVectors,
    checkpoint_files,
    newest_sound,
    write_checkpoint,
)
from tenfold.llama.coordinator import Coordinator
from tenfold.llama.live import LiveState, live_paths, live_run
from tenfold.llama.progress import TrainProgress
from tenfold.llama.runs import describe, open_run, train_folder
from tenfold.llama.vectors import layout_of

TEXT = "0" * 64


def progress_at(step: int) -> TrainProgress:
    return TrainProgress(step=step, tokens=10 * step, loss=1.5, pending=(float("nan"),) if step == 3 else ())


def state_at(step: int, size: int) -> StateVectors:
    rng = np.random.default_rng(step)
    return StateVectors(*(rng.normal(size=size).astype(np.float32) for _ in range(3)))


def aside(folder: Path) -> list[str]:
    return sorted(path.name.split(".damaged-")[0] for path in folder.glob("*.damaged-*") if path.suffix != ".json")


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 0x10
    path.write_bytes(data)


class Run:
    """A run with checkpoints of steps 1 and 3."""

    def __init__(self, folder: Path, recipe) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.recipe, self.layout = folder, recipe, layout_of(recipe.model)
        self.meta = open_run(folder, recipe, TEXT)
        self.paths = {step: self.write(step) for step in (1, 3)}

    def write(self, step: int) -> Path:
        state = state_at(step, self.layout.size)
        return write_checkpoint(self.folder, self.meta, progress_at(step), self.layout.spans, state)

    def live(self, step: int) -> LiveState:
        live = LiveState.create(self.folder, self.meta, progress_at(step - 1), state_at(step - 1, self.layout.size))
        live.back.copy_from(state_at(step, self.layout.size))
        live.flip(progress_at(step))
        return live

    def resume(self) -> tuple[int, StateVectors]:
        """What a coordinator goes on from; it is not run, so that it writes nothing."""
        coordinator = Coordinator(self.recipe, TEXT, self.folder.parents[1], "token")
        coordinator._held.close()
        return coordinator._live.progress.step, coordinator._live.front

    def check(self, step: int, state: StateVectors) -> None:
        assert state.sha256() == state_at(step, self.layout.size).sha256()

    def forget_live(self) -> None:
        for path in live_paths(self.folder):
            path.unlink(missing_ok=True)


@pytest.fixture
def run(tmp_path, recipe):
    run = Run(train_folder(tmp_path), recipe)
    yield run
    run.forget_live()


@pytest.mark.slow
@given(harm=harms)
def test_any_damage_to_the_newest_checkpoint_leads_to_the_one_before_it(tmp_path_factory, recipe, harm):
    run = Run(train_folder(tmp_path_factory.mktemp("home")), recipe)
    run.paths[3].write_bytes(harm(run.paths[3].read_bytes()))
    progress, state = newest_sound(run.folder, run.meta, run.layout.spans)
    run.check(progress.step, state)
    if progress.step == 1:
        assert aside(run.folder) == ["checkpoint-000000003.safetensors"]
    else:
        assert progress.model_dump_json() == progress_at(3).model_dump_json()
    assert describe(run.folder.parents[1]).checkpoints[0].progress.step == progress.step


@pytest.mark.slow
@given(harm=harms)
def test_any_damage_to_the_live_state_costs_a_step_or_is_named(tmp_path_factory, recipe, harm):
    run = Run(train_folder(tmp_path_factory.mktemp("home")), recipe)
    try:
        path = run.live(8).path
        path.write_bytes(harm(path.read_bytes()))
        live = LiveState.reopen(run.folder, run.meta, run.layout.size)
        assert live.progress.step in (7, 8)
        assert live.progress == progress_at(live.progress.step)
        run.check(live.progress.step, live.front)
    except Damaged as error:
        assert str(path) in str(error)
    finally:
        run.forget_live()


@pytest.mark.slow
@given(harm=harms)
def test_any_damage_to_the_runs_name_is_mended_from_a_checkpoint(tmp_path_factory, recipe, harm):
    run = Run(train_folder(tmp_path_factory.mktemp("home")), recipe)
    path = run.folder / "run.json"
    before = path.read_bytes()
    path.write_bytes(harm(before))
    assert open_run(run.folder, recipe, TEXT) == run.meta
    assert open_run(run.folder, recipe, TEXT) == run.meta


def test_a_run_without_checkpoints_is_named_again_by_its_live_state(run):
    run.live(8)
    for path in checkpoint_files(run.folder):
        path.unlink()
    (run.folder / "run.json").write_bytes(b"")
    assert live_run(run.folder, run.meta.identity) == run.meta.run
    assert run.resume()[0] == 8


def test_a_run_that_nothing_names_is_left_for_its_owner(run, recipe):
    (run.folder / "run.json").write_bytes(b"{")
    other = recipe.model_copy(update={"seed": 5})
    with pytest.raises(Damaged, match=r"run\.json is damaged") as caught:
        open_run(run.folder, other, TEXT)
    assert str(run.folder) in caught.value.next_step
    assert aside(run.folder) == []


def test_a_corrupt_newest_checkpoint_does_not_matter_to_an_intact_live_state(run):
    run.live(8)
    flip(run.paths[3], -1000)
    step, state = run.resume()
    assert step == 8
    run.check(8, state)
    assert aside(run.folder) == ["checkpoint-000000003.safetensors"]


def test_checkpoints_that_are_all_corrupt_do_not_matter_to_an_intact_live_state(run):
    run.live(8)
    for path in run.paths.values():
        flip(path, -1000)
    assert run.resume()[0] == 8
    assert len(aside(run.folder)) == 2


def test_a_live_state_that_is_all_corrupt_leads_to_the_newest_checkpoint(run):
    path = run.live(8).path
    path.write_bytes(b"\xff" * path.stat().st_size)
    step, state = run.resume()
    assert step == 3
    run.check(3, state)
    assert aside(run.folder) == [path.name]


def test_a_live_state_with_a_corrupt_front_goes_on_one_step_before(run):
    live = run.live(8)
    live.front.parameters_P[5] += 1.0
    step, state = run.resume()
    assert step == 7
    run.check(7, state)


def test_where_every_checkpoint_is_corrupt_they_stay_and_are_named(run):
    for path in run.paths.values():
        flip(path, -1000)
    with pytest.raises(AssetError, match=r"checkpoint-000000003\.safetensors is damaged") as caught:
        run.resume()
    assert f"delete {run.paths[3]}" in caught.value.next_step
    assert aside(run.folder) == [] and len(checkpoint_files(run.folder)) == 2


def test_a_checkpoint_of_another_run_is_no_damage(run, recipe, tmp_path):
    stranger = Run(tmp_path / "other", recipe)
    run.paths[3].write_bytes(stranger.paths[3].read_bytes())
    with pytest.raises(AssetError, match="belongs to run"):
        run.resume()
    assert aside(run.folder) == []


def test_a_coordinator_killed_and_its_checkpoint_damaged_carries_on_bit_for_bit(cluster, reference):
    first = cluster.coordinator()
    cluster.worker("steady")
    cluster.train_to(3)
    cluster.final_state(first)
    second = cluster.coordinator(checkpoint_interval_s=0.2)
    cluster.wait_for(lambda: len(checkpoint_files(train_folder(cluster.home))) == 2, "a second checkpoint")
    cluster.finish(second)
    newest, older = checkpoint_files(train_folder(cluster.home))
    flip(newest, -1000)
    third = cluster.coordinator()
    assert cluster.status().step == int(older.name[11:20])
    assert aside(train_folder(cluster.home)) == [newest.name]
    cluster.train_to(cluster.status().step + 2)
    reference.check(*cluster.final_state(third))


def test_somebody_elses_file_in_shared_memory_is_not_used(run, tmp_path):
    path = live_paths(run.folder)[0]
    path.symlink_to(tmp_path / "elsewhere")
    assert run.resume()[0] == 3
    assert live_paths(run.folder)[1].exists() and not (tmp_path / "elsewhere").exists()
