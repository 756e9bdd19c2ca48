"""How many slots a service runs on, by the rule that most of the field uses; shared by the rules that are compared.

Letters: S services, K kinds, H steps of history.
"""

import numpy as np

from tenfold.replay.rule import View
from tenfold.replay.week import Floats, Ints, Week

TOLERANCE = 0.1
"""Of Kubernetes' HPA: nothing changes while utilisation is this close to its target."""

STABILISATION_S = 300.0
"""Of Kubernetes' HPA: a service shrinks to no less than the most that was recommended over this time."""


def dial_S(week: Week, dials: tuple[tuple[str, float], ...], otherwise: float) -> Floats:
    """Look up each service's dial by its family."""
    known = dict(dials)
    return np.array([known.get(service.family, otherwise) for service in week.services])


def hpa_capacity_S(view: View, target_S: Floats) -> Floats:
    """Find the requests per second that each service should be able to answer.

    Replicas such that measured load per replica meets its target; nothing changes within the tolerance; growth at once,
    and shrinking by the most that was recommended over the stabilisation window. A service without a measurement keeps
    what it has. Source: "Horizontal Pod Autoscaling, algorithm details", kubernetes.io; the defaults of
    kube-controller-manager. The metric is the rate of requests, as informed users have it, since utilisation of a
    saturated accelerator says not by how much it is short.

    Args:
        view: what is known.
        target_S: utilisation aimed at, of the rate that a slot answers in time.
    """
    held_S = (view.service_slots_SK * view.week.capacity_SK).sum(axis=1)
    if not len(view.rates_HS):
        return held_S
    window = max(1, round(STABILISATION_S / view.week.step_s))
    desired_HS = view.rates_HS[-window:] / target_S
    desired_S, highest_S = desired_HS[-1], np.fmax.reduce(desired_HS)
    keeps_S = np.isnan(desired_S) | (np.abs(desired_S - held_S) <= TOLERANCE * held_S)
    return np.where(keeps_S, held_S, np.where(desired_S > held_S, desired_S, np.minimum(highest_S, held_S)))


def cover(view: View, rates_S: Floats, within_K: Ints) -> Ints:
    """Find slots that answer these rates: what is worth most per slot first, if there is not enough for all.

    A service keeps what it holds before it takes more, and likes best the kind on which it is faster than others are.
    ``within_K``: how many slots of each kind there are for all services.
    """
    week = view.week
    room_K = within_K.tolist()
    conversion_K = week.conversion_K.tolist()
    worth_S = week.usd_per_request_S * week.capacity_SK.max(axis=1)
    order_S = np.lexsort((-worth_S, week.floor_S == 0)).tolist()
    liked_SK, capacity_SK = liked(week.capacity_SK, week.capacity_SK).tolist(), week.capacity_SK.tolist()
    held_SK, granted_SK = view.service_slots_SK.tolist(), np.zeros_like(view.service_slots_SK)
    for service in order_S:
        missing, converts = float(rates_S[service]), week.services[service].converts
        least = week.services[service].floor
        for most_K in (held_SK[service], room_K.copy()):
            for kind in liked_SK[service]:
                capacity = capacity_SK[service][kind]
                if capacity <= 0 or (missing <= 0 and least <= 0):
                    continue
                wanted = max(least, int(np.ceil(missing / capacity - 1e-9)))
                room = min(room_K[kind], conversion_K[kind]) if converts else room_K[kind]
                slots = max(0, min(wanted, room, most_K[kind]))
                granted_SK[service, kind] += slots
                room_K[kind] -= slots
                conversion_K[kind] -= slots if converts else 0
                missing -= slots * capacity
                least -= slots
    return granted_SK


def liked(speed_WK: Floats, fleet_WK: Floats) -> Ints:
    """Sort kinds for each workload: first those on which it gains most over what the fleet's workloads gain there.

    ``fleet_WK``: speeds of all workloads of the fleet that are compared with.
    """
    if not len(fleet_WK):
        return np.zeros(speed_WK.shape, dtype=np.int64)
    best_W = fleet_WK.max(axis=1, keepdims=True)
    usual_K = (fleet_WK / np.where(best_W > 0, best_W, 1.0)).mean(axis=0)
    return np.argsort(-speed_WK / np.where(usual_K > 0, usual_K, 1.0), axis=1, kind="stable")
