"""Jobs while a week is played: what they hold, what they have done, and what a change costs them.

Letters: J jobs of the week, A those in the system, K kinds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenfold.replay.week import Floats, Ints, Week


@dataclass(frozen=True, slots=True)
class Left:
    """What jobs gave up when a step began.

    ``slots_AK``; ``free_after_s_A``: seconds until those are free; ``undone_A``: work that kills undid.
    """

    slots_AK: Ints
    free_after_s_A: Floats
    undone_A: Floats


@dataclass(frozen=True, slots=True)
class Worked:
    """What one step did for each job: work at speed 1, slot-seconds of its slots, and which are done."""

    work_A: Floats
    working_s_A: Floats
    standing_s_A: Floats
    unused_s_A: Floats
    done_A: NDArray[np.bool_]


class Progress:
    """All jobs of a week.

    Args:
        week: jobs and their times.
        warm: whether slots join by a wake, or by the start of a process; then every change of a job is a restart.
    """

    def __init__(self, week: Week, warm: bool) -> None:
        jobs, times = week.jobs, week.job_times_J
        self._warm = warm
        self._speed_JK = week.speed_JK
        self._start_s_J, self._wake_s_J, self._resize_s_J = times.start_s_W, times.wake_s_W, times.resize_s_W
        self._checkpoint_s_J = np.array([job.checkpoint_s for job in jobs], dtype=np.float64)
        self._every_s_J = np.array([job.checkpoint_every_s for job in jobs], dtype=np.float64)
        self.remaining_J: Floats = np.array([job.work for job in jobs], dtype=np.float64)
        self.held_JK: Ints = np.zeros((len(jobs), len(week.kinds)), dtype=np.int64)
        self.since_checkpoint_s_J: Floats = np.zeros(len(jobs))
        self.changed_at_s_J: Floats = np.zeros(len(jobs))
        self.started_at_s_J: Floats = np.full(len(jobs), np.nan)
        self.done_at_s_J: Floats = np.full(len(jobs), np.nan)
        self._unsaved_J: Floats = np.zeros(len(jobs))
        self._starting_JK = np.zeros_like(self.held_JK)
        self._ready_at_s_J: Floats = np.zeros(len(jobs))
        self._still_until_s_J: Floats = np.zeros(len(jobs))

    def leave(self, jobs_A: Ints, target_AK: Ints, killed_A: NDArray[np.bool_], now_s: float) -> Left:
        """Give up slots beyond what was decided: after saving, or at once if killed."""
        held_AK = self.held_JK[jobs_A]
        left_AK = np.maximum(held_AK - target_AK, 0)
        leaves_A = left_AK.any(axis=1)
        undone_A = np.where(killed_A, self._unsaved_J[jobs_A], 0.0)
        self.remaining_J[jobs_A] += undone_A
        # Who leaves has saved, or has lost what was not; so has who starts anew with more processes.
        changed_A = leaves_A | (np.any(held_AK > 0, axis=1) & np.any(target_AK > held_AK, axis=1) & (not self._warm))
        saved = jobs_A[changed_A]
        self._unsaved_J[saved] = self.since_checkpoint_s_J[saved] = 0.0

        self.held_JK[jobs_A] = held_AK - left_AK
        # Those that do not work yet go first.
        self._starting_JK[jobs_A] = np.maximum(self._starting_JK[jobs_A] - left_AK, 0)
        self.changed_at_s_J[jobs_A[leaves_A]] = now_s
        stays_A = target_AK.sum(axis=1) > 0
        self._stand_still(jobs_A[leaves_A & stays_A], now_s)
        self._still_until_s_J[jobs_A[leaves_A & ~stays_A]] = now_s
        return Left(left_AK, np.where(killed_A, 0.0, self._checkpoint_s_J[jobs_A]), undone_A)

    def join(self, jobs: Ints, joined_K: Ints, free_at_s: Floats, now_s: float) -> None:
        """Take slots that are all free then; ``joined_K`` has the shape (jobs, K)."""
        grows = self.held_JK[jobs].any(axis=1)
        again = np.isfinite(self.started_at_s_J[jobs])
        join_s = np.where(again & self._warm, self._wake_s_J[jobs], self._start_s_J[jobs])
        if self._warm:
            ready_s = free_at_s + join_s + np.where(grows, self._resize_s_J[jobs], 0.0)
        else:
            ready_s = np.where(grows, np.maximum(free_at_s, now_s + self._checkpoint_s_J[jobs]), free_at_s) + join_s
        self._stand_still(jobs[grows], now_s)
        if not self._warm:
            self._still_until_s_J[jobs[grows]] = np.maximum(self._still_until_s_J[jobs], ready_s)[grows]
        waits = self._starting_JK[jobs].any(axis=1)
        self._ready_at_s_J[jobs] = np.where(waits, np.maximum(self._ready_at_s_J[jobs], ready_s), ready_s)
        self._starting_JK[jobs] += joined_K
        self.held_JK[jobs] += joined_K
        self.changed_at_s_J[jobs] = now_s
        self.started_at_s_J[jobs] = np.where(again, self.started_at_s_J[jobs], now_s)

    def _stand_still(self, jobs: Ints, now_s: float) -> None:
        pause_s = self._resize_s_J[jobs] if self._warm else self._checkpoint_s_J[jobs] + self._start_s_J[jobs]
        self._still_until_s_J[jobs] = np.maximum(self._still_until_s_J[jobs], now_s + pause_s)

    def work(self, jobs_A: Ints, now_s: float, step_s: float) -> Worked:
        """Play one step. A job that is done gives up its slots when the step ends."""
        held_AK, starting_AK, speed_AK = self.held_JK[jobs_A], self._starting_JK[jobs_A], self._speed_JK[jobs_A]
        settled_AK = held_AK - starting_AK
        still_until_s_A = self._still_until_s_J[jobs_A]
        ready_at_s_A = np.maximum(self._ready_at_s_J[jobs_A], still_until_s_A)
        idle_old_s_A = np.clip(still_until_s_A - now_s, 0.0, step_s)
        idle_new_s_A = np.clip(ready_at_s_A - now_s, 0.0, step_s)
        pace_old_A, pace_new_A = (settled_AK * speed_AK).sum(axis=1), (starting_AK * speed_AK).sum(axis=1)
        work_A = pace_old_A * (step_s - idle_old_s_A) + pace_new_A * (step_s - idle_new_s_A)

        remaining_A = self.remaining_J[jobs_A]
        done_A = (work_A >= remaining_A) & (work_A > 0)
        stops_s_A = np.full(len(jobs_A), step_s)
        if done_A.any():
            early_A = pace_old_A * (idle_new_s_A - idle_old_s_A) >= remaining_A
            pace_A = np.where(early_A, pace_old_A, pace_old_A + pace_new_A)[done_A]
            since_s_A = np.where(early_A, idle_old_s_A + remaining_A / np.maximum(pace_old_A, 1e-300), 0.0)
            late_s = step_s - (work_A - remaining_A)[done_A] / pace_A
            stops_s_A[done_A] = np.where(early_A[done_A], since_s_A[done_A], late_s)
            work_A[done_A] = remaining_A[done_A]
            self.done_at_s_J[jobs_A[done_A]] = now_s + stops_s_A[done_A]
        settled_A, starting_A = settled_AK.sum(axis=1), starting_AK.sum(axis=1)
        ran_old_s_A = np.maximum(stops_s_A - idle_old_s_A, 0.0)
        ran_new_s_A = np.maximum(stops_s_A - idle_new_s_A, 0.0)
        working_s_A = settled_A * ran_old_s_A + starting_A * ran_new_s_A
        unused_s_A = (settled_A + starting_A) * (step_s - stops_s_A)
        standing_s_A = (settled_A + starting_A) * step_s - working_s_A - unused_s_A

        self.remaining_J[jobs_A] = remaining_A - work_A
        self._save_when_due(
            jobs_A,
            work_A,
            np.where(settled_A > 0, ran_old_s_A, ran_new_s_A * (starting_A > 0)),
            pace_old_A + pace_new_A,
        )
        self._starting_JK[jobs_A[ready_at_s_A <= now_s + step_s]] = 0
        self.held_JK[jobs_A[done_A]] = self._starting_JK[jobs_A[done_A]] = 0
        return Worked(work_A, working_s_A, standing_s_A, unused_s_A, done_A)

    def _save_when_due(self, jobs_A: Ints, work_A: Floats, ran_s_A: Floats, pace_A: Floats) -> None:
        """Count what is not saved yet. Saving on the way costs nothing."""
        since_s_A, every_s_A = self.since_checkpoint_s_J[jobs_A] + ran_s_A, self._every_s_J[jobs_A]
        due_A = since_s_A >= every_s_A
        since_s_A = np.where(due_A, since_s_A % every_s_A, since_s_A)
        self.since_checkpoint_s_J[jobs_A] = since_s_A
        self._unsaved_J[jobs_A] = np.where(due_A, since_s_A * pace_A, self._unsaved_J[jobs_A] + work_A)
