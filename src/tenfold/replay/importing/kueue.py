"""Kueue's workloads: ``kubectl get workloads -A -o json``."""

import re
from collections import Counter
from collections.abc import Mapping

from pydantic import ConfigDict, Field, ValidationError

from tenfold.core.explain import explain
from tenfold.core.frozen import Frozen
from tenfold.replay.importing.found import Counted, ImportFault, JobFile, LoggedJob
from tenfold.replay.importing.kinds import ANY, is_accelerator, kind_of
from tenfold.replay.importing.moments import moment_of
from tenfold.replay.importing.zones import zone_of

ASK = "kubectl get workloads.kueue.x-k8s.io -A -o json"
PRODUCTS = ("nvidia.com/gpu.product", "cloud.google.com/gke-accelerator", "node.kubernetes.io/instance-type")


class Loose(Frozen):
    """A part of a Kubernetes object; what is not read here is passed over."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)


class Resources(Loose):
    """``resources`` of a container."""

    requests: dict[str, str | int] = Field({}, description="what it asks for")
    limits: dict[str, str | int] = Field({}, description="what it may use")


class Container(Loose):
    """A container of a pod."""

    resources: Resources = Resources()


class PodSpec(Loose):
    """``template.spec`` of a pod set."""

    containers: tuple[Container, ...] = ()
    node_selector: dict[str, str] = Field({}, alias="nodeSelector")


class Template(Loose):
    """``template`` of a pod set."""

    spec: PodSpec = PodSpec()


class PodSet(Loose):
    """Pods of one sort."""

    name: str = "main"
    count: int = Field(1, ge=0)
    least: int | None = Field(None, alias="minCount", ge=0)
    template: Template = Template()


class Spec(Loose):
    """``spec`` of a workload."""

    pod_sets: tuple[PodSet, ...] = Field((), alias="podSets")


class Assignment(Loose):
    """What a pod set was admitted with."""

    name: str = "main"
    count: int | None = None
    flavors: dict[str, str] = Field({})
    usage: dict[str, str | int] = Field({}, alias="resourceUsage")


class Admission(Loose):
    """``status.admission``."""

    assignments: tuple[Assignment, ...] = Field((), alias="podSetAssignments")


class Condition(Loose):
    """One of ``status.conditions``."""

    type: str
    status: str
    at: str | None = Field(None, alias="lastTransitionTime")


class Status(Loose):
    """``status`` of a workload."""

    admission: Admission = Admission()
    conditions: tuple[Condition, ...] = ()


class Metadata(Loose):
    """``metadata`` of a workload."""

    name: str
    namespace: str = "default"
    created: str = Field(alias="creationTimestamp")


class Workload(Loose):
    """A workload."""

    metadata: Metadata
    spec: Spec = Spec()
    status: Status = Status()


def is_list(found: object) -> bool:
    """Whether a JSON value is of Kubernetes."""
    return isinstance(found, Mapping) and ("items" in found or "metadata" in found)


def read_workloads(origin: str, found: object) -> JobFile:
    """Read workloads.

    A workload started when it was admitted (or had its quota reserved), and waited since it was created. Where it was
    evicted and admitted again, only the last run is known: Kubernetes keeps each condition's latest change.

    Raises:
        ImportFault: it is no list of workloads, one lacks what it needs, or none asks for an accelerator.
    """
    assert isinstance(found, Mapping)
    items = found.get("items", [found])
    kinds = Counter(str(item.get("kind", "Workload")) for item in items if isinstance(item, Mapping))
    if not items or set(kinds) != {"Workload"}:
        told = ", ".join(f"{count} of kind {kind!r}" for kind, count in kinds.items()) or "nothing"
        raise ImportFault(f"{origin} holds {told}, and no workloads only", next_step=f"ask {ASK}")
    left_out = Counted()
    jobs = [job for at, item in enumerate(items) if (job := _job(origin, at, item, left_out)) is not None]
    if not jobs:
        raise ImportFault(
            f"{origin}: no workload asks for an accelerator", next_step=f"ask for those of the right namespaces: {ASK}"
        )
    jobs.sort(key=lambda job: job.submitted_s)
    return JobFile(origin, "dated", jobs, tuple(left_out.told(origin)))


def _job(origin: str, at: int, item: object, left_out: Counted) -> LoggedJob | None:
    try:
        workload = Workload.model_validate(item)
    except ValidationError as error:
        problems = "\n".join(explain(Workload, f"{origin}, item {at + 1}", each) for each in error.errors())
        raise ImportFault(problems, next_step=f"ask again: {ASK}") from error
    slots, least = _slots(workload)
    if not slots:
        left_out.add("workloads without accelerators left out")
        return None
    if len(slots) > 1:
        left_out.add("workloads that held several kinds of accelerators, counted as the one of which they held most")
    holds = {each.type: each for each in workload.status.conditions if each.status == "True"}
    submitted_s = _seconds(origin, at, workload.metadata.created)
    begun = holds.get("Admitted") or holds.get("QuotaReserved")
    finished = holds.get("Finished")
    if begun is None and finished is not None:
        left_out.add("workloads left out that are finished and no longer say when they were admitted")
        return None
    if any(each.type == "Evicted" for each in workload.status.conditions):
        left_out.add("workloads that were evicted at some time, of which only the last run is known")
    started_s = None if begun is None else _seconds(origin, at, begun.at)
    ended_s = None if finished is None else _seconds(origin, at, finished.at)
    if started_s is not None and ended_s is not None and ended_s <= started_s:
        left_out.add("workloads left out that ran for less than a second")
        return None
    kind = max(slots, key=lambda each: slots[each])
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{workload.metadata.namespace}-{workload.metadata.name}")
    return LoggedJob(name, submitted_s, started_s, ended_s, kind, sum(slots.values()), least)


def _slots(workload: Workload) -> tuple[dict[str, int], int | None]:
    """Accelerators by kind, and the least with which it would be admitted; as admitted, or else as asked for."""
    assigned = {each.name: each for each in workload.status.admission.assignments}
    slots: Counter[str] = Counter()
    least, partial = 0, False
    for pod_set in workload.spec.pod_sets:
        each = _accelerators(pod_set.template.spec)
        got = assigned.get(pod_set.name)
        usage = {} if got is None else {name: _count(n) for name, n in got.usage.items() if is_accelerator(name)}
        flavors = {} if got is None else {name: flavor for name, flavor in got.flavors.items() if is_accelerator(name)}
        counts = usage or {name: n * (got.count if got and got.count else pod_set.count) for name, n in each.items()}
        for name, count in counts.items():
            slots[_kind(name, flavors.get(name), pod_set.template.spec)] += count
        partial |= pod_set.least is not None
        least += sum(each.values()) * (pod_set.count if pod_set.least is None else pod_set.least)
    if not workload.spec.pod_sets:
        for got in workload.status.admission.assignments:
            for name, count in got.usage.items():
                if is_accelerator(name):
                    slots[_kind(name, got.flavors.get(name), PodSpec())] += _count(count)
    return {kind: count for kind, count in slots.items() if count > 0}, least if partial and least > 0 else None


def _accelerators(pod: PodSpec) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for container in pod.containers:
        for name, count in {**container.resources.limits, **container.resources.requests}.items():
            if is_accelerator(name):
                counts[name] += _count(count)
    return dict(counts)


def _count(quantity: str | int) -> int:
    """A count of Kubernetes: ``8``, ``"8"``, ``"1k"``."""
    match = re.fullmatch(r"(\d+)(k?)", str(quantity))
    return 0 if match is None else int(match[1]) * (1000 if match[2] else 1)


def _kind(resource: str, flavor: str | None, pod: PodSpec) -> str:
    """The kind: by the node's product where the pod asks for one, or else by the flavor, or by the resource."""
    product = next((pod.node_selector[label] for label in PRODUCTS if label in pod.node_selector), None)
    if product is not None:
        return kind_of(product)
    if flavor is not None and flavor.lower() not in ("default", "default-flavor"):
        return kind_of(flavor)
    return ANY if resource.endswith("/gpu") else kind_of(resource.partition("/")[2])


def _seconds(origin: str, at: int, cell: str | None) -> float:
    moment = moment_of(cell, zone_of("UTC"))
    if moment is None:
        raise ImportFault(f"{origin}, item {at + 1}: {cell!r} is no date", next_step=f"ask again: {ASK}")
    return moment.seconds
