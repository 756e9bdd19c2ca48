"""The assistant, as the pool runs it."""

from tenfold.assistant.settings import AssistantSettings
from tenfold.catalog.need import EMBEDDER
from tenfold.product.product import Product

ASSISTANT = Product(
    name="assistant",
    settings=AssistantSettings,
    app="tenfold.assistant.app:make_app",
    tables="tenfold.assistant.tables:MIGRATIONS",
    page="tenfold.assistant.page:draw",
    public=("/v1/assistant/hooks/",),
    needs=EMBEDDER,
)
