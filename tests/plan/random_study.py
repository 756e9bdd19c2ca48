"""Hypothesis strategies for small studies of every shape: sites, leases, offers, horizons and limits at random."""

from hypothesis import assume
from hypothesis import strategies as st
from tiny_study import study_of

from tenfold.plan.checks import problems
from tenfold.plan.study import Study

MONTHS = st.sampled_from([0, 4, 6, 12, 18])
PERIODS = ("2026H1", "2026H2", "2027H1", "2027H2", "2028H1")


@st.composite
def studies(draw: st.DrawFn) -> Study:
    """A study of a few half-years that always has a plan: rent without limit meets every floor."""
    periods = draw(st.integers(3, 5))
    workloads = ["serving", "training"][: draw(st.integers(1, 2))]
    throughput = {"serving": 2.0, "training": 1.0}
    able = {name: throughput[name] for name in workloads}
    table: dict[str, object] = {
        "name": "random",
        "start": PERIODS[0],
        "periods": periods,
        "discount_rate": draw(st.sampled_from([0.0, 0.08, 0.3])),
        "horizon": draw(st.sampled_from(["annualised", "salvage"])),
        "salvage_share": draw(st.sampled_from([0.0, 0.5, 1.0])),
        "workloads": {name: draw(workload(PERIODS[periods - 1])) for name in workloads},
        "accelerators": {
            name: draw(accelerator(able, PERIODS[:periods])) for name in ["gpu", "late"][: draw(st.integers(1, 2))]
        },
        "rent": {"cloud": {"usd_per_hour": draw(st.sampled_from([1.0, 6.0])), "throughput": able}},
        "sites": {name: draw(site(PERIODS[:periods])) for name in ["home", "away"][: draw(st.integers(1, 2))]},
        "risk": {"weight": draw(st.sampled_from([0.0, 0.0, 0.7])), "alpha": 0.7},
        "tree": {"nodes": draw(st.integers(periods, 9)), "paths": 60, "seed": draw(st.integers(0, 99))},
    }
    if draw(st.booleans()):
        table["fit_out"] = {"usd_per_mw": 2e6, "lead_months": draw(MONTHS)}
    if draw(st.booleans()):
        table["leases"] = {"cage": draw(lease())}
    if draw(st.booleans()):
        table["capex_limit_usd"] = {"2026": draw(st.sampled_from([4e5, 2e6])), "2027": 2e6}
    study = study_of(table)
    assume(not problems(study))
    return study


@st.composite
def workload(draw: st.DrawFn, last: str) -> dict[str, object]:
    growth = draw(st.sampled_from([0.4, 1.0, 3.0]))
    end = [60 * growth, 100 * growth, 240 * growth]
    return {
        "unit": "u",
        "demand": {"ranges": {PERIODS[0]: [80, 90, 100], last: end}},
        "floor": draw(st.sampled_from([0.0, 0.5])),
        "shortage_usd_per_unit_month": draw(st.sampled_from([300, 1500])),
    }


@st.composite
def accelerator(draw: st.DrawFn, able: dict[str, float], periods: tuple[str, ...]) -> dict[str, object]:
    lead = draw(MONTHS)
    table: dict[str, object] = {
        "price_usd": draw(st.sampled_from([8_000, 30_000])),
        "price_change_per_year": draw(st.sampled_from([-0.3, 0.0])),
        "lead_months": lead,
        "power_kw": 1.5,
        "throughput": able,
        "deposit_share": draw(st.sampled_from([0.0, 0.3])),
        "life_months": draw(st.sampled_from([12, 30, 60])),
        "lot": draw(st.sampled_from([None, 8])),
        "available_from": draw(st.sampled_from([None, *periods])),
        "owned": draw(st.sampled_from([[], [{"count": 60, "age_months": 6}]])),
    }
    if lead and draw(st.booleans()):
        table["cancellation"] = {"notice_months": draw(st.sampled_from([0, 6])) if lead > 6 else 0, "fee_share": 0.4}
    return table


@st.composite
def site(draw: st.DrawFn, periods: tuple[str, ...]) -> dict[str, object]:
    """Phases in any order of precedence; the first may be under way."""
    phases: dict[str, object] = {}
    for number in range(draw(st.integers(1, 4))):
        name = f"phase-{number}"
        phase: dict[str, object] = {
            "power_mw": draw(st.sampled_from([0.0, 0.05, 0.1])),
            "capex_usd": draw(st.sampled_from([0, 100_000, 400_000])),
            "lead_months": draw(MONTHS),
            "life_months": draw(st.sampled_from([18, 168])),
            "after": draw(st.lists(st.sampled_from(list(phases)), unique=True, max_size=2)) if phases else [],
        }
        if not number and draw(st.booleans()):
            phase["done_in_months"] = draw(st.sampled_from([0, 6, 12]))
        elif draw(st.booleans()):
            phase["earliest"] = draw(st.sampled_from(periods))
        phases[name] = phase
    return {"phases": phases, "power": {"usd_per_mwh": 80, "take_or_pay_share": draw(st.sampled_from([0.0, 0.6]))}}


@st.composite
def lease(draw: st.DrawFn) -> dict[str, object]:
    table: dict[str, object] = {
        "power_mw": 0.1,
        "usd_per_mw_month": draw(st.sampled_from([20_000, 150_000])),
        "lead_months": draw(st.sampled_from([0, 6])),
        "term_months": draw(st.sampled_from([6, 12, 18])),
        "power": {"usd_per_mwh": 90},
    }
    if draw(st.booleans()):
        table["extension"] = {"months": 6, "notice_months": draw(st.sampled_from([0, 6]))}
    if table["term_months"] != 6 and draw(st.booleans()):
        table["cancellation"] = {"after_months": 6, "fee_usd_per_mw": 50_000}
    return table
