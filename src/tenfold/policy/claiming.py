"""How claims are made from what is asked of services and what jobs can use, for live pool, watch and replay alike.

Letters: S services, J jobs, W workloads (services and jobs), D demands that may come, R runs of slots of equal value.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from tenfold.policy.budget import LEAST_KEPT, Generosity, Tally, generosity, most_worth
from tenfold.policy.claims import Claims, Floats, Ints
from tenfold.policy.forecast import CHANCES_D
from tenfold.policy.value import service_runs, yielding_runs

OVER_JOBS = 1.01
"""What a service's slot is worth that yields to other services, over what the best-paid job would make of it."""


@dataclass(frozen=True, slots=True)
class Services:
    """What is asked of S services, and what a slot of each does. Work is in units: requests, or tokens.

    Args:
        demands_SD: units per second that may be asked for, ascending along D; their chances are ``CHANCES_D``.
        waiting_S: units asked for already and not done yet.
        clear_s_S: seconds in which these must be done.
        slot_units_per_s_S: units per second of one slot, as far as they may be planned on.
        usd_per_unit_S: price of a unit.
        attains_S: share of requests to answer in time; NaN: as many as the price is worth.
        tally: requests asked for and missed so far.
    """

    demands_SD: Floats
    waiting_S: Floats
    clear_s_S: Floats
    slot_units_per_s_S: Floats
    usd_per_unit_S: Floats
    attains_S: Floats
    tally: Tally

    @staticmethod
    def together(parts: Sequence["Services"]) -> "Services":
        """Make one of several, in their order."""
        zeros_S = np.zeros(0)
        none = Services(np.zeros((0, len(CHANCES_D))), zeros_S, zeros_S, zeros_S, zeros_S, zeros_S, Tally.none(0))
        arrays = [field.name for field in fields(Services) if field.name != "tally"]
        return Services(
            **{name: np.concatenate([getattr(part, name) for part in (none, *parts)]) for name in arrays},
            tally=Tally.together([part.tally for part in parts]),
        )

    @property
    def slot_usd_per_s_S(self) -> Floats:
        """What a slot that is always in use earns, at the price."""
        return self.usd_per_unit_S * self.slot_units_per_s_S

    def generosity(self, rival_usd_per_s: float) -> Generosity:
        """How generously each is provided for; ``rival_usd_per_s``: what jobs make of a slot."""
        return generosity(self.tally, self.attains_S, most_worth(rival_usd_per_s, self.slot_usd_per_s_S))

    def runs(self, generous: Generosity, most_slots: float = math.inf) -> tuple[Ints, Floats, Ints]:
        """Runs of slots of equal value, ``most_slots`` a service at most: whose, USD per second of a slot, how many."""
        demands_SD = np.maximum(self.demands_SD, (self.waiting_S / self.clear_s_S)[:, None])
        needs_SD, chances_D = generous.provided(demands_SD / self.slot_units_per_s_S[:, None], CHANCES_D)
        return service_runs(np.minimum(needs_SD, most_slots), chances_D, generous.worth_W * self.slot_usd_per_s_S)

    def kept_slots(self, generous: Generosity) -> Floats:
        """Slots of each whose worth stays what it is in other services' surges: all where no budget is unspent."""
        waiting_S = self.waiting_S / self.clear_s_S
        most_S = np.maximum(self.demands_SD[:, -1], waiting_S)
        least_S = np.maximum(LEAST_KEPT * (self.demands_SD @ CHANCES_D), waiting_S)
        kept_S = most_S + generous.yields_W * (least_S - most_S)
        return np.ceil(kept_S / self.slot_units_per_s_S)


@dataclass(frozen=True, slots=True)
class Jobs:
    """Work without requests, of which there is always more: every slot of a job is worth the same.

    ``usd_per_s_J``: what one slot earns. ``most_J``: slots that the job can use.
    """

    usd_per_s_J: Floats
    most_J: Ints

    @property
    def rival_usd_per_s(self) -> float:
        """What jobs make of a slot: the mean over all slots that they can use; 0 without jobs."""
        return float(np.average(self.usd_per_s_J, weights=self.most_J)) if self.most_J.any() else 0.0

    @property
    def best_usd_per_s(self) -> float:
        """What the best-paid job makes of a slot; 0 without jobs."""
        return float(self.usd_per_s_J[self.most_J > 0].max(initial=0.0))


