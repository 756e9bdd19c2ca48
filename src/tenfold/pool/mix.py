"""How many slots of each kind each workload gets: the best divisible mix, made whole and then improved slot by slot.

Letters: W workloads, K kinds.
"""

from dataclasses import replace

import numpy as np

from tenfold.pool.claims import Ints
from tenfold.pool.fill import fill
from tenfold.pool.mixture import Bools, Mixture, Worth
from tenfold.pool.relaxation import Relaxation

_PAYS = 1e-9
"""By what share of its loss a trade must gain."""

_MOST_PASSES = 100


def mix(mixture: Mixture, relaxation: Relaxation) -> Ints:
    """Give slots of several kinds where they are worth most, less what moving them costs.

    The linear program's fractions are rounded down. What that frees, and any slot worth more to another, then changes
    hands one at a time, until no slot of any kind does: for one kind that is the optimum (Fox 1966), for several it
    falls short of the program's bound by little, which the bound tells. Floors, gangs and pauses are as in ``fill``;
    one kind of speed 1 goes there directly.

    Args:
        mixture: what is asked.
        relaxation: the program, kept from tick to tick.
    Returns:
        Slots of each, shape (W, K); never more than there are, nor more converted than can be.
    Raises:
        NotConcave: a claim's marginal values rise.
        MixFailed: the solver gave up.
    """
    claims = mixture.claims
    claims.require_concave()
    if len(mixture.slots_K) == 1 and bool((mixture.speed_WK == 1.0).all()):
        # Without the limit on conversion, water-filling is the optimum; if it keeps to the limit, it still is.
        counts_WK = fill(replace(claims, held_W=mixture.held_WK[:, 0]), int(mixture.slots_K[0]))[:, None]
        if counts_WK[mixture.converts_W].sum() <= mixture.conversion_K[0]:
            return counts_WK
    return mix_by_program(mixture, relaxation)


def mix_by_program(mixture: Mixture, relaxation: Relaxation) -> Ints:
    """Do as ``mix`` does, for one kind too."""
    counts_WK = _whole(mixture, relaxation)
    claims, held_W = mixture.claims, mixture.held_WK.sum(axis=1)
    joined_W = np.maximum(0, counts_WK - mixture.held_WK).sum(axis=1)
    hasty_W = (joined_W > 0) & (held_W > 0) & (claims.pause_W * counts_WK.sum(axis=1) > joined_W)
    if hasty_W.any():
        ceiling_W = np.where(hasty_W, np.minimum(held_W, claims.ceiling_W), claims.ceiling_W)
        counts_WK = _whole(replace(mixture, claims=replace(claims, ceiling_W=ceiling_W)), relaxation)
    return counts_WK


def _whole(mixture: Mixture, relaxation: Relaxation) -> Ints:
    exchange = _Exchange(mixture, np.floor(relaxation.solve(mixture).counts_WK + 1e-6).astype(np.int64))
    exchange.meet_floors()
    exchange.trade()
    while len(cut := exchange.cut_gangs()):
        exchange.drop(int(cut[-1]))
        exchange.trade()
    exchange.admit_gangs()
    exchange.give_back()
    assert (exchange.counts_WK.sum(axis=0) <= mixture.slots_K).all()
    assert (exchange.counts_WK[mixture.converts_W].sum(axis=0) <= mixture.conversion_K).all()
    return exchange.counts_WK


