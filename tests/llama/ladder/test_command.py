"""``tenfold ladder`` as a user types it: fit, predict, score, and what a plan reads of it."""

import json
import tomllib

import pytest
import yaml
from ladder_laws import isoflop_runs
from tiny_study import TINY

from outline import Outline
from tenfold.cli.main import main
from tenfold.llama import train_command
from tenfold.llama.journal import EVALUATIONS_FILE, STEPS_FILE, EvaluationLine, StepLine
from tenfold.llama.ladder import page
from tenfold.llama.ladder.library import predictions, write_outcome
from tenfold.llama.ladder.prediction import (
    forecast_path,
    load_prediction,
    outcome_of,
    outcome_path,
    register,
    runs_copy_path,
)
from tenfold.llama.recipe import Recipe
from tenfold.llama.run_file import RunFile
from tenfold.llama.runs import train_folder
from tenfold.plan.study_file import load_study


@pytest.fixture
def runs_csv(tmp_path, monkeypatch):
    monkeypatch.setenv("TENFOLD_HOME", str(tmp_path / "home"))
    runs = isoflop_runs(noise=0.002, count=6)
    rows = zip(runs.names, runs.params_R, runs.flops_R, runs.loss_R, strict=True)
    path = tmp_path / "runs.csv"
    path.write_text("run,params,flops,loss\n" + "".join(f"{a},{b:.8g},{c:.8g},{d:.8g}\n" for a, b, c, d in rows))
    return path


def said(capsys, *arguments):
    main([str(each) for each in arguments])
    return capsys.readouterr().out


def refused(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(each) for each in arguments])
    return caught.value.code, " ".join(capsys.readouterr().err.split())


def test_from_runs_to_a_registered_prediction_to_its_score(runs_csv, tmp_path, capsys):
    fitted = json.loads(said(capsys, "ladder", "fit", runs_csv, "--json"))
    assert 0.1 < fitted["vpnls"]["compute_exponent"] < 0.25
    assert fitted["frontier"][-1]["fitted"] == pytest.approx(fitted["frontier"][-1]["loss"], rel=0.01)

    told = json.loads(said(capsys, "ladder", "predict", runs_csv, "--name", "next", "--owned-tokens", "2B", "--json"))
    assert told["times"] == pytest.approx(10)
    assert told["low"] < told["loss"] < told["high"]
    assert told["repeats"] == pytest.approx(told["tokens"] / 2e9)
    assert told["accelerator_hours"][1] > 0
    path = tmp_path / "home" / "ladder" / "predictions" / "next.json"
    assert load_prediction(path).sha256 == told["sha256"]

    run = tomllib.loads(forecast_path(path).read_text())["run"]
    assert run["flops"] == pytest.approx(told["flops"], rel=1e-5)
    assert run["data"]["unique_tokens"] == pytest.approx(told["tokens"] / 4, rel=1e-5)

    assert refused(capsys, "ladder", "predict", runs_csv, "--name", "next")[0] == 2
    scored = json.loads(said(capsys, "ladder", "score", "next", "--loss", told["loss"] * 1.01, "--json"))
    assert scored["inside"]
    assert scored["error"] == pytest.approx(1 / 1.01 - 1)
    kept = outcome_path(path).read_text()
    assert "Runs, fit, prediction, outcome" in Outline(page.html(tmp_path / "home", {})).headings
    said(capsys, "ladder", "score", "next", "--loss", told["high"] * 1.2)
    assert outcome_path(path).read_text() == kept, "a score that is there stays"


def test_a_plan_provides_for_the_run_that_a_prediction_is_about(runs_csv, tmp_path, capsys):
    path = tmp_path / "next.json"
    told = json.loads(said(capsys, "ladder", "predict", runs_csv, "-o", path, "--owned-tokens", "1T", "--json"))
    run = {"due": "2027H1", "missed_usd": 1e6, "forecast": "next.toml", "accelerator_hours": {"gpu": 1e4}}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({**TINY, "runs": {"next": run}}))
    study = load_study(tmp_path / "study.yaml")
    planned = study.runs["next"]
    assert planned.flops == pytest.approx(told["flops"], rel=1e-5)
    assert (planned.params, planned.tokens) == pytest.approx((told["params"], told["tokens"]), rel=1e-5)
    assert planned.data.owned_tokens == pytest.approx(1e12)


