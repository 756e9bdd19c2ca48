"""Who words a reply: templates, which are the claims themselves, or a language model behind the gate.

A writer gets the question and the claims, and gives one sentence for each, in which slots stay slots. A sentence that
the gate does not let through is dropped for the template, so a better writer makes a reply more fluent and never less
true.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from tenfold.reply.gate import faults
from tenfold.reply.reply import Answer, Clarify, HandOff, Reply, Unknown

Writer = Callable[[str, Sequence[str]], Awaitable[Sequence[str]]]
"""Gives each claim's text in better words, in their order; gets the question and the claims' texts."""

INSTRUCTION = (
    "Reword each numbered sentence for a customer who asked: {question}\n"
    "Keep every number, name and everything in braces exactly. Add nothing. Answer with the numbered sentences only."
)


@dataclass(frozen=True, slots=True)
class Written:
    """An answer in words; ``refused``: what the gate found in sentences that it did not let through."""

    answer: Answer
    refused: tuple[str, ...] = ()


async def write(question: str, answer: Answer, writer: Writer | None) -> Written:
    """Word the answer by ``writer``, sentence by sentence, and by the template where the gate refuses a sentence."""
    if writer is None:
        return Written(answer)
    drafts = await writer(question, [claim.text for claim in answer.claims])
    if len(drafts) != len(answer.claims):
        return Written(answer, (f"{len(drafts)} sentences for {len(answer.claims)} claims",))
    claims, refused = [], []
    for claim, draft in zip(answer.claims, drafts, strict=True):
        wrong = faults(draft, claim, answer.evidence) if draft.strip() else ("nothing",)
        refused += wrong
        claims.append(claim if wrong else replace(claim, text=" ".join(draft.split())))
    return Written(replace(answer, claims=tuple(claims)), tuple(refused))


def prompt(question: str, claims: Sequence[str]) -> str:
    """What a chat model is asked."""
    return "\n".join([INSTRUCTION.format(question=question), *(f"{n}. {text}" for n, text in enumerate(claims, 1))])


def read_drafts(text: str, count: int) -> list[str]:
    """Numbered sentences out of a chat model's text; empty where one is missing."""
    found = {int(n): line.strip() for n, line in re.findall(r"^\s*(\d{1,3})[.)]\s*(.+)$", text, re.MULTILINE)}
    return [found.get(n, "") for n in range(1, count + 1)]


def text_of(reply: Reply) -> str:
    """The reply as a customer reads it; an answer's slots are filled before."""
    if isinstance(reply, Answer):
        return " ".join(claim.text for claim in reply.claims)
    if isinstance(reply, Clarify):
        return f"{reply.question} {' · '.join(reply.choices)}".strip()
    if isinstance(reply, Unknown):
        about = f" about “{reply.about}”" if reply.about else ""
        where = f" in {', '.join(reply.searched)}" if reply.searched else ""
        as_of = f"as of {reply.as_of:%Y-%m-%d %H:%M} UTC"
        if reply.nearest is not None:
            return f"I find nothing that surely answers this, {as_of}. What comes nearest: {text_of(reply.nearest)}"
        return f"I don't find anything{about}{where}, {as_of}, so I cannot say."
    return {
        "asked": "I am handing you over to a person of our team, who goes on in this conversation.",
        "policy": "A person of our team takes care of this; I have passed on what you wrote.",
        "unsure": "I am not sure that I understood what is to be done, so a person of our team goes on from here.",
        "failed": "That did not work, so a person of our team goes on from here.",
    }[reply.reason]


def kind_of(reply: Reply) -> str:
    """The reply's type in one word, as the API and the command name it."""
    return {Answer: "answer", Clarify: "clarify", Unknown: "unknown", HandOff: "handoff"}[type(reply)]
