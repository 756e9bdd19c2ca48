"""The studies that ship: each loads and solves; the backtest's figures follow from its files and hold together."""

import json
import re

import numpy as np
import pytest

from tenfold.cli.main import main
from tenfold.plan import shipped
from tenfold.plan.actual import ActualError, demand_of, parse_actual
from tenfold.plan.backtest import backtest
from tenfold.plan.demand import DemandProcess
from tenfold.plan.follow import known_until, replan, static
from tenfold.plan.plan import make_plan
from tenfold.plan.solve import Effort
from tenfold.plan.study import Study

pytestmark = pytest.mark.slow

META = "meta-2024-07"
QUICK = Effort(gap=0.02, seconds=10)


def small(study: Study, nodes: int = 40) -> Study:
    """The same study on a small tree."""
    return study.model_copy(update={"tree": study.tree.model_copy(update={"nodes": nodes, "paths": 500})})


@pytest.fixture(scope="module")
def meta() -> Study:
    return small(shipped.find_study(META))


@pytest.fixture(scope="module")
def actual():
    return shipped.find_actual(META)


@pytest.fixture(scope="module")
def score(meta, actual):
    return backtest(meta, actual, QUICK)


@pytest.mark.parametrize("name", shipped.names())
def test_every_shipped_study_loads_and_has_a_plan(name):
    plan = make_plan(small(shipped.find_study(name)), QUICK, worth=False)
    assert plan.solve.gap <= 0.02
    assert plan.cost_usd.mean > 0


def test_a_shipped_study_can_be_copied_out_and_solved_by_path_or_name(tmp_path, capsys):
    main(["plan", "example", META])
    text = capsys.readouterr().out
    path = tmp_path / "study.yaml"
    path.write_text(text)
    assert shipped.find_study(str(path)) == shipped.find_study(META)
    main(["plan", "solve", META, "--nodes", "20", "--gap", "0.03", "--no-worth", "--json"])
    assert json.loads(capsys.readouterr().out)["study"]["name"] == "Meta, July 2024"


def test_nothing_in_the_study_dates_from_after_july_2024():
    text = shipped.text(META)
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    dated = [
        (int(year), months.index(month) + 1) for month, year in re.findall(rf"({'|'.join(months)}) (\d{{4}})", text)
    ]
    assert len(dated) > 15
    assert max(dated) <= (2024, 7)
    for later in ("Behemoth", "Hyperion", "Prometheus", "superintelligence", "DeepSeek", "Richland"):
        assert later not in text


def test_every_figure_of_the_study_is_marked():
    """Marks are fact, inference or judgement; a fact has a source and a date."""
    text = shipped.text(META)
    assert min(text.count(f"[{mark}]") for mark in ("fact", "inference", "judgement")) > 8
    facts = re.findall(r"\[fact\](.*?)(?=\[|\n *[a-z0-9-]+:)", text, re.DOTALL)
    assert [fact for fact in facts if not re.search(r"20\d\d", fact)] == []


def test_the_fan_holds_the_actuals_of_the_file(score, actual):
    assert [row.year for row in score.fan] == [2024, 2025, 2026]
    for row in score.fan:
        came = actual.capex[str(row.year)]
        assert (row.actual_low_usd, row.actual_high_usd, row.kind) == (came.low_usd, came.high_usd, came.kind)
        assert row.percentile_low <= row.percentile_high
        assert (row.percentile_low >= 0.9) == (row.actual_low_usd > row.planned_usd.p90)


def test_triggers_fire_by_the_demand_of_the_reading(score, meta, actual):
    labels = meta.calendar.labels()
    for name, reading in score.readings.items():
        demand_TK = demand_of(actual, name, meta)
        assert {trigger.state for trigger in reading.triggers} >= {"not due"}
        for trigger in reading.triggers:
            due = labels.index(trigger.by)
            assert (trigger.state == "not due") == (due >= len(demand_TK))
            if trigger.state == "fired":
                assert trigger.first_met is not None
                assert labels.index(trigger.first_met) <= due


def test_re_planning_costs_less_than_the_static_plan_along_both_readings(score):
    for reading in score.readings.values():
        assert reading.ways["policy"].cost_usd < reading.ways["static"].cost_usd
    built, stayed = score.readings["as-built"], score.readings["training-stayed"]
    assert built.ways["static"].capex_usd == pytest.approx(stayed.ways["static"].capex_usd), "it does not look"
    assert sum(built.ways["policy"].capex_usd.values()) > sum(stayed.ways["policy"].capex_usd.values())


def test_a_re_plan_keeps_to_what_it_decided_before(meta, actual):
    """Known for longer, the first periods' capex stays what it was."""
    demand_TK = demand_of(actual, "as-built", meta)
    short, long = replan(meta, demand_TK[:2], QUICK), replan(meta, demand_TK[:3], QUICK)
    assert long.capex_T[:2] == pytest.approx(short.capex_T, rel=1e-6)


def test_the_tree_of_a_re_plan_is_a_chain_and_then_branches(meta, actual):
    demand_TK = demand_of(actual, "as-built", meta)[:3]
    tree = known_until(meta, DemandProcess.fit(meta), demand_TK)
    assert tree.stages == meta.periods
    assert np.allclose(tree.demand_nK[:3], demand_TK)
    assert tree.parent_n[:4].tolist() == [-1, 0, 1, 2]
    assert [tree.probability_n[tree.at(stage)].sum() for stage in range(tree.stages)] == pytest.approx([1.0] * 10)


def test_a_path_known_to_the_end_leaves_nothing_to_plan():
    study = small(shipped.find_study("two-racks"), 12)
    demand_TK = np.linspace((10.0, 4.0), (60.0, 10.0), study.periods)
    assert len(known_until(study, DemandProcess.fit(study), demand_TK)) == study.periods
    assert replan(study, demand_TK, QUICK).short_TK.shape == demand_TK.shape
    assert static(study, demand_TK, QUICK).short_TK.shape == demand_TK.shape


def test_the_command_prints_the_score(capsys):
    main(["plan", "backtest", META, "--seconds", "3", "--nodes", "20"])
    printed = " ".join(capsys.readouterr().out.split())
    for words in ("Capex: the plan's fan and the actual", "$72.2B", "Reading 'as-built'", "Inference.", "fired"):
        assert words in printed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("study: Meta, July 2024", "study: Other"), "are of the study 'Other'"),
        (("      serving: {2024H2: 80000,", "      chat: {2024H2: 80000,"), "readings.as-built.demand"),
        ((", 2026H1: 1480000}", "}"), "the same periods"),
        (("training: {2024H2: 180000, 2025H1: 486000", "training: {2023H2: 180000, 2025H1: 486000"), "'2023H2'"),
        (("training: {2024H2: 180000, 2025H1: 486000", "training: {2024Q3: 180000, 2025H1: 486000"), "'2024Q3'"),
        (("kind: guide", "kind: rumour"), "capex.2026.kind"),
    ],
)
def test_actuals_that_do_not_fit_are_refused(meta, change, message):
    from importlib import resources

    text = resources.files(shipped.ACTUALS).joinpath(f"{META}.yaml").read_text()
    assert text.count(change[0]) >= 1
    with pytest.raises(ActualError, match=re.escape(message)):
        backtest(meta, parse_actual(text.replace(*change, 1)), QUICK)
