"""A product's process: kept alive alone, does without whom it cannot reach, and loses no nano-dollar."""

import asyncio
import itertools
import os
import signal
from collections import Counter

import aiohttp
import pytest
import sqlalchemy as sa
from minipool import TOKEN, until
from product_processes import HERE, controller_keeper, kept, recorded, running, serving
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from till import TILL

from tenfold.pool.token import TOKEN_HEADER


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """The products of these tests are imported by their processes."""
    monkeypatch.setenv("PYTHONPATH", str(HERE))


def sold(home) -> int:
    """Nano-dollars of the sales that are in the product's own database."""
    engine = sa.create_engine(f"sqlite:///{home / 'till.db'}")
    with engine.connect() as connection:
        total = connection.execute(sa.text("SELECT coalesce(sum(nano_usd), 0) FROM sales")).scalar_one()
    engine.dispose()
    return total


@pytest.mark.slow
async def test_it_serves_who_has_the_token_and_does_without_whom_it_cannot_reach(tmp_path):
    seen: list[dict[str, str]] = []

    async def rank(request: Request) -> Response:
        seen.append(dict(request.headers))
        return JSONResponse({"items": []}) if len(seen) < 2 else JSONResponse({"error": "full"}, 429)

    front = serving(Starlette(routes=[Route("/v1/rank", rank, methods=["POST"])]))
    front_url = await front.__aenter__()
    async with running(tmp_path, TILL, front_url=front_url) as pool:
        told = await pool.ask("till", "/v1/till/greet", x_tenfold_role="owner", x_tenfold_tenant="acme")
        assert told == (200, {"greeting": "hello", "role": "owner", "tenant": "acme"})
        for path, headers in (("/v1/till/greet", {}), ("/product/counts", {TOKEN_HEADER: "wrong"})):
            async with pool.session.get(f"{pool.products.urls['till']}{path}", headers=headers) as answer:
                assert answer.status == 401
                assert "x-request-id" in answer.headers

        assert (await pool.ask("till", "/v1/till/ranked"))[1] == {"items": []}
        assert seen[0]["x-tenfold-for"] == "till/acme" and seen[0][TOKEN_HEADER]
        assert (await pool.ask("till", "/v1/till/ranked"))[1] == {"fallback": True, "reason": "busy"}
        await front.__aexit__(None, None, None)
        assert (await pool.ask("till", "/v1/till/ranked"))[1] == {"fallback": True, "reason": "unreachable"}
        assert (await pool.ask("till", "/v1/till/neighbour"))[1] == {"said": None}

        # There is no controller: what it earned waits.
        assert (await pool.ask("till", "/v1/till/sell", {"nano_usd": 10}))[0] == 200

        async def waits() -> bool:
            return (await pool.ask("till", "/product/counts"))[1]["reports_untold"] == 1

        await until(waits, 30)
        counts = (await pool.ask("till", "/product/counts"))[1]
        assert counts["without_workload"] == {"rank busy": 1, "rank unreachable": 1}
        assert counts["without_product"] == {"shop absent": 1}

        child = pool.keepers["till"]._child
        assert child is not None
        child.terminate()
        assert await asyncio.wait_for(child.wait(), 20) in (0, -signal.SIGTERM)
    assert "Traceback" not in pool.log("till")


@pytest.mark.slow
async def test_one_that_dies_or_hangs_is_replaced_alone_and_requests_wait_for_the_next(tmp_path):
    async with running(tmp_path, TILL) as pool:
        keeper = pool.keepers["till"]
        assert (await pool.ask("till", "/v1/till/greet"))[0] == 200
        first = keeper.pid
        os.kill(first, signal.SIGKILL)
        assert (await pool.ask("till", "/v1/till/greet"))[0] == 200, "it waited in the socket's backlog"
        second = keeper.pid
        assert second != first
        hung = asyncio.create_task(pool.ask("till", "/v1/till/hang"))
        await until(lambda: keeper.pid != second, 60)
        assert (await pool.ask("till", "/v1/till/greet"))[0] == 200
        with pytest.raises(aiohttp.ClientError):
            await hung


@pytest.mark.slow
async def test_every_nano_dollar_is_in_the_ledger_once_through_restarts_of_product_and_controller(tmp_path):
    url, controller = controller_keeper(tmp_path)
    async with kept([controller]), running(tmp_path, TILL, controller_url=url) as pool:
        till = pool.keepers["till"]
        fates: Counter[int] = Counter()

        async def sell(start: int) -> None:
            for nano_usd in itertools.count(start, 13):
                try:
                    status, _ = await pool.ask("till", "/v1/till/sell", {"nano_usd": nano_usd})
                except aiohttp.ClientError:
                    status = 0
                fates[status] += 1
                await asyncio.sleep(0.02)

        seller = asyncio.create_task(sell(1_000_000))
        await until(lambda: recorded(tmp_path)[0] > 0, 60)
        for victim in (till, controller, till):
            pid, before = victim.pid, recorded(tmp_path)[0]
            os.kill(pid, signal.SIGKILL)
            await until(lambda v=victim, p=pid: v.pid != p, 30)
            await until(lambda b=before: recorded(tmp_path)[0] > b, 60)
        seller.cancel()
        await asyncio.gather(seller, return_exceptions=True)
        assert (await pool.ask("till", "/v1/till/greet"))[0] == 200
        await until(lambda: recorded(tmp_path)[0] == sold(tmp_path), 60)
        # Long enough for a report to be told again, were it to be.
        await asyncio.sleep(3.0)
        total, numbers = recorded(tmp_path)
        assert total == sold(tmp_path) > 0
        assert len(numbers) == len(set(numbers)) > 3
        assert fates[500] > 0, "sales that failed after they were written, and earned nothing"

        # With a host to decide for, the controller that came last goes by what was earned under those before it.
        slot = {"slot": "n0/cpu0", "kind": "cpu", "node": "n0", "cores": [0], "gpu": None, "share": 1.0}
        hosts = {"slots": [slot], "residents": []}
        headers = {TOKEN_HEADER: TOKEN}
        async with pool.session.post(f"{url}/hosts", json=hosts, headers=headers) as answer:
            assert answer.status == 200

        async def is_measured() -> bool:
            async with pool.session.get(f"{url}/state", headers=headers) as answer:
                return (await answer.json())["workloads"][0]["price"]["source"] == "measured"

        await until(is_measured, 30)
