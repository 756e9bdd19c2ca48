"""What is found for what people write, by words and by meaning."""

import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.catalog.bm25 import BM25
from tenfold.catalog.chunk import CHUNK_WORDS, chunks_of
from tenfold.catalog.item import Item, Offer, Variant
from tenfold.catalog.money import Money
from tenfold.catalog.passage import Passage
from tenfold.catalog.scoring import NEAR_BY_WORDS, parts_of
from tenfold.catalog.search import ItemIndex, PassageIndex
from tenfold.catalog.words import fold, sentences, terms, words

NOW = datetime(2026, 11, 28, tzinfo=UTC)


def passage(name: str, title: str, text: str, **more):
    url = f"https://shop.example/{name}"
    return Passage(id=name, document=name, url=url, title=title, text=text, fetched=NOW, **more)


PASSAGES = [
    passage("returns", "Returns", "You can send anything back within 30 days. The money is paid to your card."),
    passage("hours", "Opening hours", "Monday to Friday from 9 to 18, Saturday from 10 to 16. Closed on Sundays."),
    passage("shipping", "Shipping", "We ship to all of Europe. Parcels to Norway take five days and cost 12 euros."),
]


def item(name: str, title: str, description: str = "", **options: str) -> Item:
    variant = Variant(f"{name}-1", name, options, Offer(Money.of("9.90", "USD"), True))
    return Item(name, title, (variant,), description)


ITEMS = [
    item("p1", "Trail jacket", "Keeps the rain out on long walks.", color="blue", size="M"),
    item("p2", "Wool socks", "Warm socks for cold feet.", color="red"),
    item("p3", "Coffee grinder", "Grinds beans for espresso.", material="steel"),
]


def test_words_have_neither_case_nor_accents_and_numbers_stay_whole():
    assert words("Caf\u00e9\u2019s 1,299.00 € — Größe XL") == ["cafe", "1,299.00", "grosse", "xl"]
    assert fold("ÉCLAIR") == "eclair"
    assert terms("Do you ship the shipped ships?") == ["ship", "ship", "ship"]


def test_sentences_end_at_marks_and_lines():
    said = "We ship. It costs 3.50 EUR!\n\n- Five days\n"
    assert sentences(said) == ["We ship.", "It costs 3.50 EUR!", "- Five days"]


@given(st.lists(st.text(alphabet="abc .\n", max_size=60), max_size=30))
def test_chunks_hold_every_word_in_order_and_none_is_long(lines):
    text = "\n".join(lines)
    chunks = list(chunks_of("T", text))
    assert chunks
    assert all(len(chunk.text.split()) <= CHUNK_WORDS for chunk in chunks)
    everything, at = text.split(), 0
    for chunk in chunks:
        held = chunk.text.split()
        starts = [start for start in range(at + 1) if everything[start : start + len(held)] == held]
        assert starts, "a chunk begins where the one before ended, or sooner"
        at = max(at, starts[-1] + len(held))
    assert at == len(everything)


def test_a_misspelt_word_counts_for_what_it_may_have_been():
    index = BM25([{"jacket": 1.0}, {"sock": 1.0}])
    assert index.query("a jakcet") == {"jacket": 0.7}
    assert index.scores(index.query("jakcet")).argmax() == 0
    assert index.coverage(index.query("jacket zeppelin"))[0] < 0.5


@pytest.mark.parametrize("embedded", [False, True])
def test_a_passage_is_found_by_its_words(embedded, minilm):
    index = PassageIndex(PASSAGES, minilm if embedded else None)
    first, *_ = index.search("How many days do parcels to Norway take?", 3)
    assert first.what.id == "shipping"
    assert first.coverage > 0.9
    assert "Norway" in first.text


