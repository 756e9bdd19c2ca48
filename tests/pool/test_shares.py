"""Places that many may take and nobody may fill alone."""

import asyncio
import contextlib

from hypothesis import given
from hypothesis import strategies as st

from tenfold.pool.gateway import Gateway
from tenfold.pool.reports import Routes
from tenfold.pool.shares import RECENTLY_S, Shares
from tenfold.pool.traffic import GatewayRoute


def fill(shares: Shares, stack: contextlib.ExitStack, name: str, places: int, taken: int, factor: int = 1) -> int:
    """Take as many places as there are for one; how many that was."""
    got = 0
    while not shares.over({name: factor}, places - taken - got) and taken + got < places:
        stack.enter_context(shares.held([name]))
        got += 1
    return got


def test_one_who_takes_all_leaves_as_many_and_the_next_leaves_some_too():
    shares = Shares()
    with contextlib.ExitStack() as stack:
        first = fill(shares, stack, "one", 512, 0)
        second = fill(shares, stack, "two", 512, first)
        third = fill(shares, stack, "three", 512, first + second)
    assert (first, second, third) == (256, 128, 64)
    assert not shares.over({"one": 1}, 1), "what was held is given back"


@given(st.lists(st.integers(0, 9), max_size=300), st.integers(2, 64), st.integers(1, 4))
def test_whoever_holds_nothing_is_let_in_while_a_place_is_free(asked, places, factor):
    shares, held = Shares(), dict.fromkeys(range(10), 0)
    with contextlib.ExitStack() as stack:
        for who in asked:
            free = places - sum(held.values())
            if not shares.over({str(who): factor}, free):
                stack.enter_context(shares.held([str(who)]))
                held[who] += 1
            assert not shares.over({"new": 1}, places - sum(held.values())) or sum(held.values()) == places
            # Nobody holds more than the factor's share of all.
            assert max(held.values()) <= places * factor / (factor + 1) + 1


def test_the_name_that_is_over_is_told_and_all_count():
    shares = Shares()
    with shares.held(["address", "tenant"]), shares.held(["other address", "tenant"]):
        assert shares.over({"address": 1, "tenant": 1}, 2) == "tenant"
        assert shares.over({"address": 1, "tenant": 1}, 3) == shares.over({"address": 1, "tenant": 4}, 2) == ""


def test_who_asks_alone_is_known_to_until_another_does():
    now = [0.0]
    shares = Shares(lambda: now[0])
    assert shares.is_alone("a") and shares.is_alone("a")
    assert not shares.is_alone("b") and not shares.is_alone("a")
    now[0] = RECENTLY_S + 1
    assert shares.is_alone("a")


async def test_a_key_that_asks_alone_has_the_whole_queue_and_leaves_room_as_soon_as_another_asks():
    gateway = Gateway(
        {"/work": GatewayRoute("/work", "toy", None)},
        "http://127.0.0.1:9",
        "token",
        wait_deadline_s=60,
        queue_per_slot=10,
        body_limit_bytes=1000,
    )
    gateway.link.routes = Routes(version=1, epoch=1, ready=True, awake={"toy": ()}, queue_limit={"toy": 10})
    statuses: dict[str, list[int]] = {"one": [], "two": [], "ads/acme": [], "": []}
    left = asyncio.Event()

    async def ask(holder: str) -> None:
        name = b"x-tenfold-for" if "/" in holder else b"x-tenfold-key"
        parts = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> dict:
            if parts:
                return parts.pop()
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message) -> None:
            if message["type"] == "http.response.start":
                statuses[holder].append(message["status"])

        headers = [(name, holder.encode())] if holder else []
        await gateway({"type": "http", "path": "/work", "method": "POST", "headers": headers}, receive, send)

    async def waiting(holder: str, many: int) -> int:
        before = gateway._traffic["toy"].waiting
        asked.extend(asyncio.create_task(ask(holder)) for _ in range(many))
        for _ in range(20):
            await asyncio.sleep(0)
        return gateway._traffic["toy"].waiting - before

    asked: list[asyncio.Task] = []
    assert await waiting("one", 12) == 10 and statuses["one"] == [429, 429], "nobody else asks"
    assert await waiting("two", 1) == 0 and statuses["two"] == [429]
    left.set()
    await asyncio.gather(*asked)
    left.clear()
    assert await waiting("one", 12) == 8, "the other has asked lately"
    assert await waiting("ads/acme", 1) == 1 and await waiting("two", 1) == 1
    assert await waiting("", 1) == 0 and statuses[""] == [429], "there are no more"
    left.set()
    await asyncio.gather(*asked)
    assert not gateway._traffic["toy"].shares._held
