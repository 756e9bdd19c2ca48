"""docs/replay.md lists every key of week.toml, and the files that it shows are read."""

import re
from pathlib import Path

import pytest
from study_tables import table

from tenfold.replay import week_schema as schema
from tenfold.replay.job_file import NEEDED, OPTIONAL
from tenfold.replay.week_file import load_week

PAGE = (Path(__file__).parents[2] / "docs" / "replay.md").read_text()
TABLES = {
    "The file": schema.WeekFile,
    "`[kinds.NAME]`": schema.KindTable,
    "`[services.NAME]`": schema.ServiceTable,
    "`[services.NAME.generate]`": schema.GenerateTable,
    "`[jobs]`": schema.JobsTable,
    "`[jobs.defaults]`": schema.JobDefaults,
    "`[jobs.generate]`": schema.JobMixTable,
    "`[jobs.backlog]`": schema.BacklogTable,
    "`[cluster]`": schema.ClusterTable,
}


@pytest.mark.parametrize("heading", TABLES)
def test_page_has_the_table_of_every_key(heading):
    assert f"### {heading}\n\n{table(TABLES[heading])}" in PAGE


def test_every_column_of_a_jobs_file_is_on_the_page():
    for column in (*NEEDED, *OPTIONAL, *schema.JobDefaults.model_fields, "speed_KIND"):
        assert f"| `{column}` |" in PAGE


def test_files_on_the_page_are_a_week(tmp_path):
    (week,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    rates, jobs = re.findall(r"```csv\n(.*?)```", PAGE, re.DOTALL)
    for name, text in (("week.toml", week), ("rates.csv", rates), ("jobs.csv", jobs)):
        (tmp_path / name).write_text(text)
    found = load_week(tmp_path / "week.toml")
    assert [service.name for service in found.services] == ["chat", "feed"]
    assert [job.name for job in found.jobs if job.work < float("inf")] == ["nightly", "fine-tune", "sweep"]
    assert len(found.jobs) == 3 + 4
