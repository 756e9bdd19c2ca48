"""Texts that a business wrote: Markdown, plain text, HTML, JSON and JSON lines, each a document of passages.

A document is cut at its headings; each part is a passage titled by the document and its heading. A question with its
answer is a passage of its own.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import PurePosixPath

from tenfold.catalog.gathered import Gathered, Skipped
from tenfold.catalog.ingest.markup import Page, Section, plain_text, read_page, read_time
from tenfold.catalog.ingest.schema_org import Question
from tenfold.catalog.passage import Passage

TEXT_FILES = frozenset({".md", ".markdown", ".txt", ".rst", ".html", ".htm", ".json", ".jsonl", ".ndjson"})

_HEADING = re.compile(r"^(#{1,6})[ \t]+(.+?)[ \t]*#*$")
_UNDERLINE = re.compile(r"^(={3,}|-{3,}|~{3,})$")
_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_ASKED = re.compile(r"^(?:\*\*|__)?(?:Q|Question|F|Frage)\s*\d*\s*[:.)]\s*(.+?)(?:\*\*|__)?$", re.IGNORECASE)
_ANSWERED = re.compile(r"^(?:\*\*|__)?(?:A|Answer|Antwort)\s*\d*\s*[:.)](?:\*\*|__)?\s*", re.IGNORECASE)
_MARKDOWN = (
    (re.compile(r"!\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"\[([^\]]+)\]\([^)]*\)"), r"\1"),
    (re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])"), r"\1"),
    (re.compile(r"`([^`\n]+)`"), r"\1"),
)
LONGEST_QUESTION = 25
"""Words of a question or a line in bold that is a heading."""
_ID_KEYS = ("id", "_id", "doc_id", "document_id")
_TITLE_KEYS = ("title", "name", "heading", "question", "subject")
_TEXT_KEYS = ("content", "text", "body", "answer", "description")


def read_document(text: str, name: str, fetched: datetime, *, document: str = "", url: str = "") -> Gathered:
    """Read one file.

    Args:
        text: what is in it.
        name: of the file, whose ending says what it is.
        fetched: when it was read.
        document: its id; by default the name without its ending.
        url: its address, where it has one.
    """
    path = PurePosixPath(name)
    document = document or path.stem
    try:
        match path.suffix.lower():
            case ".html" | ".htm":
                return Gathered(passages=page_passages(read_page(text), document, url, fetched))
            case ".json":
                return _of_json(json.loads(text), name, document, url, fetched)
            case ".jsonl" | ".ndjson":
                lines = [json.loads(line) for line in text.split("\n") if line.strip()]
                return _of_json(lines, name, document, url, fetched)
            case _:
                return Gathered(passages=tuple(_markdown(text, document, url, fetched)))
    except (json.JSONDecodeError, RecursionError) as error:
        return Gathered(skipped=(Skipped(name, f"it is no JSON: {error}"),))


def page_passages(page: Page, document: str, url: str, fetched: datetime) -> tuple[Passage, ...]:
    """Give the parts of a page as passages."""
    return _passages(page.title or document, page.sections, document, url, fetched, page.published)


def question_passages(questions: Sequence[Question], document: str, url: str, fetched: datetime) -> tuple[Passage, ...]:
    """Give questions with their answers as passages titled by the question."""
    sections = [Section(each.question, each.answer) for each in questions]
    return _passages("", sections, f"{document}#faq" if document else "faq", url, fetched, None, document)


def _passages(
    title: str,
    sections: Sequence[Section],
    document: str,
    url: str,
    fetched: datetime,
    published: datetime | None,
    belongs_to: str = "",
) -> tuple[Passage, ...]:
    told = [each for each in sections if each.text] or list(sections)
    found = []
    for number, section in enumerate(told, 1):
        heading = "" if section.heading == title else section.heading
        titled = f"{title} - {heading}" if title and heading else title or heading
        name = document if len(told) == 1 else f"{document}#{number}"
        text = section.text or section.heading
        found.append(Passage(name, belongs_to or document, url, titled, text, fetched, published))
    return tuple(found)


# ---- Markdown and plain text


def _markdown(text: str, document: str, url: str, fetched: datetime) -> Iterator[Passage]:
    title, published = "", None
    front = _FRONT_MATTER.match(text)
    if front is not None:
        text = text[front.end() :]
        facts = dict(line.split(":", 1) for line in front.group(1).splitlines() if ":" in line)
        title = facts.get("title", "").strip().strip("\"'")
        published = read_time(facts.get("date", ""))
        url = url or facts.get("url", "").strip()
    sections = list(_sections(text))
    if sections and not title:
        if not sections[0].text or (sections[0].heading and _is_only_top(text)):
            # The first heading is the whole text's.
            title = sections[0].heading
            sections = [Section("", sections[0].text), *sections[1:]] if sections[0].text else sections[1:]
        title = title or _spoken(document)
    yield from _passages(title or _spoken(document), sections, document, url, fetched, published)


def _is_only_top(text: str) -> bool:
    levels = [len(found.group(1)) for line in text.splitlines() if (found := _HEADING.match(line))]
    return not levels or (levels.count(min(levels)) == 1 and levels[0] == min(levels))


def _sections(text: str) -> Iterator[Section]:
    found, lines = "", list[str]()
    rows = [row.rstrip() for row in text.split("\n")]
    fenced = False
    for number, line in enumerate(rows):
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
            continue
        heading = None if fenced else _heading(rows, number)
        if heading is not None:
            if found or any(lines):
                yield Section(found, _body(lines))
            found, lines = _unmarked(heading), []
        elif fenced or not _UNDERLINE.match(line):
            lines.append(line if lines or not _ANSWERED.match(line) else _ANSWERED.sub("", line))
    if found or any(lines):
        yield Section(found, _body(lines))


def _heading(rows: Sequence[str], number: int) -> str | None:
    """What a line says if it is a heading: marked, underlined, or a question that stands alone."""
    line = rows[number].strip()
    below = rows[number + 1] if number + 1 < len(rows) else ""
    if (marked := _HEADING.match(rows[number])) is not None:
        return marked.group(2)
    if (asked := _ASKED.match(line)) is not None:
        return asked.group(1)
    if line and _UNDERLINE.match(below) and len(below) >= len(line) // 2:
        return line
    stands_alone = not number or not rows[number - 1].strip()
    if (
        stands_alone
        and _unmarked(line).endswith("?")
        and len(line.split()) <= LONGEST_QUESTION
        and not line.startswith(("- ", "* ", "+ ", ">", "|"))
    ):
        return line
    # A line in bold alone is one too.
    bold = re.fullmatch(r"\*\*([^*]+?):?\*\*:?", line)
    return bold.group(1) if bold is not None and stands_alone and len(line.split()) <= LONGEST_QUESTION else None


def _body(lines: Sequence[str]) -> str:
    """Lines of one paragraph become one, list items and rows of tables stay."""
    parts: list[str] = []
    joined = False
    for line in lines:
        plain = line.strip()
        if not plain:
            joined = False
            continue
        if re.fullmatch(r"\|?[\s:|-]+\|?", plain):
            continue
        item = re.match(r"(?:[-*+•]|\d+[.)])\s+", plain)
        if plain.startswith("|") or item or not joined:
            parts.append(plain.strip("|").strip() if plain.startswith("|") else plain)
        else:
            parts[-1] = f"{parts[-1]} {plain}"
        joined = not plain.startswith("|")
    return plain_text(_unmarked("\n".join(parts)))


def _unmarked(text: str) -> str:
    for pattern, replacement in _MARKDOWN:
        text = pattern.sub(replacement, text)
    return text.strip()


def _spoken(name: str) -> str:
    """A file's name as a title: ``returns_policy`` is ``returns policy``."""
    return re.sub(r"[_-]+", " ", name).strip()


