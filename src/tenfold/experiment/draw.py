"""The draw of people into the arms of an experiment: by a hash of their name, so nobody has to remember it."""

import hashlib
from collections.abc import Mapping


def place_of(person: str, salt: str) -> int:
    """Where a person stands between 0 and 2**64, evenly spread and the same for ever.

    Args:
        person: their name or number.
        salt: of this experiment, so that experiments draw people independently.
    """
    digest = hashlib.sha256(f"{salt}\n{person}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def arm_of(person: str, shares: Mapping[str, float], salt: str) -> str | None:
    """Name a person's arm; none for whom the shares leave out.

    Args:
        person: their name or number.
        shares: part of all people that each arm gets, 0 to 1, in a fixed order; together at most 1.
        salt: of this experiment.
    """
    place, end = place_of(person, salt), 0.0
    for arm, share in shares.items():
        end += share
        if place < end * 2**64:
            return arm
    return None


def is_drawn(person: str, share: float, salt: str) -> bool:
    """Whether a person is among a share of all people: the holdout of a workload, or of one campaign's ads."""
    return place_of(person, salt) < share * 2**64
