"""Accelerators: peaks, memory, links, power, price and rent, each number with unit, source and date."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal

from pydantic import Field

from tenfold.compute.interval import Interval
from tenfold.core.errors import UsageError
from tenfold.core.explain import did_you_mean
from tenfold.core.frozen import Frozen

Precision = Literal["fp32", "fp16", "bf16", "fp8", "fp4"]
DATA_FILE = "accelerators.toml"
# A table names the same few accelerators over and over.
NAMES_KEPT = 1024
# Words in front of a name that say who makes it.
MAKERS = frozenset({"nvidia", "tesla", "amd", "radeon", "instinct", "google", "cloud", "intel", "habana"})


class Source(Frozen):
    """Where a number comes from."""

    title: str
    date: str = Field(pattern=r"^\d{4}(-\d{2})?$", description="when it was published, year or year-month")
    checked: Literal["looked up", "memory", "project notes"] = Field(description="how it was checked for this file")


class Number(Frozen):
    """One number of an accelerator or facility; ``low`` and ``high`` where it differs from place to place."""

    value: float = Field(gt=0)
    low: float | None = Field(None, gt=0)
    high: float | None = Field(None, gt=0)
    source: str = Field(description="key under [sources]")

    def interval(self) -> Interval:
        """The number with its range; exact if the file gives none."""
        return Interval(self.low or self.value, self.value, self.high or self.value)


class AcceleratorEntry(Frozen):
    """One table of ``accelerators.toml``; the unit is the end of each key."""

    title: str
    generation: str = Field(description="accelerators that share a design; utilisation is calibrated per generation")
    year: int
    aliases: tuple[str, ...] = ()
    scale_up_count: int = Field(8, ge=1, description="accelerators on one set of scale-up links")
    fp32_tflops: Number | None = Field(None, description="peak dense 10^12 FLOP/s")
    fp16_tflops: Number | None = None
    bf16_tflops: Number | None = None
    fp8_tflops: Number | None = None
    fp4_tflops: Number | None = None
    hbm_gb: Number = Field(description="memory, 10^9 bytes")
    hbm_gb_per_s: Number = Field(description="memory bandwidth, 10^9 bytes/s")
    link_gb_per_s: Number | None = Field(None, description="scale-up links, 10^9 bytes/s, both directions together")
    network_gbit_per_s: Number | None = Field(None, description="scale-out network per accelerator, one direction")
    tdp_w: Number = Field(description="rated power of the accelerator")
    server_w: Number = Field(description="rated power of the whole server, per accelerator")
    price_usd: Number | None = Field(None, description="one accelerator with its share of the server")
    rent_usd_per_hour: Number | None = Field(None, description="one accelerator for an hour")


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A kind of accelerator; numbers as in its table of ``accelerators.toml``."""

    name: str
    entry: AcceleratorEntry
    sources: Mapping[str, Source]

    @property
    def peak_16bit_flops(self) -> float:
        """Peak dense FLOP/s in the 16-bit format that training uses; the denominator of every utilisation here."""
        number = self.entry.bf16_tflops or self.entry.fp16_tflops or self.entry.fp32_tflops
        assert number is not None, self.name
        return number.value * 1e12

    def peak_flops(self, precision: Precision) -> float:
        """Peak dense FLOP/s.

        Raises:
            UsageError: the accelerator does not compute in ``precision``.
        """
        number: Number | None = getattr(self.entry, f"{precision}_tflops")
        if number is None:
            raise UsageError(
                f"{self.name} has no {precision!r} peak in {DATA_FILE}",
                next_step=f"use one of: {', '.join(self.precisions())}",
            )
        return number.value * 1e12

    def precisions(self) -> list[Precision]:
        """The formats that it has a peak for, widest first."""
        formats: tuple[Precision, ...] = ("fp32", "bf16", "fp16", "fp8", "fp4")
        return [name for name in formats if getattr(self.entry, f"{name}_tflops") is not None]

    @property
    def memory_bytes(self) -> float:
        """Memory in bytes."""
        return self.entry.hbm_gb.value * 1e9

    @property
    def memory_bytes_per_s(self) -> float:
        """Memory bandwidth in bytes/s."""
        return self.entry.hbm_gb_per_s.value * 1e9

    def numbers(self) -> dict[str, Number]:
        """Every number that the file gives, by key."""
        found = {key: getattr(self.entry, key) for key in AcceleratorEntry.model_fields}
        return {key: value for key, value in found.items() if isinstance(value, Number)}


@cache
def accelerators() -> dict[str, Accelerator]:
    """All accelerators by name, in the order of the data file."""
    raw = tomllib.loads((files("tenfold.compute") / DATA_FILE).read_text())
    sources = {key: Source.model_validate(value) for key, value in raw.pop("sources").items()}
    return {name: Accelerator(name, AcceleratorEntry.model_validate(table), sources) for name, table in raw.items()}


def find_accelerator(name: str) -> Accelerator:
    """The accelerator of that name or alias, however it is spelt: "H100", "NVIDIA H100 SXM5 80GB", "h100-sxm".

    Raises:
        UsageError: there is none; names the nearest.
    """
    found = exactly(name)
    if found is not None:
        return found
    hint = did_you_mean(name, _by_name())
    raise UsageError(
        f"accelerator {name!r} is not known",
        next_step=f"{hint}'tenfold compute accelerators' lists {', '.join(accelerators())}",
    )


@lru_cache(NAMES_KEPT)
def exactly(name: str) -> Accelerator | None:
    """The accelerator of that name or alias, or none."""
    by_core = _by_core()
    core, bare = _core(name), _core(re.sub(r"\b\d+ ?gb?\b", "", name.lower()))
    if core in by_core:
        return by_core[core]
    # "V100 32GB": memory is no part of the name where there is one size only.
    if bare in by_core and not any(re.fullmatch(rf"{bare}\d+(gb)?", other) for other in by_core):
        return by_core[bare]
    return None


@cache
def _by_name() -> dict[str, Accelerator]:
    return {alias: found for found in accelerators().values() for alias in (found.name, *found.entry.aliases)}


@cache
def _by_core() -> dict[str, Accelerator]:
    return {_core(alias): found for alias, found in _by_name().items()}


def _core(name: str) -> str:
    """A name without its maker, its socket, spaces and dashes."""
    words = re.findall(r"[a-z0-9]+", name.lower())
    return "".join(word for word in words if word not in MAKERS and not re.fullmatch(r"sxm\d?", word))
