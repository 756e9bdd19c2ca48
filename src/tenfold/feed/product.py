"""The feed, as the pool runs it."""

from tenfold.feed.settings import FeedSettings
from tenfold.product.product import Product

FEED = Product(
    name="feed",
    settings=FeedSettings,
    app="tenfold.feed.app:make_app",
    tables="tenfold.feed.tables:MIGRATIONS",
    page="tenfold.feed.page:draw",
)
