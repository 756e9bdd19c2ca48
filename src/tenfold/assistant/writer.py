"""Has the pool's chat model word an answer; each sentence goes through the gate, or the template stays."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from tenfold.assistant.brain import told_by
from tenfold.assistant.settings import AssistantSettings
from tenfold.catalog.passage import Passage
from tenfold.product.calls import Late
from tenfold.product.pool_client import PoolClient
from tenfold.reply.reply import Answer, Claim
from tenfold.reply.write import prompt, read_drafts, write

log = logging.getLogger(__name__)

TOKENS_PER_CLAIM = 120


class Writer:
    """Asks the pool; what is late or refused costs nothing but the fluency."""

    def __init__(self, pool: PoolClient, settings: AssistantSettings) -> None:
        self._pool = pool
        self._settings = settings

    async def word(self, question: str, answer: Answer) -> tuple[Answer, int]:
        """Give the answer in better words where the gate lets them through, and the tokens that it took."""
        tokens = 0

        async def draft(asked: str, claims: Sequence[str]) -> Sequence[str]:
            nonlocal tokens
            body: dict[str, object] = {
                "messages": [{"role": "user", "content": prompt(asked, claims)}],
                "max_tokens": TOKENS_PER_CLAIM * len(claims),
                "temperature": 0,
            }
            found = await self._pool.chat(body, deadline_s=self._settings.writer_deadline_s)
            if isinstance(found, Late):
                log.debug("worded by templates: %s", found.detail)
                return ()
            tokens = _tokens(found)
            return read_drafts(_text(found), len(claims))

        heads = [_head(claim, answer) for claim in answer.claims]
        bare = [replace(c, text=c.text.removeprefix(head)) for c, head in zip(answer.claims, heads, strict=True)]
        written = await write(question, replace(answer, claims=tuple(bare)), draft)
        # Who says it and when is not for the writer to word.
        worded = [replace(c, text=head + c.text) for c, head in zip(written.answer.claims, heads, strict=True)]
        return replace(answer, claims=tuple(worded)), tokens


def _head(claim: Claim, answer: Answer) -> str:
    source = answer.evidence[claim.evidence[0]].source
    return told_by(source) if isinstance(source, Passage) else ""


def _text(found: dict[str, object]) -> str:
    choices = found.get("choices")
    message = choices[0].get("message") if isinstance(choices, list) and choices else None
    return str(message.get("content") or "") if isinstance(message, dict) else ""


def _tokens(found: dict[str, object]) -> int:
    usage = found.get("usage")
    count = usage.get("completion_tokens") if isinstance(usage, dict) else 0
    return count if isinstance(count, int) else 0
