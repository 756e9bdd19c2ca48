"""The assistant says what dated sources say, with who said it and when; what they do not tell it does not know."""

import json
from datetime import UTC, datetime

import pytest

from tenfold.assistant.ask import PassageLine, QuestionLine, answers, passages_of, read_now, read_passages
from tenfold.assistant.brain import respond
from tenfold.assistant.sources import Memo, Sources
from tenfold.cli.main import main
from tenfold.core.errors import UsageError
from tenfold.reply.reply import Answer, Unknown

NOW = datetime(2026, 11, 16, 12, tzinfo=UTC)
_NEWS = """
https://bay.example/quake | 2026-11-11 | Quake shakes Tarsheh valley | A magnitude 6.1 earthquake struck the Tarsheh
valley on Wednesday, killing at least 17 people. Officials warned that the number may rise.

https://post.example/toll | 2026-11-13 | Tarsheh earthquake toll climbs | The number of people killed in the earthquake
in the Tarsheh valley has risen to 43, the ministry said. Another 310 are injured.

https://bay.example/cup | 2026-11-14 | Rovanka lift the Coastal Cup | Rovanka beat holders Athletic Sarne 3-2 to win the
Coastal Cup on Saturday. Milo Drazen scored the winner.

https://bay.example/cup25 | 2025-11-15 | Athletic Sarne retain Coastal Cup | Athletic Sarne won the Coastal Cup for the
second year in a row, beating Brightwater on penalties.

https://post.example/korda | 2026-11-11 | Former minister Korda convicted | A court found former transport minister Emil
Korda guilty of taking bribes and sent him to prison for six years. Korda will appeal.

https://post.example/late | 2026-11-20 | Mayor of Lund steps down | Mayor Greta Holm of Lund resigned.

https://bay.example/ferry | 2026-11-09 | Ferry suspended after fire | All 214 passengers of the Sandholm ferry were
brought ashore after a fire in its engine room. Operator Norlinje sends a replacement.

https://post.example/ferry | 2026-11-09 | Blaze strands islanders | Rescue officials counted 231 passengers on the
Sandholm ferry when fire broke out, more than the operator reported.
"""
NEWS = [[part.strip() for part in block.split("|")] for block in _NEWS.strip().split("\n\n")]


def lines():
    return [PassageLine(url=url, title=title, published=day, text=text) for url, day, title, text in NEWS]


@pytest.fixture(scope="module")
def ask(minilm):
    sources = Sources(passages_of(lines(), NOW), Memo(minilm))
    return lambda question, now=NOW, memory=(): respond(sources, question, now, memory)


def said(reply) -> str:
    assert isinstance(reply, Answer)
    return " ".join(claim.text for claim in reply.claims)


def test_a_claim_names_its_source_and_its_day_and_rests_on_the_passage(ask):
    reply = ask("Who scored the winning goal of the Coastal Cup?")
    assert "Milo Drazen" in said(reply)
    first = reply.claims[0]
    assert first.text.startswith("Rovanka lift the Coastal Cup (bay.example, 14 November 2026): ")
    assert reply.evidence[first.evidence[0]].source.url == "https://bay.example/cup"


def test_newer_beats_older(ask):
    assert "43" in ask("How many people died in the Tarsheh earthquake?").claims[0].text
    assert "Rovanka" in ask("Who won the Coastal Cup?").claims[0].text


def test_sources_that_differ_are_both_given(ask):
    told = said(ask("How many passengers were on the Sandholm ferry when fire broke out?"))
    assert "214" in told and "231" in told


@pytest.mark.parametrize(
    "question",
    [
        "Who won the Nobel Peace Prize this year?",
        "Who won the Coastal Cup in 2019?",
        "How many people were killed in the Rovanka stadium collapse?",
        "When did Drazen move to Brightwater?",
        "What is the magnitude of the Lasziv earthquake?",
    ],
)
def test_what_no_source_tells_is_unknown_and_not_denied(ask, question):
    reply = ask(question)
    assert isinstance(reply, Unknown)
    assert reply.as_of == NOW and reply.searched == ("bay.example", "post.example") and reply.about == question


