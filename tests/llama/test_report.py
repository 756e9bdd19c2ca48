"""Runs listed, compared and shown: by their files alone, whether or not somebody trains them now."""

import json
import math

import pytest

from outline import Outline
from tenfold.cli.main import main
from tenfold.llama.curve import stretches
from tenfold.llama.journal import EVALUATIONS_FILE, STEPS_FILE, EvaluationLine, StepLine
from tenfold.llama.numerics import NumericsBook
from tenfold.llama.report import Reporter, write_report
from tenfold.llama.run_data import data_of, keep_data
from tenfold.llama.runs import locked, open_run, train_folder
from tenfold.llama.standing import standing_of, standings

TEXT = "0" * 64


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TENFOLD_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def trained(home, recipe, text):
    """Makes a run that left its journal, without training it."""

    def make(name, steps=40, *, rate=1e-2, start=6.0, skip=(), **changes):
        folder = train_folder(home, name)
        folder.mkdir(parents=True)
        asked = recipe.model_copy(update={"steps": 40, "learning_rate": rate, **changes})
        open_run(folder, asked, TEXT)
        keep_data(folder, text)
        lines = [
            StepLine(
                step=step,
                tokens=step * asked.step_tokens,
                loss=math.nan if step in skip else start - math.log(step),
                norm=math.nan if step in skip else 1.0 / step,
                learning_rate=rate,
                seconds=0.5,
                tokens_per_s=2 * asked.step_tokens,
                workers=2,
                skipped="its loss is nan" if step in skip else "",
            )
            for step in range(1, steps + 1)
        ]
        (folder / STEPS_FILE).write_text("".join(f"{line.model_dump_json()}\n" for line in lines))
        judged = [
            EvaluationLine(step=at, tokens=at * asked.step_tokens, loss=start - 3 + 1 / at, held_out_tokens=64)
            for at in range(10, steps + 1, 10)
        ]
        (folder / EVALUATIONS_FILE).write_text("".join(f"{line.model_dump_json()}\n" for line in judged))
        return folder, asked

    return make


def said(capsys, *arguments):
    main(["train", *map(str, arguments)])
    return capsys.readouterr().out


