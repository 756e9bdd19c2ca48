"""`tenfold agents ask`: a shop is tried from files, without a pool."""

import json
import subprocess
import sys

import pytest

from tenfold.agents.ask import questions_of
from tenfold.core.assets import fetch
from tenfold.core.errors import UsageError
from tenfold.core.minilm import MINILM, MINILM_TOKENIZER
from tenfold.core.paths import cache_dir

FEED = """id, title, options, price, stock
A1, Desk Lamp, "color: white; brightness: high", 45.00, 3
A2, Desk Lamp, "color: black; brightness: low", 35.50, 0
B1, Tea Kettle, , 20, in stock
"""


def test_the_command_prints_a_line_for_each_question(tmp_path):
    for asset in (MINILM, MINILM_TOKENIZER):
        fetch(asset, cache_dir(), lambda _: None)
    (tmp_path / "feed.csv").write_text(FEED)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "hours.md").write_text("# Opening hours\nWe are open from 9 to 5. On Sundays we are closed.")
    lines = [
        {"id": "q1", "question": "How much is the white desk lamp?"},
        {"id": 2, "question": "Are you open on Sunday?"},
        {"id": "q3", "question": "Do you sell kayaks?"},
    ]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, lines)))
    command = [sys.executable, "-m", "tenfold.cli.main", "agents", "ask", "lamps", "--file", "q.jsonl", "--json"]
    done = subprocess.run(
        [*command, "--feed", "feed.csv", "--docs", "docs"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    priced, opened, unknown = map(json.loads, done.stdout.splitlines())
    assert priced["id"] == "q1" and priced["type"] == "answer"
    assert "45.00" in priced["text"] and "35.50" not in priced["text"]
    assert priced["claims"][0]["evidence"] == [{"product": "A1"}]
    assert opened["id"] == 2 and "closed" in opened["text"] and opened["claims"][0]["evidence"][0]["url"]
    assert unknown["type"] == "unknown" and unknown["claims"] == []


def test_a_line_that_is_no_question_is_named(tmp_path):
    (tmp_path / "q.jsonl").write_text('{"id": "a", "question": "?"}\n{"id": "b"}\n')
    with pytest.raises(UsageError, match=r"line 2 of .*question"):
        questions_of(tmp_path / "q.jsonl")
