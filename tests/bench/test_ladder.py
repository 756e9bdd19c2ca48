"""The bench judges anyone's runs: a tenth of the budget and less predicts the best loss at it."""

import json
import sys

import pytest

import ladder


def last_line(capsys, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["ladder.py", *map(str, arguments)])
    ladder.main()
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_what_a_tenth_of_the_budget_says_of_the_best_loss_at_it(capsys, monkeypatch):
    found = last_line(capsys, monkeypatch, "--runs", ladder.SETS / "llama3.csv", "--budget", "1e21")
    assert found.keys() == {"predicted", "low", "high", "observed", "error"}
    assert found["observed"] == 0.73634
    assert found["low"] < found["observed"] < found["high"]
    assert found["error"] == abs(found["predicted"] / found["observed"] - 1) < 0.02


def test_runs_above_a_tenth_have_no_say(capsys, monkeypatch, tmp_path):
    rows = (ladder.SETS / "llama3.csv").read_text().splitlines()
    spoilt = [row if float(row.split(",")[3] or 0) < 5e20 else row.rsplit(",", 1)[0] + ",0.5" for row in rows[1:]]
    path = tmp_path / "spoilt.csv"
    path.write_text("\n".join([rows[0], *spoilt]))
    honest = last_line(capsys, monkeypatch, "--runs", ladder.SETS / "llama3.csv", "--budget", "1e21")
    found = last_line(capsys, monkeypatch, "--runs", path, "--budget", "1e21")
    assert found["predicted"] == honest["predicted"]
    assert found["observed"] == 0.5


def test_a_budget_that_no_run_has_is_named(capsys, monkeypatch):
    with pytest.raises(SystemExit, match="no run has 7e"):
        last_line(capsys, monkeypatch, "--runs", ladder.SETS / "llama3.csv", "--budget", "7e22")
