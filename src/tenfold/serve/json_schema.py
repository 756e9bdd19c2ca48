"""Bounds on JSON schemas, which an engine turns into a grammar: in depth, in counts, in repeats and in references.

Measured with llama.cpp: 10,000 values of an enum did not end within 20 s (1,000 took 5 CPU-seconds, 100 nothing that
shows), repeats over 2,000 are refused, 200 properties and arrays in each other 200 deep are cheap. A schema of which a
part is itself, without anything between, has no end. What is refused is named by its place.
"""

from collections.abc import Iterator, Mapping

from tenfold.serve.pattern import BadPattern, check_pattern

DEEPEST = 32
MOST_SCHEMAS = 512
MOST_PROPERTIES = 200
MOST_VALUES = 256
MOST_REPEATS = 1000
LONGEST_TEXT = 1024
LARGEST_NUMBER = 2**53

_TYPES = frozenset({"string", "number", "integer", "boolean", "null", "object", "array"})
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems")
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_ONE = ("items", "additionalProperties")
_MANY = ("anyOf", "oneOf")
_NAMED = ("properties", "$defs", "definitions")
_TEXTS = ("title", "description", "format")
# They say nothing about what an answer may be, or llama.cpp and vLLM heed them nowhere.
_DROPPED = frozenset({"$schema", "$id", "$comment", "default", "examples", "deprecated", "readOnly", "writeOnly"}) | {
    *("discriminator", "multipleOf", "uniqueItems", "contentEncoding", "contentMediaType", "nullable")
}


