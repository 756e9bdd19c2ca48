"""The order in which gradients are added, written down a second time."""

import numpy as np


def added_in_a_tree(parts: list[np.ndarray]) -> np.ndarray:
    """The sum of halves, each added so: the first half is the largest power of two that leaves a second."""
    if len(parts) == 1:
        return parts[0].copy()
    half = 1 << (len(parts) - 1).bit_length() - 1
    return added_in_a_tree(parts[:half]) + added_in_a_tree(parts[half:])
