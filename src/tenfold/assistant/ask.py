"""Questions of a file, answered from the passages of a file: what ``tenfold assistant ask`` does, without a pool."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from email.utils import parsedate_to_datetime
from pathlib import Path

from pydantic import Field, field_validator

from tenfold.assistant.brain import respond
from tenfold.assistant.sources import Sources
from tenfold.catalog.ingest.lines import Line, read_lines
from tenfold.catalog.passage import Passage
from tenfold.core.errors import UsageError
from tenfold.reply.reply import Answer, Reply, Unknown
from tenfold.reply.write import kind_of
from tenfold.reply.write import text_of as in_words


class PassageLine(Line):
    """One line of a file of passages; keys beside these are left alone."""

    url: str = Field(description="where it came from")
    title: str = ""
    published: datetime | date | None = Field(
        None, description="ISO date or time, or as mail writes it; UTC by default"
    )
    text: str

    @field_validator("title", mode="before")
    @classmethod
    def _untitled(cls, title: object) -> object:
        return "" if title is None else title

    @field_validator("published", mode="before")
    @classmethod
    def _written(cls, published: object) -> object:
        """Read a date as mail and RSS write it; what is neither that nor ISO is left to be refused."""
        if not isinstance(published, str):
            return published
        try:
            return parsedate_to_datetime(published)
        except ValueError:
            return published.strip() or None


class QuestionLine(Line):
    """One line of a file of questions; keys beside these are left alone."""

    id: str | int
    question: str


def read_passages(path: Path) -> list[PassageLine]:
    """Read a file of passages.

    Raises:
        UsageError: it is missing, or a line is not what it should be; names the line.
    """
    return read_lines(
        path, PassageLine, '{"url": "https://...", "title": "...", "published": "2026-11-16", "text": "..."}'
    )


def read_questions(path: Path) -> list[QuestionLine]:
    """Read a file of questions.

    Raises:
        UsageError: it is missing, or a line is not what it should be; names the line.
    """
    return read_lines(path, QuestionLine, '{"id": "q1", "question": "Who won?"}')


def read_now(text: str | None) -> datetime:
    """Read a date (its last second, so that what was published that day is known) or a time; now if there is none.

    Raises:
        UsageError: it is neither.
    """
    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"--now {text!r} is no date", next_step="give one like 2026-11-16 or 2026-11-16T09:30"
        ) from error
    if len(text) <= len("2026-11-16"):
        found = datetime.combine(found.date(), time(23, 59, 59))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def passages_of(lines: list[PassageLine], now: datetime) -> list[Passage]:
    """Make passages of lines; each is a document by itself, numbered where an address comes twice."""
    return [
        Passage(str(number), line.url, line.url, line.title, line.text, now, _time(line.published))
        for number, line in enumerate(lines)
    ]


def answers(sources: Sources, questions: list[QuestionLine], now: datetime) -> Iterator[dict[str, object]]:
    """Answer each question by itself, as one line of output each."""
    for each in questions:
        yield {"id": each.id, **as_line(respond(sources, each.question, now))}


def text_of(reply: Reply) -> str:
    """A reply as people read it: a claim a line, each with who says it and when."""
    if isinstance(reply, Answer):
        return "\n".join(claim.text for claim in reply.claims)
    if not isinstance(reply, Unknown):
        return in_words(reply)
    where = f" I searched {', '.join(reply.searched)}." if reply.searched else " There are no sources yet."
    return f"My sources up to {reply.as_of:%-d %B %Y, %H:%M} do not tell.{where} That says nothing about what happened."


def as_line(reply: Reply) -> dict[str, object]:
    """A reply as the command and the API give it."""
    claims = []
    if isinstance(reply, Answer):
        for claim in reply.claims:
            cited = [reply.evidence[each].source for each in claim.evidence]
            claims.append({"text": claim.text, "evidence": [_cited(one) for one in cited if isinstance(one, Passage)]})
    line: dict[str, object] = {"type": kind_of(reply), "text": text_of(reply), "claims": claims}
    if isinstance(reply, Unknown):
        line |= {"as_of": reply.as_of.isoformat(), "searched": list(reply.searched)}
    return line


def _cited(passage: Passage) -> dict[str, str | None]:
    when = passage.published
    return {"url": passage.url, "title": passage.title, "published": when.isoformat() if when else None}


def _time(published: datetime | date | None) -> datetime | None:
    if published is None:
        return None
    if not isinstance(published, datetime):
        published = datetime.combine(published, time())
    return published if published.tzinfo else published.replace(tzinfo=UTC)
