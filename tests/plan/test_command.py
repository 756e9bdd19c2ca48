"""`tenfold plan`: what its commands print, write and refuse."""

import io
import json
import signal
import subprocess
import sys
import time

import pytest
from rich.console import Console

from synthetic_study import synthetic_study, to_yaml
from tenfold.cli.main import main
from tenfold.core.paths import home_dir
from tenfold.page.figures import usd
from tenfold.page.shelf import left
from tenfold.plan import show
from tenfold.plan.page import SHELF
from tenfold.plan.plan import make_plan
from tenfold.plan.result import load_plan
from tenfold.plan.solve import Effort
from tenfold.plan.study_file import parse_study


def run(capsys, *arguments):
    """Exit code, standard output and standard error of a command."""
    code = 0
    try:
        main(["plan", *arguments])
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def example(capsys, tmp_path):
    code, out, _ = run(capsys, "example")
    assert code == 0
    path = tmp_path / "study.yaml"
    path.write_text(out)
    return path


def test_example_solves_to_a_table_and_a_file(capsys, example, tmp_path):
    code, out, err = run(
        capsys, "solve", str(example), "-o", str(tmp_path / "plan.json"), "--gap", "0.01", "--no-worth"
    )
    assert code == 0
    for part in (
        "keep as option",
        "phase server-room/rack-2",
        "Triggers",
        "Capex by year",
        "Probability of a shortage",
    ):
        assert part in out
    assert "gap" in out.splitlines()[-1]
    assert "wrote" in err
    assert load_plan(tmp_path / "plan.json").study.name == "two racks"


@pytest.mark.slow
def test_table_fits_a_terminal_and_tells_long_names_apart(example):
    text = (
        example.read_text()
        .replace("server-room", "gigawatt-campus")
        .replace("rack-2", "second-land-permit")
        .replace("2029H1", "2032H1")
        .replace("periods: 6", "periods: 12")
        + "risk: {weight: 0.2, alpha: 0.9}\n"
    )
    plan = make_plan(parse_study(text), Effort(gap=0.05, seconds=5), worth=False)
    shown = io.StringIO()
    show.plan(plan, Console(file=shown, width=80))
    lines = shown.getvalue().splitlines()
    assert max(len(line) for line in lines if " if " not in line) <= 80
    assert any("phase gigawatt-campus/second-land-permit" in line for line in lines)
    assert any(line.startswith("2032H1") for line in lines)
    assert "\u2026" not in shown.getvalue()
    # The mean that the report shows, and the weighed cost that the gap is of, are told apart.
    told = " ".join(shown.getvalue().split())
    assert f"cost {usd(plan.cost_usd.mean)}, {usd(plan.cvar_usd)} in the worst 10% of futures" in told
    assert f"mean + 0.2 x worst is {usd(plan.solve.objective_usd)}" in told


@pytest.mark.slow
def test_values_are_printed(capsys, example):
    code, out, _ = run(capsys, "solve", str(example), "--gap", "0.02", "--nodes", "20", "--seconds", "10")
    assert code == 0
    for name in ("information", "stochastic solution", "adaptivity", "fungibility", "staging"):
        assert name in out


def test_json_is_the_plan_and_nothing_else(capsys, example):
    code, out, _ = run(capsys, "solve", str(example), "--gap", "0.02", "--nodes", "20", "--no-worth", "--json")
    assert code == 0
    assert json.loads(out)["solve"]["nodes"] == 20


def test_study_with_a_mistake_exits_2_and_names_it(capsys, example):
    example.write_text(example.read_text().replace("lead_months: 5", "lead_months: 5 weeks"))
    code, out, err = run(capsys, "solve", str(example))
    assert (code, out) == (2, "")
    assert "'accelerators.gpu.lead_months' is '5 weeks'" in " ".join(err.split())


def test_a_date_before_the_study_is_told_of_and_the_plan_is_made(capsys, example):
    text = example.read_text()
    assert "    lead_months: 5\n" in text
    example.write_text(text.replace("    lead_months: 5\n", "    lead_months: 5\n    available_from: 2016H1\n", 1))
    code, _, err = run(capsys, "solve", str(example), "--no-worth")
    assert code == 0
    assert "2016H1 is before the study's first period" in err


