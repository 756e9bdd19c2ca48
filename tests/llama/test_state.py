"""State on disk and in memory: whole, of the right run, or refused with the file's name."""

import contextlib
import subprocess
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from small_disk import WAYS, small_disk
from tenfold.core.errors import AssetError
from tenfold.llama.checkpoint import (
    KEPT,
    StateVectors,
    checkpoint_files,
    read_checkpoint,
    write_checkpoint,
)
from tenfold.llama.coordinator import Coordinator
from tenfold.llama.live import LiveState, live_paths, mount_of, peek
from tenfold.llama.progress import HISTORY_POINTS, TrainProgress
from tenfold.llama.recipe import Recipe
from tenfold.llama.runs import RUN_FILE, describe, locked, open_run, read_run, train_folder
from tenfold.llama.sweep import QUIET_S, sweep
from tenfold.llama.vectors import layout_of
from tenfold.pool.alive import has_ended, lives, place_here

TEXT = "0" * 64


@pytest.fixture
def folder(tmp_path):
    folder = train_folder(tmp_path)
    folder.mkdir(parents=True)
    yield folder
    for path in live_paths(folder):
        path.unlink(missing_ok=True)


@pytest.fixture
def run(folder, recipe):
    return open_run(folder, recipe, TEXT)


@pytest.fixture
def spans(recipe):
    return layout_of(recipe.model).spans


@pytest.fixture
def state(recipe):
    rng = np.random.default_rng(1)
    return StateVectors(*(rng.normal(size=layout_of(recipe.model).size).astype(np.float32) for _ in range(3)))


@pytest.mark.parametrize("way", WAYS)
def test_a_checkpoint_for_which_there_is_no_room_leaves_the_older_ones_and_nothing_half_written(
    folder, recipe, spans, state, way
):
    with small_disk(way, folder, "64m") as disk:
        run = open_run(folder, recipe, TEXT)
        older = write_checkpoint(folder, run, progress_after(1), spans, state)
        disk.fill()
        with pytest.raises(OSError, match="checkpoint-000000002"):
            write_checkpoint(folder, run, progress_after(2), spans, state)
        disk.free()
        assert sorted(path.name for path in folder.iterdir()) == [older.name, "run.json"]
        assert read_checkpoint(older, run, spans)[1].sha256() == state.sha256()


def progress_after(steps: int) -> TrainProgress:
    progress = TrainProgress()
    for step in range(steps):
        progress = progress.after(9.0 / (step + 1), 100)
    return progress


def test_a_checkpoint_gives_back_what_was_written(folder, run, spans, state):
    path = write_checkpoint(folder, run, progress_after(3), spans, state)
    progress, again = read_checkpoint(path, run, spans)
    assert progress == progress_after(3)
    assert again.sha256() == state.sha256()


def test_only_the_newest_checkpoints_stay(folder, run, spans, state):
    for step in (1, 2, 3, 10):
        write_checkpoint(folder, run, progress_after(step), spans, state)
    described = describe(folder.parents[1])
    assert [checkpoint.progress.step for checkpoint in described.checkpoints] == [10, 3]
    assert len(described.checkpoints) == KEPT
    assert described.run.recipe == run.recipe


def test_a_home_without_training_has_nothing_to_describe(tmp_path):
    assert describe(tmp_path) is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "header", "empty"])
def test_a_corrupt_checkpoint_is_named_with_what_to_do(folder, run, recipe, spans, state, damage):
    path = write_checkpoint(folder, run, progress_after(3), spans, state)
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[:-100]
    elif damage == "flipped":
        data[-1000] ^= 0x10
    elif damage == "header":
        data[:8] = b"\xff" * 8
    else:
        data = bytearray()
    path.write_bytes(data)
    with pytest.raises(AssetError, match=r"checkpoint-000000003\.safetensors is damaged") as caught:
        Coordinator(recipe, TEXT, folder.parents[1], "token")
    assert f"delete {path}" in caught.value.next_step


def test_a_run_of_another_seed_is_not_continued(folder, run, recipe):
    other = recipe.model_copy(update={"seed": 5})
    with pytest.raises(AssetError, match="seed was 0, now 5") as caught:
        open_run(folder, other, TEXT)
    assert str(folder) in caught.value.next_step


