import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tenfold.core.assets import asset_folder
from tenfold.core.errors import AssetError
from tenfold.rank.dataset import SURFACES, MovieLens, load_movielens
from tenfold.rank.recipe import DATA
from tenfold.rank.stream import split_in_time


def test_the_whole_of_movielens_100k_is_read(movielens: MovieLens):
    assert len(movielens.events) == 100_000
    assert len(movielens.catalog) == 1_682
    assert len(movielens.events.histories()) == 943
    first = movielens.catalog.items[0]
    assert (first.item, first.title, first.year) == (1, "Toy Story", 1995)
    assert first.genres == ("Animation", "Children's", "Comedy")


def test_every_history_is_oldest_first(movielens: MovieLens):
    for _, part in movielens.events.by_person():
        assert np.all(np.diff(movielens.events.at_E[part]) >= 0)


def test_every_film_has_genres_and_one_surface(movielens: MovieLens):
    stream = movielens.stream()
    assert all(item.attributes and len(item.surfaces) == 1 for item in stream.items)
    allowed = stream.items.allowed_SI(stream.surfaces)
    assert (allowed.sum(axis=0) == 1).all()
    assert allowed.sum(axis=1).min() > 100
    assert np.bincount(stream.events.surface_E, minlength=len(SURFACES)).min() > 10_000
    assert allowed[stream.events.surface_E, stream.events.row_E].all()


@pytest.mark.parametrize("share", [0.5, 0.8, 0.9, 0.99])
def test_no_training_event_is_at_or_after_the_cut(movielens: MovieLens, share: float):
    split = split_in_time(movielens.events, share)
    assert split.train.at_E.max() < split.cut_at <= split.test.at_E.min()
    assert len(split.train) + len(split.test) == len(movielens.events)
    assert len(split.train) == pytest.approx(share * len(movielens.events), rel=0.01)


def test_a_missing_data_set_says_how_to_fetch_it(tmp_path: Path):
    with pytest.raises(AssetError, match=r"ml-100k.*is missing") as caught:
        load_movielens(tmp_path)
    assert "tenfold assets" in caught.value.next_step


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [("ml-100k.inter", b"196\t242\t3\t881250949", b"196\t242\t3\t88125x949"), ("ml-100k.item", b"1995", b"1\t95")],
)
def test_a_corrupt_line_is_named(fresh_cache: Path, tmp_path: Path, file: str, old: bytes, new: bytes):
    folder = asset_folder(DATA, tmp_path)
    shutil.copytree(asset_folder(DATA, fresh_cache), folder)
    path = folder / file
    stat = path.stat()
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    # Same size and time: what only reading it through can find.
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(AssetError, match=f"{file}: line 2 is not what MovieLens-100K has there"):
        load_movielens(tmp_path)
