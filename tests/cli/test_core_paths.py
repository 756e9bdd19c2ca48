"""No product takes a path that is the pool's, nor opens one to everybody: refused before anything starts."""

from pathlib import Path

import pytest
from starlette.routing import Route

from tenfold.cli.api import make_api, methods_of
from tenfold.cli.core_paths import core_paths
from tenfold.cli.products import Products
from tenfold.console.pages import own_pages
from tenfold.core.config import Config, Settings
from tenfold.core.errors import ConfigError
from tenfold.pool.product_route import ProductRoute, check_paths, covers
from tenfold.product.product import Product
from tenfold.wiring import PRODUCTS, WORKLOADS


class ShopSettings(Settings):
    """None."""


def product(public: str, name: str = "shop", page: str | None = None) -> Product:
    return Product(name=name, settings=ShopSettings, app="x:y", public=(public,), page=page)


@pytest.mark.parametrize(
    ("public", "taken"),
    [("/api", "/api/"), ("/api/", "/api/"), ("/api/state", "/api/"), ("/v1", "/v1/"), ("/v1/rank", "/v1/rank"),
     ("/v1/chat", "/v1/chat/completions"), ("/v1/models", "/v1/models"), ("/healthz", "/healthz"),
     ("/_nicegui", "/_nicegui/"), ("/_nicegui_ws/x", "/_nicegui_ws/"), ("/login", "/login"), ("/plan", "/plan"),
     ("/metrics", "/metrics"), ("/v1/shop", "/v1/shop"), ("/v1/shop/", "/v1/shop")],
)  # fmt: skip
def test_a_public_path_over_one_of_the_pools_is_refused_by_name(tmp_path, public, taken):
    with pytest.raises(ConfigError, match="the product shop: its path") as error:
        Products([product(public)], Config(), tmp_path, tmp_path)
    assert repr(public) in str(error.value) and taken in str(error.value) and error.value.next_step


@pytest.mark.parametrize("public", ["/", "", "v1/shop/x", "//", "/v1/../api", "/a//b", "/a?b", "/a%2fb", "/v1/shop/*"])
def test_a_public_path_that_is_none_is_refused(public):
    with pytest.raises(ValueError, match="shop: a public path"):
        product(public)


@pytest.mark.parametrize("public", ["/v1/shop/widget", "/.well-known/ucp", "/v1/shop/hooks/", "/w", "/mcp"])
def test_a_public_path_may_be_outside_of_the_products_prefix(tmp_path, public):
    products = Products([product(public)], Config(), tmp_path, tmp_path)
    assert products.routes["shop"].public == (public,)
    products.close()


def test_what_ships_is_in_nobodys_way(tmp_path):
    Products(PRODUCTS, Config(), tmp_path, tmp_path).close()


def route(*public: str, prefix: str = "/v1/shop") -> ProductRoute:
    return ProductRoute(url="http://x", prefixes=(prefix,), public=public)


@pytest.mark.parametrize("theirs", ["/.well-known/ucp", "/.well-known", "/.well-known/ucp/more", "/v1/shop/x"])
def test_no_product_opens_another_ones_path(theirs):
    routes = {"shop": route("/.well-known/ucp"), "ads": route(theirs, prefix="/v1/ads")}
    with pytest.raises(ConfigError, match="is in the way of"):
        check_paths(routes, ())
    check_paths({"shop": route("/.well-known/ucp"), "ads": route("/.well-known/ads", prefix="/v1/ads")}, ())


def test_a_page_is_not_in_the_place_of_one_of_the_pools():
    with pytest.raises(ConfigError, match="/plan"):
        core_paths((), [product("/w", name="plan", page="x:y")])


def test_the_list_has_every_path_that_the_front_answers(tmp_path):
    api = make_api(lifespan=None, ready=lambda: True, state=lambda: None, metrics=lambda: b"", models=())
    pages = own_pages(state=lambda: None, base_url=lambda: "", home=Path(tmp_path))
    answered = {*methods_of(api), *(each.path for each in api.routes if isinstance(each, Route))}
    core = core_paths(WORKLOADS, PRODUCTS)
    for path in (*answered, *(page.path for page in pages), "/feed", "/v1/rank", "/v1/chat/completions"):
        assert path in core or any(covers(each, path) for each in core if each != "/" and each.endswith("/")), path
