"""Asks a language model for drafts: the pool's, or any endpoint that speaks OpenAI's chat completions.

The model gets numbered facts and a JSON schema with bounded texts. It may lie as it likes: what it writes is a draft.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tenfold.ads.campaign import Objective
from tenfold.ads.claim import Claim, FactSheet, Subject
from tenfold.ads.copy_gate import BODY_LENGTH, CALLS, HEADLINE_LENGTH
from tenfold.ads.variants import CALL_OF, Angle, Draft, from_templates
from tenfold.product.calls import Json, Late

Chat = Callable[[Json], Awaitable[Json | Late]]
"""Sends one chat completion's body, and gives the answer, or why there is none."""

MOST_FACTS = 8
MOST_TOKENS = 160
_ASKED = """Write one short ad for "{name}", about its {angle}. Facts:
{facts}
Rules: copy facts word for word. No other numbers, prices, dates, names or promises. Simple words between.
Example: {example}"""


class Reply(BaseModel):
    """What the model answers."""

    model_config = ConfigDict(frozen=True)

    headline: str = Field(max_length=HEADLINE_LENGTH * 2)
    body: str = Field(max_length=BODY_LENGTH * 2)
    call: str = Field("", max_length=40)
    claim_ids: tuple[str, ...] = Field((), max_length=20)


def schema(facts: Sequence[str]) -> Json:
    """The JSON schema of a reply; ``facts``: ids that it may cite."""
    text = {"type": "string", "minLength": 3}
    return {
        "type": "object",
        "properties": {
            "headline": {**text, "maxLength": HEADLINE_LENGTH},
            "body": {**text, "maxLength": BODY_LENGTH},
            "call": {"type": "string", "enum": list(CALLS)},
            "claim_ids": {"type": "array", "maxItems": 4, "items": {"type": "string", "enum": list(facts)}},
        },
        "required": ["headline", "body", "call", "claim_ids"],
        "additionalProperties": False,
    }


def request(
    sheet: FactSheet, subject: Subject, angle: Angle, objective: Objective, now: datetime, *, seed: int, model: str = ""
) -> Json:
    """Give the body of a chat completion that asks for one draft."""
    facts = facts_for(sheet.about(subject.id, now), angle)
    example = next(each for each in from_templates(sheet, subject, objective, now))
    shown = json.dumps({"headline": example.headline, "body": example.body, "call": example.call, "claim_ids": ["f1"]})
    listed = "\n".join(f"f{number}: {claim.says[0]}" for number, claim in enumerate(facts, 1))
    asked = _ASKED.format(name=subject.name, angle=angle, facts=listed, example=shown)
    form = {"name": "ad", "strict": True, "schema": schema([f"f{number}" for number in range(1, len(facts) + 1)])}
    body: Json = {
        "messages": [{"role": "user", "content": asked}],
        "max_tokens": MOST_TOKENS,
        "temperature": 0.7,
        "seed": seed,
        "response_format": {"type": "json_schema", "json_schema": form},
    }
    return {**body, "model": model} if model else body


async def drafts(
    chat: Chat,
    sheet: FactSheet,
    subject: Subject,
    angles: Sequence[Angle],
    objective: Objective,
    now: datetime,
    *,
    model: str = "",
) -> tuple[list[Draft], int]:
    """Ask for one draft an angle, one after another; gives what came, and the tokens that it took.

    An endpoint that is late or refuses is not asked for the other angles.
    """
    found: list[Draft] = []
    tokens = 0
    for seed, angle in enumerate(angles):
        answer = await chat(request(sheet, subject, angle, objective, now, seed=seed, model=model))
        if isinstance(answer, Late):
            break
        tokens += _tokens(answer)
        draft = read_draft(answer, angle, objective)
        if draft is not None:
            found.append(draft)
    return found, tokens


def read_draft(answer: Json, angle: Angle, objective: Objective) -> Draft | None:
    """Read a chat completion's draft; none where it is not what was asked for."""
    choices = answer.get("choices")
    message = choices[0].get("message") if isinstance(choices, list) and choices else None
    content = message.get("content") if isinstance(message, dict) else None
    try:
        reply = Reply.model_validate_json(str(content))
    except ValidationError:
        return None
    call = reply.call if reply.call in CALLS else CALL_OF[objective]
    return Draft(angle, reply.headline, reply.body, call, "model")


def facts_for(claims: Sequence[Claim], angle: Angle) -> list[Claim]:
    """The facts that a model is given for an angle, in their order."""
    wanted = {
        "price": ("price",),
        "saving": ("price", "was", "discount"),
        "service": ("shipping", "returns", "warranty"),
    }
    first = ("name", *wanted.get(angle, ()), "detail", "material", "price", "award", "date", "quantity")
    ordered = sorted(claims, key=lambda claim: first.index(claim.kind) if claim.kind in first else len(first))
    return ordered[:MOST_FACTS]


def _tokens(answer: Json) -> int:
    usage = answer.get("usage")
    count = usage.get("completion_tokens") if isinstance(usage, dict) else 0
    return count if isinstance(count, int) else 0
