"""Sums over variables of a node and its ancestors."""

Term = tuple[int, int, float]
"""(variable, lag, coefficient in real units)"""


def times(factor: float, terms: list[Term]) -> list[Term]:
    """A sum times a number."""
    return [(variable, lag, factor * coefficient) for variable, lag, coefficient in terms]


def later(periods: int, terms: list[Term]) -> list[Term]:
    """A sum as it was ``periods`` ago."""
    return [(variable, lag + periods, coefficient) for variable, lag, coefficient in terms]


def rise(variable: int, lag: int = 0) -> list[Term]:
    """What a cumulative variable rose by, ``lag`` periods ago."""
    return [(variable, lag, 1.0), (variable, lag + 1, -1.0)]