class BadSchema(Exception):
    """A schema that an engine is not given: where in it, and why."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}" if where else why)


class _Budget:
    """What a schema has used up so far."""

    def __init__(self) -> None:
        self.schemas = 0
        self.properties = 0
        self.values = 0


def bounded(schema: Mapping[str, object]) -> dict[str, object]:
    """Return a schema with what an engine heeds of it.

    Raises:
        BadSchema: it is over a bound, refers to nothing or to itself, or has a keyword that is not known.
    """
    found = _bounded(schema, "", 0, _Budget())
    named = {"#": found}
    for keyword in ("$defs", "definitions"):
        definitions = found.get(keyword, {})
        assert isinstance(definitions, dict)
        named |= {f"#/{keyword}/{name}": definition for name, definition in definitions.items()}
    for target in _references(found):
        if target not in named:
            raise BadSchema("$ref", f"{target!r:.80} is not in the schema; '#' and '#/$defs/NAME' can be referred to")
    for name in named:
        _refuse_circles(name, named)
    return found


def _bounded(schema: object, where: str, depth: int, budget: _Budget) -> dict[str, object]:
    if not isinstance(schema, Mapping):
        raise BadSchema(where, "a schema should be an object")
    budget.schemas += 1
    if depth > DEEPEST:
        raise BadSchema(where, f"nested more than {DEEPEST} deep")
    if budget.schemas > MOST_SCHEMAS:
        raise BadSchema(where, f"more than {MOST_SCHEMAS} schemas in one")
    kept: dict[str, object] = {}
    for keyword, value in schema.items():
        place = f"{where}.{keyword}" if where else keyword
        if keyword in _DROPPED or keyword.startswith("x-"):
            continue
        if keyword == "allOf" and isinstance(value, list) and len(value) == 1:
            # How some libraries write a reference with a default beside it.
            kept |= _bounded(value[0], f"{place}.0", depth + 1, budget)
        else:
            kept[keyword] = _bounded_value(keyword, value, place, depth, budget)
    _check_order(kept, where)
    return kept


def _bounded_value(keyword: str, value: object, place: str, depth: int, budget: _Budget) -> object:
    if keyword in _ONE and isinstance(value, Mapping):
        return _bounded(value, place, depth + 1, budget)
    if keyword in _MANY:
        parts = _list(value, place, MOST_SCHEMAS)
        if not parts:
            raise BadSchema(place, "should have at least one schema")
        return [_bounded(part, f"{place}.{index}", depth + 1, budget) for index, part in enumerate(parts)]
    if keyword in _NAMED:
        if not isinstance(value, Mapping):
            raise BadSchema(place, "should be an object of schemas")
        budget.properties += len(value)
        if budget.properties > MOST_PROPERTIES:
            raise BadSchema(place, f"more than {MOST_PROPERTIES} properties in all")
        for name in value:
            _text(name, place)
        return {name: _bounded(part, f"{place}.{name:.40}", depth + 1, budget) for name, part in value.items()}
    if keyword in _COUNTS:
        return _whole(value, place, 0, MOST_REPEATS)
    if keyword in _NUMBERS:
        return _number(value, place)
    return _plain(keyword, value, place, budget)


def _plain(keyword: str, value: object, place: str, budget: _Budget) -> object:
    """Check a keyword whose value holds no schema."""
    if keyword in ("$ref", *_TEXTS):
        return _text(value, place)
    if keyword == "type":
        return _types(value, place)
    if keyword == "required":
        return [_text(name, place) for name in _list(value, place, MOST_PROPERTIES)]
    if keyword == "const" or (keyword == "enum" and value):
        wanted = _list(value, place, MOST_VALUES) if keyword == "enum" else [value]
        values = [_scalar(one, place, budget) for one in wanted]
        return values if keyword == "enum" else values[0]
    if keyword == "pattern":
        return _pattern(_text(value, place), place)
    if keyword == "additionalProperties" and isinstance(value, bool):
        return value
    raise BadSchema(place, "this keyword, or its value, is not supported here")


def _types(value: object, place: str) -> str | list[str]:
    names = [_text(name, place) for name in (value if isinstance(value, list) else [value])]
    if not names or not _TYPES.issuperset(names):
        raise BadSchema(place, f"should be one or some of {', '.join(sorted(_TYPES))}")
    return names if isinstance(value, list) else names[0]


def _pattern(pattern: str, place: str) -> str:
    try:
        check_pattern(pattern)
    except BadPattern as error:
        raise BadSchema(place, f"the pattern {error}") from error
    return pattern


def _check_order(schema: Mapping[str, object], where: str) -> None:
    for low, high in (("minLength", "maxLength"), ("minItems", "maxItems"), ("minimum", "maximum")):
        least, most = schema.get(low), schema.get(high)
        if isinstance(least, int | float) and isinstance(most, int | float) and least > most:
            raise BadSchema(where, f"{low} is above {high}")


def _list(value: object, place: str, most: int) -> list[object]:
    if not isinstance(value, list):
        raise BadSchema(place, "should be a list")
    if len(value) > most:
        raise BadSchema(place, f"should have at most {most} entries, has {len(value)}")
    return value


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise BadSchema(place, "should be a string")
    if len(value) > LONGEST_TEXT:
        raise BadSchema(place, f"should have at most {LONGEST_TEXT} characters, has {len(value)}")
    return value


def _whole(value: object, place: str, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise BadSchema(place, f"should be a whole number, {least} to {most}")
    return value


def _number(value: object, place: str) -> int | float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= LARGEST_NUMBER:
        raise BadSchema(place, "should be a number, at most 2^53 from zero")
    return value


def _scalar(value: object, place: str, budget: _Budget) -> object:
    budget.values += 1
    if budget.values > MOST_VALUES:
        raise BadSchema(place, f"more than {MOST_VALUES} values in all")
    if isinstance(value, str):
        return _text(value, place)
    if value is None or isinstance(value, bool | int | float):
        return value
    raise BadSchema(place, "values should be strings, numbers, booleans or null")


def _references(schema: object) -> Iterator[str]:
    """All targets of ``$ref``; the depth is bounded by now."""
    if isinstance(schema, dict):
        for keyword, value in schema.items():
            if keyword == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(schema, list):
        for part in schema:
            yield from _references(part)


def _refuse_circles(start: str, named: Mapping[str, dict[str, object]]) -> None:
    """Refuse a schema that is itself before it is anything else, by ``$ref``, ``anyOf`` and ``oneOf``."""
    seen: set[str] = set()
    coming = list(_bare(named[start]))
    while coming:
        name = coming.pop()
        if name == start:
            raise BadSchema("$ref", f"{start!r:.80} is defined as itself")
        if name not in seen:
            seen.add(name)
            coming += _bare(named[name])


def _bare(schema: Mapping[str, object]) -> Iterator[str]:
    """What a schema may be without any character between: references of its own and of its alternatives."""
    target = schema.get("$ref")
    if isinstance(target, str):
        yield target
    for keyword in _MANY:
        parts = schema.get(keyword, [])
        for part in parts if isinstance(parts, list) else ():
            yield from _bare(part)
