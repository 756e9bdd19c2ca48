"""What each further slot is worth to a workload: a non-increasing series of marginal values.

Letters: D demands that may come, S slots.
"""

import math
from collections.abc import Sequence

import numpy as np

from tenfold.core.errors import TenfoldError

LEAST_UTILISATION, MOST_UTILISATION = 0.7, 0.9
LATE_SHARE = 0.01


class NotConcave(TenfoldError):
    """A marginal value rises with slots, so greedy allocation would not be optimal."""


def sustainable_utilisation(*, request_s: float, target_s: float | None) -> float:
    """Share of a slot's time that may be in use with 1% of its requests late; between 70% and 90%.

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


def service_value(
    *,
    demands_per_s: Sequence[float],
    capacity_per_slot: float,
    utilisation: float,
    value_per_unit_usd: float,
    slots: int,
) -> tuple[float, ...]:
    """Expected value per second of the 1st, 2nd, ... slot of a service that sheds what it cannot serve.

    Shedding makes value linear in slots up to need and flat beyond, hence concave, and so is its mean over what demand
    may be; a raw latency curve would be S-shaped and break greedy allocation. How rare a demand is still provided for
    follows from the prices (the newsvendor's ratio), and is not a setting.

    Args:
        demands_per_s: units of work per second that may be asked for, equally likely each.
        capacity_per_slot: units per second that one slot does.
        utilisation: share of a slot's capacity to count on, in (0, 1].
        value_per_unit_usd: USD per unit of work.
        slots: how many slots to value.
    Returns:
        USD per second of each further slot, length ``slots``, non-increasing.
    """
    needs_D = np.asarray(demands_per_s, dtype=np.float64) / (capacity_per_slot * utilisation)
    used_S = np.clip(needs_D[:, None] - np.arange(slots), 0.0, 1.0).mean(axis=0)
    return tuple((value_per_unit_usd * capacity_per_slot * utilisation * used_S).tolist())


def training_value(*, units_per_slot: float, value_per_unit_usd: float, slots: int) -> tuple[float, ...]:
    """Value per second of each further slot of a workload that always has more to do, USD per second."""
    return (units_per_slot * value_per_unit_usd,) * slots


def require_concave(workload: str, marginal_usd_per_s: Sequence[float]) -> None:
    """Raise ``NotConcave`` naming the workload if any marginal value exceeds the one before it."""
    for index in range(1, len(marginal_usd_per_s)):
        if marginal_usd_per_s[index] > marginal_usd_per_s[index - 1] * (1 + 1e-9):
            raise NotConcave(
                f"{workload}: slot {index + 1} is worth {marginal_usd_per_s[index]:.3g} USD/s, more than slot {index} "
                f"({marginal_usd_per_s[index - 1]:.3g})"
            )
