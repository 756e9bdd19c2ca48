"""Reading ``study.yaml``: every mistake is named with its key and with what would be right."""

import re
from collections.abc import Hashable
from pathlib import Path

import yaml
from pydantic import ValidationError

from tenfold.core.errors import UsageError
from tenfold.core.explain import explain, text_of
from tenfold.plan.checks import problems
from tenfold.plan.facts import filled
from tenfold.plan.study import Study

# A key's last words name its unit: what a quantity written with another unit would be in it.
MONTHS = {"day": 12 / 365.25, "week": 7 * 12 / 365.25, "month": 1.0, "quarter": 3.0, "year": 12.0}
WATTS = {"w": 1.0, "kw": 1e3, "mw": 1e6, "gw": 1e9}
DOLLARS = {"usd": 1.0, "$": 1.0, "k": 1e3, "kusd": 1e3, "m": 1e6, "musd": 1e6, "b": 1e9, "busd": 1e9}
QUANTITY = re.compile(
    r"\s*\$?\s*([-+]?(?:\d{1,3}(?:[,_]\d{3})+|\d+)(?:\.\d*)?(?:e[-+]?\d+)?)\s*([a-z$%]*)\s*", re.IGNORECASE
)
# What YAML 1.1 makes of plain words: `yes` would be the number 1, and 2026-07-01 no period but a date.
NOT_WORDS = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")


class StudyError(UsageError):
    """``study.yaml`` has an unknown key, a wrong unit, or asks for what cannot be."""


def load_study(path: Path) -> Study:
    """Read a study.

    Raises:
        StudyError: the file is missing or not YAML, a key is unknown, a value wrong, or the study contradicts itself;
            one line per mistake, each with file, key and what would be right.
    """
    advice = "write one with 'tenfold plan example > study.yaml'"
    return parse_study(text_of(path, StudyError, what="the study", advice=advice), str(path))


def parse_study(text: str, origin: str = "study.yaml") -> Study:
    """Make a study from YAML text; ``origin`` is the name that errors give it."""
    table = yaml_table(text, origin, StudyError)
    try:
        table = filled(table, Path(origin).parent)
    except UsageError as error:
        raise StudyError(f"{origin}: {error}", next_step=error.next_step) from error
    try:
        study = Study.model_validate(table)
    except ValidationError as error:
        lines = [explain(Study, origin, problem, _unit_hint) for problem in error.errors()]
        raise StudyError("\n".join(lines), next_step=f"mend {origin}; keys are listed in docs/plan.md") from error
    found = problems(study)
    if found:
        raise StudyError("\n".join(f"{origin}: {line}" for line in found), next_step=f"mend {origin}")
    return study


def yaml_table(text: str, origin: str, failure: type[UsageError]) -> dict[Hashable, object]:
    """The table of keys that a YAML text holds.

    Raises:
        failure: it is not YAML, has a key twice, or is no table.
    """
    try:
        table = yaml.load(text, Loader=_StrictLoader)
    except yaml.YAMLError as error:
        raise failure(f"{origin} is not YAML: {error}", next_step=f"mend {origin}") from error
    if not isinstance(table, dict):
        raise failure(f"{origin} holds no table of keys", next_step="see 'tenfold plan example' and docs/plan.md")
    return table


class _StrictLoader(yaml.SafeLoader):
    """YAML without repeated keys, where ``1e9`` is a number as everywhere else, and ``yes`` and dates are words."""


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
_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in NOT_WORDS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+"), list("-+.0123456789")
)


def _unit_hint(key: str, value: object) -> str | None:
    if not isinstance(value, str) or (found := QUANTITY.fullmatch(value)) is None:
        return None
    number, unit = float(found[1].replace(",", "").replace("_", "")), found[2].lower()
    if not unit:
        return None if value.strip() == found[1] else f"write {number:.12g}"
    if unit == "%":
        return f"write {number / 100:.6g}"
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
