"""Real pools, brought up by the real command: one for all modules, and the same again after it was stopped.

A pool that nobody asks for anything trains on every core, and whatever runs beside it takes two to three times as long.
So the tests of the shared pool come first, its last one stops it, and those that bring up pools of their own come then.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from e2e_pool import Pool, start, stop


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if item.path.parent == Path(__file__).parent]
    ordered = iter(sorted(here, key=_turn))
    items[:] = [next(ordered) if item.path.parent == Path(__file__).parent else item for item in items]


def _turn(item: pytest.Item) -> int:
    names = getattr(item, "fixturenames", ())
    return 2 if "pool" not in names else "again" in names


@pytest.fixture(scope="session")
def pool(tmp_path_factory) -> Iterator[Pool]:
    """The pool of all modules here."""
    found = start(tmp_path_factory.mktemp("home"))
    yield found
    if found.process.poll() is None:
        stop(found)


@dataclass(frozen=True)
class Again:
    """The shared pool, brought up again from the same home as a shadow; how it was before, and what was there between.

    ``step``: training's, before it was stopped. ``left``: processes that were left when it had stopped. ``saved_step``:
    what the last checkpoint was of, as the command told it then.
    """

    pool: Pool
    step: int
    left: list[psutil.Process]
    saved_step: int


@pytest.fixture(scope="session")
def again(pool: Pool) -> Again:
    """Stop the shared pool and bring it up again; whoever asks for it runs after all that ask for the pool only."""
    step = pool.step()
    left = stop(pool)
    described = json.loads(pool.command("train", "--json").stdout)
    pool.up_again("--shadow")
    return Again(pool, step, left, described["checkpoints"][0]["progress"]["step"])