def test_a_checkpoint_of_another_run_is_not_continued(folder, run, spans, state):
    path = write_checkpoint(folder, run, progress_after(1), spans, state)
    (folder / "run.json").unlink()
    stranger = open_run(folder, run.recipe, TEXT)
    with pytest.raises(AssetError, match="belongs to run"):
        read_checkpoint(path, stranger, spans)


def test_live_state_is_found_again_and_half_an_update_is_not(folder, run, state):
    live = LiveState.create(folder, run, progress_after(2), state)
    live.back.copy_from(live.front)
    live.back.parameters_P[:] = 7.0
    again = LiveState.reopen(folder, run, len(state.parameters_P))
    assert again.progress == progress_after(2)
    assert again.front.sha256() == state.sha256()
    live.flip(progress_after(3))
    later = LiveState.reopen(folder, run, len(state.parameters_P))
    assert later.progress == progress_after(3)
    assert (later.front.parameters_P == 7.0).all()


def test_an_onlooker_sees_the_step_and_changes_nothing(folder, run, state):
    assert peek(folder) is None
    live = LiveState.create(folder, run, TrainProgress(step=3), state)
    live.flip(TrainProgress(step=4))
    before = live.path.read_bytes()
    assert peek(folder).step == 4
    live.back.parameters_P[:] = 7
    assert peek(folder).step == 4
    live.flip(TrainProgress(step=5))
    assert peek(folder).step == 5
    live.flip(TrainProgress(step=4))
    assert live.path.read_bytes()[:8] == before[:8]
    live.remove()
    assert peek(folder) is None


def test_live_state_of_another_run_or_boot_is_left_alone(folder, run, state, monkeypatch, tmp_path):
    LiveState.create(folder, run, progress_after(2), state)
    assert LiveState.reopen(folder, run.model_copy(update={"run": "another"}), len(state.parameters_P)) is None
    boot = tmp_path / "boot_id"
    boot.write_text("after the reboot")
    monkeypatch.setattr("tenfold.llama.live.BOOT_ID", boot)
    assert LiveState.reopen(folder, run, len(state.parameters_P)) is None


@pytest.mark.parametrize("damage", ["cut", "header"])
def test_damaged_live_state_is_named(folder, run, state, damage):
    path = LiveState.create(folder, run, progress_after(2), state).path
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-8])
    else:
        path.write_bytes(b"\x00" * 5000)
    with pytest.raises(AssetError, match="live training state") as caught:
        LiveState.reopen(folder, run, len(state.parameters_P))
    assert f"delete {path}" in caught.value.next_step


def test_without_shared_memory_the_live_state_lies_in_the_home(folder, run, state, monkeypatch, tmp_path):
    monkeypatch.setattr("tenfold.llama.live.SHARED_MEMORY", tmp_path / "missing")
    live = LiveState.create(folder, run, progress_after(2), state)
    assert live.path.parent == folder
    assert LiveState.reopen(folder, run, len(state.parameters_P)).progress.step == 2


def test_what_killed_training_left_in_memory_is_put_away_and_nothing_of_it_lost(
    folder, run, spans, state, monkeypatch, tmp_path
):
    gone = place_of_one_that_ended()
    assert not has_ended("elsewhere 1 0.0")
    (tmp_path / "shm").mkdir()
    monkeypatch.setattr("tenfold.llama.live.SHARED_MEMORY", tmp_path / "shm")
    later = time.time() + QUIET_S + 60.0

    in_use = train_folder(tmp_path, "in_use")
    in_use.mkdir()
    mine = LiveState.create(in_use, open_run(in_use, run.recipe, TEXT), progress_after(2), state)
    monkeypatch.setattr("tenfold.llama.live.place_here", lambda: gone)
    left = LiveState.create(folder, run, progress_after(3), state).path
    # Whoever starts it again may just be doing so.
    sweep()
    with locked(folder):
        sweep(later)
    assert left.exists() and not checkpoint_files(folder)
    sweep(later)
    assert not left.exists()
    assert read_checkpoint(checkpoint_files(folder)[0], run, spans)[0] == progress_after(3)
    assert read_checkpoint(checkpoint_files(folder)[0], run, spans)[1].sha256() == state.sha256()

    # One that was killed while it made a state: by its maker, or where it had no time to say so by its age.
    half, nameless = left.with_name(f".{left.name}.new"), left.with_name(f".{left.name}0.live.new")
    LiveState.create(folder, run, progress_after(3), state).path.rename(half)
    nameless.write_bytes(bytes(5000))
    sweep()
    assert not half.exists() and nameless.exists()
    sweep(later)
    assert not nameless.exists()

    # Where the disk of the run is not mounted, nobody can tell whether the run is still there.
    with monkeypatch.context() as mounted:
        mounted.setattr("tenfold.llama.live.mount_of", lambda _folder: "another")
        away = LiveState.create(folder, run, progress_after(4), state).path
    (folder / RUN_FILE).unlink()
    sweep(later)
    assert away.exists()

    # Of a run that is nowhere any more, or is another, nothing is kept.
    nobodys = LiveState.create(folder, run, progress_after(4), state).path
    sweep()
    assert not nobodys.exists()
    assert mine.path.exists()


