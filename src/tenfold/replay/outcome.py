"""What a policy made of a week.

Letters: T steps, S services, J jobs.
"""

from dataclasses import dataclass

from tenfold.policy.account import Account, SlotSeconds
from tenfold.replay.week import Floats, Ints, Week

HOUR_S = 3600.0
DAY_S = 86400.0

IN_FULL = 0.98
"""A step counts as served in full from this share of its requests on."""


@dataclass(frozen=True, slots=True)
class Attained:
    """What a service, or a family of services, was asked and gave.

    ``attainment``: share of requests answered in time. ``steps_in_full``: share of steps in which at least 98% of what
    was asked was answered; of a family: the mean of its services. ``unpreventable``: requests that it missed and
    that no slots could have answered: more came than was thought possible, or than all slots can answer but those
    that other services work on.
    """

    name: str
    family: str
    asked: float
    answered: float
    shed: float
    steps_in_full: float
    unpreventable: float = 0.0

    @property
    def attainment(self) -> float:
        """Share of requests answered in time; 1 if nothing was asked."""
        return self.answered / self.asked if self.asked > 0 else 1.0

    @property
    def unpreventable_share(self) -> float:
        """Share of requests that no slots could have answered."""
        return self.unpreventable / self.asked if self.asked > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One week under one policy. Hours of training are accelerator-hours.

    ``useful_training_h``: work done and not undone, at speed 1. ``training_slot_h``: hours of slots that jobs held or
    left while they saved. ``lost_to_kills_h``: work undone by kills, at speed 1. ``lost_to_moves_h``: slot-hours in
    which jobs started, stood still or saved. ``fragmentation``: share of slot-hours that idled while a job waited that
    would have fit by number. ``earned_usd``: answers in time and useful work at their prices. ``waited_s_J``: from a
    job's arrival to its first slots; NaN if it got none. ``done_at_s_J``: NaN if it was not done.
    ``demand_slots_TS``: slots of the fastest kind that would have answered all that was asked.
    """

    week: str
    policy: str
    step_s: float
    services: tuple[Attained, ...]
    families: tuple[Attained, ...]
    useful_training_h: float
    training_slot_h: float
    lost_to_kills_h: float
    lost_to_moves_h: float
    fragmentation: float
    moves: int
    kills: int
    slot_seconds: SlotSeconds
    earned_usd: float
    jobs_arrived: int
    jobs_done: int
    deadlines: int
    deadlines_met: int
    waited_s_J: Floats
    done_at_s_J: Floats
    service_slots_TS: Ints
    training_slots_T: Ints
    demand_slots_TS: Floats

    @property
    def work_lost(self) -> float:
        """Share of training's slot-hours lost to kills and to moves."""
        lost_h = self.lost_to_kills_h + self.lost_to_moves_h
        return lost_h / self.training_slot_h if self.training_slot_h > 0 else 0.0

    @property
    def moves_per_day(self) -> float:
        """Slots that joined a workload, per day."""
        return self.moves * DAY_S / (len(self.training_slots_T) * self.step_s)

    @property
    def idle_share(self) -> float:
        """Share of slot-hours in which nobody held the slot and nobody was leaving it."""
        return self.slot_seconds.idle / self.slot_seconds.total

    def attainment(self, family: str) -> float:
        """Share of a family's requests answered in time; 1 if there is no such family."""
        return next((each.attainment for each in self.families if each.name == family), 1.0)

    def steps_in_full(self, family: str) -> float:
        """Share of a family's steps served in full; 1 if there is no such family."""
        return next((each.steps_in_full for each in self.families if each.name == family), 1.0)


def attained(
    week: Week, account: Account, answered_TS: Floats, unpreventable_S: Floats
) -> tuple[tuple[Attained, ...], tuple[Attained, ...]]:
    """Sum up services and families; families in the order in which services name them."""
    asked_TS = asked_requests_TS(week)
    # What waited in a queue is answered a step later: a little over is not more than in full.
    full_S = (answered_TS >= IN_FULL * asked_TS - 1e-9).mean(axis=0)
    services = tuple(
        Attained(
            service.name,
            service.family,
            float(account.asked_W[index]),
            float(account.in_time_W[index]),
            float(account.shed_W[index]),
            float(full_S[index]),
            float(unpreventable_S[index]),
        )
        for index, service in enumerate(week.services)
    )
    families = []
    for family in dict.fromkeys(service.family for service in week.services):
        members = [each for each in services if each.family == family]
        families.append(
            Attained(
                family,
                family,
                sum(each.asked for each in members),
                sum(each.answered for each in members),
                sum(each.shed for each in members),
                sum(each.steps_in_full for each in members) / len(members),
                sum(each.unpreventable for each in members),
            )
        )
    return services, tuple(families)


def asked_requests_TS(week: Week) -> Floats:
    """Requests asked for in each step."""
    return week.rates_TS * week.step_s
