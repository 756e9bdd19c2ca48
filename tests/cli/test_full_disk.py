"""On a full disk the command says so, in words, and what to do."""

import os
import subprocess
import sys

import pytest

from small_disk import WAYS, small_disk
from tenfold.cli.main import main
from tenfold.ledger.ledger import Ledger


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_up_in_a_home_without_room_names_the_file_and_the_cause(tmp_path, way):
    home = tmp_path / "home"
    home.mkdir()
    with small_disk(way, home) as disk:
        disk.fill()
        done = subprocess.run(
            [sys.executable, "-m", "tenfold.cli.main", "up", "--port", "0"],
            env={**os.environ, "TENFOLD_HOME": str(home), "COLUMNS": "500", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 1
    cause = "No space left on device" if way == WAYS[0] else "File too large"
    assert f"error: cannot write {home / 'config.json'}: {cause}" in done.stderr
    assert "next:  free space" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("way", WAYS)
def test_the_past_of_a_pool_is_refused_in_words_where_it_cannot_be_read(tmp_path, way, capsys, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("TENFOLD_HOME", str(home))
    with small_disk(way, home) as disk:
        ledger = Ledger(f"sqlite:///{home / 'ledger.db'}")
        ledger.append("allocation", "pool", {"epoch": 1})
        ledger.close()
        disk.fill()
        with pytest.raises(SystemExit, match="1"):
            main(["pool"])
        disk.free()
    told = " ".join(capsys.readouterr().err.split())
    assert "ledger.db cannot be read: disk I/O error" in told
    assert "has room and can be written" in told
