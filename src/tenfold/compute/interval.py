"""An estimate with its 80% interval, and how intervals combine."""

import math
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Interval:
    """A positive quantity: ``mid`` is the estimate, ``low`` to ``high`` are meant to hold 80% of outcomes."""

    low: float
    mid: float
    high: float

    def __post_init__(self) -> None:
        assert 0 < self.low <= self.mid <= self.high, self

    @classmethod
    def exact(cls, value: float) -> Self:
        """A quantity that is known."""
        return cls(value, value, value)

    @classmethod
    def around(cls, mid: float, log_half_width: float) -> Self:
        """``mid`` with the same factor down and up, ``exp(log_half_width)``."""
        factor = math.exp(log_half_width)
        return cls(mid / factor, mid, mid * factor)

    def scaled(self, factor: float) -> "Interval":
        """The interval times a known positive number."""
        return Interval(self.low * factor, self.mid * factor, self.high * factor)

    def inverse(self) -> "Interval":
        """One over it."""
        return Interval(1 / self.high, 1 / self.mid, 1 / self.low)

    def times(self, other: "Interval") -> "Interval":
        """Product of two independent quantities: half-widths add in quadrature on the log scale."""
        down = math.hypot(math.log(self.mid / self.low), math.log(other.mid / other.low))
        up = math.hypot(math.log(self.high / self.mid), math.log(other.high / other.mid))
        mid = self.mid * other.mid
        return Interval(mid * math.exp(-down), mid, mid * math.exp(up))

    def plus(self, other: "Interval") -> "Interval":
        """Sum of two independent quantities: half-widths add in quadrature."""
        down = math.hypot(self.mid - self.low, other.mid - other.low)
        up = math.hypot(self.high - self.mid, other.high - other.mid)
        mid = self.mid + other.mid
        return Interval(mid - down, mid, mid + up)

    def holds(self, value: float) -> bool:
        """Whether ``value`` lies inside."""
        return self.low <= value <= self.high
