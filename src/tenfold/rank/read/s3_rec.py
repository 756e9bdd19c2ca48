"""S3-Rec's files: ``NAME.txt`` has a person and their items, oldest first, on each line; times are not known.

``NAME_item2attributes.json`` beside it, where there is one, maps an item to its attributes. ``NAME_sample.txt``, which
has items that a person did not take, is no data set.
"""

import codecs
from pathlib import Path

from tenfold.core.errors import UsageError
from tenfold.core.table import content, read_json
from tenfold.rank.read.bad import Complaints
from tenfold.rank.stream import Events, Item, Items, Stream

_ADVICE = "give a folder that holds it"
_ATTRIBUTES = "_item2attributes.json"
_SAMPLE = "_sample"


def names_in(folder: Path) -> list[str]:
    """The data sets of a folder: each text file whose first line is a person and items, but for samples of others."""
    names = {path.stem for path in folder.glob("*.txt") if _looks_right(path)}
    return sorted(name for name in names if name.removesuffix(_SAMPLE) not in names - {name})


def _looks_right(path: Path) -> bool:
    with path.open("rb") as file:
        words = file.readline(1 << 20).removeprefix(codecs.BOM_UTF8).split()
    return len(words) >= 2 and all(word.isdigit() for word in words)


def read_s3_rec(path: Path, *, skip_bad_rows: bool = False) -> tuple[Stream, Complaints]:
    """Read ``NAME.txt`` and the attributes beside it.

    Raises:
        UsageError: a file cannot be read, or has lines that are not a person and items; names them.
    """
    complaints = Complaints(str(path), skip_bad_rows)
    people: dict[str, list[int]] = {}
    for number, line in enumerate(content(path, _ADVICE).decode("utf-8-sig", "replace").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        wrong = next((word for word in words if not (word.isascii() and word.isdigit())), None)
        if wrong is not None:
            complaints.add(f"line {number}", f"a person and items are whole numbers, got {wrong!r:.80}")
        elif len(words) == 1:
            complaints.add(f"line {number}", f"person {words[0]} has no items")
        elif words[0] in people:
            complaints.add(f"line {number}", f"person {words[0]} has a line already")
        else:
            people[words[0]] = [int(word) for word in words[1:]]
    complaints.settle()
    if not people:
        raise UsageError(f"{path} has no events", next_step='write lines such as "1 20 31 7": a person, then items')
    attributes = _attributes(path.with_name(path.stem + _ATTRIBUTES))
    ids = sorted({item for items in people.values() for item in items})
    row_of = {item: row for row, item in enumerate(ids)}
    person = [index for index, items in enumerate(people.values()) for _ in items]
    row = [row_of[item] for items in people.values() for item in items]
    items = Items(tuple(Item(item, attributes=attributes.get(str(item), ())) for item in ids))
    names = tuple(int(name) for name in people)
    return Stream(("all",), ("chosen",), names, items, Events.of(person, row), timed=False), complaints


def _attributes(path: Path) -> dict[str, tuple[str, ...]]:
    if not path.exists():
        return {}
    value = read_json(path, _ADVICE)
    if not isinstance(value, dict) or not all(isinstance(listed, list) for listed in value.values()):
        raise UsageError(f"{path} is no map from items to lists of attributes", next_step='write {"1": [4, 7], ...}')
    return {str(item): tuple(dict.fromkeys(str(word) for word in listed)) for item, listed in value.items()}
