"""Predicts clicks and conversions: two heads on rank's embeddings, with what each campaign has of its own.

A head is a logistic regression in which a person's embedding meets a campaign's: a matrix that starts as nothing, a
weight for each of both alone, and for each campaign a residual of its own, a number and a vector, that start at 0. So a
campaign that was never shown is predicted from its content, as rank's embedding of it says, and one with history by
that history too. Heads learn online, each impression once, after it was predicted.

What a head says is then calibrated on what came later than what it had learned by then: each batch is predicted first,
and these predictions say how many actions each level really led to.

A conversion may come days after its click. Until it does, the click counts as a conversion with the chance that one is
still to come, given how long it has been and how long conversions take (Chapelle 2014, with delays counted in buckets).

Letters: N impressions, D width of embeddings, C campaigns, B levels of log odds, or buckets of delays.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]

DELAYS_S = np.array([60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, *(86400 * day for day in (1, 2, 3, 5, 7, 14))])
"""Upper edges of the buckets of delays."""


@dataclass
class Head:
    """Predicts one action from embeddings.

    Learns in small groups, each step as long as what was learned so far is uncertain: an error counts one over what is
    known before anything is, plus how much has been seen since (Newton's step, with one number for the curvature of a
    part). So a first impression moves little, however few or many come at once.

    Args:
        width: of embeddings, which are of length 1 at most in each of their parts.
        base: chance of the action before anything is known.
        directions: so many ways in which people and campaigns differ share what was seen between them.
    """

    width: int
    base: float = 0.02
    directions: float = 64.0
    _person_D: Floats = field(init=False)
    _item_D: Floats = field(init=False)
    _meet_DD: Floats = field(init=False)
    _bias: float = field(init=False)
    _own_C: Floats = field(init=False)
    _own_CD: Floats = field(init=False)
    _seen: float = 0.0
    _common: float = 0.0
    _common_D: Floats = field(init=False)
    _seen_C: Floats = field(init=False)

    def __post_init__(self) -> None:
        self._person_D, self._item_D, self._common_D = (np.zeros(self.width) for _ in range(3))
        self._meet_DD = np.zeros((self.width, self.width))
        self._bias = float(_logit(self.base))
        self._own_C, self._own_CD, self._seen_C = np.zeros(0), np.zeros((0, self.width)), np.zeros(0)

    def grow(self, campaigns: int) -> None:
        """Make room for so many campaigns; new ones have nothing of their own."""
        more = campaigns - len(self._own_C)
        if more > 0:
            self._own_C = np.append(self._own_C, np.zeros(more))
            self._own_CD = np.concatenate((self._own_CD, np.zeros((more, self.width))))
            self._seen_C = np.append(self._seen_C, np.zeros(more))

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
        """Learn from impressions, each once; gives what was predicted before each was learned from.

        Args:
            person_ND: embeddings of people.
            item_ND: embeddings of what the campaigns advertise.
            campaign_N: which campaigns; ``grow`` made room for them.
            happened_N: 1 where the action happened, 0 where not, or the chance that it did.
        """
        predicted: list[Floats] = [np.zeros(0)]
        for begin in range(0, len(happened_N), _GROUP):
            rows = slice(begin, begin + _GROUP)
            predicted.append(self._step(person_ND[rows], item_ND[rows], campaign_N[rows], happened_N[rows]))
        self._share_what_is_common()
        return np.concatenate(predicted)

    def _share_what_is_common(self) -> None:
        """Move what the campaigns' own parts have in common into what is everybody's.

        A new campaign's own part answers an error at once, and what is shared hardly moves any more: without this, the
        next campaign would begin as far from the truth. What a campaign has is known in part, and a level from many.
        """
        known_C = self._seen_C / (self._seen_C + _OWN)
        more = _in_common(self._own_C, known_C, self._common)
        self._common += float(more)
        self._bias += float(more)
        self._own_C -= more * known_C
        # Of the vectors too: people are not spread evenly about nothing, so that a vector has a level in it.
        known_C = self._seen_C / (self._seen_C + _OWN * self.directions)
        more_D = _in_common(self._own_CD, known_C, self._common_D)
        self._common_D += more_D
        self._person_D += more_D
        self._own_CD -= known_C[:, None] * more_D

    def _step(self, person_ND: Floats, item_ND: Floats, campaign_N: Ints, happened_N: Floats) -> Floats:
        predicted_N = _chance(self.logit(person_ND, item_ND, campaign_N))
        error_N = happened_N - predicted_N
        bend_N = predicted_N * (1.0 - predicted_N)
        now, now_C = float(bend_N.sum()), np.bincount(campaign_N, bend_N, len(self._own_C))
        # All parts answer the same error at once, so each may answer a part of it only.
        all_parts, all_parts_C = _PARTS * now, _PARTS * now_C
        shared = 1.0 / (_UNKNOWN + all_parts + self._seen / self.directions)
        self._meet_DD += shared * (person_ND.T @ (error_N[:, None] * item_ND))
        self._person_D += shared * (person_ND.T @ error_N)
        self._item_D += shared * (item_ND.T @ error_N)
        self._bias += float(error_N.sum()) / (_UNKNOWN + all_parts + self._seen)
        self._own_C += np.bincount(campaign_N, error_N, len(self._own_C)) / (_OWN + all_parts_C + self._seen_C)
        own_CD = np.zeros_like(self._own_CD)
        np.add.at(own_CD, campaign_N, error_N[:, None] * person_ND)
        self._own_CD += own_CD / (_OWN + all_parts_C + self._seen_C / self.directions)[:, None]
        # What is long past counts less and less, so that a head never stops learning.
        self._seen = min(self._seen + now, _LONGEST)
        self._seen_C = np.minimum(self._seen_C + now_C, _LONGEST)
        return predicted_N


def _in_common(own: Floats, known_C: Floats, common: Floats | float) -> Floats:
    """How far campaigns' own parts (first axis) lie on one side, beyond what was found to be common before."""
    return (own.sum(axis=0) - _COMMON * common) / (known_C.sum() + _COMMON)


