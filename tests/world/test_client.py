"""A real sender over a real socket against a small server that answers as the gateway does."""

import asyncio
import io
import json
import time
from collections import Counter

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from inline_snapshot import snapshot
from rich.console import Console

from tenfold.core.errors import NotRunning, TenfoldError
from tenfold.pool.state import PoolState, WorkloadView
from tenfold.world.client import REPLY_TOKENS, day_for, fetch_state, run_day
from tenfold.world.day import Day, draw_day
from tenfold.world.report import DayReport, Record, WorkloadReport, table, workload_report


def workload(name, *, capacity=100.0, units_total=0.0, target_s=None):
    return WorkloadView(
        workload=name,
        unit="token",
        slots=1,
        held=1,
        floor=0,
        ceiling=4,
        arrival_per_s=None,
        forecast_per_s=None,
        capacity_per_slot=capacity,
        units_per_s=0,
        units_total=units_total,
        waiting=0,
        requests_total=0,
        shed_total=0,
        failed_total=0,
        latency_p50_s=None,
        latency_p95_s=None,
        latency_target_s=target_s,
        in_time_share=None,
        value_last_slot_usd_per_s=0,
        value_next_slot_usd_per_s=0,
        facts={},
    )


class Gateway:
    """Answers as the gateway does, and keeps what it was asked."""

    def __init__(self):
        self.asked = Counter()
        self.users, self.prompts = set(), set()
        self.rank_delay_s = 0.0
        self.began = time.monotonic()

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/api/state", self.state),
                web.get("/v1/models", self.models),
                web.post("/v1/rank", self.rank),
                web.post("/v1/chat/completions", self.chat),
            ]
        )
        return app

    def pool_state(self) -> PoolState:
        at = time.monotonic() - self.began
        views = (
            workload("train", units_total=1000 * at),
            workload("serve", target_s=4.0, capacity=64),
            workload("rank", target_s=0.25),
        )
        return PoolState(
            at=at,
            epoch=1,
            policy="tenfold",
            controller="running",
            ready=True,
            alarms=(),
            slots=(),
            workloads=views,
            moves=(),
            history=(),
            loss=(),
        )

    async def state(self, _):
        return web.Response(text=self.pool_state().model_dump_json(), content_type="application/json")

    async def models(self, _):
        return web.json_response({"data": [{"id": "small"}]})

    async def rank(self, request):
        body = await request.json()
        self.asked["rank"] += 1
        number = self.asked["rank"]
        self.users.add(body["user"])
        await asyncio.sleep(self.rank_delay_s)
        if number % 10 == 0:
            return web.json_response({}, status=429, headers={"Retry-After": "1"})
        if number % 10 == 1:
            return web.json_response({}, status=500)
        return web.json_response({"items": []})

    async def chat(self, request):
        body = await request.json()
        self.asked["serve"] += 1
        number = self.asked["serve"]
        self.prompts.add(body["messages"][0]["content"])
        assert body["stream"] and body["model"] == "small" and body["max_tokens"] == REPLY_TOKENS
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for word in ("", "It", " is", " blue"):
            await response.write(f"data: {json.dumps({'choices': [{'delta': {'content': word}}]})}\n\n".encode())
            await asyncio.sleep(0.02)
        if number % 5 != 0:
            await response.write(b"data: [DONE]\n\n")
        return response


@pytest.fixture
async def gateway():
    gateway = Gateway()
    server = TestServer(gateway.app())
    await server.start_server()
    gateway.url = str(server.make_url("")).rstrip("/")
    yield gateway
    await server.close()


@pytest.mark.slow
async def test_every_request_of_the_day_is_sent_and_ends_as_answered_shed_or_failed(gateway):
    day = draw_day(2.0, rank_peak_per_s=150, chat_burst_per_s=40, seed=5)
    seen = []
    report = await run_day(gateway.url, day, seen.append)
    chat, rank = report.workloads
    assert (chat.requests, rank.requests) == (day.chat_at_s.size, day.rank_at_s.size)
    assert gateway.asked == {"rank": rank.requests, "serve": chat.requests}
    for each in report.workloads:
        assert each.requests == each.answered + each.shed + each.failed
    assert rank.shed == rank.requests // 10
    assert rank.failed == (rank.requests + 9) // 10
    assert chat.failed == chat.requests // 5, "a stream that breaks off is not an answer"
    assert chat.tokens == 3 * chat.requests
    assert chat.total_p95_s > chat.latency_p95_s > 0.02
    assert report.training_tokens == pytest.approx(1000 * report.wall_s, rel=0.3)
    assert report.training_tokens_per_s == pytest.approx(1000, rel=0.01)
    assert report.wall_s >= 2.0
    assert len(gateway.users) > 50 and min(gateway.users) >= 1 and max(gateway.users) <= 943
    assert len(gateway.prompts) > 5
    assert (seen[-1].in_flight, seen[-1].due) == (0, chat.requests + rank.requests)
    assert DayReport.model_validate_json(report.model_dump_json()) == report


