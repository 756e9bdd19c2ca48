"""What cannot work is refused before anything starts, with the cause and the next step."""

import os
import socket

import pytest

from tenfold.cli.history import read_moves
from tenfold.cli.main import main
from tenfold.cli.supervisor import check_memory, listen
from tenfold.core.config import KindSettings, PoolSettings
from tenfold.core.errors import NotEnoughMemory, NotRunning, PortTaken
from tenfold.wiring import CONFIG


def test_a_taken_port_names_its_holder_and_another_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken) as caught:
            listen("127.0.0.1", port)
    assert str(caught.value).startswith(f"cannot listen on 127.0.0.1:{port}: Address already in use")
    assert f"held by process {os.getpid()}" in str(caught.value)
    assert caught.value.next_step == f"stop that process, or choose another: tenfold up --port {port + 1}"


def test_port_0_is_a_free_one():
    with listen("127.0.0.1", 0) as listener:
        assert listener.getsockname()[1] > 0


def test_more_slots_than_memory_names_need_free_and_the_setting():
    many = CONFIG(pool=PoolSettings(kinds={"cpu": KindSettings(slots=4000)}))
    with pytest.raises(NotEnoughMemory, match=r"4000 slots need about \d+ MB of memory, \d+ MB are free") as caught:
        check_memory(many)
    assert "pool.kinds.cpu.slots" in caught.value.next_step
    assert caught.value.exit_code == 3


def test_slots_per_core_counts_when_slots_are_not_given():
    per_core = KindSettings(slots_per_core=16)
    cores = len(os.sched_getaffinity(0))
    try:
        check_memory(CONFIG(pool=PoolSettings(kinds={"cpu": per_core})))
    except NotEnoughMemory as error:
        assert str(error).startswith(f"{16 * cores} slots need")


def test_up_is_refused_while_the_ledgers_server_is_away(tmp_path, monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = tmp_path / "tenfold.toml"
    config.write_text(
        f'[pool]\nport = 0\n[pool.kinds.cpu]\nslots = 1\n[store]\nurl = "postgresql://me:secret@{address}/x"\n'
    )
    monkeypatch.setenv("TENFOLD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "500")
    with pytest.raises(SystemExit, match="1"):
        main(["up", "--config", str(config)])
    told = capsys.readouterr().err
    assert address in told and "cannot be used" in told and "next:  see that PostgreSQL runs there" in told
    assert "secret" not in told


def test_moves_of_a_home_without_a_ledger_say_how_to_start_one(tmp_path):
    with pytest.raises(NotRunning, match="there is no ledger at") as caught:
        read_moves(tmp_path, 20)
    assert "tenfold up" in caught.value.next_step
    assert list(tmp_path.iterdir()) == []
