"""Ads, as the pool runs them."""

from tenfold.ads.settings import AdsSettings
from tenfold.product.product import Product

PREFIX = "/v1/ads"
PUBLIC = "/v1/ads/public"
"""Begins the paths that browsers use: ads that were seen, clicks, the tag of advertisers' pages, conversions."""

ADS = Product(
    name="ads",
    settings=AdsSettings,
    app="tenfold.ads.app:make_app",
    tables="tenfold.ads.tables:MIGRATIONS",
    page="tenfold.ads.page:draw",
    public=(PUBLIC,),
    roles=frozenset({"advertiser"}),
    asks_for=lambda settings: settings.writer_model if settings.writer == "serve" else "",
)
