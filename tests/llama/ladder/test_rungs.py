"""The rungs of a ladder: what is planned for which budget, and a small one trained, predicted from and scored."""

import json
import threading

import pytest

from tenfold.cli.main import main
from tenfold.core.errors import AssetError, UsageError
from tenfold.core.sound import write_record
from tenfold.llama.checkpoint import RunMeta
from tenfold.llama.data.index import TextSource, read_index
from tenfold.llama.data.stdlib import prepare
from tenfold.llama.journal import EVALUATIONS_FILE, STEPS_FILE, EvaluationLine, StepLine
from tenfold.llama.ladder import rungs
from tenfold.llama.ladder.climb import reach_here
from tenfold.llama.ladder.rungs import DECAY_SHARE, rungs_of, shape_of, target_of
from tenfold.llama.ladder.runs_table import load_runs
from tenfold.llama.runs import RUN_FILE, train_folder


def test_each_budget_has_its_sizes_and_branches_leave_a_trunk_where_their_decay_begins(text):
    planned = rungs_of([1e12, 2e12, 4e12], 3, text)
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


def test_budgets_that_end_within_the_warm_up_are_refused(text):
    with pytest.raises(UsageError, match="still in the warm-up"):
        rungs_of([1e9], 2, text)


def test_two_ladders_of_one_home_have_no_run_in_common_and_the_same_command_goes_on_with_its_own(text, tmp_path):
    other = prepare(tmp_path, lambda _what, _share: None, TextSource(vocab_size=320, files=20))

    def names(*asked) -> frozenset[str]:
        return frozenset(rung.run.name for rung in rungs_of(*asked))

    first = names([1e12, 2e12], 2, text)
    assert first == names([1e12, 2e12], 2, text)
    ladders = [first, names([1e12, 2e12], 2, text, 1), names([1e12, 2e12], 2, other), names([1e12, 4e12], 2, text)]
    assert len(frozenset().union(*ladders)) == sum(map(len, ladders))


@pytest.mark.parametrize("seed, data", [(1, "text"), (0, "other")])
def test_a_finished_run_of_another_seed_or_other_data_is_not_taken_for_the_one_that_was_predicted(
    seed, data, text, tmp_path
):
    first = target_of("next", 1e4, 1e12, 512, text)
    run = RunMeta(run="a", identity=first.run.recipe.identity(read_index(text).sha256), recipe=first.run.recipe)
    folder = train_folder(tmp_path, "next")
    folder.mkdir(parents=True)
    write_record(folder / RUN_FILE, run)
    line = StepLine(
        step=first.steps, tokens=1, loss=2.0, norm=1.0, learning_rate=0.1, seconds=1.0, tokens_per_s=1.0, workers=1
    )
    (folder / STEPS_FILE).write_text(line.model_dump_json() + "\n")
    measured = EvaluationLine(step=first.steps, tokens=1, loss=2.5, held_out_tokens=1)
    (folder / EVALUATIONS_FILE).write_text(measured.model_dump_json() + "\n")
    assert reach_here(first, tmp_path, 1, threading.Event()).evaluation_loss == 2.5
    other = prepare(tmp_path, lambda _what, _share: None, TextSource(vocab_size=320, files=20))
    asked = target_of("next", 1e4, 1e12, 512, {"text": text, "other": other}[data], seed)
    with pytest.raises(AssetError, match="another recipe, seed or text"):
        reach_here(asked, tmp_path, 1, threading.Event())


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