_GROUP = 64
_PARTS = 6.0
_UNKNOWN, _OWN = 8.0, 8.0
"""What is known before anything was seen, as so much evidence: of all campaigns, and of what one has of its own."""

_COMMON = 2.0
"""How strongly a level that campaigns have in common is drawn to none, in campaigns."""

_LONGEST = 20_000.0
"""No more evidence than this holds a head back from learning."""


class Calibration:
    """Turns a head's chances into what really happens, learned from predictions that were made before the outcome.

    Log odds are shifted by a parabola that is fitted by maximum likelihood: three numbers have little noise, where bins
    of rare actions have much. The latest predictions count most, as a head learns on.
    """

    def __init__(self, half_life: int = 100_000) -> None:
        self._half_life = half_life
        self._count_B, self._actions_B = np.zeros(len(_MIDDLE_B)), np.zeros(len(_MIDDLE_B))
        self._shift = np.zeros(3)
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
        within_B, terms_3B = self._terms(_MIDDLE_B)
        shift = np.zeros(3)
        for _ in range(_NEWTON_STEPS):
            chance_B = _chance(within_B + shift @ terms_3B)
            slope = terms_3B @ (self._actions_B - self._count_B * chance_B) - _PRIOR * shift
            curve = (terms_3B * (self._count_B * chance_B * (1.0 - chance_B))) @ terms_3B.T + _PRIOR * np.eye(3)
            shift = shift + np.clip(np.linalg.solve(curve, slope), -1.0, 1.0)
        ends_B, end_terms_3B = self._terms(np.linspace(self._low, self._high, 9))
        if (np.diff(ends_B + shift @ end_terms_3B) > 0).all():  # A map that changes the order is no calibration.
            self._shift = shift

    def logit(self, logit: Floats) -> Floats:
        """Calibrate log odds; beyond what was seen, the shift stays that of the end."""
        _, terms_3N = self._terms(np.atleast_1d(np.asarray(logit, dtype=np.float64)))
        return logit + (self._shift @ terms_3N).reshape(np.shape(logit))

    def _terms(self, logit_N: Floats) -> tuple[Floats, Floats]:
        """Log odds within what was seen, and the terms of the parabola there, from -1 to 1."""
        within_N = np.clip(logit_N, self._low, self._high)
        part_N = 2.0 * (within_N - self._low) / max(self._high - self._low, 1e-9) - 1.0
        return within_N, np.stack((np.ones_like(part_N), part_N, part_N**2))


