"""Slots of several kinds change hands, one at a time, while one is worth more to somebody else.

Letters: W workloads, K kinds.
"""

import numpy as np

from tenfold.policy.claims import Ints
from tenfold.policy.kinds.mixture import Mixture, Worth

_PAYS = 1e-9
"""A trade must gain more than it loses, by this share."""

_NOBODY = -1
"""Stands for the donor of an idle slot."""


class Exchange:
    """Whole counts while they are improved, with what each workload gains by one slot more and loses by one less.

    A trade changes two workloads. These two are valued again in plain Python, which is faster than numpy for so few
    numbers; numpy finds the best trade among all workloads.
    """

    def __init__(self, mixture: Mixture, worth: Worth, counts_WK: Ints, most_trades: int) -> None:
        claims, converts_W = mixture.claims, mixture.converts_W
        self._mixture, self._worth, self._trades_left = mixture, worth, most_trades
        self._join_cost: list[float] = claims.join_cost_W.clip(0.0, 1.0).tolist()
        self._least: list[int] = claims.least_W.tolist()
        self._gangs: list[int] = np.flatnonzero(claims.least_W > 1).tolist()
        self._converts: list[bool] = converts_W.tolist()
        self._speed: list[list[float]] = mixture.speed_WK.tolist()
        self._held: list[list[int]] = mixture.held_WK.tolist()
        self._counts: list[list[int]] = counts_WK.tolist()
        self._total: list[int] = counts_WK.sum(axis=1).tolist()
        self._idle: list[int] = (mixture.slots_K - counts_WK.sum(axis=0)).tolist()
        self._convertible: list[int] = (mixture.conversion_K - counts_WK[converts_W].sum(axis=0)).tolist()
        self._limit(claims.ceiling_W)
        gain_WK, loss_WK = worth.of_one_slot(counts_WK)
        self._gain, self._loss = list(gain_WK.T.copy()), list(loss_WK.T.copy())
        # Masks that are added to gains and losses: infinite for those who cannot, 0 for the others. Receivers who
        # convert are searched apart from those who do not, so there is a mask for each, indexed by ``converts``.
        self._cannot_receive_W = np.zeros(len(converts_W)), np.zeros(len(converts_W))
        self._cannot_give_W = np.zeros(len(converts_W))
        # Indexed by whether all conversion of a kind is in use: then only a converting donor can give to a converter.
        self._cannot_give_to_converting_W = np.zeros(len(converts_W)), np.where(converts_W, 0.0, np.inf)
        for workload in range(len(converts_W)):
            self._bar(workload)
        # Of each kind: the number of changes after which nobody would trade it.
        self._changes, self._calm_at = 0, [-1] * len(self._idle)

    def counts_WK(self) -> Ints:
        """The counts as they are now."""
        return np.array(self._counts, dtype=np.int64).reshape(len(self._counts), len(self._idle))

    def settle(self) -> bool:
        """Trade until no slot is worth more to somebody else, with floors met and every gang whole or without slots.

        Then those whose new slots do not repay the resize are limited to what they hold, and it trades again.

        Returns:
            Whether all of that took fewer trades than are allowed.
        """
        self._round()
        if hasty := self._hasty():
            self._hold_back(hasty)
            self._round()
        return self._trades_left > 0

    def _round(self) -> None:
        self._meet_floors()
        self._trade()
        while cut := self._cut_gangs():
            self._drop(cut[-1])
            self._trade()
        self._admit_gangs()
        self._give_back()

    def _limit(self, ceiling_W: Ints) -> None:
        """Set how many slots each may have, and those that it must."""
        self._ceiling: list[int] = ceiling_W.tolist()
        self._floor: list[int] = np.minimum(self._mixture.claims.floor_W, ceiling_W).tolist()

    def _hasty(self) -> list[int]:
        """Workloads whose new slots do not repay the time for which all their slots stand still."""
        counts_WK, held_WK = self.counts_WK(), self._mixture.held_WK
        joined_W = np.maximum(0, counts_WK - held_WK).sum(axis=1)
        repays_W = joined_W >= self._mixture.claims.resize_cost_W * counts_WK.sum(axis=1)
        return np.flatnonzero((joined_W > 0) & held_WK.any(axis=1) & ~repays_W).tolist()

    def _hold_back(self, hasty: list[int]) -> None:
        """Limit some to what they hold; the slots that this frees may start a gang that had to give up."""
        ceiling_W = self._mixture.claims.ceiling_W.copy()
        for workload in hasty:
            held = self._held[workload]
            # A floor is met however long that makes a workload stand still.
            ceiling_W[workload] = min(max(sum(held), self._floor[workload]), ceiling_W[workload])
            for kind, had in enumerate(held):
                self._give(workload, kind, min(0, had - self._counts[workload][kind]))
        self._limit(ceiling_W)
        for workload in hasty:
            self._value_again(workload)

    def _give(self, workload: int, kind: int, slots: int) -> None:
        """Give idle slots to a workload, or take some from it."""
        self._counts[workload][kind] += slots
        self._total[workload] += slots
        self._idle[kind] -= slots
        if self._converts[workload]:
            self._convertible[kind] -= slots

    def _bar(self, workload: int) -> None:
        """Find whether a workload may get a slot and may give one."""
        total, least = self._total[workload], self._least[workload]
        may_get = total < self._ceiling[workload] and (total > 0 or least <= 1)
        may_give = total > self._floor[workload] and (total != least or least <= 1)
        converts = self._converts[workload]
        self._cannot_receive_W[converts][workload] = 0.0 if may_get else np.inf
        self._cannot_receive_W[not converts][workload] = np.inf
        self._cannot_give_W[workload] = 0.0 if may_give else np.inf

    def _value_again(self, workload: int) -> None:
        """Find what a workload would gain by one slot more of each kind, and lose by one less."""
        self._bar(workload)
        self._changes += 1
        value, join_cost = self._worth.of_one, self._join_cost[workload]
        mine = list(zip(self._speed[workload], self._counts[workload], self._held[workload], strict=True))
        working_slots = sum([speed * count for speed, count, _ in mine])
        waking_slots = sum([speed * min(count, held) for speed, count, held in mine])
        working, waking = value(workload, working_slots), value(workload, waking_slots)
        for kind, (speed, count, held) in enumerate(mine):
            if not speed:
                continue
            gain = (1.0 - join_cost) * (value(workload, working_slots + speed) - working)
            if count < held:
                gain += join_cost * (value(workload, waking_slots + speed) - waking)
            loss = np.inf
            if count:
                loss = (1.0 - join_cost) * (working - value(workload, working_slots - speed))
                if count <= held:
                    loss += join_cost * (waking - value(workload, waking_slots - speed))
            self._gain[kind][workload], self._loss[kind][workload] = gain, loss

    def _trade(self) -> None:
        """Let slots change hands while one is worth more to somebody else."""
        while any([self._trade_kind(kind) for kind in range(len(self._idle))]):
            pass

    def _trade_kind(self, kind: int) -> bool:
        """Let slots of a kind change hands, the trade that gains most first; tell whether there was one."""
        began = self._changes
        while self._calm_at[kind] != self._changes and self._trades_left:
            pair = self._best_pair(kind)
            if pair is None:
                self._calm_at[kind] = self._changes
            else:
                self._trades_left -= 1
                self._hand(kind, *pair)
        return self._changes != began

    def _hand(self, kind: int, receiver: int, donor: int) -> None:
        """Let one slot change hands."""
        if donor != _NOBODY:
            self._give(donor, kind, -1)
            self._value_again(donor)
        self._give(receiver, kind, 1)
        self._value_again(receiver)

    def _best_pair(self, kind: int) -> tuple[int, int] | None:
        """The receiver and the donor of the trade that gains most; none if no trade gains anything."""
        gain_W, loss_W = self._gain[kind], self._loss[kind]
        most, best = 0.0, None
        for converts in (False, True):
            wish_W = gain_W - self._cannot_receive_W[converts]
            receiver = int(wish_W.argmax())
            gain = float(wish_W[receiver])
            if gain <= 0:
                continue
            # Where no further slot can be converted, only a slot that is converted already will do.
            full = converts and self._convertible[kind] <= 0
            donor, loss = _NOBODY, 0.0
            if full or not self._idle[kind]:
                cost_W = loss_W + self._cannot_give_W + self._cannot_give_to_converting_W[full]
                donor = int(cost_W.argmin())
                loss = float(cost_W[donor])
            if gain > loss * (1.0 + _PAYS) + 1e-15 and gain - loss > most:
                most, best = gain - loss, (receiver, donor)
        return best

    def _meet_floors(self) -> None:
        """Bring all workloads to their floors, in the order of claims, from idle slots or else from who loses least."""
        for workload, floor in enumerate(self._floor):
            while self._total[workload] < floor and self._serve(workload):
                pass

    def _serve(self, workload: int) -> bool:
        """Give one slot to a workload below its floor; whether there was one."""
        # Floors are met in order: who comes later gives up even its floor, but after all those who are above theirs.
        keeps_W = np.where(np.arange(len(self._total)) > workload, 1e6, np.inf)
        keeps_W[np.array(self._total) > np.array(self._floor)] = 0.0
        keeps_W[workload] = np.inf
        offers: list[tuple[float, int, int]] = []
        for kind, speed in enumerate(self._speed[workload]):
            if not speed:
                continue
            gain = float(self._gain[kind][workload])
            full = self._converts[workload] and self._convertible[kind] <= 0
            if self._idle[kind] and not full:
                offers.append((gain, kind, _NOBODY))
                continue
            cost_W = self._loss[kind] + keeps_W + self._cannot_give_to_converting_W[full]
            donor = int(cost_W.argmin())
            if np.isfinite(cost_W[donor]):
                offers.append((gain - float(cost_W[donor]), kind, donor))
        if not offers:
            return False
        _, kind, donor = max(offers)
        self._hand(kind, workload, donor)
        return True

    def _cut_gangs(self) -> list[int]:
        """Gangs that have too little to work on."""
        return [gang for gang in self._gangs if 0 < self._total[gang] < self._least[gang]]

    def _drop(self, workload: int) -> None:
        """Take all slots from a gang; only what stays idle goes back to it."""
        for kind, count in enumerate(self._counts[workload]):
            self._give(workload, kind, -count)
        self._value_again(workload)

    def _admit_gangs(self) -> None:
        """Start gangs that have nothing and fit into what is idle, in the order of claims."""
        for gang in self._gangs:
            least = self._least[gang]
            if self._total[gang] or not least <= min(sum(self._idle), self._ceiling[gang]):
                continue
            usable, speed = self._usable(gang), self._speed[gang]
            if sum(usable) >= least:
                for kind in sorted(range(len(speed)), key=lambda kind: -speed[kind]):
                    self._give(gang, kind, min(usable[kind], least - self._total[gang]))
                self._value_again(gang)
        self._trade()

    def _usable(self, workload: int) -> list[int]:
        """Idle slots of each kind that a workload can use."""
        idle = self._idle
        if self._converts[workload]:
            idle = [min(pair) for pair in zip(idle, self._convertible, strict=True)]
        return [slots if speed else 0 for slots, speed in zip(idle, self._speed[workload], strict=True)]

    def _give_back(self) -> None:
        """Leave slots that are worth nothing to anybody with who holds them; then each may spare some of its others."""
        if not any(self._idle):
            return
        for workload, (counts, held) in enumerate(zip(self._counts, self._held, strict=True)):
            if counts == held:
                continue
            room, back = self._ceiling[workload] - self._total[workload], []
            for count, had, usable in zip(counts, held, self._usable(workload), strict=True):
                back.append(max(0, min(had - count, usable, room)))
                room -= back[-1]
            if any(back) and self._total[workload] + sum(back) >= self._least[workload]:
                for kind, slots in enumerate(back):
                    self._give(workload, kind, slots)
                self._value_again(workload)
        self._trade()