def ran(home, name, loss, *, steps=2) -> RunFile:
    """A run of two steps, of which so many were made, and evaluated after each."""
    folder = train_folder(home, name)
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        StepLine(step=at, tokens=at, loss=3.0, norm=1.0, learning_rate=1.0, seconds=1.0, tokens_per_s=1.0, workers=1)
        for at in range(1, steps + 1)
    ]
    (folder / STEPS_FILE).write_text("".join(f"{line.model_dump_json()}\n" for line in lines))
    measured = EvaluationLine(step=steps, tokens=steps, loss=loss, held_out_tokens=1)
    (folder / EVALUATIONS_FILE).write_text(f"{measured.model_dump_json()}\n")
    return RunFile(name, Recipe(steps=2))


def test_a_run_that_was_predicted_is_scored_as_training_ends(runs_csv, tmp_path, capsys):
    said(capsys, "ladder", "predict", runs_csv, "--name", "next")
    path = tmp_path / "home" / "ladder" / "predictions" / "next.json"
    told = load_prediction(path)
    train_command._score(tmp_path / "home", ran(tmp_path / "home", "another", 2.0))
    # Nor is one that was stopped, whatever it was evaluated at.
    train_command._score(tmp_path / "home", ran(tmp_path / "home", "next", 2.0, steps=1))
    assert not outcome_path(path).exists()
    train_command._score(tmp_path / "home", ran(tmp_path / "home", "next", told.low * 0.9))
    assert "outside the interval" in " ".join(capsys.readouterr().err.split())
    assert json.loads(outcome_path(path).read_text())["verdict"] == "better"
    assert f"{told.low * 0.9:.4f}" in page.html(tmp_path / "home", {}), "the page in the console shows what was reached"

    # Who predicts anew under the name begins without a score; the old one stays under the old one's seal.
    path.unlink()
    again = told.model_copy(update={"loss": told.loss * 1.01}).sealed()
    register(again, runs_copy_path(path).read_text(), path)
    assert outcome_of(again, path) is None and not outcome_path(path).exists()
    old = path.with_suffix(f".{told.sha256[:12]}.outcome.json")
    assert json.loads(old.read_text())["verdict"] == "better"
    # Also where another version of Tenfold has left it.
    old.rename(outcome_path(path))
    assert outcome_of(again, path) is None
    assert write_outcome(path, told.loss)[1].prediction_sha256 == again.sha256
    assert old.exists() and predictions(tmp_path / "home") == [path]


def test_a_prediction_that_was_changed_since_is_refused(runs_csv, tmp_path, capsys):
    path = tmp_path / "p.json"
    said(capsys, "ladder", "predict", runs_csv, "-o", path)
    path.write_text(path.read_text().replace(f'"loss":{json.loads(path.read_text())["loss"]}', '"loss":1.0'))
    path.write_text(json.dumps({**json.loads(path.read_text()), "loss": 1.0}))
    code, words = refused(capsys, "ladder", "score", path, "--loss", "2")
    assert code == 1
    assert "changed after it was made" in words


def test_the_page_shows_ladder_prediction_and_what_the_run_takes(runs_csv, tmp_path, capsys):
    said(capsys, "ladder", "predict", runs_csv, "--name", "next")
    outline = Outline(page.html(tmp_path / "home", {}))
    assert outline.headings[:3] == ["Ladder: next", "Runs, fit, prediction", "What the run takes"]
    assert outline.pictures == ["Loss along training FLOPs: runs, fit, prediction and outcome"]
    assert "No ladder yet" in page.html(tmp_path / "elsewhere", {})


def test_without_runs_it_says_how_to_get_some(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TENFOLD_HOME", str(tmp_path))
    code, words = refused(capsys, "ladder", "predict")
    assert code == 2
    assert "tenfold ladder run" in words


def test_ten_rows_without_a_loss_are_told_and_the_rest_counted(runs_csv, capsys):
    runs_csv.write_text(runs_csv.read_text() + "lost,1e9,1e19,nan\n" * 25)
    main(["ladder", "fit", str(runs_csv)])
    told = capsys.readouterr().err
    assert told.count("loss is nan") == 10 and "and 15 more lines" in told
