"""Whether a text tells what was asked: two sentences of it and their signs, weighed by a regression.

That a passage is near a question says little: "do you have student discounts?" is near what is written of discounts
for pensioners. What parts the two is whether each word of the question has its counterpart in the text, by itself, by
another word for it or by a word that is near in meaning, and whether the text holds the kind of fact that is asked for.
All windows of a shop compete with one another, and with nothing telling it: the probabilities of all add up to one.
``bench/agent/fit_tells.py`` finds the weights; what was tried is in docs/log.md.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import exp, log
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tenfold.agents.coverage import Asked, in_its_words, rarity, words_of
from tenfold.agents.describe import sayable, sentences_of
from tenfold.agents.reading.find import named
from tenfold.agents.reading.question import Reading
from tenfold.agents.reading.token import tokens_of
from tenfold.agents.shop import Shop
from tenfold.catalog.item import Item
from tenfold.catalog.passage import Passage

SEARCHED = 10
"""Passages of which windows are read."""
DESCRIBED = 12
"""Items whose descriptions are read beside."""
EMBEDDED = 48
"""Windows that are compared by meaning; chosen by words."""
SHORT = 60
"""Words up to which a passage is quoted whole."""
USUAL, COUNTED, NEAREST = 0.25, 3, 16
"""Cosine of a question and a window that has nothing to do with it, how many such are counted beside the others, so
that a single text is held against something too, and how many of the nearest windows are these others."""
WHOLE = 0.8
"""Sureness that the best has at least of windows that have all that says something in a question to a catalog."""
ALL = 0.999
"""Share of a question's words that is all of them."""

Window = tuple[str, Passage | Item]
Kind = Literal["catalog", "texts"]
"""What a shop has: a catalog, to which most short questions are put, or texts only."""
Signs = Mapping[str, float]
"""What speaks for a window telling what was asked, by name.

Of the window: ``ahead``, by how much the cosine of question and window is more than the windows' on average; ``above``,
the same for the nearest sentence of each; ``all_soft``, share of the question's words that it has with its title, by
themselves or in meaning, rare ones counting more; ``matched``, how many words that is, in the rarest ones; ``other``,
share of the words that name nothing that is sold; ``unsold``, share that it lacks of those that do; ``kind``, 1 if it
has a place, a number to call or an address to write to, where that is asked for, and -1 if not; ``is_whole``, it has
all that says something beside what is sold, and that is a matter of policies, or how something is done, or it names the
thing that is spoken of (not weighed, see ``WHOLE``).
Of the question: how the catalog read it.
"""


@dataclass(frozen=True, slots=True)
class Telling:
    """A window of a passage; ``sureness``, 0 to 1: that it tells what was asked. All of a question add up to 1."""

    window: str
    passage: Passage | Item
    sureness: float


def signs_of(said: Reading, *, is_policy: bool, is_read: bool, is_how: bool) -> dict[str, float]:
    """Signs of a question, whatever the window.

    Args:
        said: how the catalog read it.
        is_policy: it has a word of policies.
        is_read: the catalog explains all of it.
        is_how: it asks how something is done, or who does it.
    """
    return {
        "policy": is_policy,
        "is_fact": said.asked in _FACTS,
        "exists": said.asked == "exists",
        "holds": said.asked == "holds",
        "wishes": min(len(said.wishes), 2) / 2,
        "absent": bool(said.absent),
        "named": said.how == "named",
        "of_all": said.how == "all",
        "thread": said.how == "thread",
        "is_read": is_read,
        "unread": min(len(said.unread), 4) / 4,
        "is_how": is_how,
        "words": log(len(said.text.split()) or 1) / 3,
    }


_FACTS = ("price", "total", "pieces", "stock", "options", "count", "list", "compare")


def tellings(
    shop: Shop,
    question: str,
    embed: Callable[[], NDArray[np.floating]],
    signs: Signs,
    items: Sequence[Item] = (),
) -> list[Telling]:
    """Windows of what the shop wrote, also of ``items``; the one that most probably tells what was asked first.

    ``embed``: gives the question's embedding, shape (384,). ``signs``: of the question, as ``signs_of`` gives them.
    """
    found = weighed(shop, question, embed, items)
    if not found:
        return []
    weights = weights_of("catalog" if shop.items else "texts")
    told = [
        weights["bias"] + sum(weights.get(name, 0.0) * each for name, each in {**signs, **own}.items())
        for _, own in found
    ]
    top = max(0.0, *told)
    # Nothing telling it weighs 1.
    total = exp(-top) + sum(exp(each - top) for each in told)
    sure = [exp(each - top) / total for each in told]
    # By the weights for texts only this bound made one more of 272 wrong.
    whole = [at for at, (_, own) in enumerate(found) if shop.items and own["is_whole"]]
    if whole and sum(sure[at] for at in whole) < WHOLE:
        best = max(whole, key=lambda at: sure[at])
        sure = [WHOLE if at == best else (1 - WHOLE) * each for at, each in enumerate(sure)]
    return merged([window for window, _ in found], sure)


