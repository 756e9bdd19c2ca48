"""The assistant's answer to one question, from dated sources and from nothing else.

Sources are searched by words and by meaning, the best windows of two sentences become claims with their title and date,
and where no source is about what was asked the reply is ``Unknown``: never a denial, and never what a model remembers.
What a question takes for granted is not affirmed: the claims are what sources say, word for word.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from tenfold.assistant.choose import chosen
from tenfold.assistant.find import find
from tenfold.assistant.question import read_question
from tenfold.assistant.sources import Sources
from tenfold.assistant.times import written
from tenfold.assistant.windows import Document
from tenfold.catalog.passage import Passage
from tenfold.reply.reply import Answer, Claim, Evidence, Reply, Unknown

SURE = 0.65
"""Least sureness of an answer's best window; and of its others, ``ALSO``. Fitted: see docs/log.md."""
ALSO = 0.35

MOST_SEARCHED = 8
"""Sources that an ``Unknown`` names."""

_REFERS = re.compile(
    r"^(?:and|but|so|what about|how about)\b|"
    r"\b(?:he|she|it|they|him|her|them|his|its|their|there|that|this|those|these)\b",
    re.IGNORECASE,
)


def respond(sources: Sources, question: str, now: datetime, memory: Sequence[str] = ()) -> Reply:
    """Answer from the sources, or say that they do not tell.

    Args:
        sources: what may be cited, and nothing else.
        question: as it was asked.
        now: counts "last week", and nothing that was published later is known.
        memory: what was asked before in this thread, the latest last; a question that only refers goes on from it.
    """
    asked = _in_full(question, now, memory)
    read = read_question(asked, now.date())
    # A question without a word is about nothing, and everything is as near to it.
    found = find(sources, read, now) if re.search(r"\w", asked) else []
    if not found or found[0].sureness < SURE:
        return Unknown(as_of=now, searched=searched(sources), about=question.strip())
    claims, evidence = [], {}
    for each in chosen(found):
        if each.sureness < ALSO:
            continue
        document = sources.documents[each.chunk.document]
        passage = document.passage
        claims.append(Claim(_said(document, each.first, each.last), (passage.id,)))
        evidence[passage.id] = Evidence(passage.id, passage)
    return Answer(tuple(claims), evidence)


def searched(sources: Sources) -> tuple[str, ...]:
    """Where was searched: the hosts of the sources, those with most passages first."""
    counts: dict[str, int] = {}
    for document in sources.documents:
        name = source_name(document.passage)
        counts[name] = counts.get(name, 0) + 1
    return tuple(sorted(counts, key=lambda name: (-counts[name], name))[:MOST_SEARCHED])


def source_name(passage: Passage) -> str:
    """Who says it: the host of its address, or its document where that has none."""
    return (urlsplit(passage.url).hostname or passage.document).removeprefix("www.")


def _in_full(question: str, now: datetime, memory: Sequence[str]) -> str:
    """A question that names nothing and refers to what was said, with what the questions before were about."""
    read = read_question(question, now.date())
    if not memory or read.names or read.numbers or not (_REFERS.search(question) or len(read.terms) < 2):
        return question
    return f"{question} {' '.join(memory[-1:])}"


def told_by(passage: Passage) -> str:
    """What each claim from a passage begins with: its title, who says it, and when."""
    title = f"{passage.title.strip().rstrip('.')} " if passage.title else ""
    day = (passage.published or passage.fetched).date()
    when = written(day) if passage.published else f"read on {written(day)}"
    return f"{title}({source_name(passage)}, {when}): "


def _said(document: Document, first: int, last: int) -> str:
    return told_by(document.passage) + " ".join(document.sentences[first:last])
