"""Stability over trees: what the first tree says to do now, tried on others."""

import io

import pytest
from rich.console import Console
from tiny_study import study_of

from tenfold.plan import show
from tenfold.plan.solve import Effort
from tenfold.plan.stability import Trial, stability


def test_trees_of_many_nodes_agree_and_regret_is_never_below_zero(tiny):
    tiny["tree"] = {"nodes": 60, "paths": 2000}
    trials = stability(study_of(tiny), [1, 2, 3], Effort(gap=1e-4, seconds=60))
    costs = [trial.cost_usd for trial in trials]
    assert max(costs) / min(costs) < 1.05
    assert trials[0].regret_usd == 0
    for trial in trials[1:]:
        assert -2e-4 * trial.cost_usd <= trial.regret_usd < 0.05 * trial.cost_usd


def test_same_tree_has_no_regret(tiny):
    first, again = stability(study_of(tiny), [4, 4], Effort(gap=1e-6, seconds=20))
    assert again.regret_usd == pytest.approx(0, abs=1e-5 * again.cost_usd)
    assert again.now == first.now


def test_what_is_there_now_is_told_in_real_units(tiny):
    tiny["workloads"]["serving"]["demand"] = {"ranges": {"2026H1": [300, 300, 300], "2027H2": [900, 900, 900]}}
    (trial,) = stability(study_of(tiny), [1], Effort(gap=1e-4))
    assert trial.now["order", "gpu"] > 20
    assert trial.now["phase", "home", "hall-2"] == 1
    # What was built before the study is not committed to.
    assert ("phase", "home", "hall-1") not in trial.now


def test_commitments_are_called_as_in_the_plan_and_no_regret_is_below_zero():
    now = {("phase", "home", "hall-2"): 1.0, ("order", "gpu"): 20.2, ("fit-out",): 0.25}
    trials = [Trial(1, 100.0, 0.01, 0.0, now), Trial(2, 100.0, 0.01, -0.8, {}), Trial(3, 100.0, 0.01, 2.0, now)]
    shown = io.StringIO()
    show.stability(trials, Console(file=shown, width=80))
    lines = [" ".join(line.split()) for line in shown.getvalue().splitlines()]
    assert "2 $100 1.00% none within the gap" in lines and "3 $100 1.00% $2 (2.00%)" in lines
    assert "phase home/hall-2 yes yes" in lines
    assert "accelerators gpu 21 0 21" in lines and "fit-out 0.25 0 0.25" in lines
