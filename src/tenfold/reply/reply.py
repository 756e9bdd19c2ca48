"""The one rule: a reply is one of four types, and none of them can say or deny something without evidence.

``Answer`` is made of claims, and each claim names the evidence that it rests on. What was not found is ``Unknown``,
which tells what was searched and until when: it is never a denial. Handing over to a human is a type, not a sentence.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from tenfold.catalog.item import Item, Variant
from tenfold.catalog.passage import Passage


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a claim may rest on: a passage, or an item or variant as the database has it when the reply is sent."""

    id: str
    source: Passage | Item | Variant


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence, and the ids of the evidence that it rests on.

    Prices and stock are slots in ``text``, as ``{price:V-42}`` and ``{stock:V-42}`` with a variant's id. They are
    filled from the database when the reply is sent, so that no writer can quote a wrong one.

    Raises:
        ValueError: it names no evidence.
    """

    text: str
    evidence: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.evidence:
            raise ValueError(f"a claim rests on evidence; this one names none: {self.text!r}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known, claim by claim.

    Raises:
        ValueError: it has no claim, or a claim names evidence that is not there.
    """

    claims: tuple[Claim, ...]
    evidence: Mapping[str, Evidence]

    def __post_init__(self) -> None:
        if not self.claims:
            raise ValueError("an answer has at least one claim")
        missing = {each for claim in self.claims for each in claim.evidence} - set(self.evidence)
        if missing:
            raise ValueError(f"claims name evidence that is not there: {sorted(missing)}")


@dataclass(frozen=True, slots=True)
class Clarify:
    """A question back, with what can be chosen."""

    question: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unknown:
    """What was asked is not in the sources: which were searched, and how recent they are.

    ``nearest``: what of them comes nearest, word by word; nobody says that it answers the question.
    """

    as_of: datetime
    searched: tuple[str, ...]
    about: str = ""
    nearest: Answer | None = None


@dataclass(frozen=True, slots=True)
class HandOff:
    """A human goes on.

    ``asked``: the customer asked for one. ``policy``: the business wants a human here. ``unsure``: it was understood
    that something is to be done, and not what. ``failed``: doing it failed.
    """

    reason: Literal["asked", "policy", "unsure", "failed"]
    summary: str
    facts: Mapping[str, str] = field(default_factory=dict)


Reply = Answer | Clarify | Unknown | HandOff
