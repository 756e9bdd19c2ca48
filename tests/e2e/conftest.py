"""A real pool, brought up by the real command, once per session."""

from collections.abc import Iterator

import pytest
from e2e_pool import Pool, start, stop


@pytest.fixture(scope="session")
def pool(tmp_path_factory) -> Iterator[Pool]:
    """The pool of all modules here; a test that stops it brings it up again, whatever comes of the test."""
    found = start(tmp_path_factory.mktemp("home"))
    yield found
    if found.process.poll() is None:
        stop(found)
