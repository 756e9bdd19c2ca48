"""A pool that others can reach makes an operator's key at its first start, and tells it once."""

import re
from pathlib import Path

import pytest

from tenfold.cli.supervisor import Supervisor
from tenfold.core.config import AccessSettings
from tenfold.pool.keys import Keyring
from tenfold.wiring import CONFIG


def said_at_start(home: Path, host: str, required: bool) -> list[str]:
    config = CONFIG()
    pool = config.pool.model_copy(update={"host": host})
    config = config.model_copy(update={"pool": pool, "access": AccessSettings(required=required)})
    said: list[str] = []
    Supervisor(config, home, home, None, said.append)._settle_home()
    return said


@pytest.mark.parametrize(("host", "required"), [("0.0.0.0", False), ("127.0.0.1", True)])
def test_the_first_key_is_told_once_and_is_an_operators(tmp_path, host, required):
    (told,) = said_at_start(tmp_path, host, required)
    found = re.search(r"tf_\S+", told)
    assert found is not None
    key = Keyring(tmp_path).find(found[0])
    assert key is not None and key.role == "operator"
    assert said_at_start(tmp_path, host, required) == []


def test_on_loopback_there_are_no_keys_unless_they_are_asked_for(tmp_path):
    assert said_at_start(tmp_path, "127.0.0.1", False) == []
    assert not (tmp_path / "keys.json").exists()
