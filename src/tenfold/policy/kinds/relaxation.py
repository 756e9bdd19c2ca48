"""The best mix of kinds if slots could be divided: a linear program that starts each tick from its last solution.

Letters: W workloads, K kinds, C classes of workloads, B buckets of a class's curve, R runs, M (class, kind) pairs.
"""

from dataclasses import dataclass

import numpy as np

from tenfold.core.errors import TenfoldError
from tenfold.core.highs import INFINITE, Matrix, ending, is_optimal, load
from tenfold.policy.claims import Floats, Ints
from tenfold.policy.kinds.mixture import Mixture

_OFFSETS = np.array([-(10**9), -64, -16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, 64, 10**9])
"""Edges of the buckets, counted in runs from the class's last place: single runs near it, many runs far away."""

_BUCKETS = len(_OFFSETS) - 1
_GAP, _MOST_ROUNDS = 1e-5, 6
_SLACK = 5e-4
"""The program is solved again once counts lie this share of the bound further below it than after the last solution."""

_LEAST_JOIN_COST = 1e-6
"""A cost so small that it only keeps slots from moving between equals."""


class MixFailed(TenfoldError):
    """The solver found no best mix."""


@dataclass(frozen=True, slots=True)
class Relaxed:
    """The best divisible mix.

    Attributes:
        counts_WK: slots, fractions included.
        bound_usd_per_s: no counts within the slots and limits are worth more, net of moves.
    """

    counts_WK: Floats
    bound_usd_per_s: float


@dataclass(frozen=True, slots=True)
class _Classes:
    """Workloads with proportional speeds and equal conversion, as one class. Unit: a slot of the class's best kind."""

    of_W: Ints
    speed_CK: Floats
    converts_C: Floats
    unit_W: Floats

    @property
    def structure(self) -> tuple[bytes, bytes]:
        """What the program's matrix depends on."""
        return self.speed_CK.tobytes(), self.converts_C.tobytes()


@dataclass(frozen=True, slots=True)
class _Curve:
    """Merged curves, class by class, best first. ``first_C`` has one entry more than there are classes."""

    workload_R: Ints
    class_R: Ints
    width_R: Floats
    usd_R: Floats
    first_C: Ints

    def above(self, price_C: Floats) -> Ints:
        """Runs of each class that are worth more than its price."""
        return np.bincount(self.class_R, self.usd_R > price_C[self.class_R], len(price_C)).astype(np.int64)

    def surplus(self, price_C: Floats) -> float:
        """What all runs earn above the prices."""
        return float((self.width_R * np.maximum(0.0, self.usd_R - price_C[self.class_R])).sum())

    def buckets(self, pivot_C: Ints) -> tuple[Floats, Floats]:
        """Width and mean worth of each bucket, shapes (C, B)."""
        first_C = self.first_C[:-1, None]
        edges_CB = np.clip(first_C + pivot_C[:, None] + _OFFSETS, first_C, self.first_C[1:, None])
        width_CB = np.diff(np.append(0.0, np.cumsum(self.width_R))[edges_CB], axis=1)
        value_CB = np.diff(np.append(0.0, np.cumsum(self.width_R * self.usd_R))[edges_CB], axis=1)
        return width_CB, np.divide(value_CB, width_CB, out=np.zeros_like(width_CB), where=width_CB > 0)


