"""What the assistant says to one message: an answer from its sources, or what it did to the memory or the plan.

It is given one thread, and so can tell of no other.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Connection

from tenfold.assistant import tables
from tenfold.assistant.ask import as_line
from tenfold.assistant.brain import respond
from tenfold.assistant.intent import Intent, read_intent
from tenfold.assistant.plan import Plan, as_text
from tenfold.assistant.planning import Changed, change, new_plan
from tenfold.assistant.sources import Sources
from tenfold.assistant.tables import Fact, Message
from tenfold.catalog.passage import Passage
from tenfold.reply.reply import Answer, Evidence, Reply, Unknown

BEFORE = 30
"""Messages of the thread that are read with a question."""

_HELLO = (
    "I answer from dated sources and say who said it and when; what they do not tell I say I do not know. "
    "Ask me something, tell me to remember something, ask what I remember, or plan a day: "
    "plan Saturday: 10:00 museum, 1 pm lunch at Rosa's."
)


@dataclass(frozen=True, slots=True)
class Room:
    """One thread, as the assistant sees it when it replies to ``asked``."""

    asked: Message
    before: Sequence[Message]
    facts: Sequence[Fact]
    plan: Plan | None
    names: Mapping[str, str]

    @property
    def author(self) -> str:
        """Who asks."""
        return self.names.get(self.asked.person, "somebody")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is said, and what is written with it, in the same transaction.

    ``reply``: where it is from sources, for a writer to word. ``draw``: what an image is wished of.
    """

    text: str
    said: Mapping[str, object] = field(default_factory=lambda: {"type": "done"})
    reply: Reply | None = None
    draw: str = ""
    write: Callable[[Connection], object] | None = None


def read_room(connection: Connection, asked: Message) -> Room:
    """Read the thread of a message, and nothing else."""
    thread = tables.thread_of(connection, asked.thread)
    assert thread is not None
    return Room(
        asked,
        tables.read_before(connection, asked.thread, asked.number, BEFORE),
        tables.facts_of(connection, asked.thread),
        Plan.model_validate(thread.plan) if thread.plan else None,
        {each.id: each.name for each in tables.members_of(connection, asked.thread)},
    )


def reply_in(room: Room, sources: Sources, now: datetime) -> Outcome:
    """Decide what a message asks for, and do it or answer it.

    Args:
        room: the thread.
        sources: what everybody's subscriptions say.
        now: the time of asking, in UTC.
    """
    intent = read_intent(room.asked.text)
    local = now.replace(tzinfo=None)
    if intent.wish == "ask":
        changed = change(room.plan, intent.what, local) if room.plan is not None else None
        return _planned(room, changed) if changed is not None else outcome_of(answer(room, intent.what, sources, now))
    if intent.wish == "plan":
        return _planned(room, new_plan(intent.what, local))
    if intent.wish in ("show_plan", "drop_plan"):
        return _about_plan(room, intent)
    if intent.wish in ("remember", "recall", "forget"):
        return _about_memory(room, intent, now)
    return Outcome("", draw=intent.what) if intent.wish == "draw" else Outcome(_HELLO)


def outcome_of(reply: Reply) -> Outcome:
    """Say a reply that rests on sources."""
    line = as_line(reply)
    return Outcome(str(line.pop("text")), line, reply)


def answer(room: Room, question: str, sources: Sources, now: datetime) -> Reply:
    """Answer from the sources, and from what was said in this thread."""
    asked_before = [
        read_intent(each.text).what for each in room.before if each.person == room.asked.person and each.text
    ]
    public = respond(sources, question, now, asked_before)
    own = respond(Sources(_own(room), sources.embedder), question, now, asked_before)
    if isinstance(public, Answer) and isinstance(own, Answer):
        # What somebody said here comes after what is published, and is told as what it is.
        evidence: dict[str, Evidence] = {**public.evidence, **own.evidence}
        return Answer((*public.claims[:2], own.claims[0]), evidence)
    if isinstance(own, Answer):
        return own
    if isinstance(public, Unknown):
        return Unknown(public.as_of, (*public.searched, "this thread"), public.about)
    return public


def _own(room: Room) -> list[Passage]:
    """What was said in the thread, and what is remembered of it, as passages of their authors."""
    passages = []
    for fact in room.facts:
        at, who = datetime.fromtimestamp(fact.at, UTC), room.names.get(fact.by, "somebody")
        where = f"thread:{fact.thread}#remembered-{fact.number}"
        passages.append(Passage(where, f"{who}, in this thread", "", "Remembered", fact.text, at, at))
    for message in room.before:
        if message.person == tables.ASSISTANT or read_intent(message.text).wish != "ask" or message.text.endswith("?"):
            continue
        at, who = datetime.fromtimestamp(message.at, UTC), room.names.get(message.person, "somebody")
        where = f"thread:{message.thread}#{message.number}"
        passages.append(Passage(where, f"{who}, in this thread", "", "Message", message.text, at, at))
    return passages


def _planned(room: Room, changed: Changed) -> Outcome:
    if changed.plan is None:
        return Outcome(changed.trouble)
    plan = changed.plan.model_dump(mode="json")
    thread = room.asked.thread
    return Outcome(as_text(changed.plan), write=lambda connection: tables.write_plan(connection, thread, plan))


def _about_plan(room: Room, intent: Intent) -> Outcome:
    thread = room.asked.thread
    if room.plan is None:
        return Outcome("There is no plan in this thread. Make one: plan Saturday: 10:00 museum, 1 pm lunch at Rosa's.")
    if intent.wish == "drop_plan":
        return Outcome("The plan is gone.", write=lambda connection: tables.write_plan(connection, thread, None))
    return Outcome(as_text(room.plan))


def _about_memory(room: Room, intent: Intent, now: datetime) -> Outcome:
    thread, by = room.asked.thread, room.asked.person
    if intent.wish == "remember":
        what = intent.what[:1000]
        return Outcome(
            f"I remember, in this thread only: {what}",
            write=lambda connection: tables.remember(connection, thread, what, by, now.timestamp()),
        )
    if intent.wish == "recall":
        lines = [f"{fact.number}. {fact.text} ({room.names.get(fact.by, 'somebody')})" for fact in room.facts]
        plan = ["There is a plan, too."] if room.plan else []
        return Outcome("\n".join([*lines, *plan]) or "I remember nothing of this thread but its messages.")
    numbers = _meant(room.facts, intent.what)
    if numbers is not None and not numbers:
        return Outcome("I remember nothing like that. Ask what I remember, and say the number.")
    many = len(room.facts) if numbers is None else len(numbers)
    return Outcome(
        f"Forgotten: {many} {'thing' if many == 1 else 'things'}.",
        write=lambda connection: tables.forget(connection, thread, numbers),
    )


def _meant(facts: Sequence[Fact], what: str) -> list[int] | None:
    """Numbers of the facts that are meant; none for all."""
    if re.fullmatch(r"(?:it all|all|everything)(?: of (?:it|that))?[.!]?", what.strip(), re.IGNORECASE):
        return None
    found = {int(each) for each in re.findall(r"\d+", what)}
    words = what.lower().strip(" .!")
    return [fact.number for fact in facts if fact.number in found or words in fact.text.lower()]
