"""The tables of docs/plan.md, made from the schema of study.yaml.

python tests/plan/study_tables.py        prints them, to paste under "## Keys of study.yaml"
"""

import types
import typing

import annotated_types as at
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tenfold.plan import study

TABLES: dict[str, type[BaseModel]] = {
    "the study": study.Study,
    "`workloads.<name>`": study.Workload,
    "`workloads.<name>.demand`": study.Demand,
    "`workloads.<name>.demand.jumps`": study.Jumps,
    "`workloads.<name>.traffic`": study.Traffic,
    "an entry of `correlations`": study.Correlation,
    "`accelerators.<kind>`": study.Accelerator,
    "an entry of `accelerators.<kind>.owned`": study.Owned,
    "`accelerators.<kind>.cancellation`": study.Cancellation,
    "`rent.<name>`": study.Rent,
    "`conversion`": study.Conversion,
    "`sites.<name>`": study.Site,
    "`sites.<name>.phases.<name>`": study.Phase,
    "`power` of a site or lease": study.Power,
    "`fit_out`": study.FitOut,
    "`leases.<name>`": study.Lease,
    "`leases.<name>.extension`": study.Extension,
    "`leases.<name>.cancellation`": study.Break,
    "`runs.<name>`": study.Run,
    "`runs.<name>.data`": study.RunData,
    "`risk`": study.Risk,
    "`tree`": study.TreeSettings,
}


def tables() -> str:
    """All tables, each under its heading."""
    return "\n".join(f"### {heading}\n\n{table(model)}" for heading, model in TABLES.items())


def table(model: type[BaseModel]) -> str:
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        rows.append(f"| `{name}` | {value_text(field)} | {default_text(field)} | {field.description or ''} |")
    return "\n".join(rows) + "\n"


def value_text(field: FieldInfo) -> str:
    return kind_text(field.annotation, field.metadata)


def kind_text(annotation: object, metadata: list[object]) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return kind_text(arguments[0], [*metadata, *arguments[1:]])
    if origin in (typing.Union, types.UnionType):
        return kind_text(next(part for part in arguments if part is not types.NoneType), metadata)
    if origin is typing.Literal:
        return " or ".join(f"`{choice}`" for choice in arguments)
    if origin in (dict, tuple):
        return container_text(arguments, origin)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    word = {str: "text", int: "integer", float: "number", bool: "`true` or `false`"}[typing.cast(type, annotation)]
    return ", ".join([word, *bounds(metadata)])


def container_text(arguments: tuple[object, ...], origin: object) -> str:
    if origin is dict:
        return "table by name of " + kind_text(arguments[1], [])
    count = "" if arguments[-1] is Ellipsis else f"{len(arguments)}: "
    return f"list of {count}{kind_text(arguments[0], [])}"


def bounds(metadata: list[object]) -> list[str]:
    flat = [part for entry in metadata for part in getattr(entry, "metadata", [entry])]
    words = ((at.Gt, "gt", "above"), (at.Ge, "ge", "at least"), (at.Lt, "lt", "below"), (at.Le, "le", "at most"))
    found = []
    for kind, attribute, word in words:
        limits = [getattr(bound, attribute) for bound in flat if isinstance(bound, kind)]
        if limits:
            found.append(f"{word} {limits[-1]:g}")
    return found


def default_text(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        return "must be given"
    if default is None or default in ((), {}):
        return "none"
    return "its own defaults" if isinstance(default, BaseModel) else f"`{default}`"


if __name__ == "__main__":
    print(tables())
