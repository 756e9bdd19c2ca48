"""Replies worded by the pool's language model: a rewording of what the templates say, behind the gate of ``reply``."""

from collections.abc import Sequence

from tenfold.agents.settings import AgentsSettings
from tenfold.agents.tables import Thread
from tenfold.product.pool_client import PoolClient
from tenfold.reply.chat_writer import draft
from tenfold.reply.write import Writer

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
            drafts, tokens = await draft(
                self._pool,
                question,
                claims,
                tokens_per_claim=TOKENS_PER_CLAIM,
                deadline_s=self._settings.writer_deadline_s,
                tenant=thread.business,
                model=self._settings.writer_model,
            )
            self.tokens += tokens
            return drafts

        return words
