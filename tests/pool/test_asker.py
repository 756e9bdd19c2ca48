"""What goes through the door of what a client says of itself."""

import pytest

from tenfold.pool.asker import Asker, cookies_of, holds_key, introduce, without_key

KEY = "tf_0123456789ab_" + "x" * 43


@pytest.mark.parametrize(
    "name",
    ["x-tenfold-role", "x-tenfold-tenant", "x-tenfold-key", "x-tenfold-origins", "x-tenfold-for", "x-tenfold-token",
     "x-tenfold-anything", "x_tenfold_role", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
     "x-forwarded-prefix", "x_forwarded_for", "forwarded", "x-real-ip", "x-original-url"],
)  # fmt: skip
def test_nobody_behind_the_door_hears_what_anybody_could_claim(name):
    scope = {"type": "http", "headers": [(name.encode(), b"claimed"), (b"accept", b"*/*")]}
    headers = introduce(scope, Asker("owner", "acme", "id", ("https://acme.com", "https://b.com")))["headers"]
    assert b"claimed" not in [value for _, value in headers]
    assert dict(headers) == {
        b"accept": b"*/*",
        b"x-tenfold-role": b"owner",
        b"x-tenfold-tenant": b"acme",
        b"x-tenfold-key": b"id",
        b"x-tenfold-origins": b"https://acme.com https://b.com",
    }


def test_a_process_of_the_pool_may_say_for_whom_it_asks():
    scope = {"type": "http", "headers": [(b"x-tenfold-for", b"ads/brand"), (b"x-tenfold-role", b"claimed")]}
    headers = dict(introduce(scope, Asker("operator", is_process=True))["headers"])
    assert headers == {b"x-tenfold-for": b"ads/brand", b"x-tenfold-role": b"operator", b"x-tenfold-tenant": b""}


def test_a_cookie_that_makes_no_sense_hides_no_other():
    header = f'a; ={{"x":1}}; tenfold_key={KEY}; b="c"; tenfold_key=two'
    assert cookies_of(header) == [("", '{"x":1}'), ("tenfold_key", KEY), ("b", "c"), ("tenfold_key", "two")]
    assert without_key(header) == 'a; ={"x":1}; b="c"'
    assert without_key(f"tenfold_key={KEY}") == ""


def test_a_key_is_known_by_its_form():
    assert holds_key(f"Bearer {KEY}") and holds_key(KEY)
    assert not holds_key("Bearer sk-none") and not holds_key("Bearer eyJhbGciOi.tf_x")
