"""Examples that teach a language model to write ads: what it is asked, and an answer that the gate lets through.

The answers are facts of the sheet put between plain words, in more ways than the templates have: whoever learns from
them learns to copy facts whole, and to say nothing else. Each is put through the gate, and none nearly repeats a
template or another answer.
"""

import json
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import orjson

from tenfold.ads.campaign import Objective
from tenfold.ads.claim import SOFT, Claim, FactSheet, Subject
from tenfold.ads.copywriter import facts_for, request
from tenfold.ads.facts import fact_sheet
from tenfold.ads.variants import ANGLES, CALL_OF, KINDS_OF, Angle, Draft, admit, from_templates
from tenfold.catalog.ingest.source import read_file, read_folder
from tenfold.core.errors import UsageError
from tenfold.core.paths import replace_file
from tenfold.product.calls import Json

_HEADLINES = (
    "{name}", "Meet {name}", "Discover {name}", "{name} for you", "Take a look at {name}", "Here is {name}",
    "Your {name}", "Try {name}", "See {name}", "Find {name} here", "{name}, with love",
)  # fmt: skip
_HEADLINES_WITH = {
    "price": ("{name}, {said}", "{name}: {said}"),
    "material": ("{name} in {said}",),
    "option": ("{name}, {said}", "{name}: {said}"),
    "brand": ("{name} by {said}", "{said}: {name}"),
    "discount": ("{name}, {said}",),
}
_OPENINGS = (
    "Meet {name}.", "Here is {name}.", "Discover {name}.", "Come and see {name}.", "Find {name} in our shop.",
    "Say welcome to {name}.", "Let {name} find a home.", "Wonderful to look at: {name}.", "Think of {name}.",
    "You and {name}.", "Enjoy {name}.", "Bring {name} home.", "Treat yourself to {name}.", "Add {name} to your day.",
)  # fmt: skip
_SAID = {
    "price": ("{said}.", "{name}: {said}.", "{name}, {said}."),
    "brand": ("It is from {said}.", "By {said}.", "{name} is by {said}."),
    "category": ("Look in {said}.", "Find it in {said}."),
    "option": ("{name}: {said}.", "See it: {said}.", "{name}, {said}."),
    "material": ("It is {said}.", "In {said}.", "Feel {said}."),
}
_CLOSINGS = (
    "Come and see.", "Take your pick.", "Find it here.", "Choose yours.", "See it in our shop.", "Enjoy!",
    "We love to see you here.", "Look and choose.", "It is so lovely.", "Share the joy.", "Yours to love.",
)  # fmt: skip
_EMPTY = frozenset({"yes", "no", "none", "other", "standard", "default"})
"""Values of options that say nothing by themselves."""
_TRIES = 12


def write_examples(
    catalogs: Sequence[Path], target: Path, objective: Objective, *, each: int, seed: int
) -> dict[str, int]:
    """Write examples of some shops as JSONL, and say how many each gave.

    Raises:
        UsageError: a catalog is not there or cannot be read, or nothing can be said of any.
        OSError: the file cannot be written.
    """
    now = datetime.now(UTC)
    found: dict[str, int] = {}
    lines: list[bytes] = []
    for catalog in catalogs:
        gathered = read_folder(catalog, now) if catalog.is_dir() else read_file(catalog, now)
        chats = list(examples(fact_sheet(gathered), objective, now, each=each, seed=seed))
        found[str(catalog)] = len(chats)
        lines += [orjson.dumps(chat) + b"\n" for chat in chats]
    if not lines:
        raise UsageError("nothing can be said of these catalogs", next_step="give catalogs with titles and prices")
    replace_file(target, b"".join(lines))
    return found


def examples(sheet: FactSheet, objective: Objective, now: datetime, *, each: int, seed: int) -> Iterator[Json]:
    """Give chats about each subject, at most ``each`` of every subject, of its angles in turn."""
    draw = random.Random(seed)
    for subject in sheet.subjects:
        angles = list(ANGLES)
        draw.shuffle(angles)
        told = list(from_templates(sheet, subject, objective, now))
        if not told:
            # Nor would the copywriter ask about it: what it asks shows an ad of the templates.
            continue
        for angle in angles[:each]:
            found = _draft(sheet, subject, angle, objective, now, told, draw)
            if found is not None:
                told.append(found)
                yield _chat(sheet, subject, found, objective, now)


def _draft(
    sheet: FactSheet,
    subject: Subject,
    angle: Angle,
    objective: Objective,
    now: datetime,
    told: Sequence[Draft],
    draw: random.Random,
) -> Draft | None:
    """An ad that passes the gate and repeats none that is told; none if some tries find none."""
    facts = [each for each in facts_for(sheet.about(subject.id, now), angle) if each.says[0].casefold() not in _EMPTY]
    if not facts:
        return None
    for _ in range(_TRIES):
        headline, body = _headline(subject, facts, draw), _body(subject, facts, angle, draw)
        draft = Draft(angle, headline, body, CALL_OF[objective], "model")
        _, refused = admit([*told, draft], sheet, subject, now)
        if all(each.draft is not draft for each in refused):
            return draft
    return None


def _headline(subject: Subject, facts: Sequence[Claim], draw: random.Random) -> str:
    fact = draw.choice(facts)
    frames = _HEADLINES_WITH.get(fact.kind, ())
    if frames and draw.random() < 0.4:
        return draw.choice(frames).format(name=subject.name, said=fact.says[0])
    return draw.choice(_HEADLINES).format(name=subject.name)


def _body(subject: Subject, facts: Sequence[Claim], angle: Angle, draw: random.Random) -> str:
    """One or two facts, that of the angle first, with plain words before or behind them."""
    own = [each for each in facts if each.kind in KINDS_OF[angle]]
    others = [each for each in facts if each.kind != "name" and each not in own[:1]]
    chosen = own[:1] + draw.sample(others, min(len(others), draw.choice((0, 1, 1, 2)) if own else 1))
    said = [_sentence(subject, each, draw) for each in chosen]
    opening = [draw.choice(_OPENINGS).format(name=subject.name)] if draw.random() < 0.6 or not said else []
    closing = [draw.choice(_CLOSINGS)] if draw.random() < 0.6 or not opening else []
    return " ".join([*opening, *said, *closing])


def _sentence(subject: Subject, fact: Claim, draw: random.Random) -> str:
    frames = _SAID.get(fact.kind, ("{said}.",)) if fact.kind in SOFT or fact.kind == "price" else ("{said}.",)
    text = draw.choice(frames).format(name=subject.name, said=fact.says[0])
    return f"{text[0].upper()}{text[1:]}"


def _chat(sheet: FactSheet, subject: Subject, draft: Draft, objective: Objective, now: datetime) -> Json:
    asked = request(sheet, subject, draft.angle, objective, now, seed=0)
    facts = facts_for(sheet.about(subject.id, now), draft.angle)
    text = f"{draft.headline}\n{draft.body}".casefold()
    cited = [f"f{place}" for place, each in enumerate(facts, 1) if each.says[0].casefold() in text]
    answer = {"headline": draft.headline, "body": draft.body, "call": draft.call, "claim_ids": cited[:4]}
    messages = asked["messages"]
    assert isinstance(messages, list)
    return {"messages": [*messages, {"role": "assistant", "content": json.dumps(answer, ensure_ascii=False)}]}
