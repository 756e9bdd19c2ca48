"""Agents, as the pool runs them."""

from tenfold.agents.settings import AgentsSettings
from tenfold.catalog.need import EMBEDDER
from tenfold.product.product import Product

PREFIX = "/v1/agents"
PUBLIC = "/v1/agents/public"
"""Begins the paths that customers use: conversations, other programs' agents, webhooks."""

AGENTS = Product(
    name="agents",
    settings=AgentsSettings,
    app="tenfold.agents.app:make_app",
    tables="tenfold.agents.tables:MIGRATIONS",
    page="tenfold.agents.page:draw",
    public=(PUBLIC, "/.well-known/ucp"),
    needs=EMBEDDER,
    roles=frozenset({"owner"}),
    asks_for=lambda settings: settings.writer_model if settings.writer == "serve" else "",
)