class Relaxation:
    """A linear program in HiGHS for the mixes of one pool, tick after tick.

    While the classes stay the same, only new costs and bounds are sent and the solver starts from its last basis. The
    curve of a class is described by few buckets, narrow near the last solution and wide elsewhere. The row duals bound
    how much value the wide buckets can hide; while that is more than ``_GAP`` of the value, the buckets are centred
    where the duals point and the program is solved again. Floors, ceilings and holdings of a class are sums over its
    members. Between two solutions, the last row duals serve as prices that tell whether solving again is worth it.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew: what comes next does not depend on what was solved before."""
        self._structure: tuple[bytes, bytes] | None = None
        self._pivots: list[Ints] = []
        self._price_by_row: Floats = np.zeros(0)
        self._bound_usd_per_s = self._short_usd_per_s = 0.0

    def solve(self, mixture: Mixture) -> Relaxed:
        """Find the best divisible mix.

        Raises:
            MixFailed: HiGHS gave up, also from scratch.
        """
        classes = _classes(mixture)
        whole, by_holder = _curves(mixture, classes)
        if classes.structure != self._structure:
            self._build(classes)
            self._pivots = [np.diff(curve.first_C) // 2 for curve in whole]
        self._bound_rows(mixture, classes)
        held_CK = _sum(mixture.held_WK, classes)
        count = len(held_CK)
        scale = max(float(curve.usd_R.max(initial=1e-12)) for curve in whole)
        for _ in range(_MOST_ROUNDS):
            seen = [curve.buckets(pivot_C) for curve, pivot_C in zip(whole, self._pivots, strict=True)]
            value, column, dual = self._run(seen, scale, held_CK)
            prices = (dual[:count] * scale, dual[count : 2 * count] * scale)
            hidden = 0.0
            for curve, price_C, (width_CB, usd_CB) in zip(whole, prices, seen, strict=True):
                hidden += curve.surplus(price_C) - float((width_CB * np.maximum(0.0, usd_CB - price_C[:, None])).sum())
            if hidden <= _GAP * abs(value):
                break
            self._pivots = [curve.above(price_C) for curve, price_C in zip(whole, prices, strict=True)]
        self._price_by_row, self._bound_usd_per_s = dual * scale, value + max(0.0, hidden)
        counts_CK = np.zeros(held_CK.shape)
        counts_CK[self._pair_class, self._pair_kind] = column[self._keep_M] + column[self._join_M]
        used_C = column[self._use_CB].sum(axis=1)
        return Relaxed(_members(mixture, classes, by_holder, counts_CK, used_C), self._bound_usd_per_s)

    def reached(self, usd_per_s: float) -> None:
        """Note what the last solution was worth after it was made whole."""
        self._short_usd_per_s = self._bound_usd_per_s - usd_per_s

    def enough(self, mixture: Mixture) -> float:
        """The value from which a new solution promises little more; infinite before the first one."""
        return self.bound(mixture) * (1.0 - _SLACK) - self._short_usd_per_s

    def bound(self, mixture: Mixture) -> float:
        """A value that no counts exceed, from the prices of the last solution; infinite where these say nothing.

        By weak duality any prices give a bound; these give a tight one while little has changed.
        """
        classes = _classes(mixture)
        if classes.structure != self._structure:
            return np.inf
        count, kinds = classes.speed_CK.shape
        use_C, kept_C, some_C, slots_K, conversion_K = np.split(
            self._price_by_row, np.cumsum([count, count, count, kinds])
        )
        # The signs that a dual must have, whatever the solver's tolerance.
        use_C, kept_C = np.maximum(0.0, use_C), np.maximum(0.0, kept_C)
        slots_K, conversion_K = np.minimum(0.0, slots_K), np.minimum(0.0, conversion_K)
        floor_C, ceiling_C = _limits(mixture, classes)
        bound = -slots_K @ mixture.slots_K - conversion_K @ mixture.conversion_K
        bound -= some_C @ np.where(some_C > 0, floor_C, ceiling_C)
        # What each run earns above its price, and each slot above its own.
        runs = _runs(mixture, classes)
        class_R, width_R = classes.of_W[mixture.claims.owner_R], runs.end_R - runs.start_R
        bound += width_R @ np.maximum(0.0, runs.working_usd_R - use_C[class_R])
        bound += width_R @ np.maximum(0.0, runs.waking_usd_R - kept_C[class_R])
        of, kind = self._pair_class, self._pair_kind
        speed_M = classes.speed_CK[of, kind]
        joins_M = speed_M * use_C[of] + some_C[of] + slots_K[kind] + conversion_K[kind] * classes.converts_C[of]
        held_M = _sum(mixture.held_WK, classes)[of, kind]
        bound += held_M @ np.maximum(0.0, joins_M + speed_M * kept_C[of])
        return float(bound + mixture.slots_K[kind] @ np.maximum(0.0, joins_M))

    def _build(self, classes: _Classes) -> None:
        """Lay out columns and rows."""
        count, kinds = classes.speed_CK.shape
        self._pair_class, self._pair_kind = np.nonzero(classes.speed_CK)
        pairs = len(self._pair_class)
        sizes = np.cumsum([0, count * _BUCKETS, count * _BUCKETS, pairs, pairs, count])
        self._use_CB = np.arange(sizes[0], sizes[1]).reshape(count, _BUCKETS)
        self._kept_CB = np.arange(sizes[1], sizes[2]).reshape(count, _BUCKETS)
        self._keep_M, self._join_M = np.arange(sizes[2], sizes[3]), np.arange(sizes[3], sizes[4])
        self._short_C = np.arange(sizes[4], sizes[5])
        self._columns = int(sizes[5])
        speed_M = classes.speed_CK[self._pair_class, self._pair_kind]
        every_C, ones_M = np.arange(count), np.ones(pairs)
        converting = np.flatnonzero(classes.converts_C[self._pair_class])
        blocks: list[tuple[Ints, Ints, Floats]] = [
            # All slots of a class give what its curve uses; the kept ones what it uses while the new ones wake.
            (self._pair_class, self._keep_M, speed_M),
            (self._pair_class, self._join_M, speed_M),
            (np.repeat(every_C, _BUCKETS), self._use_CB.ravel(), np.full(count * _BUCKETS, -1.0)),
            (count + self._pair_class, self._keep_M, speed_M),
            (count + np.repeat(every_C, _BUCKETS), self._kept_CB.ravel(), np.full(count * _BUCKETS, -1.0)),
            # Floors, which may fall short at a price, and ceilings.
            (2 * count + self._pair_class, self._keep_M, ones_M),
            (2 * count + self._pair_class, self._join_M, ones_M),
            (2 * count + every_C, self._short_C, np.ones(count)),
        ]
        for start, of in ((3 * count, np.arange(pairs)), (3 * count + kinds, converting)):
            blocks += [
                (start + self._pair_kind[of], columns[of], ones_M[of]) for columns in (self._keep_M, self._join_M)
            ]
        row, column, factor = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        rows = 3 * count + 2 * kinds
        zeros_C = np.zeros(self._columns)
        # What the rows are about comes with each solution.
        self._highs = load(
            Matrix.of(row, column, factor, rows),
            cost_C=zeros_C,
            lower_C=zeros_C,
            upper_C=np.full(self._columns, INFINITE),
            row_lower_R=np.zeros(rows),
            row_upper_R=np.full(rows, INFINITE),
        )
        self._structure = classes.structure

    def _bound_rows(self, mixture: Mixture, classes: _Classes) -> None:
        """Set floors, ceilings, slots and conversion."""
        count, kinds = classes.speed_CK.shape
        floor_C, ceiling_C = _limits(mixture, classes)
        free = np.full(2 * count, INFINITE)
        lower = np.concatenate((np.zeros(2 * count), floor_C, np.full(2 * kinds, -INFINITE)))
        upper = np.concatenate((free, ceiling_C, mixture.slots_K, mixture.conversion_K))
        index = np.arange(len(lower), dtype=np.int32)
        # highspy has it, its type stubs do not.
        change = self._highs.changeRowsBounds  # pyrefly: ignore[missing-attribute]
        change(len(index), index, lower.astype(np.float64), upper.astype(np.float64))

    def _run(self, seen: list[tuple[Floats, Floats]], scale: float, held_CK: Ints) -> tuple[float, Floats, Floats]:
        """Send costs and bounds, solve from the last basis; gives value, columns and row duals."""
        cost, upper = np.zeros(self._columns), np.full(self._columns, INFINITE)
        for columns_CB, (width_CB, usd_CB) in zip((self._use_CB, self._kept_CB), seen, strict=True):
            cost[columns_CB], upper[columns_CB] = -usd_CB / scale, width_CB
        earns = -cost * scale
        upper[self._keep_M] = held_CK[self._pair_class, self._pair_kind]
        # Everything is in units of the best slot's worth, which keeps the solver's tolerances meaningful.
        cost[self._join_M] = _LEAST_JOIN_COST
        cost[self._short_C] = 10.0
        index = np.arange(self._columns, dtype=np.int32)
        self._highs.changeColsBounds(self._columns, index, np.zeros(self._columns), upper)
        self._highs.changeColsCost(self._columns, index, cost)
        for _ in range(2):
            self._highs.run()
            if is_optimal(self._highs):
                solution = self._highs.getSolution()
                column = np.array(solution.col_value)
                return float(earns @ column), column, np.array(solution.row_dual)
            state = ending(self._highs)
            self._highs.clearSolver()
        raise MixFailed(state, next_step="report the claims of this tick")


def _classes(mixture: Mixture) -> _Classes:
    unit_W = np.maximum(mixture.speed_WK.max(axis=1), 1e-12)
    keys = np.column_stack((np.round(mixture.speed_WK / unit_W[:, None], 9), mixture.converts_W))
    # A few times as fast as np.unique over rows; all of a class have the same row.
    rows = [row.tobytes() for row in keys]
    member = {row: workload for workload, row in enumerate(rows)}
    number = {row: place for place, row in enumerate(sorted(member))}
    found = keys[[member[row] for row in number]]
    of_W = np.array([number[row] for row in rows], dtype=np.int64)
    return _Classes(of_W, np.ascontiguousarray(found[:, :-1]), found[:, -1].copy(), unit_W)


def _sum(of_W: Ints, classes: _Classes) -> Ints:
    """Add up over the members of each class; along the first axis."""
    total = np.zeros((len(classes.speed_CK), *of_W.shape[1:]), dtype=np.int64)
    np.add.at(total, classes.of_W, of_W)
    return total


def _limits(mixture: Mixture, classes: _Classes) -> tuple[Ints, Ints]:
    """Floors and ceilings of classes."""
    ceiling_W = np.minimum(mixture.claims.ceiling_W, mixture.slots_K.sum())
    return _sum(np.minimum(mixture.claims.floor_W, ceiling_W), classes), _sum(ceiling_W, classes)


@dataclass(frozen=True, slots=True)
class _Runs:
    """Runs in slots of the owner's best kind: where they begin and end, and what such a slot earns there.

    ``working_usd_R``: by all its slots but while some wake; ``waking_usd_R``: by the kept ones meanwhile.
    """

    start_R: Floats
    end_R: Floats
    working_usd_R: Floats
    waking_usd_R: Floats


def _runs(mixture: Mixture, classes: _Classes) -> _Runs:
    claims = mixture.claims
    unit_R, ceiling_R = classes.unit_W[claims.owner_R], claims.ceiling_W[claims.owner_R]
    start_R, usd_R = claims.start_R(), claims.usd_R * unit_R
    join_cost_R = claims.join_cost_W.clip(0.0, 1.0)[claims.owner_R]
    return _Runs(
        start_R=np.minimum(start_R / unit_R, ceiling_R),
        end_R=np.minimum((start_R + claims.slots_R) / unit_R, ceiling_R),
        working_usd_R=usd_R * (1.0 - join_cost_R),
        waking_usd_R=usd_R * join_cost_R,
    )


def _curves(mixture: Mixture, classes: _Classes) -> tuple[tuple[_Curve, _Curve], _Curve]:
    """Merge the members' curves: what works, what works while new slots wake, and both by who holds what.

    The last is cut at what each member holds, so that of equals those that hold a slot come first.
    """
    owner_R, runs = mixture.claims.owner_R, _runs(mixture, classes)
    held_R = ((mixture.speed_WK * mixture.held_WK).sum(axis=1) / classes.unit_W)[owner_R]
    cut_R, usd_R = np.clip(held_R, runs.start_R, runs.end_R), mixture.claims.usd_R * classes.unit_W[owner_R]
    working = _merged(owner_R, runs.end_R - runs.start_R, runs.working_usd_R, classes)
    waking = _merged(owner_R, runs.end_R - runs.start_R, runs.waking_usd_R, classes)
    parts = (cut_R - runs.start_R, runs.end_R - cut_R), (usd_R * (1.0 + 1e-9), runs.working_usd_R)
    by_holder = _merged(np.tile(owner_R, 2), np.concatenate(parts[0]), np.concatenate(parts[1]), classes)
    return (working, waking), by_holder


def _merged(owner: Ints, width: Floats, usd: Floats, classes: _Classes) -> _Curve:
    some = np.flatnonzero((width > 1e-9) & (usd > 0))
    order = some[np.lexsort((-usd[some], classes.of_W[owner[some]]))]
    class_R = classes.of_W[owner[order]]
    first_C = np.searchsorted(class_R, np.arange(len(classes.speed_CK) + 1))
    return _Curve(owner[order], class_R, width[order], usd[order], first_C)


def _members(mixture: Mixture, classes: _Classes, curves: _Curve, counts_CK: Floats, used_C: Floats) -> Floats:
    """Divide each class's slots among its members: water-filling on the merged curve, what is held first."""
    before_R = np.cumsum(curves.width_R) - curves.width_R
    before_R = (
        before_R - before_R[np.minimum(curves.first_C[:-1], max(0, len(before_R) - 1))][curves.class_R]
        if len(before_R)
        else before_R
    )
    taken_R = np.clip(used_C[curves.class_R] - before_R, 0.0, curves.width_R)
    want_W = np.zeros(len(classes.of_W))  # np.bincount of nothing would be whole numbers
    np.add.at(want_W, curves.workload_R, taken_R)
    order = np.argsort(classes.of_W, kind="stable")
    of = classes.of_W[order]
    first = np.searchsorted(of, of)
    counts = np.zeros(mixture.speed_WK.shape)
    left_CK, want, room = counts_CK.copy(), want_W[order], mixture.claims.ceiling_W[order].astype(np.float64)
    for limit_WK in (mixture.held_WK[order].astype(np.float64), np.full(counts.shape, np.inf)):
        for kind in range(counts.shape[1]):
            speed = classes.speed_CK[of, kind]
            asks = np.divide(want, speed, out=np.zeros_like(want), where=speed > 0)
            asks = np.minimum(np.minimum(asks, limit_WK[:, kind]), room).clip(0.0)
            before = np.cumsum(asks) - asks
            taken = np.clip(left_CK[of, kind] - (before - before[first]), 0.0, asks)
            counts[order, kind] += taken
            left_CK[:, kind] -= np.bincount(of, taken, len(left_CK))
            want, room = want - taken * speed, room - taken
    alone = np.bincount(of, minlength=len(counts_CK))[classes.of_W] == 1
    counts[alone] = counts_CK[classes.of_W[alone]]
    return counts
