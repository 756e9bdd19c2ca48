"""Other programs' agents: the official MCP client uses a shop's tools, and the UCP models take what they are given."""

import time

import pytest
from agents_pool import NOW, SHOP, agents
from mcp import Client
from ucp_sdk.models.schemas.profile import BusinessSchema
from ucp_sdk.models.schemas.shopping.cart import Cart
from ucp_sdk.models.schemas.shopping.catalog_lookup import GetProductResponse, LookupResponse
from ucp_sdk.models.schemas.shopping.catalog_search import SearchResponse

from tenfold.agents import tables
from tenfold.agents.identity import sign_customer


@pytest.fixture
async def pool(tmp_path):
    async with agents(tmp_path) as found:
        for shop in ("shop", "bakery"):
            assert (await found.ask("/v1/agents/businesses", {"id": shop}))[0] == 200
        settings = {"checkout_url": "https://shop.example/pay/{cart}"}
        assert (await found.ask("/v1/agents/shop/settings", settings))[0] == 200
        found.desk.shelf.put("shop", "feed", SHOP, NOW)
        yield found


def client_of(pool):
    return Client(f"{pool.url}/v1/agents/public/shop/mcp")


def token(pool, customer="ann", business="shop", until=60.0):
    with pool.store.reading() as connection:
        known = tables.read_business(connection, business)
    return sign_customer(known, customer, time.time() + until)


async def call(client, tool, **arguments):
    found = await client.call_tool(tool, arguments)
    return not found.is_error, found.structured_content


async def refused(client, tool, **arguments):
    is_done, found = await call(client, tool, **arguments)
    assert not is_done
    return found["messages"][0]["code"], found["messages"][0]["content"]


async def test_the_catalog_is_searched_and_looked_up_by_the_official_client(pool):
    async with client_of(pool) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert {"search_catalog", "lookup_catalog", "get_product", "check_policy", "create_cart", "get_cart"} <= names
        is_done, found = await call(client, "search_catalog", query="blue jacket for rain", limit=1)
        product = SearchResponse.model_validate(found).products[0]
        assert is_done and product.id == "jacket"
        assert (product.price_range.min.amount, product.price_range.max.amount) == (7900, 8950)
        _, found = await call(client, "lookup_catalog", ids=["jacket-red-M", "cap", "nothing"])
        found = LookupResponse.model_validate(found)
        inputs = [
            (variant.inputs[0].id, variant.inputs[0].match) for each in found.products for variant in each.variants
        ]
        assert inputs == [("jacket-red-M", "exact"), ("cap", "featured")]
        assert found.messages[0].code == "not_found"
        _, found = await call(client, "get_product", id="jacket-blue-L")
        found = GetProductResponse.model_validate(found)
        assert found.product.variants[0].id == "jacket-blue-L"
        assert {each.name: each.label for each in found.product.selected} == {"color": "blue", "size": "L"}
        _, found = await call(client, "check_policy", question="How long can I return things?")
        assert "30 days" in found["passages"][0]["text"]
        assert found["passages"][0]["url"] == "https://shop.example/returns"
        assert await refused(client, "get_product", id="nothing") == ("not_found", "'nothing' is not sold here")
        code, message = await refused(client, "search_catalog", query="x", limit=1000)
        assert (code, message[:6]) == ("invalid_arguments", "limit:")


async def test_a_cart_needs_who_it_is_for_a_key_and_a_yes_and_is_made_once(pool):
    async with client_of(pool) as client:
        wanted = {"line_items": [{"item": {"id": "jacket-blue-M"}, "quantity": 2}]}
        meta = {"customer-token": token(pool), "idempotency-key": "k1"}
        for wrong in [{}, {"customer-token": "ann"}, {"customer-token": token(pool, until=-1)}]:
            assert (await refused(client, "create_cart", cart=wanted, meta={**meta, "customer-token": "", **wrong}))[
                0
            ] == ("identity_required")
        # Another business's signature proves nothing here.
        foreign = {**meta, "customer-token": token(pool, business="bakery")}
        assert (await refused(client, "create_cart", cart=wanted, meta=foreign))[0] == "identity_required"
        no_key = {"customer-token": token(pool)}
        assert (await refused(client, "create_cart", cart=wanted, meta=no_key))[0] == "idempotency_key_required"

        code, message = await refused(client, "create_cart", cart=wanted, meta=meta)
        assert (
            code == "confirmation_required"
            and "2 x Trail Jacket (blue, M) at 89.50 EUR, together 179.00 EUR" in message
        )
        yes = {**meta, "confirmation": message.split("'")[-2]}
        made_up = {**meta, "confirmation": "yes"}
        assert (await refused(client, "create_cart", cart=wanted, meta=made_up))[0] == "confirmation_required"
        is_done, first = await call(client, "create_cart", cart=wanted, meta=yes)
        assert is_done and Cart.model_validate(first).totals[-1].amount == 17900
        assert await call(client, "create_cart", cart=wanted, meta=yes) == (True, first)
        other = {"line_items": [{"item": {"id": "cap"}, "quantity": 1}]}
        assert (await refused(client, "create_cart", cart=other, meta=meta))[0] == "not_sold"
        other = {"line_items": [{"item": {"id": "cap-1"}, "quantity": 1}]}
        assert (await refused(client, "create_cart", cart=other, meta=meta))[0] == "key_reused"

        # Ben sees nothing of Ann's, and cannot use what she confirmed.
        ben = {"customer-token": token(pool, "ben"), "idempotency-key": "k1", "confirmation": yes["confirmation"]}
        assert (await refused(client, "get_cart", id=first["id"], meta=ben))[0] == "not_found"
        assert (await refused(client, "cancel_cart", id=first["id"], meta=ben))[0] == "confirmation_required"
        assert (await call(client, "get_cart", id=first["id"], meta=meta))[1] == first


async def test_what_was_confirmed_at_one_price_is_not_done_at_another(pool):
    async with client_of(pool) as client:
        wanted = {"line_items": [{"item": {"id": "cap-1"}, "quantity": 1}]}
        meta = {"customer-token": token(pool), "idempotency-key": "k2"}
        _, message = await refused(client, "create_cart", cart=wanted, meta=meta)
        offer = SHOP.items[0].variants[0].offer
        pool.desk.shelf.set_offer("shop", "cap-1", offer, NOW)
        yes = {**meta, "confirmation": message.split("'")[-2]}
        code, message = await refused(client, "create_cart", cart=wanted, meta=yes)
        assert code == "changed" and "89.50 EUR" in message


async def test_a_business_publishes_what_it_can_do_where_other_programs_look(pool):
    visitor = {"x_tenfold_role": "public", "x_tenfold_tenant": "shop"}
    status, found = await pool.ask("/.well-known/ucp", **visitor)
    assert status == 200
    found = BusinessSchema.model_validate(found)
    (service,) = found.ucp.services["dev.ucp.shopping"]
    assert (service.transport, str(service.endpoint)) == ("mcp", f"{pool.url}/v1/agents/public/shop/mcp")
    # Of two businesses it is not guessed whose is asked for.
    assert (await pool.ask("/.well-known/ucp", x_tenfold_role="public"))[0] == 404
    # Another's key does not open the tools.
    other = {"x_tenfold_role": "public", "x_tenfold_tenant": "bakery"}
    assert (await pool.ask("/v1/agents/public/shop/mcp", {}, **other))[0] == 404
