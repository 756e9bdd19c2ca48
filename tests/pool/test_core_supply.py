"""A core of which another program takes a part is told from one where residents have what they want."""

from tenfold.pool.core_supply import CoreSupply
from tenfold.pool.resident import Counters


def looked_at(supply, ticks, **had_of_wanted):
    """Half a second a tick: each resident on a core of its own wants all of it and has a part."""
    for tick in range(ticks):
        counters = {
            name: Counters(busy_s=part * 0.5 * tick, wanted_s=0.5 * tick) for name, part in had_of_wanted.items()
        }
        supply.observe(counters, {name: f"core of {name}" for name in had_of_wanted})
    return {name: supply.is_weak(f"core of {name}") for name in had_of_wanted}


def test_a_core_is_weak_within_seconds_and_strong_again_after():
    supply = CoreSupply()
    assert looked_at(supply, 2, train=1.0, rank=1.0) == {"train": False, "rank": False}
    assert looked_at(supply, 7, train=0.3, rank=0.9) == {"train": True, "rank": False}
    assert looked_at(supply, 9, train=1.0, rank=0.9) == {"train": False, "rank": False}


def test_who_wants_next_to_nothing_says_nothing_and_a_new_process_starts_anew():
    supply = CoreSupply()
    supply.observe({"rank#1": Counters(busy_s=100.0, wanted_s=500.0)}, {"rank#1": "c"})
    supply.observe({"rank#1": Counters(busy_s=100.0, wanted_s=500.01)}, {"rank#1": "c"})
    supply.observe({"rank#2": Counters(busy_s=1.0, wanted_s=90.0)}, {"rank#2": "c"})
    assert not supply.is_weak("c")
