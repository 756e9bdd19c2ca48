"""Who may do what: by key, by cookie, by the pool's token, on public paths by the tenant's own pages."""

import pytest
from test_doorkeeper import NAMES, PATHS, scope

from tenfold.core.config import AccessSettings
from tenfold.pool.access import COOKIE, ROLE_HEADER, TENANT_HEADER, Access, Asker, is_required
from tenfold.pool.doorkeeper import Doorkeeper
from tenfold.pool.keys import Keyring, make_key, revoke_key
from tenfold.pool.product_route import covers

PUBLIC = "/v1/shop/widget"
ROLES = {"/v1/chat/completions": ("developer",)}


class Door:
    """A door with keys of every role, and what is behind it: an app that tells the headers that it was given."""

    def __init__(self, home, required: bool = True) -> None:
        self.home = home
        self.keys = {
            "viewer": make_key(home, "viewer"),
            "operator": make_key(home, "operator"),
            "owner": make_key(home, "owner", tenant="acme"),
            "developer": make_key(home, "developer", tenant="team"),
            "advertiser": make_key(home, "advertiser", tenant="brand"),
            "visitor": make_key(
                home, "visitor", tenant="acme", origins=("https://acme.com",), hosts=("shop.acme.com",)
            ),
        }
        access = Access(
            Keyring(home),
            "token",
            required=required,
            is_public=lambda path: covers(PUBLIC, path),
            roles_of=lambda path: ("owner",) if covers("/v1/shop", path) else ROLES.get(path, ()),
        )
        self.seen: dict[str, str] = {}
        self.door = Doorkeeper(self.app, NAMES, PATHS, lambda path: covers(PUBLIC, path), access)

    async def app(self, given, _receive, send) -> None:
        self.seen = {name.decode(): value.decode() for name, value in given["headers"]}
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def ask(self, path: str, key: str = "", method: str = "GET", query: str = "", body: str = "", **headers):
        """Status and headers of the answer."""
        if key:
            headers["authorization"] = f"Bearer {self.keys[key]}"
        answers: list[dict] = []

        async def send(message) -> None:
            answers.append(message)

        async def receive() -> dict:
            return {"type": "http.request", "body": body.encode(), "more_body": False}

        self.seen = {}
        await self.door({**scope(path, method, **headers), "query_string": query.encode()}, receive, send)
        told = {name.decode(): value.decode() for name, value in answers[0]["headers"]}
        return answers[0]["status"], told

    @property
    def asker(self) -> Asker:
        return Asker(self.seen[ROLE_HEADER], self.seen[TENANT_HEADER])


@pytest.fixture
def door(tmp_path) -> Door:
    return Door(tmp_path)


@pytest.mark.parametrize(
    ("key", "path", "method", "status"),
    [
        ("", "/api/state", "GET", 401),
        ("", "/healthz", "GET", 401),
        ("", "/v1/models", "GET", 401),
        ("", "/v1/chat/completions", "POST", 401),
        ("viewer", "/api/state", "GET", 200),
        ("viewer", "/v1/chat/completions", "POST", 403),
        ("operator", "/v1/chat/completions", "POST", 200),
        ("developer", "/v1/chat/completions", "POST", 200),
        ("developer", "/v1/shop/stock", "POST", 403),
        ("developer", "/api/state", "GET", 403),
        ("owner", "/v1/chat/completions", "POST", 403),
        ("owner", "/v1/shop/stock", "POST", 200),
        ("owner", "/v1/shopping", "GET", 403),
        ("owner", "/api/state", "GET", 403),
        ("owner", "/_nicegui/assets/a.js", "GET", 200),
        ("owner", "/_nicegui_ws/socket.io/", "POST", 200),
        ("advertiser", "/v1/shop/stock", "GET", 403),
        ("visitor", "/v1/shop/stock", "GET", 403),
        ("visitor", "/v1/models", "GET", 403),
        ("visitor", PUBLIC, "POST", 200),
        ("", PUBLIC, "POST", 200),
    ],
)
async def test_each_role_may_what_it_is_for(door, key, path, method, status):
    assert (await door.ask(path, key, method))[0] == status


async def test_what_is_behind_the_door_is_told_who_asks_and_nobody_can_claim_it(door):
    claims = {"x_tenfold_role": "operator", "x_tenfold_tenant": "brand", "x_tenfold_for": "ads/brand"}
    claims |= {"x_tenfold_key": "0123456789ab"}
    await door.ask("/v1/shop/stock", "owner", **claims)
    assert door.asker == Asker("owner", "acme")
    assert door.seen["x-tenfold-key"] == door.keys["owner"].split("_")[1]
    assert "x-tenfold-for" not in door.seen
    await door.ask(PUBLIC, **claims)
    assert door.asker == Asker("public", "") and "x-tenfold-key" not in door.seen
    await door.ask("/v1/models", x_tenfold_token="token", x_tenfold_for="ads/brand")
    assert door.asker == Asker("operator", "")
    assert door.seen["x-tenfold-for"] == "ads/brand" and "x-tenfold-token" not in door.seen
    assert (await door.ask("/v1/models", x_tenfold_token="wrong"))[0] == 401


