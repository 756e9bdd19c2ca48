"""A platform team's rates are read from what they have, and every bad row is named by line and column."""

import json

import numpy as np
import polars
import pytest

from tenfold.core.table import TableError
from tenfold.replay.traces import fill_gaps, read_rates


def refused(path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(TableError) as error:
        read_rates(path)
    assert error.value.exit_code == 2
    assert error.value.next_step
    return str(error.value).replace(str(path), path.name)


def test_json_csv_and_parquet_say_the_same(tmp_path):
    rates = {"chat": [1.5, None, 3.0], "feed": [10.0, 20.0, 30.0]}
    table = {"time_s": [0, 600, 1200], **rates}
    (tmp_path / "a.json").write_text(
        json.dumps({"source": "x", "step_s": 600, "unit": "requests per second", "rates": rates})
    )
    (tmp_path / "b.csv").write_text("time_s,chat,feed\n0,1.5,10\n600,,20\n1200,3,30\n")
    (tmp_path / "c.csv").write_text(
        "time_s;series;rate\n0;chat;1.5\n600;chat;\n1200;chat;3\n0;feed;10\n600;feed;20\n1200;feed;30\n"
    )
    polars.DataFrame(table).write_parquet(tmp_path / "d.parquet")
    (tmp_path / "e.csv").write_text(
        "time,chat,feed\n2026-01-05T00:00:00,1.5,10\n2026-01-05T00:10:00,nan,20\n2026-01-05T00:20:00,3,30\n"
    )
    for path in sorted(tmp_path.iterdir()):
        found = read_rates(path)
        assert (found.step_s, found.names) == (600.0, ("chat", "feed")), path.name
        np.testing.assert_array_equal(found.rates_ST, [[1.5, np.nan, 3.0], [10.0, 20.0, 30.0]], err_msg=path.name)


def test_number_of_a_step_is_a_time_too(tmp_path):
    (tmp_path / "a.csv").write_text("step,chat\n0,1\n1,2\n")
    assert read_rates(tmp_path / "a.csv", step_s=120).step_s == 120


def test_a_missing_row_is_a_gap(tmp_path):
    (tmp_path / "a.csv").write_text("time_s,chat\n0,1\n600,2\n1800,4\n")
    found = read_rates(tmp_path / "a.csv")
    np.testing.assert_array_equal(found.rates_ST, [[1, 2, np.nan, 4]])
    np.testing.assert_array_equal(found.series(0), [1, 2, 3, 4])


def test_gaps_at_the_ends_stay_level():
    np.testing.assert_array_equal(fill_gaps(np.array([np.nan, 2.0, np.nan, 6.0, np.nan])), [2, 2, 4, 6, 6])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("time_s,chat\n0,1\n600,-2\n", "line 3: chat is '-2'; it must be a number of 0 or above"),
        ("time_s,chat\n0,1\n\n600,many\n", "line 4: chat is 'many'; it must be a number"),
        ("time_s,chat\n0,inf\n600,1\n", "line 2: chat is 'inf'; it must be a number"),
        ("time_s,chat\n0,1\nnoon,2\n", "line 3: time_s is 'noon'; it must be seconds"),
        ("time_s,chat\n0,1\n600,2\n600,3\n", "line 4: time_s is '600'; it must be after 600 (line 3)"),
        (
            "time_s,chat\n0,1\n600,2\n1200,2\n1300,3\n",
            "line 5: time_s is '1300'; it must lie a whole number of steps of 600 s",
        ),
        ("time_s,chat\n0,1\n600,2,3\n", "line 3: 3 cells where line 1 names 2 columns"),
        ("time_s,chat,chat\n0,1,2\n", "line 1: column 'chat' is there twice"),
        ("hour,chat\n0,1\n", "no column of time; there are: hour, chat"),
        ("time_s,chat\n0,1\n1,1\n99999999,1\n", "only 3 of 100,000,000 steps of 1 s have a row"),
        ("time_s,chat\n0,\n600,\n", "chat: it has no rate at all"),
        ("time_s,chat\n", "has no rows"),
    ],
)
def test_bad_row_is_named_by_line(tmp_path, text, told):
    assert told in refused(tmp_path / "rates.csv", text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"step_s": 600, "rates": {"a": [1, -3]}}', "'rates.a.1' is -3: Input should be greater than or equal to 0"),
        (
            '{"step_s": 600, "rates": {"a": [1, 2], "b": [3]}}',
            "all series must have as many steps, but a has 2, b has 1",
        ),
        ('{"step_s": 600, "unit": "per hour", "rates": {"a": [1]}}', "'unit' is 'per hour'"),
        ('{"rates": {"a": [1]}}', "'step_s' is missing: seconds of a step"),
        ('{"step_s": 600,', "is not JSON"),
    ],
)
def test_bad_json_is_named_by_key(tmp_path, text, told):
    assert told in refused(tmp_path / "rates.json", text)


def test_all_bad_rows_are_told_at_once_up_to_twenty(tmp_path):
    rows = "\n".join(f"{600 * row},-1" for row in range(50))
    told = refused(tmp_path / "rates.csv", f"time_s,chat\n{rows}\n").splitlines()
    assert len(told) == 21
    assert told[-1] == "and 30 more"


def test_missing_file_and_unknown_format(tmp_path):
    with pytest.raises(TableError, match="cannot read"):
        read_rates(tmp_path / "none.csv")
    with pytest.raises(TableError, match="no format of a trace"):
        read_rates(tmp_path / "rates.xlsx")
    (tmp_path / "rates.parquet").write_text("time_s,chat\n")
    with pytest.raises(TableError, match="is not Parquet"):
        read_rates(tmp_path / "rates.parquet")
