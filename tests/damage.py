"""Damage as disks and hands do it: a file cut at any place, or one byte that is another."""

from collections.abc import Callable

from hypothesis import strategies as st

Harm = Callable[[bytes], bytes]


def _cut(share: float) -> Harm:
    return lambda content: content[: int(share * len(content))]


def _flip(share: float, change: int) -> Harm:
    def flip(content: bytes) -> bytes:
        place = int(share * len(content))
        return content[:place] + bytes([content[place] ^ change]) + content[place + 1 :]

    return flip


_PLACES = st.floats(0, 1, exclude_max=True)
harms: st.SearchStrategy[Harm] = st.builds(_cut, _PLACES) | st.builds(_flip, _PLACES, st.integers(1, 255))
"""What happens to a file's content, at a random place."""