def merged(windows: Sequence[Window], sure: Sequence[float]) -> list[Telling]:
    """Windows by their sureness; of those that share a sentence the best, with the sureness of both."""
    kept: list[Telling] = []
    sentences_of_kept: list[set[str]] = []
    for at in sorted(range(len(windows)), key=lambda at: -sure[at]):
        window, passage = windows[at]
        sentences = set(sentences_of(window))
        beside = (n for n, one in enumerate(kept) if one.passage is passage and sentences & sentences_of_kept[n])
        number = next(beside, None)
        if number is None:
            kept.append(Telling(window, passage, sure[at]))
            sentences_of_kept.append(sentences)
        else:
            one = kept[number]
            kept[number] = Telling(one.window, one.passage, one.sureness + sure[at])
    return sorted(kept, key=lambda each: -each.sureness)


def weighed(
    shop: Shop, question: str, embed: Callable[[], NDArray[np.floating]], items: Sequence[Item] = ()
) -> list[tuple[Window, dict[str, float]]]:
    """Windows that may tell what was asked, each with its own signs; in no order."""
    found = shop.passage_index.search(in_its_words(shop, question), SEARCHED) if shop.passages else []
    windows: list[Window] = [(text, each.what) for each in found for text in windows_of(each.what)]
    windows += [(text, item) for item in items[:DESCRIBED] for text in windows_in(sayable(item.description))]
    if not windows:
        return []
    asked, rarest = Asked.of(shop, question), rarity(shop, "")
    for each in asked.tokens:
        # One by one: what is embedded together may be kept, and questions are not.
        shop.embedded([each.text])
    rough = [asked.covered(shop, words_of(f"{_title_of(passage)} {window}")) for window, passage in windows]
    order = sorted(range(len(windows)), key=lambda at: -asked.share(rough[at], asked.weight))[:EMBEDDED]
    asked_D = embed()
    titled_W = shop.embedded([f"{_title_of(windows[at][1])}. {windows[at][0]}" for at in order]) @ asked_D
    bare_W = shop.embedded([windows[at][0] for at in order]) @ asked_D
    cosine_W = np.maximum(titled_W, bare_W)
    sentences = [sentences_of(windows[at][0]) for at in order]
    flat = list(dict.fromkeys(each for of in sentences for each in of))
    near = dict(zip(flat, (shop.embedded(flat) @ asked_D).tolist(), strict=True))
    nearest = [max(near[each] for each in of) for of in sentences]
    usual_sentence, usual = _usual(nearest), _usual(cosine_W.tolist())
    told = []
    for number, at in enumerate(order):
        window, passage = windows[at]
        # What a thing is called tells nothing of what its description says of it.
        bare = asked.without(passage.title) if isinstance(passage, Item) else asked
        own = {
            "ahead": float(cosine_W[number]) - usual,
            "above": nearest[number] - usual_sentence,
            "all_soft": (share := bare.share(rough[at], bare.full_weight)),
            "matched": bare.matched(rough[at]) / rarest,
            "other": bare.share(rough[at], bare.other_weight),
            "unsold": 1 - asked.sold(rough[at]),
            "kind": (kind := asked.kind_in(f"{passage.title} {window}")),
            "is_whole": kind >= 0 and (bare.is_whole(shop, rough[at]) or _is_all_of(shop, items, windows[at], share)),
        }
        told.append(((window, passage), own))
    return told


@cache
def weights_of(kind: Kind) -> Mapping[str, float]:
    """Weights of the signs, and the bias, for a kind of shop."""
    return tomllib.loads((Path(__file__).parent / "tells.toml").read_text(encoding="utf-8"))[kind]


def windows_of(passage: Passage) -> list[str]:
    """Two sentences after one another, all such of a passage; a short one whole."""
    return [passage.text] if len(passage.text.split()) <= SHORT else windows_in(sentences_of(passage.text))


def windows_in(sentences: Sequence[str]) -> list[str]:
    """Two sentences after one another, all such."""
    return [" ".join(sentences[at : at + 2]) for at in range(max(1, len(sentences) - 1))] if sentences else []


def _is_all_of(shop: Shop, items: Sequence[Item], window: Window, share: float) -> bool:
    """Whether a text names one of the things that are spoken of, and has all the words of the question."""
    text, source = window
    if share < ALL or isinstance(source, Item):
        return False
    ids = {item.id for item in items}
    return any(item.id in ids for item in named(shop, tokens_of(f"{source.title}. {text}")).items)


def _title_of(source: Passage | Item) -> str:
    return source.title if isinstance(source, Passage) else ""


def _usual(cosines: Sequence[float]) -> float:
    near = sorted(cosines, reverse=True)[:NEAREST]
    return (sum(near) + COUNTED * USUAL) / (len(near) + COUNTED)
