"""Files of JSON lines as other people's programs write them."""

import json

import pytest

from tenfold.agents.ask import Question, questions_of
from tenfold.assistant.ask import read_passages
from tenfold.catalog.find import read_queries
from tenfold.core.errors import UsageError

ODD = "first\u2028second\x85third"
"""Ends of lines to Unicode, and not to JSON."""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_of_questions_is_read_however_it_was_saved(tmp_path, encoding, end):
    path = tmp_path / "q.jsonl"
    lines = [
        {"id": 7, "question": ODD, "expected": "12.50", "type": "answer"},
        {"id": "b", "question": "?", "thread": 3},
    ]
    path.write_bytes(end.join(json.dumps(each, ensure_ascii=False) for each in lines).encode(encoding))
    assert questions_of(path) == [Question(id=7, question=ODD), Question(id="b", question="?", thread=3)]


def test_queries_keep_the_kind_of_their_ids(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text('{"id": 1, "query": "a", "answer": ["x"]}\n\n{"id": "1", "question": "b"}\n')
    assert [(each.id, each.text) for each in read_queries(path)] == [(1, "a"), ("1", "b")]


def test_passages_with_any_separator_of_lines_in_their_text_are_read(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps({"url": "https://a.example", "text": ODD}, ensure_ascii=False), encoding="utf-8-sig")
    assert [each.text for each in read_passages(path)] == [ODD]


def test_a_line_that_is_something_else_is_named_with_what_would_be_right(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text('{"id": 1, "question": "a"}\n["b"]\n')
    with pytest.raises(UsageError, match=r"q\.jsonl, line 2: .*object.*\[\"b\"\]") as caught:
        questions_of(path)
    assert '{"id": "q1"' in caught.value.next_step
