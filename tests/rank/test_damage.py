"""A damaged ranker is never used: it is set aside and trained again, to the same tensors."""

import shutil
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from damage import harms
from tenfold.core.errors import Damaged
from tenfold.core.sound import damages
from tenfold.pool.resident import Context
from tenfold.rank.artifact import artifact_folder, describe, read_tensors
from tenfold.rank.dataset import RECIPE
from tenfold.rank.resident import create
from tenfold.rank.train import train

QUICK = RECIPE.model_copy(update={"width": 8, "epochs": 1, "test_share": 0.01, "batch_events": 4000, "negatives": 64})


def test_a_resident_that_finds_its_ranker_damaged_trains_it_again(fresh_cache: Path, tmp_path: Path, monkeypatch):
    # What is trained again is of the recipe that serves.
    monkeypatch.setattr("tenfold.rank.train.RECIPE", QUICK)
    monkeypatch.setattr("tenfold.rank.artifact.RECIPE", QUICK)
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "assets").symlink_to(fresh_cache / "assets")
    train(cache, lambda _stage, _done: None)
    before = describe(cache)
    path = artifact_folder(cache) / before.tensor_file
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    resident = create(Context("n0/cpu0", 1, tmp_path, cache, {}, {}, "token"))
    resident.load()
    assert (artifact_folder(cache) / describe(cache).tensor_file).read_bytes() == good, (
        "the same seed, the same tensors"
    )
    assert [damage.instead for damage in damages([cache])] == ["the ranker is trained again"]


@given(harm=harms, name=st.sampled_from(["meta.json", "tensors"]))
def test_a_ranker_with_any_damage_is_refused_or_the_same(tmp_path_factory, trained_cache: Path, harm, name: str):
    cache = tmp_path_factory.mktemp("cache")
    shutil.copytree(artifact_folder(trained_cache), artifact_folder(cache))
    meta = describe(cache)
    path = artifact_folder(cache) / (meta.tensor_file if name == "tensors" else name)
    path.write_bytes(harm(path.read_bytes()))
    try:
        assert describe(cache) == meta
        assert read_tensors(cache, meta) == read_tensors(trained_cache, meta)
    except Damaged as error:
        assert str(artifact_folder(cache)) in str(error)
