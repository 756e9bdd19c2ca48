"""The figures that docs/compute.md publishes are the code's, and hold where the aims are met."""

import json
import re
import sys
from pathlib import Path

import pytest

import compute_accuracy
from accuracy import (
    FLEET_DAY_ACCELERATORS,
    bare_strangers,
    fleet_day,
    held_out,
    leave_one_out,
    leave_source_out,
    naive,
    summary,
    worst,
)
from tenfold.compute.table import TableRow

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs" / "compute.md").read_text()


@pytest.fixture
def bench(monkeypatch, capsys):
    """What ``python bench/compute_accuracy.py`` prints; in this process, where each fit is made once for all tests."""

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["compute_accuracy.py", *arguments])
        compute_accuracy.main()
        return capsys.readouterr().out

    return run


def test_the_table_in_the_docs_is_what_the_code_gives(bench):
    assert bench("--markdown").strip() in DOCS


def test_the_last_line_of_the_bench_is_json_and_the_docs_quote_it(bench):
    last = bench().strip().splitlines()[-1]
    assert list(json.loads(last))[:3] == ["held_out_median", "held_out_p90", "held_out_coverage80"]
    assert {"runs", "median_error", "p90_error", "coverage80", "fleet_day_error"} <= json.loads(last).keys()
    assert last in DOCS


def test_runs_that_the_fit_has_not_seen():
    found = summary(leave_one_out())
    assert found.runs >= 40
    assert found.median_error <= 0.15
    assert 0.75 <= found.coverage80 <= 0.9
    # The aim for the 90th percentile is 35% and is not met; this keeps it from getting worse unnoticed.
    assert found.p90_error <= 0.42


def test_whole_sources_generations_and_later_years_that_the_fit_has_not_seen():
    ways = [summary(rows) for rows in held_out().values()]
    median, p90, _ = worst(ways)
    assert median <= 0.22
    assert p90 <= 0.55
    assert all(0.75 <= way.coverage80 <= 0.9 for way in ways)


def test_a_newcomer_gets_better_than_the_rule_of_thumb_and_honest_intervals():
    newcomer, rule = summary(leave_source_out()), summary(naive())
    assert newcomer.median_error < rule.median_error
    assert newcomer.p90_error < rule.p90_error
    assert 0.75 <= newcomer.coverage80 <= 0.9


def test_told_only_size_tokens_and_accelerator_the_interval_still_holds():
    bare = summary(bare_strangers())
    assert bare.median_error < summary(naive()).median_error
    assert 0.75 <= bare.coverage80 <= 0.9


def test_the_fleet_day():
    found = fleet_day().accelerators
    assert found.mid == pytest.approx(FLEET_DAY_ACCELERATORS, rel=0.25)
    assert found.holds(FLEET_DAY_ACCELERATORS)


def test_the_columns_of_the_csv_are_documented():
    documented = set(re.findall(r"^\| `(\w+)` \|", DOCS, re.MULTILINE))
    assert set(TableRow.model_fields) <= documented