_MIDDLE_B = np.linspace(-20.0, 10.0, 961)
"""Log odds that are told apart."""

_LEAST_ACTIONS = 50.0
"""Fewer actions would be noise."""

_PRIOR = 1.0
"""How strongly the map is drawn to change nothing, in actions."""

_NEWTON_STEPS = 12


@dataclass
class Delays:
    """How long conversions take after their click, in buckets.

    Clicks are young when they are looked at: late conversions of theirs are still to come. So each bucket is counted
    among clicks that are old enough to tell, and against the conversions that came no later than in it: a
    product-limit estimate, turned around in time, as those who never convert are unknown (Lynden-Bell 1971). Before
    anything was seen, delays are spread evenly over the buckets, which is what Chapelle (2014) found: 35% within an
    hour, 50% within a day, 13% after two weeks. Buckets that no click is old enough for fall off as the last two that
    are known did, if that is faster.
    """

    _noted: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_DELAYS_KEPT))
    _come_by_B: Floats = field(default_factory=lambda: np.arange(len(DELAYS_S) + 1) / (len(DELAYS_S) + 1.0))

    def note(self, clicked_at: float, delay_s: float) -> None:
        """Take a conversion: when it was clicked, and how long after that it came. Used from the next ``refit`` on."""
        self._noted.append((clicked_at, max(0.0, delay_s)))

    def refit(self, now: float) -> None:
        """Learn from what was noted."""
        if not self._noted:
            return
        clicked_N, delay_N = np.array(self._noted).T
        bucket_N, age_N = np.searchsorted(DELAYS_S, delay_N), now - clicked_N
        before, part, not_later_B = 1.0, 1.0, np.ones(len(DELAYS_S) + 1)
        for bucket in range(1, len(DELAYS_S) + 1):
            # Of the last bucket, which has no end, those tell that are as old as its beginning, and as much again.
            end_s = DELAYS_S[bucket] if bucket < len(DELAYS_S) else 2.0 * DELAYS_S[-1]
            old_N = age_N >= end_s
            usual = min(1.0 / (bucket + 1.0), part * min(1.0, part / before))
            before, weight = part, bucket + 1.0
            came = float((bucket_N[old_N] == bucket).sum())
            part = (came + usual * weight) / (float((bucket_N[old_N] <= bucket).sum()) + weight)
            not_later_B[bucket] = 1.0 - part
        # By the beginning of a bucket all have come that do not come in it or later.
        self._come_by_B = np.concatenate(([0.0], np.cumprod(not_later_B[:0:-1])[::-1]))

    def come_by(self, age_N: Floats) -> Floats:
        """Share of all conversions that have come when the click is so old."""
        return np.interp(np.log1p(age_N), np.log1p(np.concatenate(([0.0], DELAYS_S))), self._come_by_B)

    def chance(self, predicted_N: Floats, age_N: Floats, converted_N: Floats) -> Floats:
        """Chance that a click is one that converts, given that it has or has not yet.

        Args:
            predicted_N: chance that it converts at all, by what is known of it.
            age_N: seconds since the click.
            converted_N: 1 where the conversion has come.
        """
        to_come_N = predicted_N * (1.0 - self.come_by(age_N))
        return np.where(converted_N > 0, 1.0, to_come_N / np.maximum(1.0 - predicted_N + to_come_N, 1e-12))


_DELAYS_KEPT = 20_000
"""Conversions of which the delay is remembered, the latest."""


def _chance(logit: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-logit))


def _logit(chance: Floats | float) -> Floats:
    clipped = np.clip(chance, 1e-9, 1.0 - 1e-9)
    return np.log(clipped / (1.0 - clipped))
