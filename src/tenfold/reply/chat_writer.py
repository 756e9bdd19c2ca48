"""Asks the pool's chat model to reword claims; what is late or refused costs nothing but the fluency."""

import logging
from collections.abc import Sequence

from tenfold.product.calls import Late
from tenfold.product.pool_client import PoolClient
from tenfold.reply.write import prompt, read_drafts

log = logging.getLogger(__name__)


async def draft(
    pool: PoolClient,
    question: str,
    claims: Sequence[str],
    *,
    tokens_per_claim: int,
    deadline_s: float,
    tenant: str = "",
    model: str = "",
) -> tuple[Sequence[str], int]:
    """Give a sentence for each claim, for the gate to judge, and the tokens that they took; none where none came.

    ``model``: one of the pool's; empty: its first.
    """
    body: dict[str, object] = {
        "messages": [{"role": "user", "content": prompt(question, claims)}],
        "max_tokens": tokens_per_claim * len(claims),
        "temperature": 0,
        **({"model": model} if model else {}),
    }
    found = await pool.chat(body, deadline_s=deadline_s, tenant=tenant)
    if isinstance(found, Late):
        log.debug("worded by templates: %s", found.detail)
        return (), 0
    return read_drafts(_text(found), len(claims)), _tokens(found)


def _text(found: dict[str, object]) -> str:
    choices = found.get("choices")
    message = choices[0].get("message") if isinstance(choices, list) and choices else None
    return str(message.get("content") or "") if isinstance(message, dict) else ""


def _tokens(found: dict[str, object]) -> int:
    usage = found.get("usage")
    count = usage.get("completion_tokens") if isinstance(usage, dict) else 0
    return count if isinstance(count, int) else 0
