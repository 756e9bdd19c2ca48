"""Who gets the popular list for good, and what ranking earns beyond it."""

import hashlib
from dataclasses import dataclass

_SALT = b"tenfold feed holdout 1"
_STEPS = 2**32


def is_held_out(person: str, share: float) -> bool:
    """Tell whether ``person`` is among the ``share`` of people who get the popular list.

    A hash of the name decides, so it is the same in every process and for ever, and nobody is held out anew when
    ``share`` grows.
    """
    digest = hashlib.blake2b(person.encode(), key=_SALT, digest_size=4).digest()
    return int.from_bytes(digest, "big") < share * _STEPS


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of the comparison. ``people``: all who ever came; ``usd``: what they earned in the time compared."""

    people: int = 0
    usd: float = 0.0


def gain_usd(ranked: Arm, popular: Arm) -> float:
    """What ranking earned: what the ranked people did, less what as many people earn with the popular list.

    People count whether or not they came back, since coming back is a part of what ranking is for (the intention to
    treat). Without anybody in one of the arms nothing is known, and the gain is 0. It may be negative.
    """
    if not ranked.people or not popular.people:
        return 0.0
    return ranked.usd - popular.usd * ranked.people / popular.people
