"""Examples that teach to write ads are asked as the copywriter asks, and their answers go out."""

import json

import pytest
from ad_shops import FEED, NOW, SHEET

from tenfold.ads.campaign import Objective
from tenfold.ads.copywriter import read_draft, request
from tenfold.ads.examples import examples
from tenfold.ads.variants import ANGLES, admit, from_templates
from tenfold.cli.main import main


def test_each_answer_passes_the_gate_and_repeats_no_template():
    found = list(examples(SHEET, Objective.SALES, NOW, each=4, seed=1))
    assert len(found) > 2 * len(SHEET.subjects)
    assert len({chat["messages"][1]["content"] for chat in found}) == len(found)
    asked = {
        request(SHEET, subject, angle, Objective.SALES, NOW, seed=0)["messages"][0]["content"]: (subject, angle)
        for subject in SHEET.subjects
        for angle in ANGLES
    }
    for chat in found:
        question, answer = chat["messages"]
        subject, angle = asked[question["content"]]
        draft = read_draft({"choices": [{"message": answer}]}, angle, Objective.SALES)
        slots = list(from_templates(SHEET, subject, Objective.SALES, NOW))
        kept, refused = admit([*slots, draft], SHEET, subject, NOW)
        assert kept[-1].writer == "model", refused


def test_an_item_with_nothing_to_say_is_passed_over(monkeypatch):
    monkeypatch.setattr("tenfold.ads.examples.facts_for", lambda *_: [])
    assert list(examples(SHEET, Objective.SALES, NOW, each=1, seed=1)) == []
    monkeypatch.undo()
    monkeypatch.setattr("tenfold.ads.examples.from_templates", lambda *_: iter(()))
    assert list(examples(SHEET, Objective.SALES, NOW, each=1, seed=1)) == []


def test_the_command_writes_a_line_for_each_and_the_same_for_a_seed(tmp_path, capsys):
    (tmp_path / "lamps.csv").write_text(FEED)
    for name in ("one.jsonl", "two.jsonl"):
        words = ["--catalog", str(tmp_path / "lamps.csv"), "-o", str(tmp_path / name), "--each", "2", "--json"]
        main(["ads", "examples", *words])
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    lines = (tmp_path / "one.jsonl").read_text().splitlines()
    assert told["examples"] == {str(tmp_path / "lamps.csv"): len(lines)}
    assert [each["role"] for each in json.loads(lines[0])["messages"]] == ["user", "assistant"]
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


def test_a_catalog_of_which_nothing_can_be_said_is_an_error(tmp_path, capsys):
    (tmp_path / "empty.csv").write_text("id,title,price\n")
    with pytest.raises(SystemExit) as ended:
        main(["ads", "examples", "--catalog", str(tmp_path / "empty.csv"), "-o", str(tmp_path / "out.jsonl")])
    assert ended.value.code == 2
    assert "nothing can be said" in capsys.readouterr().err
    assert not (tmp_path / "out.jsonl").exists()