def test_the_year_that_was_asked_for_is_the_one_that_is_told(ask):
    told = said(ask("Who won the Coastal Cup last year?"))
    assert "Athletic Sarne won" in told and "Rovanka" not in told


def test_nothing_is_known_before_it_is_published(ask):
    question = "Why did the mayor of Lund, Greta Holm, resign?"
    assert isinstance(ask(question), Unknown)
    assert "Greta Holm" in said(ask(question, datetime(2026, 11, 21, tzinfo=UTC)))


def test_a_false_presupposition_is_not_affirmed(ask):
    assert "Korda will appeal" in said(ask("Why did Emil Korda decide not to appeal his sentence?"))


def test_a_question_that_only_refers_goes_on_from_the_one_before(ask):
    assert "310" in said(ask("And how many are injured?", memory=["How many died in the Tarsheh earthquake?"]))


def test_the_command_answers_a_file_without_a_pool(tmp_path, capsys, minilm):
    del minilm  # It is in the cache now.
    passages, questions = tmp_path / "passages.jsonl", tmp_path / "questions.jsonl"
    passages.write_text("".join(line.model_dump_json() + "\n" for line in lines()))
    asked = {"q1": "Who scored the winner in the Coastal Cup?", "q2": "Who won the Nobel Peace Prize?"}
    questions.write_text("".join(json.dumps({"id": id, "question": text}) + "\n" for id, text in asked.items()))
    main(["assistant", "ask", "--sources", str(passages), "--file", str(questions), "--now", "2026-11-16", "--json"])
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["id"], first["type"], second["id"], second["type"]) == ("q1", "answer", "q2", "unknown")
    assert "14 November 2026" in first["text"]
    assert {"url", "title", "published"} <= first["claims"][0]["evidence"][0].keys()
    assert second["claims"] == [] and second["searched"]


@pytest.mark.parametrize("question", ["", " ?!"])
def test_a_question_without_a_word_is_answered_by_nothing(minilm, question):
    sources = Sources(passages_of(lines(), NOW), minilm)
    (line,) = answers(sources, [QuestionLine(id=1, question=question)], NOW)
    assert line["type"] == "unknown" and line["claims"] == []


def test_a_line_that_is_wrong_is_named(tmp_path):
    path = tmp_path / "passages.jsonl"
    path.write_text('{"url": "https://a.example", "text": "x"}\n{"url": "https://b.example"}\n')
    with pytest.raises(UsageError, match=r"line 2: text: Field required"):
        read_passages(path)
    with pytest.raises(UsageError, match="'soon' is no date"):
        read_now("soon")


def test_passages_without_a_date_are_told_with_the_day_they_were_read(minilm):
    bare = [PassageLine(url="https://a.example/x", title="Opening hours", text="The Vermoort museum opens at ten.")]
    sources = Sources(passages_of(bare, NOW), minilm)
    (line,) = answers(sources, [QuestionLine(id=1, question="When does the Vermoort museum open?")], NOW)
    assert "read on 16 November 2026" in str(line["text"])


def test_dates_are_read_as_iso_and_as_mail_writes_them(tmp_path):
    path = tmp_path / "passages.jsonl"
    days = ["2026-11-09", "2026-11-09T08:10:00Z", "Mon, 09 Nov 2026 08:10:00 GMT", "2026-11-09 08:10", "", None]
    rows = [{"url": "https://a.example", "title": None, "text": "x", "published": day} for day in days]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = passages_of(read_passages(path), NOW)
    assert [each.published.date().isoformat() if each.published else None for each in found] == [
        *["2026-11-09"] * 4, None, None,
    ]  # fmt: skip
    path.write_text(json.dumps(rows[0] | {"published": "some day"}))
    with pytest.raises(UsageError, match="line 1: published"):
        read_passages(path)
