"""A small study, and what is built from it."""

from tenfold.plan.extensive import Program, extensive
from tenfold.plan.model import Template, template
from tenfold.plan.study import Study
from tenfold.plan.tree import Tree, grow

TINY = {
    "name": "tiny",
    "start": "2026H1",
    "periods": 4,
    "workloads": {
        "serving": {
            "unit": "requests/s",
            "demand": {"ranges": {"2026H1": [80, 90, 100], "2027H2": [80, 160, 320]}},
            "floor": 0.3,
            "shortage_usd_per_unit_month": 400,
        },
        "training": {
            "unit": "GPUs",
            "demand": {
                "ranges": {"2026H1": [20, 25, 30], "2027H2": [20, 40, 90]},
                "jumps": {"per_year": 0.3, "factor": 2},
            },
            "shortage_usd_per_unit_month": 900,
        },
    },
    "correlations": [{"between": ["serving", "training"], "value": 0.3}],
    "accelerators": {
        "gpu": {
            "price_usd": 30_000,
            "price_change_per_year": -0.1,
            "lead_months": 6,
            "power_kw": 1.5,
            "throughput": {"serving": 2.0, "training": 1.0},
            "owned": [{"count": 60, "age_months": 24}],
        }
    },
    "rent": {"cloud": {"usd_per_hour": 6, "throughput": {"serving": 2.0, "training": 1.0}, "limit": 200}},
    "sites": {
        "home": {
            "power": {"usd_per_mwh": 80, "pue": 1.2, "take_or_pay_share": 0.4},
            "phases": {
                "hall-1": {"power_mw": 0.09, "capex_usd": 0, "lead_months": 0, "done_in_months": 0},
                "hall-2": {"power_mw": 0.1, "capex_usd": 300_000, "lead_months": 6},
                "hall-3": {"power_mw": 0.1, "capex_usd": 250_000, "lead_months": 6, "after": ["hall-2"]},
            },
        }
    },
    "tree": {"nodes": 15, "paths": 400, "seed": 1},
}


def study_of(table: dict) -> Study:
    return Study.model_validate(table)


def built(study: Study, tree: Tree | None = None) -> tuple[Tree, Template, Program]:
    """Tree, template and program of a study."""
    tree = tree or grow(study)
    node = template(study, tree.demand_nK.max(axis=0))
    return tree, node, extensive(node, tree)


def everything(tiny):
    """A study that uses every key that the model knows."""
    tiny["accelerators"]["gpu"] |= {
        "deposit_share": 0.1,
        "operating_usd_per_month": 50,
        "life_months": 30,
        "lot": 4,
    }
    tiny["accelerators"]["late"] = {
        "price_usd": 20_000,
        "prices_usd": {"2026H2": 24_000, "2027H1": 18_000},
        "lead_months": 12,
        "power_kw": 1.0,
        "throughput": {"serving": 2.5, "training": 0.9},
        "needs_conversion": ["serving"],
        "cancellation": {"notice_months": 5, "fee_share": 0.2},
        "limit_per_period": 70,
        "available_from": "2026H1",
    }
    tiny["conversion"] = {"price_usd": 2000, "lead_months": 6, "life_months": 12, "owned": 10}
    tiny["fit_out"] = {"usd_per_mw": 4e6, "lead_months": 6, "done_mw": 0.06}
    tiny["leases"] = {
        "cage": {
            "power_mw": 0.05,
            "usd_per_mw_month": 60_000,
            "lead_months": 6,
            "term_months": 12,
            "extension": {"months": 6, "notice_months": 6},
            "cancellation": {"after_months": 6, "notice_months": 3, "fee_usd_per_mw": 50_000},
            "power": {"usd_per_mwh": 90},
        }
    }
    tiny["runs"] = {
        "next": {
            "due": "2027H1",
            "earliest": "2026H2",
            "missed_usd": 4e6,
            "accelerator_hours": {"gpu": 400_000, "late": 500_000, "cloud": 400_000},
        },
        "later": {"due": "2027H2", "missed_usd": 2e5, "accelerator_hours": {"late": 100_000}},
    }
    tiny["capex_limit_usd"] = {"2026": 2e6, "2027": 3.5e6}
    tiny["risk"] = {"weight": 0.5, "alpha": 0.8}
    return tiny