def refused(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main(["train", *map(str, arguments)])
    assert caught.value.code == 2
    return " ".join(capsys.readouterr().err.split())


def test_runs_are_listed_with_how_far_each_is_and_what_it_reached(home, trained, capsys):
    folder, recipe = trained("whole")
    held, _ = trained("half", 12)
    trained("gone", 30, skip=range(11, 31))
    assert {each.name: each.state for each in standings(home)} == {
        "whole": "finished",
        "half": "stopped",
        "gone": "diverged",
    }
    with locked(held):
        assert {each.name: each.state for each in standings(home)}["half"] == "running"
    found = {each["name"]: each for each in json.loads(said(capsys, "list", "--json"))}
    whole = found["whole"]
    assert (whole["step"], whole["tokens"], whole["seconds"]) == (40, 40 * recipe.step_tokens, 20.0)
    assert whole["loss"] == pytest.approx(6.0 - sum(math.log(step) for step in range(21, 41)) / 20)
    assert (whole["evaluation_loss"], whole["evaluated_at"]) == (3.025, 40)
    assert whole["tokens_per_s"] == pytest.approx(2 * recipe.step_tokens)
    assert found["gone"]["loss"] is None, "a loss that is no number is not told as one"
    shown = said(capsys, "list").splitlines()
    assert any(line.split()[:4] == ["whole", "finished", "40", "of"] for line in shown)
    (folder / "run.json").write_text("{")
    assert "whole" not in said(capsys, "list")


def test_two_runs_are_compared_by_what_differs_and_after_equally_many_tokens(home, trained, capsys, tmp_path):
    _, recipe = trained("slow", rate=1e-3)
    trained("fast", 20, start=5.5, weight_decay=0.0)
    found = json.loads(said(capsys, "diff", "slow", "fast", "--json", "--out", tmp_path / "both.html"))
    assert [each for each in found["differs"] if each["key"] != "learning_rate"] == [
        {"key": "weight_decay", "a": 0.1, "b": 0.0}
    ]
    assert (found["a"]["steps"], found["a"]["step"], found["b"]["step"]) == (40, 40, 20)
    # Twenty steps are what both have, in eighths of them.
    assert [mark["tokens"] for mark in found["marks"]][-1] == 20 * recipe.step_tokens
    assert all(mark["b"] - mark["a"] == pytest.approx(-0.5) for mark in found["marks"])
    assert [mark["tokens"] for mark in found["held_out"]] == [10 * recipe.step_tokens, 20 * recipe.step_tokens]
    told = " ".join(said(capsys, "diff", "slow", "fast").split())
    assert "learning_rate 0.001 0.01" in told
    assert f"after {20 * recipe.step_tokens:,} tokens fast's held-out loss is 0.5000 nats lower than slow's" in told
    page = Outline((tmp_path / "both.html").read_text())
    assert page.headings[0] == "slow and fast"
    assert found["held_out"][-1]["b"] in page.values
    # Other held-out tokens of the same data, so it goes by the training loss.
    trained("other", 20, evaluate_sequences=recipe.evaluate_sequences + 1)
    told = " ".join(said(capsys, "diff", "slow", "other").split())
    assert "other's training loss is" in told and "their held-out sequences differ" in told
    (train_folder(home, "fast") / "data.json").unlink()
    told = " ".join(said(capsys, "diff", "slow", "fast").split())
    assert "what they are trained on is not written down" in told
    assert "their data differ" not in told
    assert "the same run" in refused(capsys, "diff", "slow", "slow")
    assert "there are:" in refused(capsys, "diff", "slow", "none")


def test_a_run_says_by_what_it_was_computed_and_that_it_was_by_more_than_one(trained, capsys):
    folder, _ = trained("whole")
    book = NumericsBook(folder)
    book.note("torch 2, kernels 1", 0, "here")
    assert "computed by torch 2, kernels 1" in said(capsys, "whole")
    assert "data, computed by torch 2, kernels 1, give the same bits" in write_report(folder, "whole").read_text()
    book.note("torch 2, torch's compiler", 12, "there")
    told = "in more than one way, so these are not the bits of one machine"
    assert told in said(capsys, "whole") and "(from step 12)" in said(capsys, "show", "whole")
    assert told in write_report(folder, "whole").read_text()


def test_a_run_has_a_page_with_its_curves_that_asks_nothing_of_a_network(trained, capsys):
    folder, _ = trained("whole", skip=(7,))
    shown = json.loads(said(capsys, "show", "whole", "--json"))
    text = (folder / "report.html").read_text()
    assert shown["report"] == str(folder / "report.html")
    page = Outline(text)
    assert len(page.pictures) == 5
    assert {40, shown["standing"]["loss"], 3.025} <= set(page.values)
    assert all(address.startswith("data:") for address in page.addresses)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "left-out" in text
    assert str(folder / "report.html") in said(capsys, "show").replace("\n", "")
    # Drawn anew where the run has gone on, and not otherwise.
    (folder / "report.html").write_text("old")
    said(capsys, "show", "whole")
    assert (folder / "report.html").read_text() == "old"
    (folder / STEPS_FILE).touch()
    said(capsys, "show", "whole")
    assert (folder / "report.html").read_text() == text


def test_the_page_is_drawn_as_the_run_goes_and_one_that_cannot_be_written_costs_nothing(trained, caplog):
    folder, _ = trained("whole", 0)
    now = [0.0]
    reporter = Reporter(folder, "whole", lambda: now[0])
    reporter.stepped()
    assert not (folder / "report.html").exists(), "not at each step"
    now[0] = 60.0
    reporter.stepped()
    assert "No step is finished yet" in (folder / "report.html").read_text()
    (folder / "run.json").write_text("{")
    reporter.draw()
    assert "no new page of run whole" in caplog.text


def test_a_run_of_before_is_told_without_its_data_and_not_gone_on_with_by_name(trained, capsys):
    folder, asked = trained("old")
    (folder / "data.json").unlink()
    (folder / STEPS_FILE).unlink()
    found = standing_of("old", folder, asked)
    assert (found.step, found.loss, found.data) == (0, None, None)
    assert write_report(folder, "old").exists()
    with pytest.raises(SystemExit):
        main(["train", "resume", "old"])
    assert "nothing says on which data run 'old' is trained" in " ".join(capsys.readouterr().err.split())


def test_a_thinned_curve_keeps_means_and_what_was_left_out(trained):
    lines = [
        StepLine(
            step=step,
            tokens=10 * step,
            loss=float(step % 10),
            norm=1.0,
            learning_rate=0.1,
            seconds=2.0 if step % 2 else 0.5,
            tokens_per_s=5.0 if step % 2 else 20.0,
            workers=1,
            skipped="long" if step == 5 else "",
        )
        for step in range(1, 1001)
    ]
    found = stretches(lines, 100)
    assert len(found) == 100
    assert {each.loss for each in found} == {4.5}
    assert {(each.low, each.high) for each in found} == {(1.0, 9.0)}
    assert sum(each.skipped for each in found) == 1
    assert found[0].tokens_per_s == pytest.approx(100 / 12.5)


def test_what_a_run_is_trained_on_is_kept_once(home, text):
    folder = train_folder(home, "x")
    folder.mkdir(parents=True)
    keep_data(folder, text)
    first = (folder / "data.json").stat().st_mtime_ns
    keep_data(folder, text)
    assert (folder / "data.json").stat().st_mtime_ns == first
    assert data_of(folder).folder == text.resolve()