class _Exchange:
    """Whole counts while they are being improved, and what one slot more or less of each kind would change.

    Only those whose counts change are valued anew: of a thousand workloads a pass changes a few.
    """

    def __init__(self, mixture: Mixture, counts_WK: Ints) -> None:
        self._mixture, self._worth = mixture, Worth(mixture)
        self._toll_W = mixture.claims.toll_W.clip(0.0, 1.0)
        self._ceiling_W = mixture.claims.ceiling_W.copy()
        self._floor_W = np.minimum(mixture.claims.floor_W, self._ceiling_W)
        self.counts_WK = counts_WK
        self._total_W = counts_WK.sum(axis=1)
        self._gain_WK, self._loss_WK = np.zeros(mixture.speed_WK.shape), np.zeros(mixture.speed_WK.shape)
        # Of each kind: the number of changes after which nobody traded it.
        self._changes, self._settled_K = 0, [-1] * len(mixture.slots_K)
        self._value_again(np.arange(len(counts_WK)))

    def _idle(self, kind: int) -> int:
        return int(self._mixture.slots_K[kind] - self.counts_WK[:, kind].sum())

    def _convertible(self, kind: int) -> int:
        return int(self._mixture.conversion_K[kind] - self.counts_WK[self._mixture.converts_W, kind].sum())

    def _value_again(self, who: Ints) -> None:
        """Find what some workloads would gain by one slot more of each kind, and lose by one less."""
        mixture, kinds = self._mixture, len(self._mixture.slots_K)
        counts, held, speed = self.counts_WK[who], mixture.held_WK[who], mixture.speed_WK[who]
        all_slots = (speed * counts).sum(axis=1, keepdims=True)
        kept_slots = (speed * np.minimum(counts, held)).sum(axis=1, keepdims=True)
        kept_more, kept_less = speed * (counts < held), speed * (counts <= held)
        slots = np.concatenate(
            (
                all_slots,
                all_slots + speed,
                all_slots - speed,
                kept_slots,
                kept_slots + kept_more,
                kept_slots - kept_less,
            ),
            axis=1,
        )
        usd = self._worth.value(np.maximum(0.0, slots), who[:, None])
        toll, working, waking = self._toll_W[who, None], usd[:, : 2 * kinds + 1], usd[:, 2 * kinds + 1 :]
        net = toll * waking + (1.0 - toll) * working
        self._gain_WK[who] = net[:, 1 : kinds + 1] - net[:, :1]
        self._loss_WK[who] = net[:, :1] - net[:, kinds + 1 :]
        self._total_W[who] = counts.sum(axis=1)
        self._changes += 1

    def trade(self) -> None:
        """Let slots change hands while one is worth more to somebody else."""
        for _ in range(_MOST_PASSES):
            if not sum([self._trade(kind) for kind in range(len(self._mixture.slots_K))]):
                return

    def _trade(self, kind: int) -> int:
        """One pass over a kind: everybody gets or gives at most one slot; says how many changed hands."""
        if self._settled_K[kind] == self._changes:
            return 0
        converts_W = self._mixture.converts_W
        everybody_W = np.ones(len(converts_W), dtype=bool)
        changed = self._pair(kind, ~converts_W, everybody_W, self._idle(kind))
        idle, convertible = self._idle(kind), self._convertible(kind)
        if convertible > 0:
            changed += self._pair(kind, converts_W, everybody_W, idle, most=convertible)
        changed += self._pair(kind, converts_W, converts_W, 0)
        if not changed:
            self._settled_K[kind] = self._changes
        return changed

    def _pair(self, kind: int, may_get_W: Bools, may_give_W: Bools, idle: int, most: int | None = None) -> int:
        """Pair the best receivers with idle slots, then with those who lose least.

        No workload is on both sides: its next slot is worth no more than its last, and all who receive gain more than
        all who give lose.
        """
        total_W, least_W = self._total_W, self._mixture.claims.least_W
        may_get_W = may_get_W & (self._mixture.speed_WK[:, kind] > 0) & (total_W < self._ceiling_W)
        may_get_W &= (total_W > 0) | (least_W <= 1)
        may_give_W = may_give_W & (self.counts_WK[:, kind] > 0)
        may_give_W &= (total_W > self._floor_W) & ((total_W != least_W) | (least_W <= 1))
        gain_W, loss_W = self._gain_WK[:, kind], self._loss_WK[:, kind]
        receivers = np.flatnonzero(may_get_W & (gain_W > 0))
        if not len(receivers):
            return 0
        receivers = receivers[np.argsort(-gain_W[receivers], kind="stable")][:most]
        donors = np.flatnonzero(may_give_W)
        donors = donors[np.argsort(loss_W[donors], kind="stable")]
        idle = min(idle, len(receivers))
        loss = np.concatenate((np.zeros(idle), loss_W[donors]))
        pairs = min(len(receivers), len(loss))
        pays = gain_W[receivers[:pairs]] > loss[:pairs] * (1.0 + _PAYS) + 1e-15
        pairs = pairs if pays.all() else int(np.argmin(pays))
        receivers, donors = receivers[:pairs], donors[: max(0, pairs - idle)]
        self.counts_WK[receivers, kind] += 1
        self.counts_WK[donors, kind] -= 1
        self._value_again(np.concatenate((receivers, donors)))
        return pairs

    def meet_floors(self) -> None:
        """Bring everybody to the floor, in the order of claims: from idle slots, else from who loses least."""
        for workload in np.flatnonzero(self._total_W < self._floor_W).tolist():
            while self._total_W[workload] < self._floor_W[workload] and self._serve(workload):
                pass

    def _serve(self, workload: int) -> bool:
        """Give one slot to a workload below its floor; whether there was one."""
        mixture = self._mixture
        converts = bool(mixture.converts_W[workload])
        spare_W = self._total_W > self._floor_W
        # Floors are met in order: who comes later gives up even its floor.
        spare_W[workload + 1 :] = True
        spare_W[workload] = False
        best: tuple[float, int, int] | None = None
        for kind in np.flatnonzero(mixture.speed_WK[workload]).tolist():
            gain = float(self._gain_WK[workload, kind])
            full = converts and self._convertible(kind) <= 0
            if self._idle(kind) > 0 and not full:
                best = max(best or (-np.inf, 0, 0), (gain, kind, -1))
                continue
            may_W = spare_W & (self.counts_WK[:, kind] > 0) & (mixture.converts_W | (not full))
            if may_W.any():
                loss_W = np.where(may_W, self._loss_WK[:, kind], np.inf)
                # Whoever is above the floor gives before who is at it.
                loss_W += np.where(self._total_W > self._floor_W, 0.0, 1e6)
                donor = int(np.argmin(loss_W))
                best = max(best or (-np.inf, 0, 0), (gain - float(loss_W[donor]), kind, donor))
        if best is None:
            return False
        _, kind, donor = best
        self.counts_WK[workload, kind] += 1
        if donor >= 0:
            self.counts_WK[donor, kind] -= 1
        self._value_again(np.array([workload, donor] if donor >= 0 else [workload]))
        return True

    def cut_gangs(self) -> Ints:
        """Gangs that have too little to work on."""
        total_W = self._total_W
        return np.flatnonzero((total_W > 0) & (total_W < self._mixture.claims.least_W))

    def drop(self, workload: int) -> None:
        """Take all slots from a gang, for this tick."""
        self.counts_WK[workload] = 0
        self._ceiling_W[workload] = 0
        self._floor_W[workload] = 0
        self._value_again(np.array([workload]))

    def admit_gangs(self) -> None:
        """Start gangs that have nothing and fit into what is idle, in the order of claims."""
        mixture, claims = self._mixture, self._mixture.claims
        idle_K = mixture.slots_K - self.counts_WK.sum(axis=0)
        waits_W = (self._total_W == 0) & (claims.least_W > 1) & (claims.least_W <= self._ceiling_W)
        for workload in np.flatnonzero(waits_W & (claims.least_W <= idle_K.sum())).tolist():
            usable_K = self._usable_K(workload)
            fastest = np.argsort(-mixture.speed_WK[workload], kind="stable")
            before = np.cumsum(usable_K[fastest]) - usable_K[fastest]
            given_K = np.zeros_like(usable_K)
            given_K[fastest] = np.clip(claims.least_W[workload] - before, 0, usable_K[fastest])
            if given_K.sum() == claims.least_W[workload]:
                self.counts_WK[workload] = given_K
                self._value_again(np.array([workload]))
        self.trade()

    def _usable_K(self, workload: int) -> Ints:
        """Idle slots of each kind that a workload can use."""
        mixture = self._mixture
        idle_K = mixture.slots_K - self.counts_WK.sum(axis=0)
        if mixture.converts_W[workload]:
            idle_K = np.minimum(idle_K, mixture.conversion_K - self.counts_WK[mixture.converts_W].sum(axis=0))
        return np.where(mixture.speed_WK[workload] > 0, idle_K, 0)

    def give_back(self) -> None:
        """Leave slots that are worth nothing to anybody with who holds them."""
        mixture = self._mixture
        lost_WK = np.maximum(0, mixture.held_WK - self.counts_WK) * (mixture.speed_WK > 0)
        for workload in np.flatnonzero(lost_WK.any(axis=1) & (self._total_W < self._ceiling_W)).tolist():
            back_K = np.minimum(lost_WK[workload], self._usable_K(workload))
            room = int(self._ceiling_W[workload] - self.counts_WK[workload].sum())
            back_K = np.clip(room - (np.cumsum(back_K) - back_K), 0, back_K)
            if self.counts_WK[workload].sum() + back_K.sum() >= mixture.claims.least_W[workload]:
                self.counts_WK[workload] += back_K
