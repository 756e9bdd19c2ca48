"""Has the pool's chat model word an answer; each sentence goes through the gate, or the template stays."""

from collections.abc import Sequence
from dataclasses import replace

from tenfold.assistant.brain import told_by
from tenfold.assistant.settings import AssistantSettings
from tenfold.catalog.passage import Passage
from tenfold.product.pool_client import PoolClient
from tenfold.reply.chat_writer import draft
from tenfold.reply.reply import Answer, Claim
from tenfold.reply.write import write

TOKENS_PER_CLAIM = 120


class Writer:
    """Asks the pool; what is late or refused costs nothing but the fluency."""

    def __init__(self, pool: PoolClient, settings: AssistantSettings) -> None:
        self._pool = pool
        self._settings = settings

    async def word(self, question: str, answer: Answer) -> tuple[Answer, int]:
        """Give the answer in better words where the gate lets them through, and the tokens that it took."""
        tokens = 0

        async def words(asked: str, claims: Sequence[str]) -> Sequence[str]:
            nonlocal tokens
            drafts, tokens = await draft(
                self._pool,
                asked,
                claims,
                tokens_per_claim=TOKENS_PER_CLAIM,
                deadline_s=self._settings.writer_deadline_s,
            )
            return drafts

        heads = [_head(claim, answer) for claim in answer.claims]
        bare = [replace(c, text=c.text.removeprefix(head)) for c, head in zip(answer.claims, heads, strict=True)]
        written = await write(question, replace(answer, claims=tuple(bare)), words)
        # Who says it and when is not for the writer to word.
        worded = [replace(c, text=head + c.text) for c, head in zip(written.answer.claims, heads, strict=True)]
        return replace(answer, claims=tuple(worded)), tokens


def _head(claim: Claim, answer: Answer) -> str:
    source = answer.evidence[claim.evidence[0]].source
    return told_by(source) if isinstance(source, Passage) else ""
