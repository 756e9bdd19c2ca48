"""Questions are read for names, numbers, the kind of answer and the days that they are about."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.assistant.question import Wanted, read_question
from tenfold.assistant.times import read_span, says_date, says_span
from tenfold.assistant.windows import sentences
from tenfold.assistant.words import is_same_name, words

NOW = date(2026, 11, 16)


@pytest.mark.parametrize(
    ("question", "first", "last"),
    [
        ("What happened yesterday?", date(2026, 11, 15), date(2026, 11, 15)),
        ("Who won the race last week?", date(2026, 11, 2), NOW),
        ("Who won in 2019?", date(2019, 1, 1), date(2019, 12, 31)),
        ("Who won last year?", date(2025, 1, 1), date(2025, 12, 31)),
        ("What was decided in March?", date(2026, 3, 1), date(2026, 3, 31)),
        ("What was decided in December?", date(2025, 12, 1), date(2025, 12, 31)),
        ("What was the rate on 28 October 2026?", date(2026, 10, 28), date(2026, 10, 28)),
        ("What was the rate on 2026-10-28?", date(2026, 10, 28), date(2026, 10, 28)),
        ("What happened in the past 3 days?", date(2026, 11, 12), NOW),
    ],
)
def test_the_days_that_are_meant(question, first, last):
    span = read_span(question, NOW)
    assert span is not None and (span.first, span.last) == (first, last)


@pytest.mark.parametrize(
    "question", ["Who is the mayor?", "What is CVE-2026-1234 about?", "When did Django 5.2 appear?"]
)
def test_an_identifier_is_no_date(question):
    assert read_span(question, NOW) is None


def test_a_day_is_found_however_it_is_written():
    day = date(2026, 10, 28)
    for text in ("on 28 October", "Oct. 28", "2026-10-28", "October 28th"):
        assert says_date(day, text), text
    assert not says_date(day, "on 29 October")
    span = read_span("in November 2026", NOW)
    assert span is not None and says_span(span, "since Nov 3") and not says_span(span, "in October")


def test_names_and_numbers_are_told_from_what_is_asked_about():
    read = read_question("How much did Lumatek pay for Ferrosil's 3 plants?", NOW)
    assert read.names == (("lumatek",), ("ferrosil",)) and read.numbers == ("3",) and read.wanted is Wanted.MONEY
    assert read_question("When was Django 5.2.19 released?", NOW).numbers == ("5.2.19",)
    assert read_question("How many plants are there?", NOW).wanted is Wanted.NUMBER
    assert read_question("Who heads the bank?", NOW).wanted is Wanted.NAME
    assert read_question("Why did it fail?", NOW).wanted is Wanted.REASON
    assert read_question("Since when is the road open?", NOW).wanted is Wanted.TIME


def test_an_inflected_name_is_the_same_and_another_number_is_not():
    assert is_same_name("orvania", "orvanian") and is_same_name("5.2", "5.2.19")
    assert not is_same_name("2026a", "2026b") and not is_same_name("5.2.1", "5.2.19")


def test_sentences_end_where_they_do():
    text = "Dr. Ines Baptista spoke at 3 p.m. on Friday. It rained.\n\nA list:\n- one item\n- another"
    assert sentences(text) == (
        "Dr. Ines Baptista spoke at 3 p.m. on Friday.", "It rained.", "A list:", "- one item", "- another",
    )  # fmt: skip


@given(st.text(max_size=2000))
def test_no_word_is_lost_by_cutting(text):
    assert words(" ".join(sentences(text))) == words(text) or any(len(part) >= 400 for part in text.split("\n"))
