"""Paths that mean one thing to the door and might mean another behind it."""

from urllib.parse import unquote

import pytest

from tenfold.pool.authority import host_name, is_loopback
from tenfold.pool.target import fault_of


@pytest.mark.parametrize(
    "raw",
    ["/v1/feed/../api", "/v1/feed/./x", "/v1/feed/..", "/..", "//evil.example", "/v1//feed", "/v1/feed//",
     "/v1/feed/%2e%2e/api", "/v1/feed/%2E./api", "/v1/feed%2f..%2fapi", "/v1/feed/%2F/x", "/v1/feed\\..\\api",
     "/v1/feed%5c..%5capi", "/v1/feed/%00", "/v1/feed/%0d%0ax", "/v1/feed/%09", "v1/feed", "http://x/v1/feed", "*",
     "@evil.example/v1/feed", ""],
)  # fmt: skip
def test_a_path_that_could_be_read_in_two_ways_is_refused(raw):
    assert fault_of({"path": unquote(raw)})


@pytest.mark.parametrize(
    "raw",
    ["/", "/v1/feed", "/v1/feed/", "/.well-known/ucp", "/a/..b", "/a/...", "/a/.x", "/caf%C3%A9", "/a%20b",
     "/a/%252e%252e", "/v1/models/meta-llama%2FLlama"],
)  # fmt: skip
def test_other_paths_are_as_they_are(raw):
    assert fault_of({"path": unquote(raw)}) == ""


@pytest.mark.parametrize(
    ("authority", "name"),
    [("pool.example.com", "pool.example.com"), ("Pool.Example.com.:8000", "pool.example.com"), ("[::1]:8000", "::1"),
     ("127.0.0.1:", "127.0.0.1"), ("a_b-c:1", "a_b-c"), ("", None), (None, None), (".", None), ("a b", None),
     ("::1", None), ("[::1", None), ("a:b", None), ("a/b", None), ("a@b", None), ("a, b", None), ("a:1:2", None),
     ("127.0.0.1:80\t", None), ("ex?ample", None), ("a#", None)],
)  # fmt: skip
def test_a_host_is_a_name_with_or_without_a_port_and_nothing_else(authority, name):
    assert host_name(authority) == name


@pytest.mark.parametrize(
    ("name", "own"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True), ("::ffff:127.0.0.1", True),
     ("localhost", True), ("LOCALHOST.", True), ("a.localhost", True), ("0.0.0.0", False), ("::", False),
     ("10.0.0.7", False), ("::ffff:10.0.0.7", False), ("localhost.evil.example", False), ("notlocalhost", False),
     ("127.0.0.1.evil.example", False), ("", False)],
)  # fmt: skip
def test_only_loopback_is_this_machine(name, own):
    assert is_loopback(name) is own
