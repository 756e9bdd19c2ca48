from pathlib import Path

import pytest
import torch

from tenfold.core.assets import fetch
from tenfold.core.paths import cache_dir
from tenfold.rank.dataset import MovieLens, load_movielens
from tenfold.rank.ranker import Ranker, load_ranker
from tenfold.rank.recipe import DATA, Recipe
from tenfold.rank.train import train

SHORT = Recipe(epochs=2)


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
def trained_cache(fresh_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with a ranker that was really trained, by fewer epochs than the served one."""
    cache = tmp_path_factory.mktemp("trained")
    (cache / "assets").symlink_to(fresh_cache / "assets")
    train(cache, lambda stage, done: None, recipe=SHORT)
    return cache


@pytest.fixture(scope="session")
def ranker(trained_cache: Path) -> Ranker:
    return load_ranker(trained_cache)[0]
