"""Runs that wait for the pool: in order, by their names, and whatever a kill or a disk leaves among them."""

import threading
from pathlib import Path

import pytest

from tenfold.core.errors import UsageError
from tenfold.core.sound import damages
from tenfold.llama.alone import Finished
from tenfold.llama.ladder.climb import RungGivenUp, climb, on_pool
from tenfold.llama.ladder.library import runs_path
from tenfold.llama.ladder.rungs import Rung
from tenfold.llama.run_file import RunFile
from tenfold.llama.run_queue import FOLDER, enqueue, first_waiting, why_given_up


def rung_of(recipe, name: str) -> Rung:
    return Rung(RunFile(name, recipe.model_copy(update={"steps": 2}), Path("/data")), name, 1, 1.0)


def test_runs_wait_in_order_whatever_a_killed_process_left_among_them(tmp_path, recipe):
    first = enqueue(tmp_path, RunFile("first", recipe, Path("/data")))
    (tmp_path / FOLDER / ".000007-next.json.123.new").write_text("{")
    (tmp_path / FOLDER / "notes-of-mine.txt").write_text("hello")
    # As the run of a prediction is named where nobody names it.
    second = enqueue(tmp_path, RunFile("next-1.2e+13", recipe, Path("/data")))
    assert first_waiting(tmp_path)[0] == first < second
    first.unlink()
    place, waiting = first_waiting(tmp_path)
    assert (place, waiting.name, waiting.data) == (second, "next-1.2e+13", Path("/data"))
    for name in ("../out", "", "two words", "next\n"):
        with pytest.raises(UsageError, match="cannot wait for the pool"):
            enqueue(tmp_path, RunFile(name, recipe))


def test_one_whose_file_is_damaged_is_given_up_and_the_next_has_its_turn(tmp_path, recipe, monkeypatch):
    monkeypatch.setattr("tenfold.llama.ladder.climb.find_running", lambda _home: object())
    first, second = rung_of(recipe, "first"), rung_of(recipe, "second")
    with on_pool([first, second], tmp_path, threading.Event()) as reach:
        place, _ = first_waiting(tmp_path)
        place.write_text(place.read_text()[:-20])
        for _ in range(5):
            assert first_waiting(tmp_path)[1].name == "second"
        with pytest.raises(RungGivenUp, match="first up: its place among those that wait was damaged"):
            reach(first)
    assert len(damages([tmp_path])) == 1, "the note of what is damaged is no run that waits"
    assert first_waiting(tmp_path) is None and why_given_up(place) == ""


def test_a_rung_that_is_stopped_before_its_last_evaluation_is_not_whole(tmp_path, recipe):
    rung = rung_of(recipe, "stopped")
    done = Finished("stopped", tmp_path, 2, 10, 1.0, None, 1.0, 1.0)
    assert not climb([rung], tmp_path, lambda _rung: done, lambda *_: None)
    assert not runs_path(tmp_path).exists()
