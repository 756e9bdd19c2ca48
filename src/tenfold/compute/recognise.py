"""Which published run, organisation or family is meant: by name, however it is spelt, or by size and tokens."""

import difflib
import math
import re
from dataclasses import replace

from tenfold.compute.published import published_runs
from tenfold.compute.run import Run
from tenfold.core.errors import UsageError

# A run this close to a published one in size and tokens (as logs), on the same generation, is taken to be that run; if
# the name is the same, a figure that is rounded otherwise does not make it another.
SAME_RUN = 0.03
SAME_NAME = 0.3
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
    known = {each.row.organisation.lower(): each.row.organisation for each in published_runs()}
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    hint = f"did you mean {known[near[0]]!r}? " if near else ""
    raise UsageError(
        f"organisation {name!r} has no published run",
        next_step=f"{hint}leave it out, or use one of {', '.join(sorted(known.values(), key=str.lower))}",
    )


def find_organisation(name: str) -> str | None:
    """The organisation as the published runs spell it, or none: "Meta", "meta AI" and "Facebook" are Meta."""
    words = name.strip().lower()
    for full, short in FULL_NAMES.items():
        if words.startswith(full):
            return short
    known = {each.row.organisation.lower(): each.row.organisation for each in published_runs()}
    begins = [key for key in known if words == key or words.startswith(f"{key} ")]
    return known[max(begins, key=len)] if begins else None


def same_run(name: str, run: Run) -> str | None:
    """The published run that this is: of the same name, else the nearest within 3% in size and tokens; or none."""
    near: list[tuple[bool, float, str]] = []
    for known in published_runs():
        gaps = [
            abs(math.log(mine / theirs))
            for mine, theirs in ((run.active_params, known.run.active_params), (run.tokens, known.run.tokens))
        ]
        same_generation = known.run.accelerator.entry.generation == run.accelerator.entry.generation
        same_name = _letters(known.row.run) == _letters(name)
        if max(gaps) < (SAME_NAME if same_name else SAME_RUN) and same_generation:
            near.append((not same_name, max(gaps), known.row.run))
    return min(near)[2] if near else None


def with_known_names(name: str, run: Run) -> Run:
    """The run with organisation and family as in the published table.

    Where the table does not say, a run whose name begins with a known family is taken to belong to it.
    """
    families = {_letters(known.row.family): known.row for known in published_runs()}
    family = families.get(_letters(run.family or ""))
    if family is None and not run.organisation:
        begins = [key for key in families if _begins(_letters(name), key)]
        family = families[max(begins, key=len)] if begins else None
    organisation = None if run.organisation is None else find_organisation(run.organisation)
    if organisation is None and family is not None and not run.organisation:
        organisation = family.organisation
    return replace(run, organisation=organisation, family=None if family is None else family.family)


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _begins(name: str, family: str) -> bool:
    """Whether a name begins with a family's; three letters alone may begin anything ("Phi", "Phind")."""
    return name.startswith(family) and (len(family) > 3 or not name[len(family) :][:1].isalpha())
