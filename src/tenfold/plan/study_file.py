"""Reading ``study.yaml``: every mistake is named with its key and with what would be right."""

import re
from collections.abc import Hashable
from pathlib import Path

import yaml
from pydantic import ValidationError

from tenfold.core.errors import UsageError
from tenfold.core.explain import explain
from tenfold.plan.checks import problems
from tenfold.plan.study import Study

# A key's last words name its unit: what a quantity written with another unit would be in it.
MONTHS = {"day": 12 / 365.25, "week": 7 * 12 / 365.25, "month": 1.0, "quarter": 3.0, "year": 12.0}
WATTS = {"w": 1.0, "kw": 1e3, "mw": 1e6, "gw": 1e9}
DOLLARS = {"usd": 1.0, "$": 1.0, "kusd": 1e3, "musd": 1e6, "busd": 1e9}
QUANTITY = re.compile(r"\s*([-+]?[\d_.,]+(?:e[-+]?\d+)?)\s*([A-Za-z$]+)\s*", re.IGNORECASE)


class StudyError(UsageError):
    """``study.yaml`` has an unknown key, a wrong unit, or asks for what cannot be."""


def load_study(path: Path) -> Study:
    """Read a study.

    Raises:
        StudyError: the file is missing or not YAML, a key is unknown, a value wrong, or the study contradicts itself;
            one line per mistake, each with file, key and what would be right.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise StudyError(
            f"cannot read the study {str(path)!r}: {error.strerror}",
            next_step="write one with 'tenfold plan example > study.yaml'",
        ) from error
    return parse_study(text, str(path))


def parse_study(text: str, origin: str = "study.yaml") -> Study:
    """Make a study from YAML text; ``origin`` is the name that errors give it."""
    try:
        table = yaml.load(text, Loader=_StrictLoader)
    except yaml.YAMLError as error:
        raise StudyError(f"{origin} is not YAML: {error}", next_step=f"mend {origin}") from error
    if not isinstance(table, dict):
        raise StudyError(f"{origin} holds no table of keys", next_step="see 'tenfold plan example'")
    try:
        study = Study.model_validate(table)
    except ValidationError as error:
        lines = [explain(Study, origin, problem, _unit_hint) for problem in error.errors()]
        raise StudyError("\n".join(lines), next_step=f"mend {origin}; keys are listed in docs/plan.md") from error
    found = problems(study)
    if found:
        raise StudyError("\n".join(f"{origin}: {line}" for line in found), next_step=f"mend {origin}")
    return study


class _StrictLoader(yaml.SafeLoader):
    """YAML without repeated keys, where ``1e9`` is a number as everywhere else."""


def _mapping_without_repeats(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Hashable, object]:
    loader.flatten_mapping(node)
    table: dict[Hashable, object] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key_node.start_mark)
        if key in table:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is there twice", key_node.start_mark)
        table[key] = loader.construct_object(value_node, deep=True)
    return table


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_without_repeats)
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+"), list("-+.0123456789")
)


def _unit_hint(key: str, value: object) -> str | None:
    if not isinstance(value, str) or (found := QUANTITY.fullmatch(value)) is None:
        return None
    number, unit = float(found[1].replace(",", "").replace("_", "")), found[2].lower()
    for ending, scale, table in (
        ("_months", 1.0, MONTHS),
        ("_kw", 1e3, WATTS),
        ("_mw", 1e6, WATTS),
        ("_usd", 1.0, DOLLARS),
    ):
        factor = table.get(unit) or table.get(unit.rstrip("s"))
        if key.endswith(ending) and factor is not None:
            return f"the unit is in the key; write {number * factor / scale:.6g}"
    return f"write a plain number; the unit is fixed by the key {key!r}"
