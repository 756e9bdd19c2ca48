"""What Ray's dashboard and metrics say is read as it is meant; what cannot be read is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from tenfold.core.errors import ClusterUnreachable
from tenfold.watch.ray_dashboard import Dashboard, GroupRow, HolderRow, holders, read_metrics
from tenfold.watch.watch import Holder
from tenfold.watch.watch_file import JobTable, WatchFile

# As Ray 2.60 exports it, without labels that all have alike.
METRICS = """\
# HELP ray_serve_num_router_requests_total The number of requests processed by the router.
# TYPE ray_serve_num_router_requests_total counter
ray_serve_num_router_requests_total{actor_id="7c",application="shop",deployment="Echo",handle="74",route="/"} 8.0
ray_serve_num_router_requests_total{actor_id="7d",application="shop",deployment="Echo",handle="75",route="/"} 2.0
# TYPE ray_serve_deployment_queued_queries gauge
ray_serve_deployment_queued_queries{actor_id="7c",application="shop",deployment="Echo",handle="74"} 3.0
ray_serve_deployment_queued_queries{actor_id="7d",application="shop",deployment="Echo",handle="75"} 1.0
# TYPE ray_serve_deployment_processing_latency_ms histogram
ray_serve_deployment_processing_latency_ms_bucket{application="shop",deployment="Echo",le="5.0",replica="40"} 5.0
ray_serve_deployment_processing_latency_ms_count{application="shop",deployment="Echo",replica="40",route="/"} 5.0
ray_serve_deployment_processing_latency_ms_sum{application="shop",deployment="Echo",replica="40",route="/"} 25.5
ray_node_cpu_utilization{NodeAddress="127.0.0.1"} 12.5
"""


def test_counters_are_kept_by_process_and_waiting_requests_are_summed():
    counters, waiting = read_metrics(METRICS)
    assert waiting == {("shop", "Echo"): 4.0}
    assert {series.deployment for series in counters} == {("shop", "Echo")}
    values = sorted((series.what, value) for series, value in counters.items())
    assert values == [("answered", 5.0), ("arrived", 2.0), ("arrived", 8.0), ("busy_s", pytest.approx(0.0255))]


def test_a_node_without_serve_has_counted_nothing():
    assert read_metrics("# TYPE a gauge\na 1.0\n") == ({}, {})


def actor(**row) -> HolderRow:
    return HolderRow.model_validate({"node_id": "n0", "required_resources": {"GPU": 1.0}, **row})


def test_a_replica_is_known_by_its_name():
    (found,) = holders([actor(name="SERVE_REPLICA::shop#Echo#el53hgvc")], [], [], "GPU")
    assert found.deployment == ("shop", "Echo")


def test_what_runs_in_a_placement_group_is_counted_once_as_the_group():
    inside = actor(class_name="RayTrainWorker", placement_group_id="g", required_resources={"GPU_group_g": 1.0})
    bundles = [{"node_id": node, "unit_resources": {"GPU": 2.0}} for node in ("n0", "n1")]
    group = GroupRow.model_validate({"placement_group_id": "g", "name": "big", "bundles": bundles})
    found = holders([inside], [], [group], "GPU")
    assert [(holder.node, holder.accelerators) for holder in found] == [("n0", 2.0), ("n1", 2.0)]
    assert all({"RayTrainWorker", "big"} <= holder.names for holder in found)


def test_tasks_count_and_who_holds_no_accelerator_does_not():
    task = HolderRow.model_validate({"func_or_class_name": "tune", "node_id": "n0", "required_resources": {"GPU": 0.5}})
    none = actor(class_name="ServeController", required_resources={})
    assert holders([none], [task], [], "GPU") == (Holder("n0", 0.5, frozenset({"tune"})),)


@asynccontextmanager
async def answering(handler) -> AsyncIterator[str]:
    """A server on a free port that answers everything by ``handler``."""
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def watched(address: str, **more) -> WatchFile:
    job = JobTable(holders="*", usd_per_accelerator_hour=1.0)
    return WatchFile(dashboard=f"http://{address}", jobs={"train": job}, **more)


async def test_replies_of_ray_are_read_and_a_silent_endpoint_and_a_cut_list_are_alarms():
    rows = {
        "nodes": [{"node_id": "n0", "state": "ALIVE", "resources_total": {"CPU": 8.0, "GPU": 4.0}}],
        "actors": [actor(name="SERVE_REPLICA::shop#Echo#el53hgvc", num_restarts="0").model_dump()],
        "tasks": [],
        "placement_groups": [],
    }

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/api/prometheus/sd":
            return web.json_response([{"labels": {"job": "ray"}, "targets": [request.host, "127.0.0.1:1"]}])
        if request.path == "/metrics":
            return web.Response(text=METRICS)
        found = rows[request.path.rpartition("/")[2]]
        filtered = 12_000 if request.path.endswith("actors") else len(found)
        listed = {"total": filtered, "result": found, "num_filtered": filtered, "warnings": None}
        return web.json_response({"result": True, "msg": "", "data": {"result": listed}})

    async with answering(answer) as address, aiohttp.ClientSession() as session:
        found = await Dashboard(session, watched(address), None).read()
    assert found.nodes == {"n0": 4.0}
    assert [holder.deployment for holder in found.holders] == [("shop", "Echo")]
    assert list(found.counters) == [address]
    assert found.waiting == {("shop", "Echo"): 4.0}
    assert found.alarms == (
        "no metrics can be read at 127.0.0.1:1",
        "the dashboard lists 1 of 12,000 actors only",
    )


@pytest.mark.parametrize(
    ("status", "body", "told", "next_step"),
    [
        (401, "Unauthorized", "lets nobody in without its token", "RAY_AUTH_TOKEN"),
        (200, "<html>hello</html>", "is no Ray dashboard that is understood", "dashboard"),
        (404, "", "no Ray dashboard answers at", "dashboard"),
    ],
)
async def test_who_is_no_open_dashboard_is_told_with_the_next_step(status, body, told, next_step):
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    async with answering(answer) as address, aiohttp.ClientSession() as session:
        with pytest.raises(ClusterUnreachable, match=told) as caught:
            await Dashboard(session, watched(address), None).read()
    assert next_step in caught.value.next_step
