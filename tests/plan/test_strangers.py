"""A study written as a stranger would, from public reports, is walked from file to page; its answer holds by hand."""

import re
from pathlib import Path

import pytest

from outline import Outline
from tenfold.cli.main import main
from tenfold.plan.result import Plan, load_plan

STUDY = Path(__file__).parent / "strangers" / "uk-airr-2025.yaml"
YEARS, BUDGET_USD = range(2026, 2031), 2.68e8


def plan_command(*arguments) -> int:
    """Exit code of a command."""
    try:
        main(["plan", *map(str, arguments)])
    except SystemExit as end:
        assert isinstance(end.code, int)
        return end.code
    return 0


@pytest.fixture(scope="module")
def walked(tmp_path_factory) -> tuple[Plan, Outline, str]:
    """The plan, and its page."""
    folder = tmp_path_factory.mktemp("stranger")
    solved = plan_command("solve", STUDY, "-o", folder / "plan.json", "--no-worth", "--gap", "0.02", "--seconds", "20")
    assert solved == 0
    assert plan_command("report", folder / "plan.json", "-o", folder / "plan.html") == 0
    page = (folder / "plan.html").read_text()
    return load_plan(folder / "plan.json"), Outline(page), page


def test_the_page_answers_whether_the_money_is_enough(walked):
    plan, outline, page = walked
    assert outline.headings[0] == "UK AI Research Resource to 2030"
    assert {"What to do now", "Capex by year", "Sites and phases", "Probability of a shortage"} <= set(outline.headings)
    last = plan.workloads[0].periods[-1]
    assert last.shortage_probability > 0.5, "a billion pounds do not buy 420 exaFLOPS at these prices"
    assert re.search(r"<small>[\d.]+</small>", page), "shortages come with their size"
    assert "filled_in" not in page and page.count("Filled in: ") >= 4


def test_what_is_never_started_has_no_trigger_and_is_begun_in_no_period(walked):
    plan, _, _ = walked
    never = [item for item in plan.items if item.probability == 0.0]
    assert never, "the money does not go as far as the last hall"
    for item in never:
        assert not item.triggers
        assert not any(item.begun_by_period)


def test_no_year_spends_more_than_there_is_and_no_more_is_served_than_that_buys(walked):
    plan, _, _ = walked
    assert [year.year for year in plan.capex] == list(YEARS)
    assert all(year.capex_usd.p90 <= BUDGET_USD * (1 + 1e-6) for year in plan.capex)
    gb200 = plan.study.accelerators["gb200"]
    cheapest = gb200.price_usd * (1 + gb200.price_change_per_year) ** 5
    most = 5448 * 0.00385 + len(YEARS) * BUDGET_USD / cheapest * gb200.throughput["research"]
    assert plan.workloads[0].periods[-1].served.p90 < most
    # 5,448 superchips are at work in the first half of 2026, and nothing else is there yet.
    assert plan.workloads[0].periods[0].served.mean == pytest.approx(20, rel=0.1)


def test_what_the_aim_would_cost_is_told_where_it_must_be_met(tmp_path, capsys):
    study = tmp_path / "study.yaml"
    study.write_text(STUDY.read_text().replace("shortage_usd", "floor: 0.6\n    shortage_usd"))
    assert plan_command("solve", study, "--nodes", "20") == 3
    message = " ".join(capsys.readouterr().err.split())
    assert re.search(
        r"20\d\d: capex_limit_usd is \$268M, but \$[\d.]+[MB] must be spent in the dearest scenario", message
    )
    assert "or, with the limits as they are:" in message
