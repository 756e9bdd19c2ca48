"""A piece of text that can be cited: where it came from, and when."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Passage:
    """Part of a document.

    ``id``: unique within its business or thread. ``document``: the document's id, its address where it has one.
    ``published``: when the source says that it wrote it; none if it does not say. ``fetched``: when it was read.
    Times have a zone.
    """

    id: str
    document: str
    url: str
    title: str
    text: str
    fetched: datetime
    published: datetime | None = None
