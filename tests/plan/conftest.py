"""What the planner's tests share."""

import copy

import pytest
from tiny_study import TINY


@pytest.fixture
def tiny() -> dict:
    """A study as a table, free to change."""
    return copy.deepcopy(TINY)
