"""A file's mistakes against its schema in words: the key, what is wrong, and what would be right."""

import difflib
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import BaseModel

from tenfold.core.errors import UsageError

# Kinds of error whose message speaks of Python's types.
RIGHT = {
    "tuple_type": "should be a list, in [ ]",
    "dict_type": "should be a table of keys",
    "model_type": "should be a table of keys",
    "model_attributes_type": "should be a table of keys",
    "string_type": "should be text",
}

PATTERNS = {
    r"^[A-Za-z0-9][A-Za-z0-9._-]*$": "a name has letters, digits, '.', '_' and '-' only, a letter or digit first"
}
"""What a text that must match one of these should be, in words."""

Hint = Callable[[str, object], str | None]


def explain(
    schema: type[BaseModel], origin: str, problem: Mapping[str, typing.Any], hint: Hint = lambda key, value: None
) -> str:
    """One of ``ValidationError.errors()`` in a line.

    Args:
        schema: what the file was read as.
        origin: the file's name.
        problem: the error.
        hint: from a key and the value that it may not have to what would be right; none: what pydantic says.
    """
    location = tuple(part for part in problem["loc"] if part != "[key]")
    key = ".".join(str(part) for part in location)
    if problem["type"] == "extra_forbidden":
        return f"{origin}: unknown key {key!r}; {_suggest(schema, location)}"
    about = _description(schema, location)
    if problem["type"] == "missing":
        return f"{origin}: {key!r} is missing{f': {about}' if about else ''}"
    value = problem["input"]
    shown = repr(value) if not isinstance(value, dict | list) else f"a {type(value).__name__}"
    right = hint(str(location[-1]), value) if location else None
    pattern = problem.get("ctx", {}).get("pattern", "")
    wrong = RIGHT.get(problem["type"]) or PATTERNS.get(pattern) or problem["msg"].removeprefix("Value error, ")
    reason = right or wrong + (f" ({about})" if about else "")
    return f"{origin}: {key!r} is {shown}: {reason}"


def text_of(path: Path, failure: type[UsageError], *, what: str, advice: str) -> str:
    """Read a text file.

    Args:
        path: of the file.
        failure: what is raised.
        what: what the file is, for "cannot read ...".
        advice: the next step where it cannot be read.

    Raises:
        failure: it is missing, may not be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise failure(f"cannot read {what} {str(path)!r}: {unread(error)}", next_step=advice) from error


def unread(error: OSError | UnicodeDecodeError) -> str:
    """Why a text file could not be read."""
    return "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error.strerror)


def suggest(wrong: str, known: typing.Iterable[str]) -> str:
    """Which of the known names was meant, or all of them."""
    names = list(known)
    close = difflib.get_close_matches(wrong, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sorted(names)) or 'none'}"


def did_you_mean(wrong: str, known: typing.Iterable[str]) -> str:
    """The question whether the nearest of the known names was meant, to stand before what else there is; or nothing."""
    close = difflib.get_close_matches(wrong.strip().lower(), list(known), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}? " if close else ""


def _suggest(schema: type[BaseModel], location: tuple[object, ...]) -> str:
    known = fields_at(schema, location[:-1])
    wrong = str(location[-1])
    stem = wrong.rsplit("_", 1)[0]
    same_thing = [name for name in known if "_" in name and name.rsplit("_", 1)[0] == stem]
    if same_thing:
        return f"did you mean {same_thing[0]!r}? Its unit is {same_thing[0].rsplit('_', 1)[1]}"
    close = difflib.get_close_matches(wrong, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(sorted(known))}"


def _model_at(schema: type[BaseModel], location: tuple[object, ...]) -> type[BaseModel] | None:
    """The model of the table at a location; names of a dict and places in a list are skipped over."""
    model: type[BaseModel] | None = schema
    inside = False
    for part in location:
        if model is None:
            return None
        if inside:
            inside = False
            continue
        field = model.model_fields.get(str(part))
        if field is None:
            return None
        model, inside = _table_in(field.annotation)
    return model


def _table_in(annotation: object) -> tuple[type[BaseModel] | None, bool]:
    """The model within an annotation, and whether a name or a place comes before its keys."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    for argument in typing.get_args(annotation):
        model, _ = _table_in(argument)
        if model is not None:
            union = typing.get_origin(annotation) in (types.UnionType, typing.Union)
            return model, not union
    return None, False


def fields_at(schema: type[BaseModel], location: tuple[object, ...]) -> tuple[str, ...]:
    """Keys of the table at a location, as ``ValidationError`` gives it."""
    model = _model_at(schema, location)
    return tuple(model.model_fields) if model else ()


def _description(schema: type[BaseModel], location: tuple[object, ...]) -> str:
    model = _model_at(schema, location[:-1])
    field = model.model_fields.get(str(location[-1])) if model and location else None
    return (field.description or "") if field else ""
