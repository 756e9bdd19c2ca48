"""Reading a Ray cluster over HTTP, as a browser and Prometheus do: nothing is started, called or changed in it.

The state API of the dashboard tells who holds accelerators; it asks Ray's own tables. The Serve API is not used: the
dashboard answers it by a call to the Serve controller, and that would be a task. Versions of Ray need not match, and
what a reply has besides what is needed is ignored.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from tenfold.core.errors import ClusterUnreachable
from tenfold.watch.watch import Counted, Deployment, Holder, Reading, Series
from tenfold.watch.watch_file import WatchFile

TIMEOUT_S = 10.0
MOST_ROWS = 10_000
"""Rows that a dashboard lists at most, by its own default."""

REPLICA = "SERVE_REPLICA::"
WAITING = "ray_serve_deployment_queued_queries"
COUNTERS: Mapping[str, tuple[Counted, float]] = {
    "ray_serve_num_router_requests_total": ("arrived", 1.0),
    "ray_serve_deployment_processing_latency_ms_count": ("answered", 1.0),
    "ray_serve_deployment_processing_latency_ms_sum": ("busy_s", 1e-3),
}


class Reply(BaseModel):
    """Base of every reply of Ray: what it has besides is ignored, as versions differ."""

    model_config = ConfigDict(frozen=True, extra="ignore")


Row = TypeVar("Row", bound=Reply)
Value = TypeVar("Value")


class NodeRow(Reply):
    """A live node."""

    node_id: str
    resources_total: dict[str, float] = {}


class HolderRow(Reply):
    """An actor or a running task."""

    class_name: str = ""
    func_or_class_name: str = ""
    name: str | None = None
    job_id: str = ""
    ray_namespace: str | None = None
    node_id: str | None = None
    required_resources: dict[str, float] | None = None
    placement_group_id: str | None = None

    def names(self) -> frozenset[str]:
        """What it may be called by."""
        known = (self.class_name, self.func_or_class_name, self.name, self.job_id, self.ray_namespace)
        return frozenset(filter(None, known))

    def deployment(self) -> Deployment | None:
        """Whose replica it is, if it is one."""
        if self.name is None or not self.name.startswith(REPLICA):
            return None
        application, _, rest = self.name.removeprefix(REPLICA).partition("#")
        return application, rest.partition("#")[0]


class Bundle(Reply):
    """Resources of a placement group on one node."""

    node_id: str | None = None
    unit_resources: dict[str, float] = {}


class GroupRow(Reply):
    """A placement group: it holds its resources whether or not an actor uses them."""

    placement_group_id: str
    name: str = ""
    creator_job_id: str = ""
    bundles: tuple[Bundle, ...] | None = None


class Listed(Reply, Generic[Row]):
    """Rows, and how many there are in all."""

    result: tuple[Row, ...]
    num_filtered: int = 0


class Answered(Reply, Generic[Row]):
    """What lies between an answer and its rows."""

    result: Listed[Row]


class Answer(Reply, Generic[Row]):
    """An answer of the state API."""

    data: Answered[Row]


class Target(Reply):
    """Endpoints of Prometheus metrics."""

    targets: tuple[str, ...]


_TARGETS = TypeAdapter(tuple[Target, ...])


class Dashboard:
    """Reads one cluster.

    Args:
        session: HTTP client.
        file: where the cluster is and what is read of it.
        token: of a cluster that asks for one.
    """

    def __init__(self, session: aiohttp.ClientSession, file: WatchFile, token: str | None) -> None:
        self._session = session
        self._file = file
        self._url = file.dashboard.rstrip("/")
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)

    async def read(self) -> Reading:
        """Read who holds accelerators and what services have counted.

        Raises:
            ClusterUnreachable: the dashboard does not answer, lets nobody in, or is none; or no metrics can be read.
        """
        nodes, actors, tasks, groups, endpoints = await asyncio.gather(
            self._list("nodes", NodeRow, state="ALIVE"),
            self._list("actors", HolderRow, state="ALIVE"),
            self._list("tasks", HolderRow, state="RUNNING", type="NORMAL_TASK"),
            self._list("placement_groups", GroupRow, state="CREATED"),
            self._endpoints(),
        )
        texts = await asyncio.gather(*(self._metrics(endpoint) for endpoint in endpoints))
        silent = [endpoint for endpoint, text in zip(endpoints, texts, strict=True) if text is None]
        if self._file.services and len(silent) == len(endpoints):
            raise ClusterUnreachable(
                f"no metrics can be read at {', '.join(endpoints) or 'any endpoint: the dashboard lists none'}",
                next_step="give the nodes' endpoints that can be reached from here as 'metrics' in the file",
            )
        counters: dict[str, Mapping[Series, float]] = {}
        waiting: dict[Deployment, float] = defaultdict(float)
        for endpoint, text in zip(endpoints, texts, strict=True):
            if text is not None:
                counters[endpoint], queued = read_metrics(text)
                for deployment, count in queued.items():
                    waiting[deployment] += count
        alarms = [f"no metrics can be read at {endpoint}" for endpoint in silent]
        for what, listed in (("nodes", nodes), ("actors", actors), ("tasks", tasks), ("placement groups", groups)):
            if listed.num_filtered > len(listed.result):
                alarms.append(f"the dashboard lists {len(listed.result):,} of {listed.num_filtered:,} {what} only")
        return Reading(
            nodes={row.node_id: row.resources_total.get(self._file.accelerator, 0.0) for row in nodes.result},
            holders=holders(actors.result, tasks.result, groups.result, self._file.accelerator),
            counters=counters,
            waiting=waiting,
            alarms=tuple(alarms),
        )

    async def _list(self, what: str, row: type[Row], **filters: str) -> Listed[Row]:
        query = [("detail", "1"), ("limit", str(MOST_ROWS))]
        for key, value in filters.items():
            query += [("filter_keys", key), ("filter_predicates", "="), ("filter_values", value)]
        return self._parse(Answer[row].model_validate_json, await self._get(f"/api/v0/{what}", query)).data.result

    async def _endpoints(self) -> Sequence[str]:
        if self._file.metrics is not None:
            return self._file.metrics
        parts = self._parse(_TARGETS.validate_json, await self._get("/api/prometheus/sd", []))
        return [endpoint for part in parts for endpoint in part.targets]

    def _parse(self, read: Callable[[bytes], Value], body: bytes) -> Value:
        try:
            return read(body)
        except ValidationError as error:
            raise ClusterUnreachable(
                f"what answers at {self._url} is no Ray dashboard that is understood: {error}",
                next_step="give the address of the cluster's dashboard as 'dashboard' in the file",
            ) from error

    async def _get(self, path: str, query: Sequence[tuple[str, str]]) -> bytes:
        try:
            async with self._session.get(
                self._url + path, params=query, headers=self._headers, timeout=self._timeout
            ) as response:
                if response.status in (401, 403):
                    raise ClusterUnreachable(
                        f"the Ray dashboard at {self._url} lets nobody in without its token ({response.status})",
                        next_step="set RAY_AUTH_TOKEN, as for Ray's own commands",
                    )
                response.raise_for_status()
                return await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ClusterUnreachable(
                f"no Ray dashboard answers at {self._url}: {error or type(error).__name__}",
                next_step="give the address of the cluster's dashboard as 'dashboard' in the file",
            ) from error

    async def _metrics(self, endpoint: str) -> str | None:
        try:
            async with self._session.get(f"http://{endpoint}/metrics", timeout=self._timeout) as response:
                response.raise_for_status()
                return await response.text()
        except (aiohttp.ClientError, TimeoutError):
            return None


def holders(
    actors: Sequence[HolderRow], tasks: Sequence[HolderRow], groups: Sequence[GroupRow], accelerator: str
) -> tuple[Holder, ...]:
    """Everything that holds accelerators, each once.

    What runs in a placement group uses what the group holds, so the group counts, and is called as what runs in it.
    """
    rows = (*actors, *tasks)
    inside: dict[str, list[HolderRow]] = defaultdict(list)
    for row in rows:
        inside[row.placement_group_id or ""].append(row)
    found = [
        Holder(row.node_id or "", (row.required_resources or {}).get(accelerator, 0.0), row.names(), row.deployment())
        for row in inside.pop("", [])
    ]
    for group in groups:
        members = inside[group.placement_group_id]
        names = frozenset(filter(None, (group.name, group.creator_job_id))).union(*(row.names() for row in members))
        deployment = next(filter(None, (row.deployment() for row in members)), None)
        found += [
            Holder(bundle.node_id or "", bundle.unit_resources.get(accelerator, 0.0), names, deployment)
            for bundle in group.bundles or ()
        ]
    return tuple(holder for holder in found if holder.accelerators > 0)


def read_metrics(text: str) -> tuple[dict[Series, float], dict[Deployment, float]]:
    """Read what Ray Serve has counted from one endpoint's Prometheus text.

    Returns:
        Its counters, by process; and requests that wait for a replica, by deployment.
    """
    # A node exports thousands of lines; the parser gets those that are wanted.
    wanted = "\n".join(line for line in text.splitlines() if line.startswith((WAITING, *COUNTERS)))
    counters: dict[Series, float] = {}
    waiting: dict[Deployment, float] = defaultdict(float)
    for family in text_string_to_metric_families(wanted + "\n"):
        for sample in family.samples:
            deployment = (sample.labels.get("application", ""), sample.labels.get("deployment", ""))
            if sample.name == WAITING:
                waiting[deployment] += sample.value
            elif sample.name in COUNTERS:
                what, scale = COUNTERS[sample.name]
                process = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
                counters[Series(what, deployment, process)] = sample.value * scale
    return counters, dict(waiting)
