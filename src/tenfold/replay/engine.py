"""A week played step by step under one policy.

Letters: T steps, K kinds, S services, J jobs of the week, A jobs in the system.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tenfold.core.errors import TenfoldError
from tenfold.policy.account import Account
from tenfold.policy.budget import Tally
from tenfold.replay.floorplan import Floorplan
from tenfold.replay.foresee import forecasts_of
from tenfold.replay.handover import Unheld
from tenfold.replay.outcome import HOUR_S, Outcome, asked_requests_TS, attained
from tenfold.replay.progress import Progress, Worked
from tenfold.replay.queues import Queues, Served
from tenfold.replay.rule import Decision, Rule, View
from tenfold.replay.week import Floats, Ints, Week

RETRY_S, MOST_DOUBLINGS = 600.0, 3
"""A job that found no room in a node or rack is tried again after this time, then after twice as long, and so on; until
then its slots go to others. At each try they idle for a step."""


class NotAllowed(TenfoldError):
    """A policy granted more slots than there are, or slots to a job that cannot use them."""


def replay(week: Week, rule: Rule, *, on_step: Callable[[int], None] | None = None) -> Outcome:
    """Play a week under a policy.

    When a step begins, the policy decides from what was measured before it, so it reacts one step late at the earliest.
    Then slots change hands, donors first; services answer or shed; jobs work. Nothing is random.

    Args:
        week: what is asked and what there is.
        rule: the policy.
        on_step: called after each step with its number, for a progress bar.
    Raises:
        NotAllowed: the policy granted what cannot be; names the policy, the step and the kind or job.
    """
    run = _Run(week, rule)
    for step in range(week.steps):
        run.play(step)
        if on_step is not None:
            on_step(step)
    return run.outcome()


class _Run:
    """The state of one replay."""

    def __init__(self, week: Week, rule: Rule) -> None:
        self._week, self._rule = week, rule
        self._services = len(week.services)
        self._rates_TS: Floats = week.rates_TS
        measured_TS = week.rates_TS.copy()
        for place, service in enumerate(week.services):
            if service.gaps_T is not None:
                measured_TS[service.gaps_T, place] = np.nan
        self._past = len(week.past_HS)
        self._measured_HS: Floats = np.concatenate((week.past_HS, measured_TS))
        self._order_J = np.argsort([job.arrival_s for job in week.jobs], kind="stable")
        self._arrivals_s_J = np.array([job.arrival_s for job in week.jobs], dtype=np.float64)[self._order_J]
        self._arrived = 0
        self._jobs_A: Ints = np.zeros(0, dtype=np.int64)
        self._queues, self._progress = Queues(week, rule.warm), Progress(week, rule.warm)
        self._floorplan = Floorplan(week)
        self._fragmented_s = 0.0
        self._retry_at_s_J: Floats = np.full(len(week.jobs), -np.inf)
        self._refusals_J: Ints = np.zeros(len(week.jobs), dtype=np.int64)
        self._unheld = [Unheld(kind.slots) for kind in week.kinds]
        self._forecasts = forecasts_of(week, warm=rule.warm)
        self._account = Account(self._services + len(week.jobs))
        self._tally = Tally.none(self._services)
        self._busy_SK: Floats = np.zeros((self._services, len(week.kinds)))
        self._unpreventable_S: Floats = np.zeros(self._services)
        self._work_J: Floats = np.zeros(len(week.jobs))
        self._kills = 0
        self._answered_TS: Floats = np.zeros((week.steps, self._services))
        self._service_slots_TS: Ints = np.zeros((week.steps, self._services), dtype=np.int64)
        self._training_slots_T: Ints = np.zeros(week.steps, dtype=np.int64)

    def play(self, step: int) -> None:
        """Play one step."""
        step_s = self._week.step_s
        now_s = step * step_s
        arrived = int(np.searchsorted(self._arrivals_s_J, now_s, side="right"))
        self._jobs_A = np.concatenate((self._jobs_A, self._order_J[self._arrived : arrived]))
        self._arrived = arrived
        seen_A = (self._retry_at_s_J[self._jobs_A] <= now_s) | self._progress.held_JK[self._jobs_A].any(axis=1)
        decision = self._rule.decide(self._view(step, now_s, self._jobs_A[seen_A]))
        self._check(decision, step, self._jobs_A[seen_A])
        self._change(self._placed(_unseen(decision, seen_A), now_s), now_s)
        self._service_slots_TS[step] = self._queues.held_SK.sum(axis=1)
        self._training_slots_T[step] = self._progress.held_JK[self._jobs_A].sum()
        self._spend(step, now_s)

    def _spend(self, step: int, now_s: float) -> None:
        """Let everybody work on what they have."""
        step_s = self._week.step_s
        served = self._queues.serve(self._rates_TS[step], now_s, step_s)
        self._answered_TS[step] += served.answered_S
        mine = slice(0, self._services)
        self._account.served(mine, served.asked_S, served.answered_S, served.shed_S)
        self._account.spent(mine, served.working_s_S, served.starting_s_S)
        beyond_S = served.asked_S - self._reach_S(served) * step_s

        draining_s = sum(unheld.draining_s(now_s, step_s) for unheld in self._unheld)
        idle_s = sum(unheld.slots for unheld in self._unheld) * step_s - draining_s
        held_AK = self._progress.held_JK[self._jobs_A]
        worked = self._progress.work(self._jobs_A, now_s, step_s)
        self._account.spent(self._services + self._jobs_A, worked.working_s_A, worked.standing_s_A)
        self._account.unheld(draining_s, idle_s + float(worked.unused_s_A.sum()))
        self._work_J[self._jobs_A] += worked.work_A
        self._retire(worked, held_AK, now_s + step_s)
        if self._services:
            self._forecasts.observe(self._measured_HS[self._past + step] * step_s, step_s)
        missed_S = served.asked_S - served.answered_S
        unpreventable_S = np.minimum(missed_S, np.maximum(beyond_S, self._forecasts.unforeseen_S)).clip(0.0)
        self._tally = self._tally.after(served.asked_S, missed_S, step_s, unpreventable_S)
        self._unpreventable_S += unpreventable_S

    def _reach_S(self, served: Served) -> Floats:
        """Requests per second that each service could answer with all slots but those that other services work on."""
        week, held_SK = self._week, self._queues.held_SK
        able_S = (held_SK * week.capacity_SK).sum(axis=1) * week.step_s
        busy_S = np.divide(served.answered_S, able_S, out=np.zeros_like(able_S), where=able_S > 0).clip(0.0, 1.0)
        # Slots that worked for others a step ago do not count: nobody could know that their work would end.
        working_SK = held_SK.astype(np.float64) * busy_S[:, None]
        busy_SK, self._busy_SK = np.maximum(working_SK, np.minimum(self._busy_SK, held_SK)), working_SK
        converted_SK = np.where(week.converts_S[:, None], busy_SK, 0.0)
        most_SK = week.slots_K - (busy_SK.sum(axis=0) - busy_SK)
        room_SK = week.conversion_K - (converted_SK.sum(axis=0) - converted_SK)
        most_SK = np.where(week.converts_S[:, None], np.minimum(most_SK, room_SK), most_SK)
        return (most_SK * week.capacity_SK).sum(axis=1)

    def _view(self, step: int, now_s: float, jobs_A: Ints) -> View:
        progress = self._progress
        held_A, most_A = progress.held_JK[jobs_A].sum(axis=1), self._week.most_J[jobs_A]
        return View(
            week=self._week,
            step=step,
            rates_HS=self._measured_HS[: self._past + step],
            demands_SD=self._forecasts.demands_SD(),
            waiting_S=self._queues.backlog_S.copy(),
            tally=self._tally,
            service_slots_SK=self._queues.held_SK.copy(),
            jobs_A=jobs_A,
            job_slots_AK=progress.held_JK[jobs_A],
            speed_AK=self._floorplan.speed_AK(jobs_A, progress.held_JK[jobs_A], self._turn_A(jobs_A, now_s)),
            remaining_A=progress.remaining_J[jobs_A],
            since_checkpoint_A=progress.since_checkpoint_s_J[jobs_A],
            most_A=np.where(self._retry_at_s_J[jobs_A] > now_s, held_A, most_A),
            settled_s_A=now_s - progress.changed_at_s_J[jobs_A],
            started_A=np.isfinite(progress.started_at_s_J[jobs_A]),
        )

    def _turn_A(self, jobs_A: Ints, now_s: float) -> Ints:
        """Count the kinds that jobs were shown: another one after each refusal, and after each RETRY_S without a grant.

        Time counts from when a job is shown again; with the waits in it, a job might come back to one kind for ever.
        """
        shown_s_A = now_s - np.maximum(self._retry_at_s_J[jobs_A], 0.0)
        return self._refusals_J[jobs_A] + (shown_s_A // RETRY_S).astype(np.int64)

    def _check(self, decision: Decision, step: int, jobs_A: Ints) -> None:
        """Refuse what cannot be.

        Raises:
            NotAllowed: see there.
        """
        week, service_SK, job_AK = self._week, decision.service_slots_SK, decision.job_slots_AK
        expected = self._queues.held_SK.shape, (len(jobs_A), len(week.kinds)), (len(jobs_A),)
        shapes = service_SK.shape, job_AK.shape, decision.killed_A.shape
        if shapes != expected:
            raise self._refusal(step, f"arrays of the shapes {shapes!r}", f"{expected!r}")
        if (service_SK < 0).any() or (job_AK < 0).any():
            raise self._refusal(step, "fewer than 0 slots for somebody", "0 or more")
        granted_K = service_SK.sum(axis=0) + job_AK.sum(axis=0)
        converted_K = service_SK[week.converts_S].sum(axis=0)
        for kind, granted, converted, conversion in zip(
            week.kinds, granted_K, converted_K, week.conversion_K, strict=True
        ):
            if granted > kind.slots:
                raise self._refusal(step, f"{granted} slots of {kind.name!r}", f"at most {kind.slots}")
            if converted > conversion:
                raise self._refusal(
                    step,
                    f"{converted} slots of {kind.name!r} to services that need conversion",
                    f"at most {conversion}, for which there is compute and storage",
                )
        unfit_SK = (service_SK > 0) & (week.capacity_SK <= 0)
        if unfit_SK.any():
            service, kind = np.argwhere(unfit_SK)[0]
            raise self._refusal(
                step, f"{week.kinds[kind].name!r} to {week.services[service].name!r}", "a kind it runs on"
            )
        if len(jobs_A):
            self._check_jobs(decision, step, jobs_A)

    def _check_jobs(self, decision: Decision, step: int, jobs_A: Ints) -> None:
        week, count_A = self._week, decision.job_slots_AK.sum(axis=1)
        least_A, most_A = week.least_J[jobs_A], week.most_J[jobs_A]
        wrong_A = (count_A > 0) & ((count_A < least_A) | (count_A > most_A))
        if wrong_A.any():
            job = int(np.argmax(wrong_A))
            raise self._refusal(
                step,
                f"{count_A[job]} slots to the job {week.jobs[jobs_A[job]].name!r}",
                f"0, or {least_A[job]} to {most_A[job]}",
            )
        unfit_AK = (decision.job_slots_AK > 0) & (week.speed_JK[jobs_A] <= 0)
        if unfit_AK.any():
            job, kind = np.argwhere(unfit_AK)[0]
            raise self._refusal(
                step, f"{week.kinds[kind].name!r} to the job {week.jobs[jobs_A[job]].name!r}", "a kind it runs on"
            )
        revived_A = decision.killed_A & (count_A > 0)
        if revived_A.any():
            job = int(np.argmax(revived_A))
            raise self._refusal(
                step, f"{count_A[job]} slots to {week.jobs[jobs_A[job]].name!r}, which it kills", "0 in that step"
            )

    def _refusal(self, step: int, granted: str, right: str) -> NotAllowed:
        return NotAllowed(
            f"policy {self._rule.name!r}, step {step}: it granted {granted}; right would be {right}",
            next_step="Correct the policy's decide(); the replay carries out only what a fleet could do.",
        )

    def _placed(self, decision: Decision, now_s: float) -> Decision:
        """Find places for jobs that need one; who finds none, or not enough room, is tried again after a while."""
        if not self._floorplan.matters:
            return decision
        held_AK = self._progress.held_JK[self._jobs_A]
        placed = self._floorplan.place(decision.service_slots_SK, self._jobs_A, held_AK, decision.job_slots_AK)
        unheld_K = self._week.slots_K - decision.service_slots_SK.sum(axis=0) - placed.job_slots_AK.sum(axis=0)
        short_A = (placed.job_slots_AK < decision.job_slots_AK).any(axis=1)
        grown_A = (placed.job_slots_AK > held_AK).any(axis=1) & ~short_A
        self._refusals_J[self._jobs_A[grown_A]] = 0
        short = self._jobs_A[short_A]
        self._retry_at_s_J[short] = now_s + RETRY_S * 2.0 ** np.minimum(self._refusals_J[short], MOST_DOUBLINGS)
        self._refusals_J[short] += 1
        self._fragmented_s += float(np.minimum(placed.refused_K, unheld_K).sum()) * self._week.step_s
        return replace(decision, job_slots_AK=placed.job_slots_AK)

    def _change(self, decision: Decision, now_s: float) -> None:
        """Carry the decision out: donors first, then whoever joins, services before jobs."""
        queues, progress, jobs_A, count = self._queues, self._progress, self._jobs_A, self._services
        left_SK = np.maximum(queues.held_SK - decision.service_slots_SK, 0)
        joined_SK = np.maximum(decision.service_slots_SK - queues.held_SK, 0)
        joined_AK = np.maximum(decision.job_slots_AK - progress.held_JK[jobs_A], 0)
        queues.leave(left_SK)
        running_A = progress.held_JK[jobs_A].any(axis=1)
        left = progress.leave(jobs_A, decision.job_slots_AK, decision.killed_A & running_A, now_s)
        self._kills += int((decision.killed_A & running_A).sum())
        free_after_s_W = np.concatenate((queues.leave_s_S, left.free_after_s_A))
        latest_A = np.full(len(jobs_A), now_s)
        for kind, unheld in enumerate(self._unheld):
            left_W = np.concatenate((left_SK[:, kind], left.slots_AK[:, kind]))
            leaving = np.flatnonzero(left_W)
            unheld.put(now_s + free_after_s_W[leaving], left_W[leaving], now_s)
            joined_W = np.concatenate((joined_SK[:, kind], joined_AK[:, kind]))
            joining = np.flatnonzero(joined_W)
            if len(joining):
                handed = unheld.take(joined_W[joining])
                who_P = joining[handed.receiver_P]
                serves_P = who_P < count
                queues.join(who_P[serves_P], kind, handed.slots_P[serves_P], handed.free_at_s_P[serves_P])
                np.maximum.at(latest_A, who_P[~serves_P] - count, handed.free_at_s_P[~serves_P])
        joins_A = joined_AK.any(axis=1)
        progress.join(jobs_A[joins_A], joined_AK[joins_A], latest_A[joins_A], now_s)

        self._account.moved(slice(0, count), joined_SK.sum(axis=1))
        saving_s_A = left.slots_AK.sum(axis=1) * left.free_after_s_A
        self._account.moved(count + jobs_A, joined_AK.sum(axis=1), saving_s_A)
        self._account.undone(count + jobs_A, left.undone_A)
        self._work_J[jobs_A] -= left.undone_A

    def _retire(self, worked: Worked, held_AK: Ints, end_s: float) -> None:
        """Take the jobs that are done out of the system; their slots are free when the step ends."""
        if not worked.done_A.any():
            return
        for kind, unheld in enumerate(self._unheld):
            slots = held_AK[worked.done_A, kind]
            unheld.put(np.full(len(slots), end_s), slots, end_s)
        self._floorplan.retire(self._jobs_A[worked.done_A])
        self._jobs_A = self._jobs_A[~worked.done_A]

    def outcome(self) -> Outcome:
        """Sum up."""
        week, account, progress, count = self._week, self._account, self._progress, self._services
        services, families = attained(week, account, self._answered_TS, self._unpreventable_S)
        due_s_J = np.array([np.nan if job.deadline_s is None else job.deadline_s for job in week.jobs])
        lost_s = account.starting_s_W[count:].sum() + account.saving_s_W[count:].sum()
        done_at_s_J = progress.done_at_s_J
        return Outcome(
            week=week.name,
            policy=self._rule.name,
            step_s=week.step_s,
            services=services,
            families=families,
            useful_training_h=float(self._work_J.sum()) / HOUR_S,
            training_slot_h=float(account.working_s_W[count:].sum() + lost_s) / HOUR_S,
            lost_to_kills_h=float(account.undone_W.sum()) / HOUR_S,
            lost_to_moves_h=float(lost_s) / HOUR_S,
            fragmentation=self._fragmented_s / account.slot_seconds().total,
            moves=account.moves,
            kills=self._kills,
            slot_seconds=account.slot_seconds(),
            earned_usd=float(account.in_time_W[:count] @ week.usd_per_request_S + self._work_J @ week.usd_per_s_J),
            jobs_arrived=self._arrived,
            jobs_done=int(np.isfinite(done_at_s_J).sum()),
            deadlines=int(np.isfinite(due_s_J).sum()),
            deadlines_met=int((done_at_s_J <= due_s_J).sum()),
            waited_s_J=progress.started_at_s_J - np.array([job.arrival_s for job in week.jobs]),
            done_at_s_J=done_at_s_J,
            service_slots_TS=self._service_slots_TS,
            training_slots_T=self._training_slots_T,
            demand_slots_TS=asked_requests_TS(week) / week.step_s / week.capacity_SK.max(axis=1),
        )


def _unseen(decision: Decision, seen_A: NDArray[np.bool_]) -> Decision:
    """Extend a decision to jobs that the policy was not shown: they get nothing."""
    job_slots_AK = np.zeros((len(seen_A), decision.job_slots_AK.shape[1]), dtype=np.int64)
    killed_A = np.zeros(len(seen_A), dtype=bool)
    job_slots_AK[seen_A], killed_A[seen_A] = decision.job_slots_AK, decision.killed_A
    return Decision(decision.service_slots_SK, job_slots_AK, killed_A)
