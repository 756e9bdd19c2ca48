"""Texts that a business wrote: which passages they become, under which ids and titles."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.catalog.ingest.documents import read_document
from tenfold.catalog.ingest.markup import plain_text, read_page
from tenfold.catalog.ingest.source import read_feed, read_file, read_folder, read_html
from tenfold.core.errors import UsageError

MARKDOWN = """---
title: Help
date: 2026-10-01
---
# Help

Write to us at **any** time.

## Returns

Thirty days. See [the form](https://s.example/form).
Money goes back to your card.

- keep the box
- keep the `receipt`

| size | chest |
|------|-------|
| M    | 100   |
"""


def parts(gathered):
    return [(each.id, each.title, each.text) for each in gathered.passages]


def test_markdown_is_cut_at_its_headings(now):
    read = read_document(MARKDOWN, "help.md", now)
    assert parts(read) == [
        ("help#1", "Help", "Write to us at any time."),
        (
            "help#2",
            "Help - Returns",
            "Thirty days. See the form. Money goes back to your card.\n- keep the box\n- keep the receipt\n"
            "size | chest\nM    | 100".replace("    ", " "),
        ),
    ]
    assert {(each.document, each.published) for each in read.passages} == {("help", datetime(2026, 10, 1, tzinfo=UTC))}


@pytest.mark.parametrize(
    "faq",
    [
        "Q: Do you ship to Norway?\nA: Yes, in five days.\n\nQ: Is it free?\nA: Above 50 euros.\n",
        "# FAQ\n## Do you ship to Norway?\nYes, in five days.\n## Is it free?\nAbove 50 euros.\n",
        "**Q: Do you ship to Norway?**\n\nYes, in five days.\n\n**Q: Is it free?**\n\nAbove 50 euros.\n",
        "Do you ship to Norway?\nYes, in five days.\n\nIs it free?\nAbove 50 euros.\n",
        "**Do you ship to Norway?**\n\nYes, in five days.\n\n**Is it free?**\n\nAbove 50 euros.\n",
    ],
)
def test_each_question_is_a_passage_of_its_own(faq, now):
    read = read_document(faq, "faq.md", now)
    assert [(title.rpartition(" - ")[2], told) for _, title, told in parts(read)] == [
        ("Do you ship to Norway?", "Yes, in five days."),
        ("Is it free?", "Above 50 euros."),
    ]


def test_json_with_title_and_content_is_one_document(now):
    text = json.dumps(
        {"id": "doc_1", "title": "Gold card", "content": "# Gold card\n\nNo fee.\n\n## Limits\n\n5,000 a day."}
    )
    read = read_document(text, "doc_1.json", now)
    assert parts(read) == [("doc_1#1", "Gold card", "No fee."), ("doc_1#2", "Gold card - Limits", "5,000 a day.")]


def test_json_lines_are_a_document_each(now):
    lines = [{"id": 0, "question": "Open on Sundays?", "answer": "No."}, {"nothing": []}, {"id": 3, "text": "Hello."}]
    read = read_document("\n".join(map(json.dumps, lines)), "faq.jsonl", now)
    assert parts(read) == [("0", "Open on Sundays?", "No."), ("3", "3", "Hello.")]
    assert [skip.where for skip in read.skipped] == ["faq.jsonl, record 2"]


def test_a_page_is_read_without_what_frames_it():
    page = read_page(
        "<title>t</title><header>Menu</header><h1>Hours</h1><p>Mo&nbsp;to <b>Fr</b>: 9-18</p><table><tr><th>Sa</th>"
        "<td>10-16</td></tr></table><script>x</script><details><summary>Sundays?</summary>Closed.</details><footer>F</footer>"
        '<time datetime="2026-05-01">May</time><a href="/more">more</a>'
    )
    assert page.title == "Hours"
    assert [(each.heading, each.text) for each in page.sections] == [
        ("", "Mo to Fr: 9-18\nSa | 10-16"),
        ("Sundays?", "Closed.\nMaymore"),
    ]
    assert page.published == datetime(2026, 5, 1, tzinfo=UTC) and page.links == ("/more",)
    assert plain_text("5 < 6 &amp; <i>so</i>") == "5 < 6 & so"


def test_a_folder_is_one_document_per_file_and_tells_what_it_skipped(tmp_path, now):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "returns.md").write_text("Thirty days.")
    (tmp_path / "a" / "hours.txt").write_bytes("Ge\xf6ffnet ab 9.\r\n".encode("latin-1"))
    (tmp_path / "b" / "hours.txt").write_text("Opening at ten.")
    (tmp_path / "logo.png").write_bytes(b"\x89PNG")
    (tmp_path / "empty.md").write_text(" \n")
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "products.csv").write_text("id,title,price\n1,Cup,5\n")
    seen = []
    read = read_folder(tmp_path, now, progress=lambda what, done, total: seen.append((what, done, total)))
    assert {each.document: each.text for each in read.passages} == {
        "returns": "Thirty days.",
        "a/hours": "Geöffnet ab 9.",
        "b/hours": "Opening at ten.",
    }
    assert {each.title for each in read.passages} == {"returns", "a/hours", "b/hours"}
    assert [item.title for item in read.items] == ["Cup"]
    assert {skip.where for skip in read.skipped} == {"logo.png", "empty.md", "broken.json"}
    assert seen[-1][1:] == (7, 7)


def test_what_is_not_there_is_named(tmp_path, now):
    for read in (read_folder, read_file, read_feed):
        with pytest.raises(UsageError, match="nowhere"):
            read(tmp_path / "nowhere", now)
    (tmp_path / "feed.pdf").write_text("x")
    with pytest.raises(UsageError, match=r"feed\.pdf"):
        read_feed(tmp_path / "feed.pdf", now)


MARKS = st.sampled_from(
    ["# ", "**", "Q: ", "\n", "---", "<p>", "</", "<script>", "{", "[", '"title":', ",", "|", "```", "?"]
)


@given(
    st.lists(MARKS | st.text(max_size=8), max_size=30),
    st.sampled_from(["a.md", "a.html", "a.json", "a.jsonl", "a.txt"]),
)
def test_whatever_is_in_a_file_it_is_read_or_skipped(parts, name):
    now = datetime(2026, 11, 28, tzinfo=UTC)
    read = read_document("".join(parts), name, now)
    assert len({passage.id for passage in read.passages}) == len(read.passages)
    assert all(passage.text for passage in read.passages)
    told = read_html("".join(parts), "a", "", now)
    assert all(passage.text for passage in told.gathered.passages)


def test_json_without_an_end_is_skipped(now):
    assert "no JSON" in read_document("[" * 100_000, "deep.json", now).skipped[0].why
    page = f'<script type="application/ld+json">{"[" * 100_000}</script>'
    assert "no JSON" in read_html(page, "a", "", now).gathered.skipped[0].why
