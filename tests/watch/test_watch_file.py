"""Every mistake in watch.toml is named with its key, and docs/watch.md lists every key that there is."""

import re
from pathlib import Path

import pytest
from study_tables import table

from tenfold.watch.watch_file import JobTable, ServiceTable, WatchError, WatchFile, load_watch_file

PAGE = (Path(__file__).parents[2] / "docs" / "watch.md").read_text()
TABLES = {"The file": WatchFile, "`[services.NAME]`": ServiceTable, "`[jobs.NAME]`": JobTable}
RIGHT = '[services.chat]\nusd_per_request = 0.002\n[jobs.train]\nholders = "*"\nusd_per_accelerator_hour = 2\n'


def load(tmp_path, text: str) -> WatchFile:
    path = tmp_path / "watch.toml"
    path.write_text(text)
    return load_watch_file(path)


@pytest.mark.parametrize("heading", TABLES)
def test_page_has_the_table_of_every_key(heading):
    assert f"### {heading}\n\n{table(TABLES[heading])}" in PAGE


def test_the_file_on_the_page_is_one(tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    found = load(tmp_path, example)
    assert found.services
    assert found.jobs


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (RIGHT.replace("holders", "actors"), "unknown key 'jobs.train.actors'; known keys: holders"),
        (RIGHT.replace("usd_per_request", "usd_per_requests"), "did you mean 'usd_per_request'?"),
        (RIGHT.replace("0.002", "-1"), "'services.chat.usd_per_request' is -1: Input should be greater than 0"),
        ("tick_s = 0\n" + RIGHT, "'tick_s' is 0: Input should be greater than or equal to 1"),
        ('dashboard = "head:8265"\n' + RIGHT, "'dashboard' is 'head:8265'"),
        (RIGHT.replace("jobs.train", "jobs.chat"), "'chat' is a service and a job; give one another name"),
        (RIGHT + "least = 4\nmost = 2\n", "'jobs.train.most' is 2, below its 'least' of 4"),
        (
            RIGHT.replace("0.002", "0.002\nceiling = 1\nfloor = 2"),
            "'services.chat.ceiling' is 1, below its 'floor' of 2",
        ),
        ("", r"names nobody; give a table \[services.NAME\] or \[jobs.NAME\]"),
        ("services = ", "is not TOML"),
    ],
)
def test_a_mistake_is_told_with_file_and_key(tmp_path, wrong, told):
    with pytest.raises(WatchError, match=told) as caught:
        load(tmp_path, wrong)
    assert str(tmp_path / "watch.toml") in str(caught.value)
    assert "mend" in caught.value.next_step


def test_a_file_that_is_not_there_is_told_with_where_to_find_one(tmp_path):
    with pytest.raises(WatchError, match="No such file") as caught:
        load_watch_file(tmp_path / "watch.toml")
    assert "docs/watch.md" in caught.value.next_step
