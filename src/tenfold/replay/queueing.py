"""Which jobs run, by the rules of the field: first come first served, whole or elastic; shared by what is compared.

Letters: K kinds, A jobs in the system.
"""

import numpy as np
from numpy.typing import NDArray

from tenfold.replay.rule import View
from tenfold.replay.scaling import liked
from tenfold.replay.week import Ints


def queue_A(view: View) -> Ints:
    """Sort jobs as they are queued: in the order of arrival, and work that never ends behind all that does."""
    return np.argsort(np.isinf(view.remaining_A), kind="stable")


def share_out(view: View, room_K: Ints, grow_after_s: float = 0.0) -> Ints:
    """Give elastic jobs what there is, as they are queued: each as many as it can use.

    ``grow_after_s``: a job that was started or resized more recently does not grow.
    """
    least_A, most_A = view.week.least_J[view.jobs_A], view.most_A
    held_A = view.job_slots_AK.sum(axis=1)
    recent_A = (held_A > 0) & (view.settled_s_A < grow_after_s)
    most_A = np.where(recent_A, held_A, most_A)
    return grant(view, np.zeros_like(view.job_slots_AK), room_K, least_A, most_A, queue_A(view))


def grant(view: View, granted_AK: Ints, room_K: Ints, least_A: Ints, most_A: Ints, order_A: Ints) -> Ints:
    """Add slots to what jobs have: in the given order, each up to its most, or none if it would be below its least.

    A job keeps what it holds before it takes more. Who does not fit is passed over, as in Kueue's BestEffortFIFO.
    """
    if not len(order_A):
        return granted_AK
    granted_AK, room_K = granted_AK.copy(), (room_K - granted_AK.sum(axis=0)).tolist()
    speed_AK = view.speed_AK
    liked_AK = liked(speed_AK, view.week.speed_JK).tolist()
    fits_AK, held_AK, has_A = (speed_AK > 0).tolist(), view.job_slots_AK.tolist(), granted_AK.sum(axis=1).tolist()
    least_A, most_A = least_A.tolist(), most_A.tolist()
    for job in order_A.tolist():
        free = sum(room for room, fits in zip(room_K, fits_AK[job], strict=True) if fits)
        if not any(room_K):
            break
        wanted = min(most_A[job] - has_A[job], free)
        if wanted <= 0 or has_A[job] + wanted < least_A[job]:
            continue
        kept_K = [max(0, held - int(has)) for held, has in zip(held_AK[job], granted_AK[job], strict=True)]
        for most_K in (kept_K, room_K.copy()):
            for kind in liked_AK[job]:
                if fits_AK[job][kind]:
                    slots = min(wanted, room_K[kind], most_K[kind])
                    granted_AK[job, kind] += slots
                    room_K[kind] -= slots
                    wanted -= slots
    return granted_AK


def evict(view: View, room_K: Ints, *, add_back: bool) -> NDArray[np.bool_]:
    """Choose running jobs to give way, whole, the newest first, until the rest fit; work without an end before all.

    ``add_back``: those that turn out not to be needed stay, the newest of them last. Gives those that go.
    """
    held_AK = view.job_slots_AK
    over_K = held_AK.sum(axis=0) - room_K
    goes_A = np.zeros(len(held_AK), dtype=bool)
    if not (over_K > 0).any():
        return goes_A
    rows = np.arange(len(held_AK))
    chosen: list[int] = []
    for job in np.lexsort((-rows, view.settled_s_A, np.isfinite(view.remaining_A))).tolist():
        if (held_AK[job][over_K > 0] > 0).any():
            chosen.append(job)
            over_K = over_K - held_AK[job]
        if not (over_K > 0).any():
            break
    for job in reversed(chosen[:-1] if add_back else []):
        if not (over_K + held_AK[job] > 0).any():
            chosen.remove(job)
            over_K = over_K + held_AK[job]
    goes_A[chosen] = True
    return goes_A


def admit(view: View, room_K: Ints, goes_A: NDArray[np.bool_], least_A: Ints, most_A: Ints) -> Ints:
    """Let who runs and stays keep its size, and admit those that wait.

    Who goes and can save is queued again at once, and may run on with what fits, after a restart.
    """
    stays_AK = np.where(goes_A[:, None], 0, view.job_slots_AK)
    queue = queue_A(view)
    waits_A = stays_AK.sum(axis=1) == 0
    return grant(view, stays_AK, room_K, least_A, most_A, queue[waits_A[queue]])


def unsaved_A(view: View, goes_A: NDArray[np.bool_], grace_s: float) -> NDArray[np.bool_]:
    """Tell which of those that go have no time to save."""
    return goes_A & (view.week.checkpoint_s_J[view.jobs_A] > grace_s)
