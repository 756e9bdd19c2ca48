"""`tenfold agents ask`: a shop is tried from files, without a pool."""

import json
import subprocess
import sys

import pytest
from small_shop import NOW, LetterEmbedder

from tenfold.agents.ask import Question, answers, questions_of, shop_from_files
from tenfold.core.assets import fetch
from tenfold.core.errors import UsageError
from tenfold.core.minilm import MINILM, MINILM_TOKENIZER
from tenfold.core.paths import cache_dir

FEED = """id, title, options, price, stock
A1, Desk Lamp, "color: white; brightness: high", 45.00, 3
A2, Desk Lamp, "color: black; brightness: low", 35.50, 0
B1, Tea Kettle, , 20, in stock
"""


@pytest.mark.slow
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
    with pytest.raises(UsageError, match=r"line 2: question: Field required"):
        questions_of(tmp_path / "q.jsonl")


def test_a_shop_is_made_of_a_feed_that_names_no_currency_and_of_a_single_file(tmp_path):
    variant = {"id": 1, "option1": "100 g", "price": "7.90", "available": True}
    tea = {"id": 7, "title": "Assam", "options": [{"name": "Weight"}], "variants": [variant]}
    (tmp_path / "products.json").write_text(json.dumps({"products": [tea]}))
    (tmp_path / "faq.txt").write_text("Q: Do you post abroad?\nA: Within Europe only.\n")
    shop = shop_from_files(
        "tea", tmp_path / "products.json", tmp_path / "faq.txt", LetterEmbedder(), NOW, currency="eur"
    )
    said = list(answers(shop, [Question(id=1, question="How much is Assam?")], NOW))
    assert "7.90 EUR" in said[0]["text"]
    assert [passage.text for passage in shop.passages] == ["Within Europe only."]


def test_questions_of_one_thread_go_on_and_those_whose_thread_is_null_stand_alone(tmp_path):
    (tmp_path / "feed.csv").write_text(FEED)
    lines = [
        {"id": f"{thread} {n}", "question": question, "thread": thread}
        for thread in (0, None)
        for n, question in enumerate(["Do you have a desk lamp?", "And the cheapest?"])
    ]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, lines)))
    shop = shop_from_files("tea", tmp_path / "feed.csv", None, LetterEmbedder(), NOW)
    said = [each["text"] for each in answers(shop, questions_of(tmp_path / "q.jsonl"), NOW)]
    assert "35.50 USD" in said[1] and "Tea Kettle" in said[3]


def test_a_business_without_feed_and_texts_is_told_what_to_give():
    with pytest.raises(UsageError, match="nothing to answer from"):
        shop_from_files("lamps", None, None, LetterEmbedder(), NOW)


@pytest.mark.parametrize("text", ["", "id,title,options,price,stock\n"])
def test_a_feed_with_nothing_in_it_is_told_and_answers_nothing(tmp_path, text):
    (tmp_path / "feed.csv").write_text(text)
    with pytest.raises(UsageError, match=r"nothing to answer from in .*feed\.csv"):
        shop_from_files("tea", tmp_path / "feed.csv", None, LetterEmbedder(), NOW)


def test_a_currency_that_is_none_is_told_before_all_rows_are(tmp_path):
    (tmp_path / "feed.csv").write_text(FEED)
    with pytest.raises(UsageError, match="'€' is none"):
        shop_from_files("tea", tmp_path / "feed.csv", None, LetterEmbedder(), NOW, currency="€")
