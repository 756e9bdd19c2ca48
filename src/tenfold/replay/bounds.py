"""What no policy can exceed: the most training that a week allows at a given attainment of its services.

There are three bounds. The first knows the whole week and moves cost it nothing; the second knows the week and pays the
true times of moves; the third knows no more of the future than the forecast does. All are relaxations: slots can be
divided, jobs of equal speed are one job, and gangs and places are ignored.

Letters: T steps, K kinds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tenfold.replay.foresee import forecasts_of
from tenfold.replay.linear import LinearProgram, NoSolution, Term
from tenfold.replay.week import Floats, Service, Week

HOUR_S = 3600.0

FEWEST_STEPS, MOST_MERGED = 500, 10
"""Of weeks with more steps up to so many are put together for the bound of one policy."""

FREE_MOVES, TRUE_MOVES = "clairvoyant, free moves", "clairvoyant, true moves"
INFORMED = "no knowledge beyond the forecast"


@dataclass(frozen=True, slots=True)
class Bound:
    """No policy trains more than ``useful_training_h`` accelerator-hours at speed 1."""

    name: str
    useful_training_h: float


@dataclass(frozen=True, slots=True)
class _Class:
    """Jobs of one speed, as one. Arrived work and slots that could be used, by step; infinite work never ends."""

    speed_K: Floats
    arrived_work_T: Floats
    most_T: Floats
    join_s: float


def clairvoyant(week: Week, attainment: Mapping[str, float], *, moves: bool) -> Bound:
    """Bound useful training by a linear program that knows the whole week.

    Args:
        week: what is asked and what there is.
        attainment: least share of each family's requests that are answered in time; 1 for a family not named.
        moves: whether a slot that joins is lost for as long as one resident takes to sleep and another to wake.

    Raises:
        Infeasible: no policy can keep to the floors and attain that much.
    """
    program = _Allocation(week, moves)
    for family in dict.fromkeys(service.family for service in week.services):
        program.serve(family, attainment.get(family, 1.0))
    for jobs in _classes(week):
        program.train(jobs)
    return program.solve(TRUE_MOVES if moves else FREE_MOVES)


def at_least(week: Week, answered_S: Floats) -> float:
    """Bound useful training, in hours, of who answers of every service at least so many requests.

    It knows the whole week and pays the true times of moves, but for the first step's, whose slots were free before.
    What services are reported together does not matter. Moves are free where the solver finds nothing else, which is a
    looser bound. Many steps are put together to fewer: what can be done in the fine ones can, on average, be done in
    the coarse ones, where what joining loses may be lost a step early: a slot that joins at a coarse step's end is seen
    to join in the next one.

    Args:
        week: what is asked and what there is.
        answered_S: requests that each service answers at least: what a policy answered, to bound its training.

    Raises:
        NoSolution: nobody can answer as much, or the solver found nothing.
    """
    coarse, last = _coarse(week)
    try:
        return _at_least(coarse, answered_S, moves=True, last=last, merged=coarse is not week)
    except NoSolution:
        return _at_least(coarse, answered_S, moves=False, last=last)


def _at_least(week: Week, answered_S: Floats, *, moves: bool, last: float = 1.0, merged: bool = False) -> float:
    program = _Allocation(week, moves, last, merged=merged)
    for group in _groups(week.services):
        for service, served in program.share(group).items():
            program.answer([served], float(answered_S[service]))
    for jobs in _classes(week):
        program.train(jobs)
    return program.solve(TRUE_MOVES).useful_training_h


def _coarse(week: Week) -> tuple[Week, float]:
    """The week in steps a few times as long, if it has many, and the share of the last one that is played.

    Each job is there from the begin of its step on, and the share of requests that may be carried into the next step
    stays: no less is possible than in the fine steps. After the week's end nothing is asked for and nobody has slots.
    """
    size = max((size for size in range(1, MOST_MERGED + 1) if -(-week.steps // size) >= FEWEST_STEPS), default=1)
    if size == 1:
        return week, 1.0
    steps, step_s = -(-week.steps // size), size * week.step_s
    after = steps * size - week.steps

    def merged(rates_T: Floats) -> Floats:
        return np.append(rates_T, np.zeros(after)).reshape(steps, size).mean(axis=1)

    services = tuple(
        replace(each, rates_T=merged(each.rates_T), gaps_T=None, queue_s=size * each.queue_s) for each in week.services
    )
    jobs = tuple(replace(job, arrival_s=job.arrival_s // step_s * step_s) for job in week.jobs)
    coarse = replace(week, step_s=step_s, services=services, jobs=jobs, alone_steps=steps)
    return coarse, 1.0 - after / size


def informed(week: Week, attainment: Mapping[str, float]) -> Bound:
    """Bound useful training of policies that know no more of the next step than the forecast does.

    The pool's forecast is run over the week, and the errors that it made are taken as known, for each service and each
    quarter of its demand levels. Slots are provided up to the one quantile of these errors that attains what is asked
    at the least cost (the newsvendor's ratio, with one price per family). Moves are free, and everything about jobs is
    known. So no policy that sees only the forecast and its level can do better on average.

    Raises:
        Infeasible: no policy can keep to the floors and attain that much.
    """
    if not week.services:
        return replace(clairvoyant(week, {}, moves=False), name=INFORMED)
    forecasts = forecasts_of(week, warm=True)
    predicted_ST = np.zeros((len(week.services), week.steps))
    rates_ST = week.rates_TS.T
    for step in range(week.steps):
        predicted_ST[:, step] = forecasts.predicted_S
        forecasts.observe(rates_ST[:, step] * week.step_s, week.step_s)
    provided_ST = np.zeros_like(predicted_ST)
    for family in dict.fromkeys(service.family for service in week.services):
        members = [index for index, service in enumerate(week.services) if service.family == family]
        cost_S = 1.0 / week.capacity_SK[members].max(axis=1)
        provided_ST[members] = _provide(predicted_ST[members], rates_ST[members], cost_S, attainment.get(family, 1.0))
    services = tuple(
        replace(service, rates_T=provided_T) for service, provided_T in zip(week.services, provided_ST, strict=True)
    )
    return replace(clairvoyant(replace(week, services=services), {}, moves=False), name=INFORMED)


def _provide(predicted_ST: Floats, rates_ST: Floats, cost_S: Floats, attainment: float) -> Floats:
    """Find the capacity, in requests per second, that answers ``attainment`` of the requests at the least cost."""
    errors_ST = rates_ST - predicted_ST
    quarter_ST = np.stack([np.searchsorted(np.quantile(row_T, (0.25, 0.5, 0.75)), row_T) for row_T in predicted_ST])

    def provide(price: float) -> Floats:
        provided_ST = np.empty_like(predicted_ST)
        for service, cost in enumerate(cost_S):
            for quarter in range(4):
                here_T = quarter_ST[service] == quarter
                level = min(1.0, max(0.0, 1.0 - cost / price))
                margin = np.quantile(errors_ST[service, here_T], level, method="higher") if here_T.any() else 0.0
                provided_ST[service, here_T] = predicted_ST[service, here_T] + margin
        return np.maximum(provided_ST, 0.0)

    low, high = float(cost_S.min()), float(cost_S.max()) * 1e6
    for _ in range(60):
        price = float(np.sqrt(low * high))
        answered = np.minimum(provide(price), rates_ST).sum()
        low, high = (low, price) if answered >= attainment * rates_ST.sum() else (price, high)
    return provide(high)


class _Allocation:
    """The linear program: slots of each kind over time, of services and of jobs, no more than there are.

    ``last``: the share of the last step that is played; slots are means over the step. ``merged``: whether steps are
    several of the week as it was.
    """

    def __init__(self, week: Week, moves: bool, last: float = 1.0, *, merged: bool = False) -> None:
        self._week, self._merged = week, merged
        self._moves = moves
        self._played_T = np.append(np.ones(week.steps - 1), last)
        self._program = LinearProgram(week.steps)
        self._users: list[list[Term]] = [[] for _ in week.kinds]
        self._converting: list[list[Term]] = [[] for _ in week.kinds]

    def serve(self, family: str, attainment: float) -> None:
        """Answer at least this share of a family's requests.

        Services whose slots differ only by a factor share theirs: what each is asked is counted in slots of the group.
        """
        members = [service for service in self._week.services if service.family == family]
        answered = [served for group in _groups(members) for served in self.share(group).values()]
        asked = sum(float(service.rates_T.sum()) for service in members) * self._week.step_s
        self.answer(answered, attainment * asked)

    def share(self, group: Sequence[Service]) -> dict[int, int]:
        """Add slots that a group of services shares, and what each of them answers, by its place in the week."""
        slots, floor = self._slots(group[0]), sum(service.floor for service in group)
        if floor:
            self._program.rows([Term(variable, 1.0) for variable in slots.values()], lower=floor * self._played_T)
        served: dict[int, int] = {}
        needed: list[Term] = []
        for service in group:
            place = next(at for at, each in enumerate(self._week.services) if each is service)
            served[place] = self._served(service)
            needed.append(Term(served[place], 1.0 / float(service.capacity_K.max())))
        self._program.rows([*needed, *self._working(group[0], slots)], upper=0.0)
        return served

    def answer(self, served: Sequence[int], requests: float) -> None:
        """Answer at least so many requests of these services together."""
        lower = requests / self._week.step_s * (1 - 1e-9)
        self._program.total([Term(variable, 1.0) for variable in served], lower=lower)

    def _slots(self, service: Service) -> dict[int, int]:
        """Add slots of each kind that a group of services can use."""
        slots = {kind: self._program.variable() for kind, capacity in enumerate(service.capacity_K) if capacity > 0}
        for kind, variable in slots.items():
            self._users[kind].append(Term(variable, 1.0))
            self._converting[kind] += [Term(variable, 1.0)] if service.converts else []
        return slots

    def _served(self, service: Service) -> int:
        """Add requests per second that are answered; in a step, those too that could have waited since the last one."""
        waiting = min(1.0, service.queue_s / self._week.step_s)
        served = self._program.variable(upper=service.rates_T + waiting * np.r_[0.0, service.rates_T[:-1]])
        if waiting > 0:
            self._program.total([Term(served, 1.0)], upper=float(service.rates_T.sum()))
        return served

    def _working(self, service: Service, slots: Mapping[int, int]) -> list[Term]:
        """What slots do, in slots of the fastest kind, negative: those that just joined do not work yet."""
        terms: list[Term] = []
        lost_steps = (service.times.sleep_s + service.times.wake_s) / self._week.step_s
        for kind, variable in slots.items():
            speed = float(service.capacity_K[kind] / service.capacity_K.max())
            terms.append(Term(variable, -speed))
            if self._moves:
                joined = self._joined(variable)
                terms += self._lost(
                    [
                        Term(joined, speed * min(1.0, lost_steps - lag), lag)
                        for lag in range(int(np.ceil(lost_steps - 1e-9)))
                    ]
                )
        return terms

    def _lost(self, lost: list[Term]) -> list[Term]:
        """What joining loses; in merged steps as much of it as may be was lost in the step before."""
        if not self._merged or not lost:
            return lost
        early = self._program.variable()
        self._program.rows([Term(early, 1.0, lag=1), *(replace(each, factor=-each.factor) for each in lost)], upper=0.0)
        return [*lost, Term(early, 1.0), Term(early, -1.0, lag=1)]

    def train(self, jobs: _Class) -> None:
        """Work on jobs that have arrived."""
        program, step_s = self._program, self._week.step_s
        slots = {kind: program.variable(cost=-speed) for kind, speed in enumerate(jobs.speed_K) if speed > 0}
        work: list[Term] = []
        for kind, variable in slots.items():
            self._users[kind].append(Term(variable, 1.0))
            speed = float(jobs.speed_K[kind])
            work.append(Term(variable, -speed * step_s))
            lost = speed * min(1.0, jobs.join_s / step_s)
            if self._moves and lost:
                work.append(Term(self._joined(variable, cost=lost), lost * step_s))
        program.rows([Term(variable, 1.0) for variable in slots.values()], upper=jobs.most_T * self._played_T)
        if np.isfinite(jobs.arrived_work_T).all():
            done = program.variable(upper=jobs.arrived_work_T)
            program.rows([Term(done, 1.0), Term(done, -1.0, lag=1), *work], lower=0.0)

    def _joined(self, slots: int, cost: float = 0.0) -> int:
        """Add the slots that are more than in the step before. Those of the first step were there before."""
        joined = self._program.variable(cost=cost)
        lower_T = np.append(-np.inf, np.zeros(self._week.steps - 1))
        self._program.rows([Term(joined, 1.0), Term(slots, -1.0), Term(slots, 1.0, lag=1)], lower=lower_T)
        return joined

    def solve(self, name: str) -> Bound:
        """Find the most training."""
        for kind, users, converting in zip(self._week.kinds, self._users, self._converting, strict=True):
            self._program.rows(users, upper=kind.slots * self._played_T)
            if kind.conversion is not None and converting:
                self._program.rows(converting, upper=kind.conversion * self._played_T)
        solution = self._program.solve()
        return Bound(name, max(0.0, -solution.cost) * self._week.step_s / HOUR_S)


def _groups(services: Sequence[Service]) -> list[list[Service]]:
    """Put together services whose slots differ only by a factor."""
    groups: dict[object, list[Service]] = {}
    for service in services:
        speed_K = np.round(service.capacity_K / service.capacity_K.max(), 9)
        groups.setdefault((tuple(speed_K), service.times, service.converts), []).append(service)
    return list(groups.values())


def _classes(week: Week) -> list[_Class]:
    """Add up jobs of equal speed and times of joining."""
    starts_s_T = np.arange(week.steps) * week.step_s
    classes: dict[object, list[int]] = {}
    for index, job in enumerate(week.jobs):
        classes.setdefault((tuple(job.speed_K), job.times.wake_s, job.times.sleep_s), []).append(index)
    found = []
    for members in classes.values():
        jobs = sorted((week.jobs[index] for index in members), key=lambda job: job.arrival_s)
        # A job is in the system in the first step that begins at or after its arrival.
        here_T = np.searchsorted([job.arrival_s for job in jobs], starts_s_T, side="right")
        found.append(
            _Class(
                speed_K=jobs[0].speed_K,
                arrived_work_T=np.concatenate(([0.0], np.cumsum([job.work for job in jobs])))[here_T],
                most_T=np.concatenate(([0.0], np.cumsum([job.most for job in jobs])))[here_T],
                join_s=jobs[0].times.wake_s,
            )
        )
    return found
