"""Questions from a file, answered as the agent would answer customers: without a pool, from a feed and documents."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field

from tenfold.agents.brain import Said, speak
from tenfold.agents.memory import Memory
from tenfold.agents.shop import Embedder, Shop
from tenfold.catalog.gathered import Gathered
from tenfold.catalog.ingest.lines import Line, read_lines
from tenfold.catalog.ingest.source import read_feed, read_file, read_folder
from tenfold.catalog.item import Item, Variant
from tenfold.catalog.passage import Passage
from tenfold.core.errors import UsageError
from tenfold.core.show import talk
from tenfold.reply.reply import Answer, Claim, Evidence, Unknown
from tenfold.reply.write import kind_of

AT_ONCE = 200
"""Parts of texts, and items, that are all embedded before the first answer: some seconds' work."""


class Question(Line):
    """A line of the file."""

    id: str | int
    question: str
    thread: str | int | None = Field(
        None, description="questions of one thread build on one another; none: it stands alone"
    )


def questions_of(path: Path) -> list[Question]:
    """Read a file of questions, one JSON object a line.

    Raises:
        UsageError: it cannot be read, or a line is no question; names the line.
    """
    return read_lines(path, Question, '{"id": "q1", "question": "Do you have it in blue?"}')


def answers(shop: Shop, questions: list[Question], now: datetime) -> Iterator[dict[str, object]]:
    """Answer each question: ``id``, ``type``, ``text``, ``claims``."""
    threads: dict[str | int | None, Memory] = defaultdict(Memory)
    for each in questions:
        is_alone = each.thread in (None, "")
        said = asyncio.run(speak(shop, each.question, Memory() if is_alone else threads[each.thread], now))
        if not is_alone:
            threads[each.thread] = said.memory
        yield {"id": each.id, **told(said)}


def told(said: Said) -> dict[str, object]:
    """A reply as JSON: its type, its text, and each claim with where it comes from."""
    # What comes nearest is quoted with where it stands, and is no answer.
    quoted = said.reply.nearest if isinstance(said.reply, Unknown) else said.reply
    claims = quoted.claims if isinstance(quoted, Answer) else ()
    evidence = quoted.evidence if isinstance(quoted, Answer) else {}
    listed = [{"text": claim.text, "evidence": sources_of(claim, evidence)} for claim in claims]
    return {"type": kind_of(said.reply), "text": said.text, "claims": listed}


def sources_of(claim: Claim, evidence: Mapping[str, Evidence]) -> list[dict[str, str]]:
    """What a claim rests on: variants by their id, an item by those of its variants, a passage by its address."""
    cited = [evidence[each].source for each in claim.evidence]
    variants = [{"product": each.id} for each in cited if isinstance(each, Variant)]
    items = [{"product": one.id} for each in cited if isinstance(each, Item) for one in each.variants]
    passages = [{"url": each.url or each.document} for each in cited if isinstance(each, Passage)]
    return [*(variants or items), *passages]


def shop_from_files(
    business: str, feed: Path | None, docs: Path | None, model: Embedder, now: datetime, currency: str = "USD"
) -> Shop:
    """Make a shop from a feed, and from a folder or file of texts; what of them is left out is told on standard error.

    ``currency``: of prices that name none.

    Raises:
        UsageError: neither is given, one of them cannot be read, or nothing is in them.
    """
    if feed is None and docs is None:
        raise UsageError(
            "there is nothing to answer from", next_step="give --feed products.csv, --docs ./policies or both"
        )
    currency = currency.strip().upper()
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise UsageError(f"--currency {currency!r} is none", next_step="write its three letters, as EUR")
    gathered = Gathered()
    if feed is not None:
        gathered += read_feed(feed, now, currency)
    if docs is not None:
        gathered += (read_folder if docs.is_dir() else read_file)(docs, now, currency)
    for each in gathered.skipped:
        talk.print(f"left out {each.where}: {each.why}", style="dim", markup=False, soft_wrap=True)
    if not gathered.items and not gathered.passages:
        given = " and ".join(str(path) for path in (feed, docs) if path is not None)
        raise UsageError(
            f"there is nothing to answer from in {given}",
            next_step="write a feed as 'id,title,options,price,stock', a row for each thing; texts as .md or .html",
        )
    return Shop.of(business, gathered.items, gathered.passages, model, now, at_once=AT_ONCE)


def now_utc() -> datetime:
    """This moment."""
    return datetime.now(UTC)
