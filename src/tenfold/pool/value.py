"""What each further slot is worth to a workload: a non-increasing series of marginal values."""

from collections.abc import Sequence

from tenfold.core.errors import TenfoldError

TARGET_UTILISATION = 0.7


class NotConcave(TenfoldError):
    """A marginal value rises with slots, so greedy allocation would not be optimal."""


def service_value(
    *, demand_per_s: float, capacity_per_slot: float, value_per_unit_usd: float, slots: int
) -> tuple[float, ...]:
    """Value per second of the 1st, 2nd, ... slot of a service that sheds what it cannot serve.

    Shedding makes value linear in slots up to need and flat beyond, hence concave; a raw latency curve would be
    S-shaped and break greedy allocation. Need is sized at 70% utilisation, where queueing is still short.

    Args:
        demand_per_s: units of work per second to plan for.
        capacity_per_slot: units per second that one slot does.
        value_per_unit_usd: USD per unit of work.
        slots: how many slots to value.
    Returns:
        USD per second of each further slot, length ``slots``, non-increasing.
    """
    need = demand_per_s / (capacity_per_slot * TARGET_UTILISATION)
    full_usd_per_s = value_per_unit_usd * capacity_per_slot * TARGET_UTILISATION
    return tuple(full_usd_per_s * min(1.0, max(0.0, need - index)) for index in range(slots))


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
