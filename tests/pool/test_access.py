"""Who may do what: by key, by cookie, by the pool's token, on public paths by the tenant's own pages."""

import asyncio

import pytest
from test_doorkeeper import NAMES, PATHS, scope

from tenfold.core.config import AccessSettings, Config, PoolSettings
from tenfold.pool.access import Access, Refusal, is_required
from tenfold.pool.asker import COOKIE, ORIGINS_HEADER, ROLE_HEADER, TENANT_HEADER, Asker
from tenfold.pool.asking import rights_of
from tenfold.pool.doorkeeper import Doorkeeper
from tenfold.pool.keys import Keyring, make_key, revoke_key
from tenfold.pool.product_route import covers

PUBLIC = "/v1/shop/widget"
ROLES = {"/v1/chat/completions": ("developer",)}
PUBLIC_ROLE = "public"


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
        self.sends: list[tuple[bytes, bytes]] = []
        self.access = access
        self.door = Doorkeeper(self.app, NAMES, PATHS, lambda path: covers(PUBLIC, path), access)

    async def app(self, given, _receive, send) -> None:
        self.seen = {name.decode(): value.decode() for name, value in given["headers"]}
        await send({"type": "http.response.start", "status": 200, "headers": self.sends})
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
        ("visitor", "/_nicegui_ws/socket.io/", "GET", 403),
        ("visitor", "/_nicegui/assets/a.js", "GET", 403),
        ("viewer", "/_nicegui_ws/socket.io/", "POST", 200),
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
    pool = PoolSettings(host=host)
    assert is_required(Config(pool=pool)) is required
    assert is_required(Config(pool=pool, access=AccessSettings(required=True))) is True


@pytest.mark.parametrize(
    ("hosts", "required"),
    [((), False), (("pool.localhost", "127.0.0.1"), False), (("pool.example.com",), True), (("10.0.0.7",), True),
     (("localhost", "pool.internal"), True)],
)  # fmt: skip
def test_a_pool_that_a_proxy_listens_for_asks_for_keys(hosts, required):
    assert is_required(Config(pool=PoolSettings(hosts=hosts))) is required


@pytest.mark.parametrize(
    ("path", "sent", "client"),
    [
        ("/v1/models", {"host": "pool.example.com"}, "127.0.0.1"),
        ("/api/state", {"host": "10.0.0.7:8000"}, "127.0.0.1"),
        ("/api/state", {}, "203.0.113.9"),
        ("/api/state", {"x_real_ip": "203.0.113.9"}, "127.0.0.1"),
        ("/api/state", {"forwarded": "for=203.0.113.9"}, "127.0.0.1"),
        ("/api/state", {"via": "1.1 proxy"}, "127.0.0.1"),
        ("/v1/models", {"host": "a b"}, "127.0.0.1"),
    ],
)
async def test_what_came_from_elsewhere_through_a_proxy_that_nobody_named_needs_a_key(tmp_path, path, sent, client):
    """A proxy on this machine passes on what the internet sends to a pool that listens on loopback only."""
    door = Door(tmp_path, required=False)
    here = {**scope(path), "client": ("127.0.0.1", 5)}
    assert door.access.judge(here) == Asker("operator")
    refusal = door.access.judge({**scope(path, **sent), "client": (client, 5)})
    assert isinstance(refusal, Refusal) and (refusal.status, refusal.code) == (401, "no_key")
    with_key = scope(path, authorization=f"Bearer {door.keys['operator']}", **sent)
    assert isinstance(door.access.judge({**with_key, "client": (client, 5)}), Asker)


async def test_a_page_that_a_key_opened_can_do_nothing_once_that_is_revoked(tmp_path):
    """The console asks the front on loopback, where nobody needs a key."""
    door = Door(tmp_path, required=False)
    await door.ask("/shop", cookie=f"{COOKIE}={door.keys['viewer']}")
    rights = {name.replace("-", "_"): value for name, value in rights_of(door.seen).items()}
    assert (await door.ask("/api/state", **rights))[0] == 200
    revoke_key(door.home, door.keys["viewer"].split("_")[1])
    assert (await door.ask("/api/state", **rights))[0] == 401
    await door.ask("/shop")
    assert rights_of(door.seen) == {}


def test_a_viewer_looks_and_does_not_speak(door):
    def opens(key: str, path: str) -> bool:
        found = door.access.judge(scope(path, kind="websocket", authorization=f"Bearer {door.keys[key]}"))
        return isinstance(found, Asker)

    assert not opens("viewer", "/v1/shop/talk")
    assert opens("owner", "/v1/shop/talk") and opens("operator", "/v1/shop/talk")
    assert opens("viewer", "/_nicegui_ws/socket.io/") and not opens("visitor", "/_nicegui_ws/socket.io/")
    assert opens("visitor", PUBLIC)


@pytest.mark.parametrize(
    ("scheme", "origin", "secure"),
    [("http", None, False), ("http", "http://127.0.0.1:8000", False), ("https", None, True),
     ("http", "https://127.0.0.1:8000", True)],
)  # fmt: skip
async def test_a_key_that_was_typed_into_a_page_of_https_never_goes_out_without(door, scheme, origin, secure):
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "http.request", "body": f"key={door.keys['viewer']}".encode(), "more_body": False}

    async def send(message) -> None:
        sent.append(message)

    asked = scope("/login", "POST", **({"origin": origin} if origin else {}))
    await door.door({**asked, "scheme": scheme, "query_string": b""}, receive, send)
    cookie = next(value for name, value in sent[0]["headers"] if name == b"set-cookie")
    assert (sent[0]["status"], b"; Secure" in cookie) == (303, secure)


