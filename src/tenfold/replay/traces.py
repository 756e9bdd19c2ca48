"""Tables of a trace: request rates by service, read from JSON, CSV or Parquet."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson

from tenfold.core.errors import UsageError
from tenfold.replay.week import Floats


class TraceError(UsageError):
    """A trace file has a row that cannot be; names file, line and column."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Requests per second of several series over the same steps; NaN where nothing was measured.

    ``rates_ST``: shape (S, T), in the order of ``names``.
    """

    step_s: float
    names: tuple[str, ...]
    rates_ST: Floats

    def series(self, place: int) -> Floats:
        """One series, gaps filled on a straight line between what lies beside them."""
        return fill_gaps(self.rates_ST[place])


def fill_gaps(rates_T: Floats) -> Floats:
    """Straight lines through the gaps; the ends stay level."""
    known = ~np.isnan(rates_T)
    places = np.arange(len(rates_T))
    return np.interp(places, places[known], rates_T[known])


def read_rates(path: Path) -> Rates:
    """Read a JSON file of rates."""
    table = orjson.loads(path.read_bytes())
    rates = table["rates"]
    return Rates(float(table["step_s"]), tuple(rates), np.array([rates[name] for name in rates], dtype=float))
