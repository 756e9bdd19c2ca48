from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from tenfold.core.assets import fetch
from tenfold.core.paths import cache_dir
from tenfold.rank.artifact import artifact_folder
from tenfold.rank.dataset import RECIPE, MovieLens, load_movielens
from tenfold.rank.ranker import Ranker, load_ranker
from tenfold.rank.recipe import DATA, Recipe
from tenfold.rank.train import train

SHORT = RECIPE.model_copy(update={"epochs": 2})


class Training(NamedTuple):
    """A cache with a ranker, the recipe that it was trained by, and what was said of the progress."""

    cache: Path
    recipe: Recipe
    told: list[tuple[str, float]]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """As residents and training run; on a busy machine a second thread mostly waits, at full speed."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def fresh_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds MovieLens-100K and no trained ranker."""
    folder = fetch(DATA, cache_dir(), lambda progress: None)
    cache = tmp_path_factory.mktemp("cache")
    (cache / "assets").mkdir()
    (cache / "assets" / DATA.name).symlink_to(folder)
    return cache


@pytest.fixture(scope="session")
def movielens(fresh_cache: Path) -> MovieLens:
    return load_movielens(fresh_cache)


@pytest.fixture(scope="session")
def training(fresh_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """A ranker that was really trained, by fewer epochs than the served one; some CPU-seconds, so once."""
    found = Training(tmp_path_factory.mktemp("trained"), SHORT, [])
    (found.cache / "assets").symlink_to(fresh_cache / "assets")
    folder = train(found.cache, lambda stage, done: found.told.append((stage, done)), recipe=found.recipe)
    assert folder == artifact_folder(found.cache)
    return found


@pytest.fixture(scope="session")
def trained_cache(training: Training) -> Path:
    return training.cache


@pytest.fixture(scope="session")
def ranker(trained_cache: Path) -> Ranker:
    return load_ranker(trained_cache)[0]
