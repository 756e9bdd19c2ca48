"""Names of series: one for each service, from the labels that a query left."""

import re
from collections.abc import Mapping, Sequence

from tenfold.core.explain import suggest
from tenfold.replay.importing.found import ImportFault

Labels = Mapping[str, str]

NAMING = (
    "service",
    "service_name",
    "app",
    "application",
    "deployment",
    "served_model_name",
    "model_name",
    "model",
    "inferenceservice",
    "destination_workload",
    "backend",
    "route",
    "handler",
    "job",
    "container",
    "namespace",
    "pod",
    "instance",
)
"""Labels that name a service, the best first."""

PODS = ("pod", "instance")
"""Labels of what a service has several of."""

UNNAMED = ("service", "requests")
"""Names of services of which a file does not tell the name: of a series, of a log."""


def labels_of(header: str) -> Labels:
    """Labels of ``metric{service="chat", pod="a"}``; of anything else its text as ``__name__``."""
    match = re.fullmatch(r"\s*([\w:.]*)\s*\{(.*)\}\s*", header)
    if match is None:
        return {"__name__": header.strip()}
    pairs = re.findall(r'(\w+)\s*[=:]\s*"?([^",}]*)"?', match[2])
    return {**({"__name__": match[1]} if match[1] else {}), **dict(pairs)}


def metric_of(labels: Labels) -> str:
    """What a series measures."""
    return labels.get("__name__", "")


def service_names(origin: str, labels: Sequence[Labels], by: str | None) -> tuple[list[str], str | None]:
    """A name for each series, and the label that it is from; series of one name are one service's.

    Args:
        origin: the file.
        labels: of each series.
        by: the label to name by; none: the best that all have.

    Raises:
        ImportFault: a series lacks the label ``by``, or nothing tells the series apart.
    """
    known = list(dict.fromkeys(name for each in labels for name in each if name != "__name__"))
    if by is not None:
        lacking = [at for at, each in enumerate(labels) if by not in each]
        if lacking:
            raise ImportFault(
                f"{origin}: series {lacking[0] + 1} has no label {by!r}; {suggest(by, known or ['(none)'])}",
                next_step="give another --by, or group by it in the query",
            )
        return [plain_service(each[by]) for each in labels], by
    shared = [label for label in NAMING if all(each.get(label) for each in labels)]
    apart = [label for label in shared if len(labels) == 1 or len({each[label] for each in labels}) > 1]
    if apart:
        # Series that only their pods tell apart are of one service, if a label names it.
        label = shared[0] if apart[0] in PODS else apart[0]
        return [plain_service(each[label]) for each in labels], label
    telling = [label for label in known if len({each.get(label) for each in labels}) > 1]
    if len(labels) == 1 or not telling:
        names = [plain_service(metric_of(each)) for each in labels]
        return names, None if len(set(names)) == len(names) else "__name__"
    return [plain_service("-".join(each.get(label, "") for label in telling)) for each in labels], "+".join(telling)


def plain_service(name: str) -> str:
    """A name that week.toml can have: letters, digits, dots, dashes and underscores."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:60] or "service"
