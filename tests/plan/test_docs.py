"""docs/plan.md lists every key that study.yaml may have, and what it shows is what the command prints."""

import re
from importlib import resources
from pathlib import Path

import pytest
from study_tables import TABLES, table

from tenfold.plan import study
from tenfold.plan.study_file import load_study, parse_study

PAGE = (Path(__file__).parents[2] / "docs" / "plan.md").read_text()


@pytest.mark.parametrize("heading", TABLES)
def test_page_has_the_table_of_every_key(heading):
    assert f"### {heading}\n\n{table(TABLES[heading])}" in PAGE


def test_every_table_of_the_schema_has_a_section():
    declared = {kind for kind in vars(study).values() if isinstance(kind, type) and issubclass(kind, study.Table)}
    assert declared - {study.Table} == set(TABLES.values())


def test_studies_on_the_page_are_ones(tmp_path):
    smallest, words = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert parse_study(smallest).name == "smallest"
    assert parse_study(words).runs["next-model"].accelerator_hours
    # The forecast on the page is one that a study can name.
    (forecast,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "next-model.toml").write_text(forecast)
    size = "    params: 1.7e+10\n    total_params: 4.0e+11\n    tokens: 2.2e+13\n"
    assert size in words
    (tmp_path / "study.yaml").write_text(words.replace(size, "    forecast: next-model.toml\n"))
    assert load_study(tmp_path / "study.yaml").runs["next-model"].accelerator_hours["h200"] == 2.8e6


def test_shipped_examples_are_studies():
    for entry in resources.files("tenfold.plan.examples").iterdir():
        if entry.name.endswith(".yaml"):
            parse_study(entry.read_text(), entry.name)
