"""Predicts clicks and conversions: two heads on rank's embeddings, with what each campaign has of its own.

A head is a logistic regression in which a person's embedding meets a campaign's: a matrix that starts as nothing, a
weight for each of both alone, and for each campaign a residual of its own, a number and a vector, that start at 0. So a
campaign that was never shown is predicted from its content, as rank's embedding of it says, and one with history by
that history too. Heads learn online (AdaGrad, Duchi 2011), each batch once, after it was predicted.

What a head says is then calibrated on what came later than what it had learned by then: each batch is predicted first,
and these predictions say how many actions each level really led to.

A conversion may come days after its click. Until it does, the click counts as a conversion with the chance that one is
still to come, given how long it has been and how long conversions take (Chapelle 2014, with delays counted in buckets).

Letters: N impressions, D width of embeddings, C campaigns, B levels of log odds, or buckets of delays.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]

DELAYS_S = np.array([60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, *(86400 * day for day in (1, 2, 3, 5, 7, 14))])
"""Upper edges of the buckets of delays."""

_FIRST = 1e-6
"""What AdaGrad's sums of squares begin with: slopes are means over a batch, a few thousandths at first."""


@dataclass
class Head:
    """Predicts one action from embeddings.

    Args:
        width: of embeddings.
        base: chance of the action before anything is known.
        step: how fast it learns.
        keep: how strongly what a campaign has of its own is drawn to 0, in impressions.
    """

    width: int
    base: float = 0.02
    step: float = 0.3
    keep: float = 50.0
    _person_D: Floats = field(init=False)
    _item_D: Floats = field(init=False)
    _meet_DD: Floats = field(init=False)
    _bias: float = field(init=False)
    _own_C: Floats = field(init=False)
    _own_CD: Floats = field(init=False)
    _squares: dict[str, Floats] = field(init=False)

    def __post_init__(self) -> None:
        width = self.width
        self._person_D, self._item_D = np.zeros(width), np.zeros(width)
        self._meet_DD = np.zeros((width, width))
        self._bias = float(_logit(self.base))
        self._own_C, self._own_CD = np.zeros(0), np.zeros((0, width))
        self._squares = {
            "person": np.full(width, _FIRST),
            "item": np.full(width, _FIRST),
            "meet": np.full((width, width), _FIRST),
            "bias": np.full(1, _FIRST),
            "own": np.zeros(0),
            "own_vector": np.zeros((0, width)),
        }

    def grow(self, campaigns: int) -> None:
        """Make room for so many campaigns; new ones have nothing of their own."""
        more = campaigns - len(self._own_C)
        if more > 0:
            self._own_C = np.append(self._own_C, np.zeros(more))
            self._own_CD = np.concatenate((self._own_CD, np.zeros((more, self.width))))
            own, vectors = self._squares["own"], self._squares["own_vector"]
            self._squares["own"] = np.append(own, np.full(more, _FIRST))
            self._squares["own_vector"] = np.concatenate((vectors, np.full((more, self.width), _FIRST)))

    def against(self, item_CD: Floats, campaign_C: Ints) -> tuple[Floats, Floats, Floats]:
        """Prepare campaigns: what each person's embedding is multiplied with, and what is added.

        Returns:
            Weights of shape (C, D), sums of shape (C,), and weights of the person alone, shape (D,).
        """
        return (
            item_CD @ self._meet_DD.T + self._own_CD[campaign_C],
            self._bias + item_CD @ self._item_D + self._own_C[campaign_C],
            self._person_D,
        )

    def logit(self, person_ND: Floats, item_ND: Floats, campaign_N: Ints) -> Floats:
        """Predict, before calibration, as log odds."""
        weights_ND = item_ND @ self._meet_DD.T + self._own_CD[campaign_N] + self._person_D
        return np.sum(person_ND * weights_ND, axis=1) + self._bias + item_ND @ self._item_D + self._own_C[campaign_N]

    def learn(self, person_ND: Floats, item_ND: Floats, campaign_N: Ints, happened_N: Floats) -> Floats:
        """Learn from a batch, once; gives what was predicted before.

        Args:
            person_ND: embeddings of people.
            item_ND: embeddings of what the campaigns advertise.
            campaign_N: which campaigns; ``grow`` made room for them.
            happened_N: 1 where the action happened, 0 where not, or the chance that it did.
        """
        predicted_N = _chance(self.logit(person_ND, item_ND, campaign_N))
        error_N = predicted_N - happened_N
        rows = max(1, len(error_N))
        self._meet_DD -= self._scaled("meet", person_ND.T @ (error_N[:, None] * item_ND) / rows)
        self._person_D -= self._scaled("person", person_ND.T @ error_N / rows)
        self._item_D -= self._scaled("item", item_ND.T @ error_N / rows)
        self._bias -= float(self._scaled("bias", np.array([error_N.sum() / rows]))[0])
        count_C = np.bincount(campaign_N, minlength=len(self._own_C))
        pull_C = count_C / (count_C + self.keep) / rows
        own_C = np.bincount(campaign_N, error_N, len(self._own_C)) / rows
        own_CD = np.zeros_like(self._own_CD)
        np.add.at(own_CD, campaign_N, error_N[:, None] * person_ND / rows)
        self._own_C -= self._scaled("own", own_C + pull_C * self._own_C)
        self._own_CD -= self._scaled("own_vector", own_CD + pull_C[:, None] * self._own_CD)
        return predicted_N

    def _scaled(self, name: str, slope: Floats) -> Floats:
        """One step of AdaGrad down a slope."""
        squares = self._squares[name]
        squares += slope**2
        return self.step * slope / np.sqrt(squares)


