"""What tests of the ledger share."""

import pytest

from tenfold.ledger import recorder


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """On a busy machine a disk may be slow without there being any trouble."""
    monkeypatch.setattr(recorder, "WAIT_S", 60.0)
