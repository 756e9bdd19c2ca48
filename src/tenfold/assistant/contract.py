"""What the assistant takes and gives over HTTP."""

from typing import Literal

from pydantic import Field

from tenfold.assistant.plan import Plan
from tenfold.core.frozen import Frozen

LONGEST_TEXT = 4000
LONGEST_NAME = 60
PLAIN = r"^[^\x00-\x1f\x7f]+$"
PERSON_KEY = "x-person-key"
"""Header that says who asks: the key that was given once when the person was made."""

Kind = Literal["person", "answer", "clarify", "unknown", "handoff", "done"]


class NewPerson(Frozen):
    """Somebody who is not known yet."""

    name: str = Field(pattern=PLAIN, min_length=1, max_length=LONGEST_NAME)


class MadePerson(Frozen):
    """A person with the key that opens their threads; it is told once."""

    person: str
    name: str
    key: str


class NewThread(Frozen):
    """A thread to be made."""

    name: str = Field("", pattern=r"^[^\x00-\x1f\x7f]*$", max_length=LONGEST_NAME)


class Member(Frozen):
    """Who is in a thread."""

    person: str
    name: str


class ThreadRow(Frozen):
    """A thread, as its members see it."""

    thread: str
    name: str
    members: tuple[Member, ...]
    messages: int


class Threads(Frozen):
    """All threads of a person, the latest first."""

    threads: tuple[ThreadRow, ...]


class Invite(Frozen):
    """A code by which one person joins; it works once, and for a week."""

    code: str = Field(min_length=1, max_length=100)


class NewMessage(Frozen):
    """What a person writes. Sent again with the same ``id`` it is the same message."""

    id: str = Field(pattern=PLAIN, min_length=1, max_length=100)
    text: str = Field(min_length=1, max_length=LONGEST_TEXT)


class Cited(Frozen):
    """A source of a claim."""

    url: str
    title: str
    published: str | None


class ClaimSaid(Frozen):
    """A claim with its sources."""

    text: str
    evidence: tuple[Cited, ...]


class Said(Frozen):
    """A message of a thread, as it was written or replied."""

    number: int
    id: str
    person: str | None = Field(description="who wrote it; none for the assistant")
    name: str
    type: Kind
    text: str
    claims: tuple[ClaimSaid, ...] = ()
    as_of: str | None = None
    searched: tuple[str, ...] = ()
    image: str | None = Field(None, description="path of an image that was made")
    answers: int | None = Field(None, description="number of the message that it replies to")
    at: float = Field(description="Unix seconds")


class Posted(Frozen):
    """A message that is on disk. ``reply``: what the assistant said, if it was asked and was in time."""

    message: Said
    waiting: bool = Field(description="the assistant was asked and has not replied yet: read the messages later")
    reply: Said | None


class Messages(Frozen):
    """Messages after a number, in order."""

    messages: tuple[Said, ...]


class Remembered(Frozen):
    """Something that somebody told the assistant to remember, in this thread and for this thread."""

    number: int
    text: str
    by: str
    at: float


class Memory(Frozen):
    """All that is remembered of a thread beside its messages."""

    remembered: tuple[Remembered, ...]
    plan: Plan | None


class NewSubscription(Frozen):
    """A feed or a sitemap to be read."""

    url: str = Field(pattern=r"^https?://[^\s]+$", max_length=500)


class Subscription(Frozen):
    """A feed, and how fresh what was read of it is."""

    url: str
    title: str
    passages: int
    newest: float | None = Field(description="when its newest passage was published, Unix seconds")
    read_at: float | None = Field(description="when it was last read without trouble, Unix seconds")
    trouble: str = Field(description="why it could not be read the last time; else empty")


class Subscriptions(Frozen):
    """All that the assistant reads."""

    subscriptions: tuple[Subscription, ...]