async def test_a_revoked_key_opens_nothing(door):
    assert (await door.ask("/api/state", "viewer"))[0] == 200
    revoke_key(door.home, door.keys["viewer"].split("_")[1])
    status, headers = await door.ask("/api/state", "viewer")
    assert status == 401 and headers["www-authenticate"] == "Bearer"


async def test_without_need_of_keys_everybody_may_do_everything_as_before(tmp_path):
    door = Door(tmp_path, required=False)
    assert (await door.ask("/v1/chat/completions", method="POST"))[0] == 200
    assert door.asker == Asker("operator", "")
    assert (await door.ask("/v1/chat/completions", method="POST", authorization="Bearer sk-none"))[0] == 200
    assert (await door.ask("/v1/shop/stock", "owner"))[0] == 200
    assert door.asker == Asker("owner", "acme")


async def test_a_person_logs_in_once_and_the_cookie_is_out_of_reach_of_scripts_and_other_sites(door):
    status, told = await door.ask("/shop", accept="text/html,*/*", query="a=1")
    assert (status, told["location"]) == (303, "/login?next=%2Fshop%3Fa%3D1")
    assert (await door.ask("/login", query="next=%2Fshop"))[0] == 200
    form = {"content_type": "application/x-www-form-urlencoded"}
    assert (await door.ask("/login", method="POST", body="key=tf_wrong", **form))[0] == 401
    sent = f"key={door.keys['viewer']}"
    status, told = await door.ask("/login", method="POST", query="next=%2Fshop%3Fa%3D1", body=sent, **form)
    assert (status, told["location"]) == (303, "/shop?a=1")
    parts = [part.strip().lower() for part in told["set-cookie"].split(";")]
    assert "httponly" in parts and "samesite=strict" in parts
    cookie = told["set-cookie"].split(";")[0]
    assert cookie.startswith(COOKIE)
    assert (await door.ask("/shop", accept="text/html", cookie=cookie))[0] == 200
    assert door.asker == Asker("viewer", "")


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:1"])
async def test_the_login_page_leads_nowhere_else(door, wanted):
    from urllib.parse import quote

    _, told = await door.ask(
        "/login", method="POST", query=f"next={quote(wanted, safe='')}", body=f"key={door.keys['viewer']}"
    )
    assert told["location"] == "/"


async def test_a_form_of_another_site_logs_nobody_in(door):
    status, _ = await door.ask("/login", method="POST", body="key=x", origin="https://evil.example")
    assert status == 403


@pytest.mark.parametrize("found_by", ["header", "query", "host"])
async def test_a_public_path_is_open_to_the_pages_of_its_tenant(door, found_by):
    by = {
        "header": {"key": "visitor"},
        "query": {"query": f"key={door.keys['visitor']}"},
        "host": {"host": "shop.acme.com"},
    }[found_by]
    status, told = await door.ask(PUBLIC, method="POST", origin="https://acme.com", **by)
    assert (status, told["access-control-allow-origin"]) == (200, "https://acme.com")
    assert door.asker == Asker("public", "acme")
    status, told = await door.ask(PUBLIC, method="POST", origin="https://evil.example", **by)
    assert (status, door.seen) == (403, {})
    status, told = await door.ask(PUBLIC, origin="https://evil.example", **by)
    assert status == 200 and "access-control-allow-origin" not in told, "its browser keeps the answer from the page"


async def test_a_browser_that_asks_first_is_told_what_the_page_may_send(door):
    asked = {"access_control_request_method": "POST", "access_control_request_headers": "authorization"}
    status, told = await door.ask(PUBLIC, method="OPTIONS", origin="https://acme.com", **asked)
    assert (status, told["access-control-allow-headers"]) == (204, "authorization")
    assert told["access-control-allow-origin"] == "https://acme.com" and door.seen == {}
    assert (await door.ask(PUBLIC, method="OPTIONS", origin="https://evil.example", **asked))[0] == 403


async def test_a_visitors_key_of_a_page_opens_no_path_that_is_not_public(door):
    assert (await door.ask("/v1/shop/stock", query=f"key={door.keys['visitor']}"))[0] == 401
    assert (await door.ask("/v1/shop/stock", query=f"key={door.keys['operator']}"))[0] == 401, "no key but a visitor's"


@pytest.mark.parametrize(
    ("host", "required"),
    [("127.0.0.1", False), ("localhost", False), ("::1", False), ("0.0.0.0", True), ("10.0.0.7", True), ("", True),
     ("pool.example.com", True)],
)  # fmt: skip
def test_who_listens_for_others_asks_for_keys(host, required):
    assert is_required(AccessSettings(), host) is required
    assert is_required(AccessSettings(required=True), host) is True
