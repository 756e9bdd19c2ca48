"""What agents take and give over HTTP."""

from typing import Literal

from pydantic import Field

from tenfold.agents.uploads import SourceOut
from tenfold.core.frozen import Frozen

PLAIN = r"^[^\x00-\x1f\x7f/?#]+$"
"""No control characters, and none that would end a part of an address."""
LONGEST_NAME = 200
LONGEST_TEXT = 4_000
MOST_WAITING = 20
"""Messages of one thread that wait for a reply; whoever sends more is asked to wait."""

ReplyType = Literal["answer", "clarify", "unknown", "handoff"]


class MessageIn(Frozen):
    """What a customer writes."""

    id: str = Field(pattern=PLAIN, max_length=LONGEST_NAME, description="the sender's; one seen before is not taken")
    text: str = Field(min_length=1, max_length=LONGEST_TEXT)


class Cited(Frozen):
    """What a claim rests on: something for sale, or a passage of a document."""

    id: str
    product: str | None = Field(None, description="id of the item or variant")
    title: str = ""
    url: str = ""
    published: str | None = Field(None, description="when the document says that it was written")
    fetched: str | None = Field(None, description="when it was read")
    price: str | None = Field(None, description="as the database had it when this was said")
    available: bool | None = None


class SaidClaim(Frozen):
    """One sentence of an answer, with all that it rests on."""

    text: str
    evidence: tuple[Cited, ...]


class Proposal(Frozen):
    """What the agent would do, if the customer confirms it and is proven to be who it is for."""

    id: str
    tool: str
    summary: str
    confirm: str = Field(description="to be sent back with a confirmation: it quotes what was shown")


class Said(Frozen):
    """A reply as it was sent: prices and stock are those of that moment."""

    type: ReplyType
    text: str
    claims: tuple[SaidClaim, ...] = ()
    choices: tuple[str, ...] = Field((), description="of a question back: what can be chosen")
    as_of: str | None = Field(None, description="of what is unknown: how recent the sources are")
    searched: tuple[str, ...] = Field((), description="of what is unknown: where it was looked for")
    reason: str = Field("", description="of a hand-off: why a human goes on")
    proposal: Proposal | None = None


class MessageOut(Frozen):
    """One message of a thread."""

    number: int = Field(description="orders the messages of all threads")
    id: str
    role: Literal["customer", "agent", "human"]
    text: str
    at: float = Field(description="Unix seconds")
    said: Said | None = Field(None, description="of an agent's: type, claims and evidence")


class Exchange(Frozen):
    """What became of a message. It is on disk when this is answered."""

    number: int
    state: Literal["answered", "waiting", "with_human"] = Field(
        description="`waiting`: fetch the thread in a moment; `with_human`: somebody of the business goes on"
    )
    reply: MessageOut | None = None


class Unsent(Frozen):
    """A message that the customer has not got."""

    text: str
    state: Literal["held", "refused", "failed"] = Field(
        description="`held`: it goes out once the customer writes again; `refused`: once the channel takes messages "
        "again; `failed`: it never will"
    )
    why: str


class ThreadOut(Frozen):
    """A conversation."""

    id: str
    channel: str
    held_by: Literal["agent", "human"]
    since: float
    last_at: float
    customer: str = Field("", description="who it is proven to be, as the shop calls them")
    resolved_by: str = Field("", description="how it is known to be resolved: button, thanks, order; else empty")
    messages: tuple[MessageOut, ...] = ()
    unsent: tuple[Unsent, ...] = Field((), description="on WhatsApp and Messenger: what the customer has not got")


class Threads(Frozen):
    """Conversations, the latest first."""

    threads: tuple[ThreadOut, ...]


class BusinessOut(Frozen):
    """A business that has an agent, and what the agent knows."""

    id: str
    name: str
    since: float
    items: int = 0
    passages: int = 0
    sources: tuple[SourceOut, ...] = ()


class Businesses(Frozen):
    """All businesses that whoever asks may see."""

    businesses: tuple[BusinessOut, ...]
