"""Whether a customer tells of something that went wrong, for which a person must answer and no text or price can.

"You've scratched my alloys" has no word that a list of complaints' words would have. A logistic regression over the
sentence's embedding and a few signs of its form tells such from questions about the same matters ("what do you do if
you scratch my alloys?"). Its weights are in ``grievance.toml``, fitted by ``bench/agent/fit_grievances.py`` over the
questions of many trades; how well it does on trades that were left out is in docs/log.md.
"""

import re
import tomllib
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tenfold.agents.reading.token import plain

SURE = 0.75
"""Probability from which a person is asked."""
_WAS = (
    r"\b(was|were|has|have|had|came|got|broke|left|gave|sent|took|paid|charged|promised|told|found|lost|\w+ed|you've|"
    r"i've|we've|they've)\b"
)
_SIGNS = tuple(
    re.compile(pattern)
    for pattern in (
        r"\W*(is|are|was|were|do|does|did|can|could|may|must|should|will|would|has|have|what|which|who|how|why|when|"
        r"where|if)\b",
        rf"(?=.*\b(your|you|you've|they|he|nobody|someone|somebody|no one)\b).*{_WAS}",
        rf"(?=.*\b(my|our|me|us|i|we|i've|we've)\b).*{_WAS}",
        r".*\b(if|in case)\b",
        r".*\?",
        r".*!",
        r".*\b(yesterday|today|this morning|again|still|last (week|night)|ago|weeks|since)\b",
    )
)


def is_grievance(vector_D: NDArray[np.floating], question: str) -> bool:
    """Whether a question, with its embedding, is more probably something that went wrong."""
    weights = weights_of()
    told = float(features(vector_D, question) @ weights[:-1] + weights[-1])
    return told > float(np.log(SURE / (1 - SURE)))


def features(vector_D: NDArray[np.floating], question: str) -> NDArray[np.floating]:
    """The sentence's embedding and the signs of its form, shape (384 + signs,)."""
    text = plain(question)
    signs = [1.0 if sign.match(text) else 0.0 for sign in _SIGNS]
    return np.concatenate([vector_D, np.array(signs, vector_D.dtype)])


@cache
def weights_of() -> NDArray[np.floating]:
    """Weights of the features, and the bias."""
    read = tomllib.loads((Path(__file__).parent / "grievance.toml").read_text(encoding="utf-8"))
    return np.array(read["thousandths"], np.float32) / 1000