@pytest.mark.slow
async def test_a_slow_pool_is_sent_requests_all_the_same_and_its_waits_count(gateway):
    gateway.rank_delay_s = 0.8
    at_s = np.linspace(0, 0.2, 40)
    report = await run_day(gateway.url, Day(0.3, at_s, np.array([]), np.empty((0, 2)), 0), lambda _: None)
    rank = report.workloads[1]
    assert rank.answered == 32
    assert rank.latency_p50_s >= 0.8
    assert rank.attainment == 0
    assert report.wall_s < 16, "40 waits of 0.8 s overlap: the loop is open"


async def test_the_peaks_follow_the_measured_capacity_unless_given(gateway):
    state = await fetch_state(gateway.url)
    fitted = day_for(state, 600, seed=1)
    same = draw_day(600, rank_peak_per_s=75, chat_burst_per_s=5, seed=1)
    assert np.array_equal(fitted.rank_at_s, same.rank_at_s) and np.array_equal(fitted.chat_at_s, same.chat_at_s)
    assert day_for(state, 600, rank_peak_per_s=0, chat_burst_per_s=0).rank_at_s.size == 0


def test_a_capacity_that_was_never_measured_is_named():
    state = Gateway().pool_state().model_copy(update={"workloads": (workload("rank", capacity=0), workload("serve"))})
    with pytest.raises(TenfoldError, match="'rank'"):
        day_for(state, 60)


async def test_no_pool_at_the_address_is_said_with_the_next_step():
    with pytest.raises(NotRunning, match=r"http://127\.0\.0\.1:9") as caught:
        await fetch_state("http://127.0.0.1:9")
    assert "tenfold up" in caught.value.next_step


def test_a_shed_or_failed_request_has_missed_its_target():
    records = [
        Record("rank", 0, "answered", 200, 0.1, 0.1, 0),
        Record("rank", 0, "answered", 200, 0.5, 0.5, 0),
        Record("rank", 0, "shed", 429, 0, 0, 0),
        Record("rank", 0, "failed", 0, 0, 0, 0),
        Record("serve", 0, "answered", 200, 0.1, 0.9, 7),
    ]
    report = workload_report("rank", records, 0.25)
    assert (report.answered, report.shed, report.failed, report.attainment) == (2, 1, 1, 0.25)
    assert workload_report("serve", records, None).tokens == 7


def test_the_table_reads_at_a_glance():
    row = {"total_p95_s": 2.0, "latency_target_s": 4.0}
    report = DayReport(
        duration_s=300,
        wall_s=302.41,
        seed=0,
        attainment=0.98,
        training_tokens=412_000,
        training_tokens_per_s=1373.3,
        sender_cpu_s=4,
        workloads=(
            WorkloadReport(
                workload="serve",
                requests=210,
                answered=208,
                shed=2,
                failed=0,
                latency_p50_s=0.31,
                latency_p95_s=1.204,
                latency_p99_s=2.2,
                attainment=0.9905,
                tokens=6656,
                **row,
            ),
            WorkloadReport(
                workload="rank",
                requests=15861,
                answered=15861,
                shed=0,
                failed=0,
                latency_p50_s=0.008,
                latency_p95_s=0.041,
                latency_p99_s=0.09,
                attainment=1.0,
                tokens=0,
                **row,
            ),
        ),
    )
    out = io.StringIO()
    Console(file=out, width=120, color_system=None).print(table(report))
    assert out.getvalue() == snapshot("""\
A day in 300 s (seed 0); 302.4 s to the last answer                       \n\
workload  requests  shed  failed     p50     p95     p99  in time   tokens
serve          210     2       0  310 ms  1.20 s  2.20 s    99.1%    6,656
rank        15,861     0       0    8 ms   41 ms   90 ms   100.0%        -
train            -     -       -       -       -       -        -  412,000
""")
