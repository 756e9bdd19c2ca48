"""Made-up studies of a realistic shape and size, for benchmarks and tests. No figure in them is anybody's."""

from typing import Protocol

import numpy as np
import yaml

from tenfold.plan.study import Study

SITES = ("aspen", "birch", "cedar", "elm", "fir", "hazel")
FIRST_ACCELERATORS = 120_000


class About(Protocol):
    """A figure near a given one."""

    def __call__(self, value: float, spread: float = 0.2) -> float:
        """A value times up to exp(spread), or divided by it."""
        ...


def synthetic_study(seed: int = 1, *, nodes: int = 970, periods: int = 12, sites: int = 6, risk: float = 0.0) -> Study:
    """A company with some campuses under way, six sites of three phases, four accelerators, three workloads.

    Args:
        seed: changes sizes, prices and demand within some tens of percent.
        nodes: nodes of the scenario tree.
        periods: half-years.
        sites: how many of the six sites.
        risk: weight of CVaR.
    """
    rng = np.random.default_rng(seed)

    def about(value: float, spread: float = 0.2) -> float:
        return float(f"{value * np.exp(spread * rng.uniform(-1, 1)):.4g}")

    sizes_mw = [about(size, 0.15) for size in (180, 90, 120, 150, 180, 210)[:sites]]
    return Study.model_validate(
        {
            "name": f"synthetic {seed}",
            "start": "2026H1",
            "periods": periods,
            "workloads": _workloads(about, periods),
            "correlations": [{"between": ["serving", "ranking"], "value": 0.4}],
            "accelerators": _accelerators(about),
            "rent": {
                "cloud": {
                    "usd_per_hour": about(3.2),
                    "price_change_per_year": -0.1,
                    "throughput": {"training": 1.0, "serving": 1.0, "ranking": 0.7},
                    "limit": 60_000,
                }
            },
            "conversion": {"price_usd": about(3000), "lead_months": 6, "owned": 40_000},
            "sites": {SITES[place]: _site(about, place, size) for place, size in enumerate(sizes_mw)},
            "fit_out": {
                "usd_per_mw": about(8e6),
                "lead_months": 6,
                "done_mw": sizes_mw[0],
            },
            "risk": {"weight": risk},
            "tree": {"nodes": nodes, "paths": 4000, "seed": seed},
        }
    )


def to_yaml(study: Study) -> str:
    """A study as the text of a ``study.yaml``; what is as by default is left out."""
    return yaml.safe_dump(study.model_dump(mode="json", exclude_defaults=True), sort_keys=False)


def _workloads(about: "About", periods: int) -> dict[str, object]:
    """Demand in units of what one accelerator of the first kind does."""
    last = f"{2026 + (periods - 1) // 2}H{(periods - 1) % 2 + 1}"
    years = periods / 2

    def ranges(start: float, growth: float, up: float, down: float) -> dict[str, list[float]]:
        end = start * growth**years
        return {
            "2026H1": [0.95 * start, start, 1.05 * start],
            last: [end / down**years, end, end * up**years],
        }

    return {
        "training": {
            "unit": "accelerators of kind A",
            "demand": {
                "ranges": ranges(about(60_000), about(1.5, 0.1), 1.25, 1.2),
                "jumps": {"per_year": 0.3, "factor": 2.0},
            },
            "shortage_usd_per_unit_month": about(6000),
        },
        "serving": {
            "unit": "accelerators of kind A",
            "demand": {"ranges": ranges(about(30_000), about(1.7, 0.1), 1.25, 1.25)},
            "floor": 0.5,
            "shortage_usd_per_unit_month": about(12_000),
        },
        "ranking": {
            "unit": "accelerators of kind A",
            "demand": {"ranges": ranges(about(40_000), about(1.25, 0.05), 1.1, 1.1)},
            "floor": 0.8,
            "shortage_usd_per_unit_month": about(15_000),
        },
    }


def _accelerators(about: "About") -> dict[str, object]:
    def kind(
        price: float, power_kw: float, lead: int, speed: tuple[float, float, float], year: int, **more: object
    ) -> dict[str, object]:
        training, serving, ranking = speed
        return {
            "price_usd": about(price, 0.1),
            "price_change_per_year": -0.12,
            "lead_months": lead,
            "power_kw": power_kw,
            "throughput": {"training": training, "serving": serving, "ranking": ranking},
            "needs_conversion": ["ranking"],
            "operating_usd_per_month": 60,
            **({"available_from": f"{year}H1"} if year > 2026 else {}),
            **more,
        }

    owned = [
        {"count": FIRST_ACCELERATORS * 0.6, "age_months": 24},
        {"count": FIRST_ACCELERATORS * 0.4, "age_months": 6},
    ]
    cancellation = {"notice_months": 6, "fee_share": 0.25}
    return {
        "A": kind(32_000, 1.4, 6, (1.0, 1.0, 1.0), 2026, owned=owned),
        "B": kind(48_000, 1.9, 12, (2.2, 2.4, 1.2), 2026, cancellation=cancellation),
        "C": kind(60_000, 2.4, 18, (3.6, 4.5, 1.5), 2027, cancellation=cancellation, limit_per_period=150_000),
        "R": {
            **kind(14_000, 0.7, 12, (0.2, 0.7, 1.6), 2026),
            "throughput": {"serving": about(0.7), "ranking": about(1.6)},
            "needs_conversion": [],
        },
    }


def _site(about: "About", place: int, size_mw: float) -> dict[str, object]:
    under_way = {"done_in_months": 0} if place == 0 else {}
    return {
        "phases": {
            "one": {"power_mw": size_mw, "capex_usd": about(3.6e6 * size_mw), "lead_months": 18, **under_way},
            "two": {"power_mw": size_mw, "capex_usd": about(2.8e6 * size_mw), "lead_months": 12, "after": ["one"]},
            "three": {"power_mw": size_mw, "capex_usd": about(2.4e6 * size_mw), "lead_months": 12, "after": ["two"]},
        },
        "power": {"usd_per_mwh": about(55), "pue": 1.15, "take_or_pay_share": 0.6},
    }