class Calibration:
    """Turns a head's chances into what really happens, learned from predictions that were made before the outcome.

    Log odds are mapped by a parabola that is fitted by maximum likelihood: three numbers have little noise, where bins
    of rare actions have much. The latest predictions count most, as a head learns on.
    """

    def __init__(self, half_life: int = 200_000) -> None:
        self._half_life = half_life
        self._count_B, self._actions_B = np.zeros(len(_MIDDLE_B)), np.zeros(len(_MIDDLE_B))
        self._parabola = np.array([0.0, 1.0, 0.0])
        self._low, self._high = float(_MIDDLE_B[0]), float(_MIDDLE_B[-1])

    def note(self, predicted_N: Floats, happened_N: Floats) -> None:
        """Take predictions and what came of them; used from the next ``refit`` on. Older ones fade."""
        steps_N = np.rint((_logit(predicted_N) - _MIDDLE_B[0]) / (_MIDDLE_B[1] - _MIDDLE_B[0]))
        at_N = np.clip(steps_N, 0, len(_MIDDLE_B) - 1).astype(np.int64)
        kept = 0.5 ** (len(at_N) / self._half_life)
        self._count_B = kept * self._count_B + np.bincount(at_N, minlength=len(_MIDDLE_B))
        self._actions_B = kept * self._actions_B + np.bincount(at_N, happened_N, len(_MIDDLE_B))

    def refit(self) -> None:
        """Learn from what was noted; nothing while there are too few actions."""
        actions = self._actions_B.sum()
        if min(actions, self._count_B.sum() - actions) < _LEAST_ACTIONS:
            return
        share_B = np.cumsum(self._count_B) / self._count_B.sum()
        self._low, self._high = (float(_MIDDLE_B[np.searchsorted(share_B, part)]) for part in (0.01, 0.99))
        within_B = np.clip(_MIDDLE_B, self._low, self._high)
        terms_3B = np.stack((np.ones_like(within_B), within_B, within_B**2))
        found = np.array([0.0, 1.0, 0.0])
        for _ in range(_NEWTON_STEPS):
            chance_B = _chance(found @ terms_3B)
            slope = terms_3B @ (self._actions_B - self._count_B * chance_B) - _PRIOR * (found - [0.0, 1.0, 0.0])
            curve = (terms_3B * (self._count_B * chance_B * (1.0 - chance_B))) @ terms_3B.T + _PRIOR * np.eye(3)
            found = found + np.linalg.solve(curve, slope)
        ends = found[1] + 2.0 * found[2] * np.array([self._low, self._high])
        if np.isfinite(found).all() and (ends > 0).all():
            self._parabola = found

    def logit(self, logit: Floats) -> Floats:
        """Calibrate log odds; beyond what was seen, the shift stays that of the end."""
        within = np.clip(logit, self._low, self._high)
        base, slope, bend = self._parabola
        return base + slope * within + bend * within**2 + (logit - within)


_MIDDLE_B = np.linspace(-20.0, 10.0, 961)
"""Log odds that are told apart."""

_LEAST_ACTIONS = 50.0
"""Fewer actions would be noise."""

_PRIOR = 1.0
"""How strongly the map is drawn to change nothing, in actions."""

_NEWTON_STEPS = 6


@dataclass
class Delays:
    """How long conversions take after their click, in buckets, from all clicks whether they have converted yet or not.

    In each bucket the chance to convert then, of those who convert and had not before, is counted among clicks old
    enough to tell (Kaplan 1958, turned around in time as those who never convert are unknown).
    """

    _count_B: Floats = field(default_factory=lambda: np.ones(len(DELAYS_S) + 1))

    def note(self, delay_N: Floats) -> None:
        """Take delays of conversions of clicks that are as old as the longest delay, so that none is left out."""
        self._count_B += np.bincount(np.searchsorted(DELAYS_S, delay_N), minlength=len(self._count_B))

    def come_by(self, age_N: Floats) -> Floats:
        """Share of all conversions that have come when the click is so old."""
        share_B = np.concatenate(([0.0], np.cumsum(self._count_B)[:-1] / self._count_B.sum()))
        return np.interp(np.log1p(age_N), np.log1p(np.concatenate(([0.0], DELAYS_S))), share_B)

    def chance(self, predicted_N: Floats, age_N: Floats, converted_N: Floats) -> Floats:
        """Chance that a click is one that converts, given that it has or has not yet.

        Args:
            predicted_N: chance that it converts at all, by what is known of it.
            age_N: seconds since the click.
            converted_N: 1 where the conversion has come.
        """
        to_come_N = predicted_N * (1.0 - self.come_by(age_N))
        return np.where(converted_N > 0, 1.0, to_come_N / np.maximum(1.0 - predicted_N + to_come_N, 1e-12))


def _chance(logit: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-logit))


def _logit(chance: Floats | float) -> Floats:
    clipped = np.clip(chance, 1e-9, 1.0 - 1e-9)
    return np.log(clipped / (1.0 - clipped))
