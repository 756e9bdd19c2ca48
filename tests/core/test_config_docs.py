"""``docs/config.md`` lists every key that ``tenfold.toml`` may have, with its true type and default, and no other."""

import re
import types
import typing
from pathlib import Path

import annotated_types as at
import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tenfold.core import config
from tenfold.core.config import KindSettings
from tenfold.feed.settings import ArmSettings, ExperimentSettings
from tenfold.pool.backends.settings import BackendSettings
from tenfold.rank.surface import SurfaceSettings
from tenfold.serve.workload import ModelSettings
from tenfold.wiring import CONFIG, PRODUCTS, WORKLOADS, load_config

PAGE = Path(__file__).parents[2] / "docs" / "config.md"
TABLES: dict[str, type[BaseModel]] = {
    "`[pool]`": config.PoolSettings,
    "`[access]`": config.AccessSettings,
    "`[pool.kinds.cpu]` and `[pool.kinds.gpu]`": KindSettings,
    **{f"`[{workload.name}]`": workload.settings for workload in WORKLOADS},
    "`[rank.surfaces.NAME]`": SurfaceSettings,
    "`[serve.models.NAME]`": ModelSettings,
    "`[serve.backends.NAME]`": BackendSettings,
    **{f"`[{product.name}]`": product.settings for product in PRODUCTS},
    "`[feed.experiments.NAME]`": ExperimentSettings,
    "`[feed.experiments.NAME.arms.ARM]`": ArmSettings,
    "`[store]`": config.StoreSettings,
    "`[ledger]`": config.LedgerSettings,
}


def documented(heading: str) -> dict[str, tuple[str, str]]:
    """Type and default of each key in the table under a heading."""
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return {row[0].strip(" `"): (row[1].strip(), row[2].strip()) for row in rows}


def declared(model: type[BaseModel]) -> dict[str, tuple[str, str]]:
    """The same, from the schema."""
    return {name: (type_text(field), default_text(field)) for name, field in model.model_fields.items()}


def type_text(field: FieldInfo) -> str:
    annotation = field.annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        annotation = next(part for part in typing.get_args(annotation) if part is not types.NoneType)
    if typing.get_origin(annotation) is typing.Literal:
        return " or ".join(f'`"{choice}"`' for choice in typing.get_args(annotation))
    if typing.get_origin(annotation) is tuple and typing.get_args(annotation)[0] is str:
        return "list of strings"
    if typing.get_origin(annotation) is tuple:
        return "list of " + ", ".join(f'`"{kind}"`' for kind in typing.get_args(config.Kind))
    if typing.get_origin(annotation) is dict:
        return {str: "table of strings", float: "table of numbers"}.get(typing.get_args(annotation)[1], "tables")
    plain = {str: "string", Path: "string", int: "integer", float: "number", bool: "boolean"}[annotation]
    return ", ".join([plain, *bounds(field)])


def bounds(field: FieldInfo) -> list[str]:
    low = next((bound.ge for bound in field.metadata if isinstance(bound, at.Ge)), None)
    high = next((bound.le for bound in field.metadata if isinstance(bound, at.Le)), None)
    above = next((bound.gt for bound in field.metadata if isinstance(bound, at.Gt)), None)
    if low is not None and high is not None:
        return [f"{low} to {high}"]
    named = (("above", above), ("at least", low), ("at most", high))
    return [f"{word} {bound}" for word, bound in named if bound is not None]


def default_text(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    assert default is not PydanticUndefined
    return "none" if default in (None, {}) else f"`{written(default)}`"


def written(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, str):
        return f'"{default}"'
    if isinstance(default, tuple):
        return "[" + ", ".join(f'"{part}"' for part in default) + "]"
    if isinstance(default, dict):
        assert all(kind == KindSettings() for kind in default.values())
        return "{" + ", ".join(f"{name} = {{}}" for name in default) + "}"
    return str(default)


@pytest.mark.parametrize("heading", TABLES)
def test_the_page_names_every_key_with_its_type_and_default(heading):
    assert documented(heading) == declared(TABLES[heading])


def test_every_table_of_the_schema_has_a_section():
    assert {f"`[{name}]`" for name in CONFIG.model_fields} == {name for name in TABLES if "." not in name}


def test_the_example_is_a_valid_file(tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    path = tmp_path / "tenfold.toml"
    path.write_text(example)
    assert load_config(path) != CONFIG()


def test_floors_are_said_to_be_met_in_the_order_in_which_they_are():
    order = ", ".join(workload.name for workload in WORKLOADS)
    assert f"in the order {order}." in PAGE.read_text()
