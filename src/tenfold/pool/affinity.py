"""Who a request with a key prefers: consistent hashing with bounded loads.

Each member stands at some points of a ring; a key goes to the next member from its own point on, unless that one has
more than its share in hand, and then to the one after it. So a key keeps its member while others come and go, and no
member has more than (1 + ``SLACK``) times the mean. Mirrokni, Thorup, Zadimoghaddam: Consistent Hashing with Bounded
Loads, SODA 2018.
"""

import math
from bisect import bisect
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from itertools import chain

POINTS = 64
"""Of each member, so that members' parts of the ring differ by about an eighth."""

SLACK = 0.25


class Ring:
    """Members on a ring."""

    def __init__(self, members: Collection[str]) -> None:
        self.size = len(members)
        points = sorted((_place(f"{member} {n}".encode()), member) for member in members for n in range(POINTS))
        self._places = [place for place, _ in points]
        self._members = [member for _, member in points]

    def walk(self, key: bytes) -> Iterator[str]:
        """Give every member once, in the order in which ``key`` prefers them."""
        start, seen = bisect(self._places, _place(key)), set[str]()
        for place in chain(range(start, len(self._members)), range(start)):
            member = self._members[place]
            if member not in seen:
                seen.add(member)
                yield member


@lru_cache(maxsize=16)
def ring_of(members: tuple[str, ...]) -> Ring:
    """Make a ring, or give the one made before for the same members."""
    return Ring(members)


def prefer(ring: Ring, key: bytes, free: Collection[str], in_flight: Mapping[str, int]) -> str:
    """Choose a member for a request.

    Args:
        ring: of all members.
        key: what has been prepared for it at the member that it prefers.
        free: members that can take it; one at least.
        in_flight: requests in hand, by member.
    """
    bound = math.ceil((1 + SLACK) * (sum(in_flight.values()) + 1) / ring.size)
    with_room = (member for member in ring.walk(key) if member in free and in_flight.get(member, 0) < bound)
    return next(with_room, None) or min(free, key=lambda member: in_flight.get(member, 0))


def _place(text: bytes) -> int:
    return int.from_bytes(blake2b(text, digest_size=8).digest())
