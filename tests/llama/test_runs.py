"""The runs of a home: each in a folder of its own, by the recipe that it began with; a home of the version before."""

import fcntl
import hashlib
import json
import os

import numpy as np
import pytest

from tenfold.core.errors import AlreadyRunning, AssetError, UsageError
from tenfold.core.sound import write_record
from tenfold.llama import recipe as recipes
from tenfold.llama.checkpoint import RunMeta, StateVectors, write_checkpoint
from tenfold.llama.coordinator import Coordinator
from tenfold.llama.live import LiveState, live_paths
from tenfold.llama.progress import TrainProgress
from tenfold.llama.recipe import ModelShape, Recipe
from tenfold.llama.runs import describe, open_run, read_run, run_folders, take_over, train_folder
from tenfold.llama.vectors import layout_of

TEXT = "0" * 64
AT_FIRST = {
    "": "balance_weight beta_1 beta_2 bfloat16 epsilon gradient_norm_limit learning_rate microbatch_sequences "
    "microbatches model seed sequence_tokens warmup_steps weight_decay",
    "model": "head_dim hidden_size interleave_moe_layer_step intermediate_size intermediate_size_mlp "
    "no_rope_layer_interval num_attention_heads num_hidden_layers num_key_value_heads num_local_experts rms_norm_eps "
    "rope_theta vocab_size",
}
"""Keys of the recipes that were saved before any key was added."""


@pytest.fixture
def home(tmp_path):
    yield tmp_path
    for folder in (tmp_path / "train", *tmp_path.glob("train/*")):
        live_paths(folder)[0].unlink(missing_ok=True)


@pytest.fixture
def state(recipe):
    rng = np.random.default_rng(1)
    return StateVectors(*(rng.normal(size=layout_of(recipe.model).size).astype(np.float32) for _ in range(3)))


@pytest.fixture
def old(home, recipe, state) -> RunMeta:
    """A run as the version before left it: all of it in ``home/train``, at step 3, in memory at step 5."""
    folder = home / "train"
    folder.mkdir()
    (folder / "lock").touch()
    run = RunMeta(run="an old run", identity=recipe.identity(TEXT), recipe=recipe)
    write_record(folder / "run.json", run)
    write_checkpoint(folder, run, TrainProgress(step=3), layout_of(recipe.model).spans, state)
    (folder / "checkpoint-000000001.safetensors.damaged-20260101T000000").write_bytes(b"cut")
    LiveState.create(folder, run, TrainProgress(step=5), state)
    return run


def test_a_home_of_the_version_before_is_shown_and_goes_on_as_main(home, old, recipe):
    before = describe(home)
    assert (before.name, before.checkpoints[0].progress.step, len(before.damaged)) == ("main", 3, 1)
    coordinator = Coordinator(recipe, TEXT, home, "token")
    status = coordinator.status()
    assert (status.run, status.step, status.checkpoint_step) == ("an old run", 5, 3)
    after = describe(home)
    assert (after.name, after.run, after.damaged) == ("main", old, before.damaged)
    assert [path.name for path in (home / "train").iterdir()] == ["main"]


def test_what_was_cut_short_is_taken_up_again(home, old):
    folder = train_folder(home)
    folder.mkdir()
    for path in (home / "train").glob("checkpoint-*"):
        path.rename(folder / path.name)
    take_over(home)
    assert read_run(folder) == old
    assert describe(home).checkpoints[0].progress.step == 3


def test_a_run_on_which_the_version_before_still_works_is_left_to_it(home, old):
    with (home / "train" / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(AlreadyRunning):
            take_over(home)
    assert (home / "train" / "run.json").exists()


def test_runs_stand_side_by_side_and_are_shown_by_name(home, recipe):
    for age, name in enumerate(("main", "wide")):
        folder = train_folder(home, name)
        folder.mkdir(parents=True)
        open_run(folder, recipe.model_copy(update={"seed": age}), TEXT)
        os.utime(folder, (1000.0 + age, 1000.0 + age))
    assert list(run_folders(home)) == ["wide", "main"]
    assert (describe(home).name, describe(home).others) == ("wide", ("main",))
    assert describe(home, "main").run.recipe.seed == 0
    with pytest.raises(UsageError, match="no training run 'narrow'") as caught:
        describe(home, "narrow")
    assert "wide, main" in caught.value.next_step


def test_a_run_keeps_the_recipe_that_it_began_with_whatever_the_defaults_are_later(home, recipe):
    folder = train_folder(home)
    folder.mkdir(parents=True)
    begun = open_run(folder, recipe, TEXT)
    assert open_run(folder, Recipe(seed=recipe.seed), TEXT) == begun
    with pytest.raises(AssetError, match="seed was 0, now 7"):
        open_run(folder, Recipe(seed=7), TEXT)


def test_a_key_that_is_added_to_recipes_does_not_orphan_older_runs(home, recipe, state, monkeypatch):
    folder = train_folder(home)
    folder.mkdir(parents=True)
    # As a version saved it that knew neither key.
    table = recipe.model_dump(mode="json")
    del table["balance_weight"], table["model"]["rope_theta"]
    told = recipe.model_dump_json(exclude={"balance_weight": True, "model": {"rope_theta"}})
    identity = hashlib.sha256(f"{told}\n{TEXT}".encode()).hexdigest()
    (folder / "run.json").write_text(json.dumps({"run": "older", "identity": identity, "recipe": table}))
    monkeypatch.setattr(recipes, "BEFORE", {("", "balance_weight"): 0.5, ("model", "rope_theta"): 77.0})
    found = open_run(folder, Recipe(seed=recipe.seed), TEXT)
    assert (found.run, found.recipe.balance_weight, found.recipe.model.rope_theta) == ("older", 0.5, 77.0)
    assert found.recipe.identity(TEXT) == identity
    assert recipe.identity(TEXT) != identity, "a new run has the new key"


def test_each_key_of_a_recipe_was_there_at_first_or_says_what_it_meant_before():
    for name, schema in (("", Recipe), ("model", ModelShape)):
        added = {key for table, key in recipes.BEFORE if table == name}
        assert set(schema.model_fields) == set(AT_FIRST[name].split()) | added
