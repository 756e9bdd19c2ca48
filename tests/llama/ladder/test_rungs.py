"""The rungs of a ladder: what is planned for which budget, and a small one trained, predicted from and scored."""

import json

import pytest

from tenfold.cli.main import main
from tenfold.core.errors import UsageError
from tenfold.llama.ladder import rungs
from tenfold.llama.ladder.rungs import DECAY_SHARE, rungs_of, shape_of, target_of
from tenfold.llama.ladder.runs_table import load_runs


def test_each_budget_has_its_sizes_and_branches_leave_a_trunk_where_their_decay_begins():
    planned = rungs_of([1e12, 2e12, 4e12], 3, 1024, None)
    for budget in (1e12, 2e12, 4e12):
        sizes = {rung.params for rung in planned if abs(rung.flops / budget - 1) < 0.02}
        assert len(sizes) == 3
        assert max(sizes) < 50 * min(sizes)
    trunks = {rung.trunk: rung for rung in planned if rung.trunk == rung.run.name}
    branches = [rung for rung in planned if rung.trunk != rung.run.name]
    assert branches
    for branch in branches:
        recipe = branch.run.recipe
        assert recipe.from_run == branch.trunk
        assert recipe.from_step == branch.steps - round(DECAY_SHARE * branch.steps) == recipe.decay_start
        assert recipe.from_step in trunks[branch.trunk].run.recipe.keep_at
        assert recipe.from_step <= trunks[branch.trunk].run.recipe.decay_start
        assert planned.index(trunks[branch.trunk]) < planned.index(branch)


def test_larger_sizes_are_deeper_and_learn_more_slowly():
    small, large = target_of("a", 1e5, 1e13, 1024, None), target_of("b", 3e6, 1e14, 1024, None)
    assert shape_of(64, 1024).num_hidden_layers < shape_of(192, 1024).num_hidden_layers
    assert small.run.recipe.learning_rate > large.run.recipe.learning_rate
    assert large.flops == pytest.approx(1e14, rel=0.02)


def test_budgets_that_end_within_the_warm_up_are_refused():
    with pytest.raises(UsageError, match="still in the warm-up"):
        rungs_of([1e9], 2, 1024, None)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_rungs_are_trained_predicted_from_and_the_larger_run_is_scored(text, tmp_path, monkeypatch, capsys):
    """A ladder of two budgets on a few files, each rung some dozens of steps; then the run of a prediction."""
    monkeypatch.setenv("TENFOLD_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(rungs, "LEAST_STEPS", 20)
    monkeypatch.setattr(rungs, "EVALUATED", 16)
    budgets = ["--budgets", "1.5e10,2e10", "--sizes", "1", "--data", str(text)]
    main(["ladder", "run", *budgets, "--json"])
    path = tmp_path / "home" / "ladder" / "runs.csv"
    runs = load_runs(path)
    assert len(runs) == 2
    assert len(set(runs.names)) == 1, "both budgets come from one trunk"
    assert runs.loss_R[1] != runs.loss_R[0]
    before = path.read_text()
    capsys.readouterr()
    main(["ladder", "run", *budgets, "--json"])
    assert path.read_text() == before, "finished rungs are not trained again"
    capsys.readouterr()

    main(["ladder", "predict", "--times", "1", "--name", "next", "--json"])
    capsys.readouterr()
    main(["ladder", "run", "--prediction", "next", "--data", str(text), "--json"])
    scored = json.loads(capsys.readouterr().out)
    assert scored["name"] == "next"
    assert scored["observed"] > 1
