"""A table of runs from CSV: estimates, scores, and errors that name line, column and cure."""

from importlib.resources import files
from pathlib import Path

import pytest

from accuracy import leave_one_out, summary
from tenfold.compute import table
from tenfold.compute.published import published_runs
from tenfold.compute.recognise import find_organisation
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
    rows = estimate_table(read_table(path).rows)
    assert [row.line for row in rows] == [2, 3, 4]
    assert rows[0].error == pytest.approx(rows[0].estimate_hours.mid / 100000 - 1)
    assert rows[1].actual_hours == pytest.approx(rows[1].flops / (0.4 * 312e12) / 3600)
    assert rows[2].error is None
    assert rows[2].inside is None
    found = score(rows)
    assert found.runs == 2
    assert found.median_error == pytest.approx((abs(rows[0].error) + abs(rows[1].error)) / 2)


def test_a_table_without_actuals_has_no_score(tmp_path):
    rows = estimate_table(read_table(write(tmp_path, "accelerator,active_params,tokens\nh100,1e9,1e12\n")).rows)
    assert score(rows) is None


def test_a_published_run_in_the_table_is_estimated_without_itself(tmp_path):
    (lucie,) = (known for known in published_runs() if known.row.run == "Lucie-7B")
    path = write(tmp_path, "name,accelerator,params,tokens,gpu_hours\nsome name,h100,6.7e9,3.1e12,550000\n")
    (row,) = estimate_table(read_table(path).rows)
    assert row.left_out == "Lucie-7B"
    assert row.estimate_hours.high < lucie.accelerator_hours


@pytest.mark.slow
def test_the_published_table_itself_gives_the_leave_one_out_figures():
    path = Path(str(files("tenfold.compute") / "training_runs.csv"))
    found = score(estimate_table(read_table(path).rows))
    expected = summary(leave_one_out())
    assert found.runs == expected.runs
    assert found.median_error == pytest.approx(expected.median_error)
    assert found.coverage80 == pytest.approx(expected.coverage80)