# ---- JSON


def _of_json(value: object, where: str, document: str, url: str, fetched: datetime) -> Gathered:
    if isinstance(value, Mapping):
        listed = next(
            (each for each in value.values() if isinstance(each, list) and each and isinstance(each[0], dict)), None
        )
        if _text_of(value) is None and listed is not None:
            value = listed
        else:
            return Gathered(passages=tuple(_record(value, document, url, fetched, document)))
    if not isinstance(value, list):
        return Gathered(
            skipped=(Skipped(where, "it holds no object with a 'title' and a 'content', nor a list of them"),)
        )
    found: list[Passage] = []
    skipped: list[Skipped] = []
    for number, each in enumerate(value, 1):
        if isinstance(each, Mapping) and (_text_of(each) is not None or any(each.get(key) for key in _TITLE_KEYS)):
            own = next((each[key] for key in _ID_KEYS if each.get(key) not in (None, "")), None)
            named = str(own) if isinstance(own, str | int) else f"{document}#{number}"
            found += _record(each, named, url, fetched, named)
        else:
            skipped.append(
                Skipped(f"{where}, record {number}", "it has no text under 'content', 'text', 'body' or 'answer'")
            )
    return Gathered((), tuple(found), tuple(skipped))


def _record(table: Mapping, document: str, url: str, fetched: datetime, named: str) -> Iterator[Passage]:
    title = next((str(table[key]).strip() for key in _TITLE_KEYS if isinstance(table.get(key), str)), "")
    text = _text_of(table)
    if text is None:
        text = "\n".join(
            f"{_spoken(str(key))}: {each}" for key, each in table.items() if isinstance(each, str | int | float)
        )
    own = str(table.get("url") or table.get("link") or url)
    published = read_time(str(table.get("published") or table.get("date") or ""))
    sections = list(_sections(text)) if "\n" in text else [Section("", plain_text(text))]
    if sections and sections[0].heading == title:
        sections[0] = Section("", sections[0].text)
    yield from _passages(title or _spoken(named), sections, document, own, fetched, published)


def _text_of(table: Mapping) -> str | None:
    for key in _TEXT_KEYS:
        value = table.get(key)
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
            return "\n".join(value)
    return None