def place_of_one_that_ended() -> str:
    child = subprocess.Popen(["sleep", "600"])
    machine = place_here().partition(" ")[0]
    place = f"{machine} {child.pid} {psutil.Process(child.pid).create_time()!r}"
    assert lives(place) and not has_ended(place)
    child.kill()
    child.wait()
    assert has_ended(place) and not lives(place)
    return place


@contextlib.contextmanager
def mounted(kind: str, target: Path, options: str = "rw"):
    """A file system; an overlay's device gets another number each time that one has been mounted between."""
    command = ["mount", "-t", kind, "-o", options, "tenfold-test", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    try:
        yield target.stat().st_dev
    finally:
        subprocess.run(["umount", "-l", str(target)], check=True)


def test_a_run_at_the_path_of_a_home_that_is_not_mounted_takes_nothing_of_the_other(
    recipe, spans, state, monkeypatch, tmp_path
):
    for name in ("shm", "home", "lower", "upper", "work", "between"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr("tenfold.llama.live.SHARED_MEMORY", tmp_path / "shm")
    gone = place_of_one_that_ended()
    monkeypatch.setattr("tenfold.llama.live.place_here", lambda: gone)
    home, later = tmp_path / "home", time.time() + QUIET_S + 60.0
    folder = train_folder(home)
    layers = ",".join(f"{layer}dir={tmp_path / layer}" for layer in ("lower", "upper", "work"))

    def killed_after(step: int) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        return LiveState.create(folder, open_run(folder, recipe, TEXT), progress_after(step), state).path

    with mounted("overlay", home, layers) as device:
        killed = killed_after(3)
    with mounted("tmpfs", tmp_path / "between"):
        other = killed_after(1)
        sweep(later)
        assert killed.exists() and not other.exists()
        other = killed_after(2)
        with mounted("overlay", home, layers) as device_again:
            assert device_again != device
            sweep(later)
            assert not killed.exists() and other.exists()
            progress, found = read_checkpoint(checkpoint_files(folder)[0], read_run(folder), spans)
            assert (progress, found.sha256()) == (progress_after(3), state.sha256())


def test_where_the_system_tells_of_no_mounts_a_home_is_known_by_its_device(tmp_path, monkeypatch):
    """As gVisor, in which /proc/self/fdinfo has no mnt_id."""
    whole = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda path, **how: whole(path, **how).replace("mnt_id:", "ino:"))
    assert mount_of(tmp_path) == mount_of(tmp_path / "later") != mount_of(Path("/proc"))


@given(losses=st.lists(st.floats(0, 10), max_size=1200))
def test_the_loss_curve_stays_short_and_keeps_its_mean(losses):
    progress = TrainProgress()
    for loss in losses:
        progress = progress.after(loss, 10)
    assert len(progress.history) <= HISTORY_POINTS
    assert (progress.step, progress.tokens) == (len(losses), 10 * len(losses))
    kept = sum(sample.loss for sample in progress.history) * progress.stride + sum(progress.pending)
    assert kept == pytest.approx(sum(losses))
    assert [sample.step for sample in progress.history] == [
        progress.stride * (index + 1) for index in range(len(progress.history))
    ]


def test_the_identity_of_a_run_covers_recipe_and_text():
    base = Recipe()
    others = [base.model_copy(update={"seed": 1}), base.model_copy(update={"learning_rate": 1e-4})]
    identities = {recipe.identity(TEXT) for recipe in (base, *others)} | {base.identity("1" * 64)}
    assert len(identities) == 4


def test_no_checkpoint_is_listed_while_it_is_half_written(folder):
    (folder / ".checkpoint-000000009.safetensors.1.new").write_bytes(b"half")
    assert checkpoint_files(folder) == []
