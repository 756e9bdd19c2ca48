"""Keys keep their resident, and no resident gets more than its share."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tenfold.pool.affinity import SLACK, Ring, prefer, ring_of

TEN = tuple(f"http://127.0.0.1:{20_000 + n}" for n in range(10))
KEYS = [f"conversation {n}".encode() for n in range(2000)]


def first(ring: Ring, key: bytes) -> str:
    return next(ring.walk(key))


def test_a_key_has_the_same_resident_each_time_and_all_are_used_about_alike():
    ring = Ring(TEN)
    found = Counter(first(ring, key) for key in KEYS)
    assert found == Counter(first(Ring(tuple(reversed(TEN))), key) for key in KEYS)
    assert set(found) == set(TEN) and max(found.values()) < 2 * min(found.values())


def test_when_a_resident_leaves_only_its_own_keys_move():
    before, after = ring_of(TEN), ring_of(TEN[1:])
    moved = [key for key in KEYS if first(before, key) != first(after, key)]
    assert moved == [key for key in KEYS if first(before, key) == TEN[0]]


def test_the_walk_names_each_member_once():
    assert sorted(Ring(TEN).walk(b"key")) == sorted(TEN)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=200), st.integers(1, 6))
def test_no_resident_has_more_than_its_bounded_share(keys, size):
    members = TEN[:size]
    in_flight: Counter[str] = Counter()
    for number, key in enumerate(keys, 1):
        chosen = prefer(ring_of(members), b"%d" % key, members, in_flight)
        in_flight[chosen] += 1
        assert in_flight[chosen] <= (1 + SLACK) * number / size + 1


def test_a_key_whose_resident_is_full_goes_to_the_next_on_the_ring_and_back():
    ring = ring_of(TEN)
    order = list(ring.walk(b"key"))
    assert prefer(ring, b"key", TEN, {}) == order[0]
    assert prefer(ring, b"key", TEN, {order[0]: 3}) == order[1]
    assert prefer(ring, b"key", [order[4], order[7]], {order[4]: 9, order[7]: 8}) == order[7]
