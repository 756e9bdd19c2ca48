"""``tenfold agents search``: documents of a folder for queries of a file, without a pool."""

import json
from datetime import UTC, datetime

import pytest

from tenfold.catalog.find import open_library, read_queries
from tenfold.cli.main import main
from tenfold.core.errors import UsageError

DOCUMENTS = {
    "fees.md": "# Fees\n\nThe gold card costs 12 euros a month.\n\n## Abroad\n\nPaying abroad costs 2%.\n",
    "lost.json": json.dumps({"title": "A lost card", "content": "Call us at once. We block it and send a new one."}),
    "hours.txt": "The branch is open from nine to four.",
    "logo.png": "x",
}


def test_documents_come_best_first_as_json_lines(tmp_path, capsys, minilm, monkeypatch):
    docs = tmp_path / "docs"
    docs.mkdir()
    for name, text in DOCUMENTS.items():
        (docs / name).write_text(text)
    queries = tmp_path / "queries.jsonl"
    asked = [
        {"id": "q1", "query": "somebody stole my credit card"},
        {"id": 2, "question": "charges in another country"},
    ]
    queries.write_text("\n".join(map(json.dumps, asked)) + "\n\n")
    for _ in range(2):
        main(["agents", "search", "--docs", str(docs), "--queries", str(queries), "--k", "2", "--json"])
        out, err = capsys.readouterr()
        found = [json.loads(line) for line in out.splitlines()]
        assert [line["id"] for line in found] == ["q1", 2]
        assert [line["results"][0] for line in found] == ["lost", "fees"]
        assert all(len(line["results"]) == 2 for line in found)
        assert "logo.png" in err


def test_a_line_that_is_no_query_is_named(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text('{"id": 1, "query": "a"}\n{"id": 2}\n')
    with pytest.raises(UsageError, match="line 2"):
        read_queries(path)
    with pytest.raises(UsageError, match=r"nowhere\.jsonl"):
        read_queries(tmp_path / "nowhere.jsonl")


def test_one_file_of_many_documents_is_searched_and_none_are_told(tmp_path):
    (tmp_path / "kb.json").write_text(
        json.dumps([{"id": 0, "title": "Fees", "text": "12 euros."}, {"id": 1, "text": "No."}])
    )
    library = open_library(tmp_path / "kb.json", datetime.now(UTC), None)
    assert [found for _, found in library.answer(read_queries_of(tmp_path, "euros"), 2)] == [["0"]]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"no document in .*empty"):
        open_library(tmp_path / "empty", datetime.now(UTC), None)


def read_queries_of(folder, text):
    (folder / "q.jsonl").write_text(json.dumps({"id": 1, "query": text}))
    return read_queries(folder / "q.jsonl")
