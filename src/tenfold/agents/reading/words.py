"""Words of customers that no catalog teaches, from ``words.toml``: small words, colours, words for the same thing."""

import re
import tomllib
from pathlib import Path

from tenfold.agents.reading.token import stem, tokens_of

_FILE = tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))


def _stems(name: str) -> frozenset[str]:
    return frozenset(stem(word) for word in _FILE[name].split())


def _groups(name: str) -> tuple[tuple[str, ...], ...]:
    lines = _FILE["same"][name].strip().splitlines()
    return tuple(tuple(word.strip() for word in line.split(",")) for line in lines)


def _forms(adjective: str) -> tuple[str, str]:
    """Its comparative and superlative."""
    if len(adjective) > 6:
        return f"more {adjective}", f"most {adjective}"
    if re.search(r"[^aeiou][aeiou][^aeiouwy]$", adjective):
        adjective += adjective[-1]
    base = adjective.removesuffix("e") if not adjective.endswith("y") else f"{adjective[:-1]}i"
    return f"{base}er", f"{base}est"


COMPARATIVES = {_forms(each)[0]: each for each in _FILE["measures"]}
SUPERLATIVES = {_forms(each)[1]: each for each in _FILE["measures"]}
"""Adjectives by their forms, as "heavy" by "heaviest"."""
LESS, OF_ANY = (frozenset(_FILE["grades"][each].split()) for each in ("less", "any"))
"""Adjectives that mean less of what they measure, and those that are said of anything that can be measured."""
SMALL = frozenset(each for each in (*_FILE["small"].split(), *COMPARATIVES, *SUPERLATIVES) if " " not in each)
"""Words that name neither a thing nor what it is like."""
SMALL_STEMS = SMALL | frozenset(token.stem for word in SMALL for token in tokens_of(word))
INCIDENTAL = frozenset(_FILE["incidental"].split())
"""Small words that are nouns: they mostly say who a thing is for or where, and may be what is asked about."""
GENERIC = frozenset(_FILE["generic"].split())
"""Nouns that stand for anything sold."""
OPINION = _stems("opinion")
COLORS = frozenset(_FILE["colors"].split())
MATERIALS = frozenset(_FILE["materials"].split())
COLOR_STEMS = _stems("colors")
MATERIAL_STEMS = _stems("materials")
SUFFIXES = _stems("suffixes")
"""Words at the end of a title that do not name the thing."""
SETS = _stems("sets")
SIZES = {size: tuple(each.strip() for each in said.split(",")) for size, said in _FILE["sizes"].items()}
"""Letter sizes, and how people say them."""
MEASURES = {word: frozenset(map(stem, names.split())) for word, names in _FILE["measures"].items()}
"""Stems of the options that tell how heavy, tall or bright a thing is."""
CLASSES = tuple(frozenset(map(stem, words.split())) for words in _FILE["classes"].values())
"""Stems of closed classes, as the days of the week."""
DEEDS = {stem(word): frozenset(map(stem, names.split())) for word, names in _FILE["deeds"].items()}
"""Stems of what is done to a thing, with those of the options that tell who did it, or when."""
ASKS = {word: frozenset(map(stem, names.split())) for word, names in _FILE["asks"].items()}
"""A question's first word, with stems of the options that tell what it asks for."""
SAME_POLICY = _groups("policies")
"""Words for the same matter of a shop."""
SAME_MATTER = _groups("matters")
"""Words of one matter in what businesses write, as the days of the week: who asks of one is answered by another."""
SAME_THING = _groups("things")
"""Words for the same thing, most usual first."""
SAME_VALUE = _groups("values")
"""Words for the same value of an option."""
