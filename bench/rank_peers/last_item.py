"""What both peers share: reading ``NAME.txt``, and judging a list against each person's last item. Runs in their venvs.

A line is a person and their items, oldest first. The last item is the target, the one before it is nobody's to learn.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

Histories = dict[str, list[str]]


def read(path: str) -> Histories:
    """Items of each person."""
    lines = (line.split() for line in Path(path).read_text().splitlines())
    return {words[0]: words[1:] for words in lines if len(words) > 3}


def ndcg10(histories: Histories, people: int, top_of: Callable[[Sequence[str]], list[list[str]]]) -> float:
    """NDCG@10 over the first ``people``; ``top_of`` gives ten items for each person, none that they had."""
    asked = list(histories)[:people]
    gains = []
    for person, top in zip(asked, top_of(asked), strict=True):
        target = histories[person][-1]
        gains.append(1 / math.log2(top.index(target) + 2) if target in top else 0.0)
    return sum(gains) / len(gains)