def test_a_passage_is_found_by_its_meaning(minilm):
    asked = "Can I get a refund if it does not fit?"
    assert not [found for found in PassageIndex(PASSAGES).search(asked, 3) if found.what.id == "returns"]
    first, *_ = PassageIndex(PASSAGES, minilm).search(asked, 3)
    assert first.what.id == "returns"
    assert first.cosine > 0.3


def test_each_question_of_a_message_finds_its_own(minilm):
    others = [passage(f"p{number}", f"Page {number}", f"Our founder likes number {number}.") for number in range(20)]
    index = PassageIndex([*others, *PASSAGES], minilm)
    asked = "Hi, I am in a hurry and rather annoyed. Can I send my socks back? And when do you open on Saturday?"
    assert {found.what.id for found in index.search(asked, 2)} == {"returns", "hours"}
    assert {found.document for found in index.documents(asked, 2)} == {"returns", "hours"}
    assert parts_of("Open? Thanks. When do you close on Sunday?") == ["Open? Thanks. When do you close on Sunday?"]
    long = "I want to send my old socks back and see when your shop closes on Sunday afternoon"
    assert parts_of(f"Cheap shoes? {long}.") == [
        "Cheap shoes?",
        f"{long}.",
        "I want to send my old socks back",
        "see when your shop closes on Sunday afternoon.",
    ]


def test_of_two_alike_the_newer_comes_first_and_what_is_yet_to_come_is_not_there():
    text = "The price of a stamp is now"
    old = passage("old", "Stamps", f"{text} 90 cents.", published=NOW - timedelta(days=400))
    new = passage("new", "Stamps", f"{text} 95 cents.", published=NOW - timedelta(days=2))
    future = replace(new, id="later", document="later", published=NOW + timedelta(days=2))
    found = PassageIndex([old, new, future]).search("price of a stamp", 3, now=NOW)
    assert [each.what.id for each in found] == ["new", "old"]


def test_a_document_is_found_once_by_its_best_passage(minilm):
    parts = [replace(each, document="help") for each in PASSAGES[:2]] + PASSAGES[2:]
    found = PassageIndex(parts, minilm).documents("When are you open, and can I send things back?", 5)
    assert [each.document for each in found].count("help") == 1
    assert found[0].document == "help"


def test_items_are_found_by_title_option_and_purpose(minilm):
    index = ItemIndex(ITEMS, minilm)
    assert index.search("trail jackets", 1)[0].what.id == "p1"
    assert index.search("red", 1)[0].what.id == "p2"
    assert index.search("something to keep me dry in bad weather", 1)[0].what.id == "p1"


def test_nothing_is_found_in_nothing(minilm):
    assert PassageIndex([], minilm).search("anything", 5) == []
    assert ItemIndex([]).search("anything", 5) == []
    assert PassageIndex(PASSAGES, minilm).search("", 0) == []


class Counting:
    """An embedder that notes what it embeds: a text is alike to itself."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed(self, texts, /):
        self.texts += texts
        rows = np.zeros((len(texts), 64), np.float32)
        for row, text in enumerate(texts):
            for word in terms(text):
                rows[row, zlib.crc32(word.encode()) % 64] += 1
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def test_of_many_texts_only_what_a_query_finds_by_words_is_embedded_and_once():
    many = [passage(f"n{n}", f"Note {n}", f"This is about thing{n} and nothing else.") for n in range(300)]
    some, whole = Counting(), Counting()
    late, early = PassageIndex(many, some, at_once=200), PassageIndex(many, whole)
    assert some.texts == [] and len(whole.texts) == 300
    query = "what about thing42?"
    assert [each.what.id for each in late.search(query, 1)] == [each.what.id for each in early.search(query, 1)]
    assert 0 < len(some.texts) <= NEAR_BY_WORDS + 1
    before = len(some.texts)
    late.search(query, 1)
    assert some.texts[before:] == [query]
    # Few enough are all embedded at once.
    PassageIndex(many[:200], some, at_once=200)
    assert len(some.texts) == before + 1 + 200