def test_names_that_others_use_and_a_byte_order_mark_are_understood(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_bytes("\ufeffName,Accelerator,Params,Tokens,GPUs,Context Length\nx,H100,1e9,1e12,64,8192\n".encode())
    ((line, row, run),) = read_table(path).rows
    assert (line, row.run, run.count, run.context) == (2, "x", 64, 8192)


def test_a_run_named_like_a_known_family_is_taken_to_be_its_organisations(tmp_path):
    header = "run,accelerator,active_params,tokens,date,organisation\n"
    line = "{},h100,8e9,15e12,2024-07,{}\n"
    path = write(tmp_path, header + line.format("Llama 3.3 8B", "") + line.format("x", "") + line.format("y", "meta"))
    named, unknown, given = estimate_table(read_table(path).rows)
    assert named.estimate_hours.mid > unknown.estimate_hours.mid
    assert given.estimate_hours.mid != unknown.estimate_hours.mid


@pytest.mark.parametrize(
    ("text", "message", "cure"),
    [
        ("accelerator,active_params,tokens,layer\n", "line 1: unknown column 'layer'", "did you mean 'layers'?"),
        ("accelerator,tokens\nh100,1\n", "line 1: no column 'active_params'", "the header must name accelerator"),
        ("gpus,count,params,tokens,accelerator\n", "column 'count' is there twice", "drop 'count'"),
        ("accelerator,active_params,tokens\n", "has no rows", "one line per run"),
        ("", "runs.csv is empty", "write a header"),
        ("\n;;\n", "runs.csv is empty", "write a header"),
        ("\n\na,b\n1,2\n", "line 3: no column 'accelerator'", "it names 'a, b'"),
        (f"accelerator,params,tokens\nh100,7B,{'1' * 200_000}\n", "line 2: field larger than", "a quote that is not"),
        ("a,b\n1,2\n", "line 1: no column 'accelerator', 'active_params', 'tokens'", "it names 'a, b'"),
    ],
)
def test_a_bad_header_is_named(tmp_path, text, message, cure):
    with pytest.raises(UsageError, match=message) as caught:
        read_table(write(tmp_path, text))
    assert cure in caught.value.next_step


def test_blank_lines_before_the_header_are_skipped(tmp_path):
    table = read_table(write(tmp_path, "\n\naccelerator;params;tokens\n\nh100;7B;1T\n"))
    assert [line for line, _, _ in table.rows] == [5]


def test_a_format_that_the_accelerator_lacks_is_refused(tmp_path):
    with pytest.raises(UsageError, match="line 2: a100-80 has no 'fp8' peak"):
        read_table(write(tmp_path, "accelerator,params,tokens,precision\na100,7B,1T,fp8\n"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("h100,1e9,-2,,,", r"line 3: tokens: should be a number from 1 to 1e\+30, not '-2'"),
        ("h100,1e9,1e300,,,", r"line 3: tokens: should be a number from 1 to 1e\+30, not '1e300'"),
        ("h100,1e9,many,,,", r"line 3: tokens: .* not 'many'"),
        ("h100,1e9,inf,,,", r"line 3: tokens: .* not 'inf'"),
        ("h100,,1e12,,,", r"line 3: active_params: is empty and is needed"),
        ("h10,1e9,1e12,,,", r"line 3: accelerator 'h10' is not known; did you mean 'h100'"),
        ("h100,1e9,1e12,1e8,,", r"line 3: total_params 1e\+08 is below active_params 1e\+09"),
        ("h100,1e9,1e12,,5,0.4", r"line 3: give one of accelerator_hours"),
        ("h100,1e9,1e12,,,40", r"line 3: mfu: Input should be less than or equal to 1, not '40'"),
        ("h100,1e9", r"line 3: 6 columns are named, the row has 2"),
        ("h100,1e9,1e12,,,,,", r"line 3: 6 columns are named, the row has 8"),
    ],
)
def test_a_bad_row_is_named_by_its_line_and_the_others_are_estimated(tmp_path, line, message):
    header = "accelerator,active_params,tokens,total_params,accelerator_hours,mfu\nh100,1e9,1e12,,,\n"
    table = read_table(write(tmp_path, header + line + "\nh100,2e9,1e12,,,\n"))
    assert [good for good, _, _ in table.rows] == [2, 4]
    assert len(estimate_table(table.rows)) == 2
    with pytest.raises(UsageError, match=rf"1 of 3 rows are bad and were not estimated\n{message}"):
        table.raise_if_any_is_bad()


def test_if_all_rows_are_bad_they_are_named_at_once(tmp_path):
    with pytest.raises(UsageError, match=r"12 of 12 rows are bad\nline 2: (.|\n)*\nand 2 more"):
        read_table(write(tmp_path, "accelerator,active_params,tokens\n" + "h100,1e9,0\n" * 12))


@pytest.mark.parametrize(
    "text",
    [
        "tokens,country,accelerator,active_params\r\n1.4T,Here,NVIDIA H100 SXM5 80GB,7B\r\n",
        "accelerator;active_params;tokens\nH100 80GB;7000000000;1.4e12\n",
        'accelerator,active_params,tokens,remarks\nh100,"7,000,000,000",1.4 T,"two\nlines"\n',
        "accelerator\tparams\ttokens\nh100\t7_000_000_000\t1400B\n",
    ],
)
def test_a_table_is_read_as_people_write_it(tmp_path, text):
    path = tmp_path / "runs.csv"
    path.write_bytes(text.encode())
    table = read_table(path)
    ((line, row, run),) = table.rows
    assert (line, row.active_params, row.tokens, run.accelerator.name) == (2, 7e9, 1.4e12, "h100-sxm")
    assert table.not_read == tuple(name for name in ("country", "remarks") if name in text)
    assert not table.bad


def test_params_beside_active_params_are_all_of_them(tmp_path):
    text = "accelerator,params,active_params,tokens\nh100,671e9,37e9,14.8e12\nh100,70e9,,15e12\n"
    experts, dense = (run for _, _, run in read_table(write(tmp_path, text)).rows)
    assert (experts.active_params, experts.total_params) == (37e9, 671e9)
    assert (dense.active_params, dense.total_params) == (70e9, 70e9)


@pytest.mark.parametrize("date", ["2024", "2024.5", "2024-07", "2024-07-23", "2024-7"])
def test_dates_are_years_in_any_of_these_forms(tmp_path, date):
    ((_, _, run),) = read_table(write(tmp_path, f"accelerator,params,tokens,date\nh100,1e9,1e12,{date}\n")).rows
    assert run.year == pytest.approx(2024.5)


@pytest.mark.parametrize("date", ["July 24", "2024-13", "24", "2024/40", "next spring"])
def test_other_dates_are_refused_with_an_example(tmp_path, date):
    with pytest.raises(UsageError, match=r"line 2: date: should be a year, year-month or day, e\.g\. 2024-07, not"):
        read_table(write(tmp_path, f"accelerator,params,tokens,date\nh100,1e9,1e12,{date}\n"))


def test_the_same_run_with_rounder_figures_or_another_spelling_is_recognised(tmp_path):
    text = "run,accelerator,params,tokens,gpu_hours\nstarcoderbase-15.5b,a100,15B,1T,320256\nx,a100,15B,1T,320256\n"
    named, unnamed = estimate_table(read_table(write(tmp_path, text)).rows)
    assert named.left_out == "StarCoderBase 15.5B"
    assert unnamed.left_out is None


@pytest.mark.parametrize(
    ("given", "meant"), [("meta AI", "Meta"), ("Google Research", "Google"), ("Allen Institute for AI", "AI2")]
)
def test_organisations_are_known_by_their_full_names(given, meant):
    assert find_organisation(given) == meant
    assert find_organisation("Nobody") is None


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read .*nothing\.csv: .*No such file"):
        read_table(tmp_path / "nothing.csv")


def test_every_column_says_what_it_is():
    assert all(field.description for field in TableRow.model_fields.values())


@pytest.mark.slow
def test_rows_estimated_together_are_as_those_estimated_alone(monkeypatch):
    rows = read_table(Path(str(files("tenfold.compute") / "training_runs.csv"))).rows[:20]
    alone = [estimate_table([row])[0] for row in rows]
    monkeypatch.setattr(table, "ROWS_AT_ONCE", 7)
    told = []
    together = estimate_table(rows, told.append)
    assert told == [7, 14, 20]
    for one, other in zip(alone, together, strict=True):
        assert (one.line, one.run, one.left_out, one.actual_hours) == (
            other.line,
            other.run,
            other.left_out,
            other.actual_hours,
        )
        assert one.estimate_hours.mid == pytest.approx(other.estimate_hours.mid, rel=1e-9)
        assert one.estimate_hours.low == pytest.approx(other.estimate_hours.low, rel=1e-9)
