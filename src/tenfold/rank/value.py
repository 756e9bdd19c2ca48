"""What showing an item is worth on a surface: a sum of weights that configuration gives.

    value = relevance x score + sum over actions of weight x P(action) + watched x E[share watched]
            + minute x E[minutes watched] + boosts of its attributes

Shapes: K candidates, A actions, Q quantiles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tenfold.rank.network import QUANTILES
from tenfold.rank.person import Judgement
from tenfold.rank.retrieve import Vectors
from tenfold.rank.surface import SurfaceSettings

Values = npt.NDArray[np.float64]

_STEP = np.diff((0.0, *QUANTILES, 1.0))
_MEAN_Q = (_STEP[1:] + _STEP[:-1]) / 2
_MEAN_Q[[0, -1]] += _STEP[[0, -1]] / 2
"""What each quantile adds to the mean."""


@dataclass(frozen=True, slots=True)
class Valued:
    """Values of candidates (K,), and each term of the sum by its name, (K,) each."""

    value_K: Values
    terms: Mapping[str, Values]


def value(
    settings: SurfaceSettings,
    actions: Sequence[str],
    score_K: Vectors,
    judgement: Judgement | None,
    length_s_K: Values,
    boost_K: Values,
) -> Valued:
    """Add up what each candidate is worth; a term without weight is left out.

    Args:
        settings: of the surface.
        actions: names of the judgement's columns.
        score_K: with which each was found.
        judgement: what the network foretells; none: it was not asked.
        length_s_K: seconds that each takes to watch; not a number: unknown.
        boost_K: of the rules.
    """
    terms: dict[str, Values] = {}
    if settings.relevance:
        terms["relevance"] = settings.relevance * score_K.astype(np.float64)
    if judgement is not None and judgement.actions_KA.shape[1]:
        for column, action in enumerate(actions):
            if weight := settings.actions.get(action, 0.0):
                terms[action] = weight * judgement.actions_KA[:, column].astype(np.float64)
    if judgement is not None and judgement.watched_KQ.shape[1]:
        share_K = expected(judgement.watched_KQ)
        if settings.watched:
            terms["watched"] = settings.watched * share_K
        if settings.minute:
            terms["minute"] = settings.minute * share_K * np.nan_to_num(length_s_K) / 60.0
    if boost_K.any():
        terms["boost"] = boost_K
    return Valued(np.sum(list(terms.values()), axis=0) if terms else np.zeros(len(score_K)), terms)


def needs_judgement(settings: SurfaceSettings) -> bool:
    """Whether any weight is on what the network foretells."""
    return bool(settings.watched or settings.minute or any(settings.actions.values()))


def expected(quantile_KQ: Vectors) -> Values:
    """Mean of a distribution that is known by ``QUANTILES``, (K,): straight between them, flat outside; from 0 on."""
    return np.maximum(quantile_KQ.astype(np.float64), 0.0) @ _MEAN_Q
