"""Facilities: what power, its conversion and the building cost; and what a stretch of accelerator-hours costs there."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pydantic import Field

from tenfold.compute.accelerators import Accelerator, Number, Source
from tenfold.compute.interval import Interval
from tenfold.core.errors import UsageError
from tenfold.core.explain import did_you_mean
from tenfold.core.frozen import Frozen

DATA_FILE = "facilities.toml"
HOURS_PER_YEAR = 8766.0
SERVER_LIFE_YEARS = 5.0
# Share of a server's rated power that training draws. A DGX H100 rated 10.2 kW was seen at 8.4 kW at most
# (Latif et al. 2024, arXiv:2412.08602; memory).
POWER_SHARE = Interval(0.62, 0.74, 0.83)


class FacilityEntry(Frozen):
    """One table of ``facilities.toml``; the unit is the end of each key."""

    title: str
    pue: Number = Field(description="power drawn by the facility over power drawn by its servers")
    electricity_usd_per_mwh: Number
    capex_usd_per_mw: Number = Field(description="shell, mechanical and electrical, per MW of IT power")
    life_years: Number
    opex_share_per_year: Number = Field(description="upkeep and staff, as a share of all capex")


@dataclass(frozen=True, slots=True)
class Facility:
    """A kind of place for accelerators."""

    name: str
    entry: FacilityEntry
    sources: Mapping[str, Source]

    def numbers(self) -> dict[str, Number]:
        """Every number that the file gives, by key."""
        found = {key: getattr(self.entry, key) for key in FacilityEntry.model_fields}
        return {key: value for key, value in found.items() if isinstance(value, Number)}


@dataclass(frozen=True, slots=True)
class Bill:
    """What accelerator-hours take; ``None`` where the accelerator has no price or rent in the data."""

    energy_mwh: Interval
    electricity_usd: Interval
    rent_usd: Interval | None
    owned_usd: Interval | None


@cache
def facilities() -> dict[str, Facility]:
    """All facilities by name, in the order of the data file."""
    raw = tomllib.loads((files("tenfold.compute") / DATA_FILE).read_text())
    sources = {key: Source.model_validate(value) for key, value in raw.pop("sources").items()}
    return {name: Facility(name, FacilityEntry.model_validate(table), sources) for name, table in raw.items()}


def find_facility(name: str) -> Facility:
    """The facility of that name.

    Raises:
        UsageError: there is none; names the nearest.
    """
    known = facilities()
    if name in known:
        return known[name]
    hint = did_you_mean(name, known)
    raise UsageError(f"facility {name!r} is not known", next_step=f"{hint}there are {', '.join(known)}")


def bill(accelerator: Accelerator, facility: Facility, accelerator_hours: Interval) -> Bill:
    """Energy and money for busy accelerator-hours.

    Owned: straight-line share of server (5 years) and facility (its own life), upkeep, and electricity, as if every
    hour of those lives were used. Rented: hours times rent; rent includes power.

    Args:
        accelerator: kind used.
        facility: where.
        accelerator_hours: busy hours, summed over accelerators.
    """
    place = facility.entry
    server_mw = accelerator.entry.server_w.value / 1e6
    energy_mwh = accelerator_hours.scaled(server_mw).times(POWER_SHARE).times(place.pue.interval())
    electricity = energy_mwh.times(place.electricity_usd_per_mwh.interval())
    rent, price = accelerator.entry.rent_usd_per_hour, accelerator.entry.price_usd
    owned = None
    if price is not None:
        building = place.capex_usd_per_mw.interval().scaled(server_mw)
        upkeep = price.interval().plus(building).times(place.opex_share_per_year.interval())
        yearly = (
            price.interval()
            .scaled(1 / SERVER_LIFE_YEARS)
            .plus(building.scaled(1 / place.life_years.value))
            .plus(upkeep)
        )
        owned = yearly.scaled(1 / HOURS_PER_YEAR).times(accelerator_hours).plus(electricity)
    return Bill(
        energy_mwh=energy_mwh,
        electricity_usd=electricity,
        rent_usd=None if rent is None else rent.interval().times(accelerator_hours),
        owned_usd=owned,
    )