async def test_a_key_that_does_not_come_holds_no_connection(door, monkeypatch):
    monkeypatch.setattr("tenfold.pool.body.GRACE_S", 0.1)
    sent: list[dict] = []

    async def never() -> dict:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message) -> None:
        sent.append(message)

    await asyncio.wait_for(door.door({**scope("/login", "POST"), "query_string": b""}, never, send), 20)
    assert (sent[0]["status"], dict(sent[0]["headers"])[b"connection"]) == (408, b"close")


@pytest.mark.parametrize(("path", "key"), [("/shop", "operator"), ("/login", ""), ("/api/state", ""), (PUBLIC, "")])
async def test_no_other_site_shows_a_page_of_the_pool_in_a_frame(door, path, key):
    _, told = await door.ask(path, key)
    assert "frame-ancestors 'none'" in told["content-security-policy"]
    assert (told["x-frame-options"], told["x-content-type-options"]) == ("DENY", "nosniff")
    assert told["referrer-policy"] == "same-origin"


async def test_a_widgets_page_may_name_who_frames_it_and_is_told_the_tenants_sites(door):
    door.sends = [(b"content-security-policy", b"frame-ancestors https://acme.com")]
    _, told = await door.ask(PUBLIC, host="shop.acme.com")
    assert told["content-security-policy"] == "frame-ancestors https://acme.com" and "x-frame-options" not in told
    assert door.seen[ORIGINS_HEADER] == "https://acme.com"
    door.sends = [(b"content-security-policy", b"default-src 'none'"), (b"referrer-policy", b"no-referrer")]
    _, told = await door.ask(PUBLIC)
    assert told["x-frame-options"] == "DENY" and told["referrer-policy"] == "no-referrer"


async def test_a_public_page_runs_nothing_that_a_visitor_wrote_into_it(door):
    policies = [value for name, value in (await lines(door, PUBLIC)) if name == b"content-security-policy"]
    assert policies == [b"default-src 'self'; base-uri 'none'", b"frame-ancestors 'none'"]


async def lines(door: Door, path: str) -> list[tuple[bytes, bytes]]:
    sent: list[dict] = []

    async def send(message) -> None:
        sent.append(message)

    await door.door({**scope(path), "query_string": b""}, None, send)
    return sent[0]["headers"]


async def test_a_page_on_a_tenants_own_name_may_ask_its_own_site(door):
    own = {"host": "shop.acme.com", "origin": "https://shop.acme.com"}
    assert (await door.ask(PUBLIC, method="POST", **own))[0] == 200
    assert door.asker == Asker(PUBLIC_ROLE, "acme")
    rebound = {"host": "evil.example", "origin": "https://evil.example"}
    assert (await door.ask(PUBLIC, method="POST", **rebound))[0] == 403


async def test_who_has_a_webhook_needs_no_key_and_no_origin(door):
    status, told = await door.ask(PUBLIC, method="POST", host="hooks.example", x_hub_signature_256="sha256=0")
    assert (status, door.seen["x-hub-signature-256"]) == (200, "sha256=0")
    assert (await door.ask(PUBLIC, method="POST", host="a b"))[0] == 400
    assert "access-control-allow-origin" not in told and told["vary"] == "origin"


@pytest.mark.parametrize(
    ("key", "method", "role", "tenant"),
    [("owner", "POST", "owner", "acme"), ("operator", "POST", "operator", ""), ("viewer", "GET", "viewer", ""),
     ("viewer", "POST", PUBLIC_ROLE, ""), ("advertiser", "POST", PUBLIC_ROLE, "brand")],
)  # fmt: skip
async def test_a_key_is_worth_no_more_on_a_public_path_than_beside_it(door, key, method, role, tenant):
    assert (await door.ask(PUBLIC, key, method))[0] == 200
    assert door.asker == Asker(role, tenant)


async def test_an_operator_who_tries_a_widget_is_of_the_tenant_whose_it_is(door):
    cookie = f"{COOKIE}={door.keys['operator']}"
    await door.ask(PUBLIC, query=f"key={door.keys['visitor']}", cookie=cookie)
    assert door.asker == Asker(PUBLIC_ROLE, "acme")
    await door.ask(PUBLIC, cookie=f"{COOKIE}=tf_old; {cookie}")
    assert door.asker == Asker("operator", "")


async def test_an_answers_own_word_on_who_reads_it_gives_way_to_the_doors(door):
    door.sends = [(b"Access-Control-Allow-Origin", b"*")]
    told = await lines(door, PUBLIC)
    assert (b"Access-Control-Allow-Origin", b"*") in told, "what a product says itself, for /.well-known/ files"
    found = await door.ask(PUBLIC, origin="https://acme.com", host="shop.acme.com")
    assert found[1]["access-control-allow-origin"] == "https://acme.com"
    assert "Access-Control-Allow-Origin" not in found[1]


@pytest.mark.parametrize("path", ["/v1/shop/widget/../stock", "/v1/shop/widget//x", "/v1/shop/widget/.."])
async def test_no_path_is_public_by_its_beginning_only(door, path):
    assert (await door.ask(path, method="POST"))[0] == 400
    assert door.seen == {}
