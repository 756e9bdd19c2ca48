"""Replies worded by the pool's language model: a rewording of what the templates say, behind the gate of ``reply``."""

import logging
from collections.abc import Sequence

from tenfold.agents.settings import AgentsSettings
from tenfold.agents.tables import Thread
from tenfold.product.calls import Late
from tenfold.product.pool_client import PoolClient
from tenfold.reply.write import Writer, prompt, read_drafts

log = logging.getLogger(__name__)

TOKENS_PER_CLAIM = 80


class ServeWriter:
    """Makes writers. ``tokens``: that they took since they were last told; whoever tells sets it back."""

    def __init__(self, pool: PoolClient, settings: AgentsSettings) -> None:
        self._pool = pool
        self._settings = settings
        self.tokens = 0

    def of(self, thread: Thread) -> Writer | None:
        """Give who words the replies of a thread; none: the templates, as for all who are held out."""
        if self._settings.writer != "serve" or thread.held_out:
            return None

        async def words(question: str, claims: Sequence[str]) -> Sequence[str]:
            body: dict[str, object] = {
                "messages": [{"role": "user", "content": prompt(question, claims)}],
                "temperature": 0.0,
                "max_tokens": TOKENS_PER_CLAIM * len(claims),
            }
            answer = await self._pool.chat(body, deadline_s=self._settings.writer_deadline_s, tenant=thread.business)
            if isinstance(answer, Late):
                log.debug("without the model's words: %s", answer.detail)
                return ()
            usage, choices = answer.get("usage"), answer.get("choices")
            if isinstance(usage, dict):
                self.tokens += int(usage.get("completion_tokens") or 0)
            if not isinstance(choices, list) or not choices:
                return ()
            return read_drafts(str(choices[0]["message"]["content"]), len(claims))

        return words
