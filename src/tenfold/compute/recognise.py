"""Which published run, organisation or family is meant: by name, however it is spelt, or by size and tokens."""

import difflib
import math
import re
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from tenfold.compute.published import PublishedRow, published_runs
from tenfold.compute.run import Run
from tenfold.core.errors import UsageError

# A run this close to a published one in size and tokens (as logs), on the same generation, is taken to be that run; if
# the name is the same, a figure that is rounded otherwise does not make it another.
SAME_RUN = 0.03
SAME_NAME = 0.3
# A table names the same few organisations over and over.
NAMES_KEPT = 1024
# Full names whose first words are not the short one of the table.
FULL_NAMES = {
    "facebook": "Meta",
    "allen institute for ai": "AI2",
    "technology innovation institute": "TII",
    "databricks": "MosaicML",
    "zhipu": "Tsinghua",
}


def known_organisation(name: str) -> str:
    """The organisation as the published runs spell it.

    Raises:
        UsageError: no published run is theirs; names the nearest.
    """
    found = find_organisation(name)
    if found is not None:
        return found
    known = _organisations()
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    hint = f"did you mean {known[near[0]]!r}? " if near else ""
    raise UsageError(
        f"organisation {name!r} has no published run",
        next_step=f"{hint}leave it out, or use one of {', '.join(sorted(known.values(), key=str.lower))}",
    )


@lru_cache(NAMES_KEPT)
def find_organisation(name: str) -> str | None:
    """The organisation as the published runs spell it, or none: "Meta", "meta AI" and "Facebook" are Meta."""
    words = name.strip().lower()
    for full, short in FULL_NAMES.items():
        if words.startswith(full):
            return short
    known = _organisations()
    begins = [key for key in known if words == key or words.startswith(f"{key} ")]
    return known[max(begins, key=len)] if begins else None


def same_run(name: str, run: Run) -> str | None:
    """The published run that this is: of the same name, else the nearest within 3% in size and tokens; or none."""
    letters, log_params, log_tokens = _letters(name), math.log(run.active_params), math.log(run.tokens)
    near: list[tuple[bool, float, str]] = []
    for known in _marks().get(run.accelerator.entry.generation, ()):
        reach = SAME_NAME if known.letters == letters else SAME_RUN
        gap = abs(log_params - known.log_params)
        if gap < reach:
            gap = max(gap, abs(log_tokens - known.log_tokens))
        if gap < reach:
            near.append((known.letters != letters, gap, known.name))
    return min(near)[2] if near else None


@dataclass(frozen=True, slots=True)
class _Mark:
    """What a published run is told by."""

    name: str
    letters: str
    log_params: float
    log_tokens: float


@cache
def _marks() -> dict[str, list[_Mark]]:
    """All published runs, by the generation of their accelerator."""
    marks: dict[str, list[_Mark]] = {}
    for known in published_runs():
        logs = math.log(known.run.active_params), math.log(known.run.tokens)
        mark = _Mark(known.row.run, _letters(known.row.run), *logs)
        marks.setdefault(known.run.accelerator.entry.generation, []).append(mark)
    return marks


def with_known_names(name: str, run: Run) -> Run:
    """The run with organisation and family as in the published table.

    Where the table does not say, a run whose name begins with a known family is taken to belong to it.
    """
    families = _families()
    family = families.get(_letters(run.family or ""))
    if family is None and not run.organisation:
        letters = _letters(name)
        begins = [key for key in families if _begins(letters, key)]
        family = families[max(begins, key=len)] if begins else None
    organisation = None if run.organisation is None else find_organisation(run.organisation)
    if organisation is None and family is not None and not run.organisation:
        organisation = family.organisation
    return replace(run, organisation=organisation, family=None if family is None else family.family)


@cache
def _families() -> dict[str, PublishedRow]:
    """A row of each family, by the letters of its name."""
    return {_letters(known.row.family): known.row for known in published_runs()}


@cache
def _organisations() -> dict[str, str]:
    """Organisations as the table spells them, by their names in lower case."""
    return {each.row.organisation.lower(): each.row.organisation for each in published_runs()}


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _begins(name: str, family: str) -> bool:
    """Whether a name begins with a family's; three letters alone may begin anything ("Phi", "Phind")."""
    return name.startswith(family) and (len(family) > 3 or not name[len(family) :][:1].isalpha())
