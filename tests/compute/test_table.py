"""A table of runs from CSV: estimates, scores, and errors that name line, column and cure."""

from importlib.resources import files
from pathlib import Path

import pytest

from tenfold.compute.accuracy import leave_one_out, summary
from tenfold.compute.published import published_runs
from tenfold.compute.table import TableRow, estimate_table, read_table, score
from tenfold.core.errors import UsageError


def write(tmp_path, text):
    path = tmp_path / "runs.csv"
    path.write_text(text)
    return path


def test_a_table_with_actuals_is_scored(tmp_path):
    path = write(
        tmp_path,
        "run,accelerator,active_params,total_params,tokens,accelerator_hours,mfu,date\n"
        "one,h100,3e9,,4e12,100000,,2024-03\n"
        "two,a100,10e9,40e9,1e12,,0.4,2023\n"
        "three,b200,3e9,,4e12,,,\n",
    )
    rows = estimate_table(read_table(path))
    assert [row.line for row in rows] == [2, 3, 4]
    assert rows[0].error == pytest.approx(rows[0].estimate_hours.mid / 100000 - 1)
    assert rows[1].actual_hours == pytest.approx(rows[1].flops / (0.4 * 312e12) / 3600)
    assert rows[2].error is None
    assert rows[2].inside is None
    found = score(rows)
    assert found.runs == 2
    assert found.median_error == pytest.approx((abs(rows[0].error) + abs(rows[1].error)) / 2)


def test_a_table_without_actuals_has_no_score(tmp_path):
    rows = estimate_table(read_table(write(tmp_path, "accelerator,active_params,tokens\nh100,1e9,1e12\n")))
    assert score(rows) is None


def test_a_published_run_in_the_table_is_estimated_without_itself(tmp_path):
    (lucie,) = (known for known in published_runs() if known.row.run == "Lucie-7B")
    path = write(tmp_path, "name,accelerator,params,tokens,gpu_hours\nsome name,h100,6.7e9,3.1e12,550000\n")
    (row,) = estimate_table(read_table(path))
    assert row.left_out == "Lucie-7B"
    assert row.estimate_hours.high < lucie.accelerator_hours


def test_the_published_table_itself_gives_the_leave_one_out_figures():
    path = Path(str(files("tenfold.compute") / "training_runs.csv"))
    found = score(estimate_table(read_table(path)))
    expected = summary(leave_one_out())
    assert found.runs == expected.runs
    assert found.median_error == pytest.approx(expected.median_error)
    assert found.coverage80 == pytest.approx(expected.coverage80)


def test_names_that_others_use_and_a_byte_order_mark_are_understood(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_bytes("\ufeffName,Accelerator,Params,Tokens,GPUs,Context Length\nx,H100,1e9,1e12,64,8192\n".encode())
    ((line, row, run),) = read_table(path)
    assert (line, row.run, run.count, run.context) == (2, "x", 64, 8192)


def test_a_run_named_like_a_known_family_is_taken_to_be_its_organisations(tmp_path):
    header = "run,accelerator,active_params,tokens,date,organisation\n"
    line = "{},h100,8e9,15e12,2024-07,{}\n"
    path = write(tmp_path, header + line.format("Llama 3.3 8B", "") + line.format("x", "") + line.format("y", "meta"))
    named, unknown, given = estimate_table(read_table(path))
    assert named.estimate_hours.mid > unknown.estimate_hours.mid
    assert given.estimate_hours.mid != unknown.estimate_hours.mid


@pytest.mark.parametrize(
    ("text", "message", "cure"),
    [
        ("accelerator,active_params,tokens,layer\n", "line 1: unknown column 'layer'", "did you mean 'layers'?"),
        ("accelerator,tokens\nh100,1\n", "line 1: no column 'active_params'", "the header must name accelerator"),
        ("params,active_params,tokens,accelerator\n", "column 'active_params' is there twice", "drop 'active_params'"),
        ("accelerator,active_params,tokens\n", "has no rows", "one line per run"),
        ("", "line 1: no column 'accelerator', 'active_params', 'tokens'", "the header must name"),
    ],
)
def test_a_bad_header_is_named(tmp_path, text, message, cure):
    with pytest.raises(UsageError, match=message) as caught:
        read_table(write(tmp_path, text))
    assert cure in caught.value.next_step


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("h100,1e9,-2,,,", r"line 3: tokens: Input should be greater than 0, not '-2'"),
        ("h100,1e9,many,,,", r"line 3: tokens: .* not 'many'"),
        ("h100,1e9,inf,,,", r"line 3: tokens: .* not 'inf'"),
        ("h10,1e9,1e12,,,", r"line 3: accelerator 'h10' is not known; did you mean 'h100'"),
        ("h100,1e9,1e12,1e8,,", r"line 3: .*total_params 1e\+08 is below active_params 1e\+09"),
        ("h100,1e9,1e12,,5,0.4", r"line 3: .*give one of accelerator_hours"),
        ("h100,1e9", r"line 3: 6 columns are named, the row has another number"),
        ("h100,1e9,1e12,,,,,", r"line 3: 6 columns are named, the row has another number"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path, line, message):
    header = "accelerator,active_params,tokens,total_params,accelerator_hours,mfu\nh100,1e9,1e12,,,\n"
    with pytest.raises(UsageError, match=message):
        read_table(write(tmp_path, header + line + "\n"))


def test_all_bad_rows_are_named_at_once(tmp_path):
    with pytest.raises(UsageError, match=r"has 12 bad rows:\nline 2: (.|\n)*\nand 2 more"):
        read_table(write(tmp_path, "accelerator,active_params,tokens\n" + "h100,1e9,0\n" * 12))


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read .*nothing\.csv: .*No such file"):
        read_table(tmp_path / "nothing.csv")


def test_every_column_says_what_it_is():
    assert all(field.description for field in TableRow.model_fields.values())