@dataclass(frozen=True, slots=True)
class Terms:
    """What W workloads have, may have, and what changes cost them, most important first.

    Args:
        names: who they are.
        serves_W: true for services, in their order; false for jobs, in theirs.
        wanted_W: who keeps one slot, however little it earns.
        floor_W: slots that each has before any value counts.
        ceiling_W: slots that each never exceeds.
        least_W: a gang works on this many slots or on none; 1 for everybody else.
        held_W: slots that each has now.
        join_s_W: seconds in which a slot that joins works for nobody.
        join_dwell_s_W: seconds that a slot that joins is expected to stay.
        resize_s_W: seconds in which all slots stand still when some join.
        resize_dwell_s_W: seconds that the new size is expected to last. Where a dwell is 0, slots join only for floors.
    """

    names: tuple[str, ...]
    serves_W: NDArray[np.bool_]
    wanted_W: NDArray[np.bool_]
    floor_W: Ints
    ceiling_W: Ints
    least_W: Ints
    held_W: Ints
    join_s_W: Floats
    join_dwell_s_W: Floats
    resize_s_W: Floats
    resize_dwell_s_W: Floats


def claims_of(
    services: Services,
    jobs: Jobs,
    terms: Terms,
    *,
    most_slots: float = math.inf,
    jobs_instead_usd_per_s_S: Floats | float = 0.0,
) -> Claims:
    """Make the claims of all workloads.

    Args:
        services: what is asked of those that ``terms`` calls services.
        jobs: what the others can use.
        terms: of all.
        most_slots: how many slots of each service are valued at most. A live pool gives its size plus one: where demand
            is far more than a small pool can meet, the runs within that size are then finer. A replay values all.
        jobs_instead_usd_per_s_S: what the best-paid job makes of the slots that do the work of one of a service's best
            kind, on the kind where that is most; needed only where slots are of several kinds.
    """
    service_S, job_J = np.flatnonzero(terms.serves_W), np.flatnonzero(~terms.serves_W)
    join_cost_W = _cost(terms.join_s_W, terms.join_dwell_s_W, 1.0).clip(0.0, 1.0)
    generous = services.generosity(jobs.rival_usd_per_s)
    runs = services.runs(generous, most_slots)
    if jobs.best_usd_per_s > 0:
        # Who yields to services still comes before all jobs, on slots of any kind and also with one that has to join.
        jobs_usd_S = np.maximum(jobs.best_usd_per_s, jobs_instead_usd_per_s_S)
        least_usd_S = OVER_JOBS * jobs_usd_S / np.maximum(1.0 - join_cost_W[service_S], 1e-9)
        runs = yielding_runs(runs, services.kept_slots(generous), least_usd_S)
    owner_R, usd_R, slots_R = runs
    owner_R = np.concatenate((service_S[owner_R], job_J))
    order = np.argsort(owner_R, kind="stable")
    return Claims(
        names=terms.names,
        owner_R=owner_R[order],
        usd_R=np.concatenate((usd_R, jobs.usd_per_s_J))[order],
        slots_R=np.concatenate((slots_R, np.minimum(jobs.most_J, most_slots).astype(np.int64)))[order],
        floor_W=np.maximum(terms.floor_W, terms.wanted_W),
        ceiling_W=terms.ceiling_W,
        least_W=terms.least_W,
        held_W=terms.held_W,
        join_cost_W=join_cost_W,
        resize_cost_W=_cost(terms.resize_s_W, terms.resize_dwell_s_W, 0.0),
    )


def _cost(lost_s_W: Floats, dwell_s_W: Floats, at_no_dwell: float) -> Floats:
    """The seconds lost by a change as a share of the seconds that it is expected to last."""
    return np.divide(lost_s_W, dwell_s_W, out=np.full(len(lost_s_W), at_no_dwell), where=dwell_s_W > 0)
