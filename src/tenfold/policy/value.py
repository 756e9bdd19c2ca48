"""Dollars per second that each further slot would earn a service: expected work times price.

Letters: S services, D demands that may come, R runs of slots of equal value.
"""

import math

import numpy as np

from tenfold.policy.claims import Floats, Ints

MOST_RUNS = 256
"""Runs per service at most."""

LEAST_UTILISATION, MOST_UTILISATION = 0.7, 0.9
LATE_SHARE = 0.01


def sustainable_utilisation(*, request_s: float, target_s: float | None) -> float:
    """Share of a slot's time that can be in use while 99% of its requests are in time; between 70% and 90%.

    In a queue with one server and exponential service (M/M/1) a request takes longer than ``target_s`` with
    probability ``exp(-(1 - utilisation) x target_s / request_s)``. So short requests with time to wait can fill a
    slot. Long ones get 70%: several run together on a slot, and their target ends at the first byte.

    Args:
        request_s: seconds of a slot that one request takes.
        target_s: latency target of a request; none counts as no time to wait.
    """
    late = -math.log(LATE_SHARE)
    share = 1.0 - late * request_s / target_s if target_s else LEAST_UTILISATION
    return min(MOST_UTILISATION, max(LEAST_UTILISATION, share))


def service_runs(needs_SD: Floats, chances_D: Floats, usd_per_s_S: Floats) -> tuple[Ints, Floats, Ints]:
    """Dollars per second that each further slot would earn: expected work times price, averaged over what may be asked.

    Services shed what they cannot serve. So each slot up to the need earns the same, and further ones nothing: a
    concave curve, and its mean over several demands is concave too. (A raw latency curve is S-shaped, and greedy
    allocation would fail on it.) How rare a demand still gets slots follows from the prices, as in the newsvendor's
    problem; it is not a setting.

    Args:
        needs_SD: slots that the demands which may come would fill, ascending along D.
        chances_D: how likely each of them is; sums to 1.
        usd_per_s_S: USD per second of a slot that is in use.
    Returns:
        Runs of slots of equal value, in the order of services and non-increasing within each: the service of each run,
        USD per second of one slot in it, and how many slots it has. Slots beyond the greatest need earn nothing and
        have no run. Where more than ``MOST_RUNS`` slots may or may not be used, neighbours form one run at their mean.
    """
    sure_S = np.floor(needs_SD[:, 0]).astype(np.int64)
    unsure_S = np.ceil(needs_SD[:, -1]).astype(np.int64) - sure_S
    bundle_S = np.maximum(1, -(-unsure_S // MOST_RUNS))
    count_S = -(-unsure_S // bundle_S)
    owner_R = np.repeat(np.arange(len(needs_SD)), count_S)
    place_R = np.arange(len(owner_R)) - np.repeat(np.cumsum(count_S) - count_S, count_S)
    width_R = bundle_S[owner_R]
    start_R = sure_S[owner_R] + place_R * width_R
    used_R = np.clip((needs_SD[owner_R] - start_R[:, None]) / width_R[:, None], 0.0, 1.0) @ chances_D
    # Where demand is sure, one run per service goes before the others.
    owners = np.concatenate((np.arange(len(needs_SD)), owner_R))
    order = np.argsort(owners, kind="stable")
    usd = np.concatenate((usd_per_s_S * chances_D.sum(), used_R * usd_per_s_S[owner_R]))
    return owners[order], usd[order], np.concatenate((sure_S, width_R))[order]


def yielding_runs(
    runs: tuple[Ints, Floats, Ints], kept_S: Floats, most_usd_per_s_S: Floats
) -> tuple[Ints, Floats, Ints]:
    """Value the slots that services do not keep at no more than ``most_usd_per_s_S``.

    Args:
        runs: as ``service_runs`` gives them.
        kept_S: how many slots of each keep their value; whole numbers.
        most_usd_per_s_S: USD per second of each further slot at most.
    Returns:
        Runs as before; one that is kept in part becomes two.
    """
    owner_R, usd_R, slots_R = runs
    before_R = np.cumsum(slots_R) - slots_R
    start_R = before_R - before_R[np.searchsorted(owner_R, owner_R)]
    kept_R, most_R = kept_S[owner_R] - start_R, np.minimum(usd_R, most_usd_per_s_S[owner_R])
    usd_R = np.where(kept_R > 0, usd_R, most_R)
    (part,) = np.nonzero((kept_R > 0) & (kept_R < slots_R))
    kept, slots_R = kept_R[part].astype(np.int64), slots_R.copy()
    rest = slots_R[part] - kept
    slots_R[part] = kept
    return (
        np.insert(owner_R, part + 1, owner_R[part]),
        np.insert(usd_R, part + 1, most_R[part]),
        np.insert(slots_R, part + 1, rest),
    )