def test_study_without_a_plan_exits_3_and_names_what_binds(capsys, example):
    text = (
        example.read_text()
        .replace("limit: 64", "limit: 2")
        .replace("term_months: 24", "term_months: 24\n    earliest: 2029H1")
    )
    example.write_text(text)
    code, _, err = run(capsys, "solve", str(example), "--nodes", "30")
    assert code == 3
    assert "workloads.chat.floor" in err
    assert "what binds" in err


@pytest.mark.slow
def test_stability_shows_costs_and_commitments_by_tree(capsys, example):
    example.write_text(example.read_text().replace("nodes: 40", "nodes: 12"))
    code, out, _ = run(capsys, "stability", str(example), "--seeds", "2", "--gap", "0.02", "--seconds", "10")
    assert code == 0
    assert "regret" in out
    code, out, _ = run(capsys, "stability", str(example), "--seeds", "2", "--gap", "0.02", "--seconds", "10", "--json")
    first, second = json.loads(out)
    assert (first["seed"], second["seed"], first["regret_usd"]) == (1, 2, 0)


@pytest.mark.slow
def test_ctrl_c_keeps_the_best_plan_so_far(tmp_path):
    (tmp_path / "study.yaml").write_text(to_yaml(synthetic_study(1, nodes=120)))
    command = [sys.executable, "-m", "tenfold.cli.main", "plan", "solve", "study.yaml", "-o", "plan.json"]
    options = ["--gap", "1e-7", "--seconds", "200"]
    process = subprocess.Popen([*command, *options], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stderr.readline().startswith(b"linear program")
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"stopping with the best plan so far" in err
    assert b"stopped by hand" in out
    assert load_plan(tmp_path / "plan.json").solve.stopped


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["example", "three-racks"], "there are: meta-2024-07, two-racks"),
        (["solve", "none.yaml"], "cannot read the study"),
        (["solve", "none.yaml", "--gap", "2"], "--gap must lie between 0 and 1"),
        (["solve", "two-racks", "--seconds", "nan"], "--seconds above 0"),
        (
            ["solve", "two-racks", "-o", "no-such-folder/plan.json"],
            "cannot write the plan to 'no-such-folder/plan.json'",
        ),
        (["solve", "two-racks", "-o", "."], "cannot write the plan to '.'"),
        (
            ["solve", "two-racks", "--nodes", "20001"],
            "--nodes 20001 is more than a tree may have next: give at most 20000",
        ),
        (["solve", "two-racks", "--nodes", "20.5"], "Invalid value for --nodes: '20.5' is not a whole number"),
        (["solve", "two-racks", "--threads", "1.5"], "Invalid value for --threads: '1.5' is not a whole number"),
        (["stability", "two-racks", "--seeds", "2.5"], "Invalid value for --seeds: '2.5' is not a whole number"),
        (["backtest", "two-racks"], "there are no actuals for 'two-racks'"),
    ],
)
def test_other_refusals(capsys, arguments, message):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())


@pytest.mark.slow
def test_a_plan_is_followed_along_futures_that_it_has_not_seen(capsys, example, tmp_path):
    page = tmp_path / "simulation.html"
    code, out, err = run(capsys, "simulate", str(example), "--futures", "10", "--report", str(page))
    assert code == 0
    for part in ("10 futures", "re-planned", "static", "re-planning saves", "Capex by year", "Shortage", "ms a future"):
        assert part in out
    assert "re-planning" in err and "wrote" in err
    assert page.read_text().startswith("<!doctype html>")
    assert page.read_bytes() in [each.path.read_bytes() for each in left(home_dir() / SHELF)]
    code, out, err = run(capsys, "simulate", str(example), "--futures", "2", "--json")
    assert code == 0 and err == ""
    found = json.loads(out)
    assert found["futures"] == 2
    assert found["replanned"]["cost_usd"]["mean"] > 0
