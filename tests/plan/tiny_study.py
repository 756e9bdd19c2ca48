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
