"""Why each workload has what it has, written to the ledger with the values of the moment, so that it can be told."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from pydantic import Field

from tenfold.core.frozen import Frozen
from tenfold.policy.claims import Claims, Ints
from tenfold.policy.fill import fill
from tenfold.pool.demand import DemandMeter
from tenfold.pool.state import PriceView


class Aim(Frozen):
    """A share of requests that a workload is steered to, and what that does to its demand and its price."""

    attains: float = Field(description="share of requests to answer in time")
    attained: float = Field(description="share that it answered in time, over about a week")
    provided: float = Field(description="share of demand that is worth its price")
    worth: float = Field(description="worth of an answer, as a multiple of its price")
    kept: int | None = Field(None, description="slots that it keeps in a surge of another service; none: all it has")
    owed: float = Field(0.0, description="share of requests that it missed though slots could have answered them")
    stretched: bool = Field(
        False, description="out of reach: an answer is worth the most that makes more slots answer more"
    )


class Standing(Frozen):
    """One workload's part in a decision."""

    workload: str
    unit: str = Field(description="unit of its work: token, request")
    held: int = Field(description="slots it has")
    floor: int = Field(description="slots that it has before any value counts, at this moment")
    ceiling: int
    demand_units_per_s: float | None = Field(description="units a second that are seldom exceeded; none: always more")
    capacity_units_per_s: float = Field(description="units a second that one slot does")
    supply: float = Field(1.0, description="part of what its slots are sure of that their cores gave them lately")
    last_slot_usd_per_s: float = Field(description="what the last slot it has is worth to it")
    next_slot_usd_per_s: float = Field(description="what one more would be worth to it")
    aim: Aim | None = Field(None, description="what it is steered to; none: the price decides")
    price: PriceView | None = Field(None, description="what a unit of its work is worth; none in older ledgers")


class Standings(Frozen):
    """All workloads at one decision, the most important first."""

    epoch: int
    slots: int
    workloads: tuple[Standing, ...]
    next_slot_to: str | None = Field(description="who would get a slot that joined the pool; none: it would be idle")


def standings(claims: Claims, meters: Sequence[DemandMeter], held_W: Ints, slots: int, epoch: int) -> Standings:
    """Tell what each workload holds, what its last and next slot are worth, and who would get one slot more.

    Args:
        claims: of this decision, in the order of ``meters``.
        meters: what each workload's claim was made from.
        held_W: slots that each has after the decision.
        slots: of the pool.
        epoch: of the allocation.
    """
    worth = [claims.last_and_next_usd_per_s(index, int(held)) for index, held in enumerate(held_W)]
    rows = tuple(
        Standing(
            workload=meter.plan.workload,
            unit=meter.plan.unit,
            held=int(held_W[index]),
            floor=int(claims.floor_W[index]),
            ceiling=int(claims.ceiling_W[index]),
            demand_units_per_s=meter.demand_units_per_s() if meter.plan.takes_requests else None,
            capacity_units_per_s=meter.capacity,
            supply=meter.supply,
            last_slot_usd_per_s=worth[index][0],
            next_slot_usd_per_s=worth[index][1],
            aim=_aim(meter),
            price=meter.price,
        )
        for index, meter in enumerate(meters)
    )
    # A workload that may hold every slot may also hold the one that is added here.
    ceiling_W = np.where(claims.ceiling_W >= slots, slots + 1, claims.ceiling_W)
    gained_W = fill(replace(claims, held_W=held_W, ceiling_W=ceiling_W), slots + 1) - held_W
    receiver = int(np.argmax(gained_W))
    return Standings(
        epoch=epoch,
        slots=slots,
        workloads=rows,
        next_slot_to=claims.names[receiver] if gained_W[receiver] > 0 else None,
    )


def _aim(meter: DemandMeter) -> Aim | None:
    if meter.plan.attains is None or not meter.plan.takes_requests:
        return None
    generous = meter.generosity()
    # Without jobs nobody yields: what nobody has use for is held by whoever earns most with it.
    yields = generous.yields_W[0] > 0 and meter.rival_usd_per_s > 0
    return Aim(
        attains=meter.plan.attains,
        attained=float(meter.tally.attained_W[0]),
        provided=float(generous.share_W[0]),
        worth=float(generous.worth_W[0]),
        kept=int(meter.asks().kept_slots(generous)[0]) if yields else None,
        owed=float(meter.tally.owed_share_W[0]),
        stretched=bool(generous.stretched_W[0]),
    )
