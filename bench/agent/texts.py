"""Questions about what businesses wrote, of ``sets/texts.txt``: a dozen trades, with what a right reply quotes.

They were written to tune when a text tells what is asked; ``-`` stands for what no text tells.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tenfold.catalog.passage import Passage

TEXTS = Path(__file__).parent / "sets" / "texts.txt"


@dataclass(frozen=True)
class Trade:
    """Texts of a business, and questions with the words that tell the answer, none where nothing tells it."""

    name: str
    passages: tuple[Passage, ...]
    asked: tuple[tuple[str, str], ...]


def trades(now: datetime) -> Iterator[Trade]:
    """Read the file."""
    for part in TEXTS.read_text(encoding="utf-8").split("== ")[1:]:
        name, *lines = part.strip().splitlines()
        told: dict[str, list[str]] = {}
        asked = []
        for line in lines:
            if line.startswith("# "):
                told[line[2:]] = []
            elif line.startswith("? "):
                question, _, has = line[2:].rpartition(" => ")
                asked.append((question, "" if has == "-" else has))
            else:
                told[list(told)[-1]].append(line)
        passages = tuple(
            Passage(title, title, f"{title}.md", title, " ".join(text), now) for title, text in told.items()
        )
        for question, has in asked:
            assert any(has.casefold() in each.text.casefold() for each in passages), f"{name}: {question} => {has}"
        yield Trade(name, passages, tuple(asked))
