"""``runs.csv`` as people bring it: what may be left out, and what is refused, by line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.llama.ladder.runs_table import RunsError, load_runs, parse_runs


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("run,params,tokens,flops,loss", "a,1e9,2e10,1.2e20,2.5"),
        ("run,params,tokens,loss", "a,1e9,2e10,2.5"),
        ("run,params,flops,loss", "a,1e9,1.2e20,2.5"),
        ("run,tokens,flops,loss", "a,2e10,1.2e20,2.5"),
        ("run,params,tokens,flops,loss", "a,1e9,,1.2e20,2.5"),
        ("run,params,tokens,loss", 'a,"1,000,000,000",2e10,2.5'),
        (" Run , Loss,FLOPS,note,params", "a , 2.5, 1.2e20, kept by nobody, 1_000_000_000"),
    ],
)
def test_any_one_amount_may_be_left_out(header, row):
    runs = parse_runs(f"{header}\n{row}\n\n")
    assert runs.names == ("a",)
    assert (runs.params_R[0], runs.tokens_R[0], runs.flops_R[0], runs.loss_R[0]) == pytest.approx(
        (1e9, 2e10, 1.2e20, 2.5)
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "lacks the columns"),
        ("run,params,loss\na,1,2\n", "two of params, tokens, flops (it has params)"),
        ("params,tokens,loss\n1,2,3\n", "lacks the columns run"),
        ("run,params,tokens,loss\n", "has no runs"),
        ("run,params,tokens,loss\na,1e9,2e10,nan\nb,1e9,2e10,\n", "has no runs with a loss; 2 without one"),
        ("run,params,tokens,loss\na,1e9,2e10,-1\n", "runs.csv:2: loss is -1; it must be above 0"),
        ("run,params,tokens,loss\na,7B,2e10,2\n", "runs.csv:2: params is '7B', not a number"),
        ("run;params;tokens;loss\na;1e9;2e10;2,571\n", "loss is '2,571', not a number"),
        ("run,params,tokens,loss\na,-1,2e10,2\n", "runs.csv:2: params is -1; it must be above 0"),
        ("run,params,tokens,flops,loss\na,1e9,,,2\n", "two of params, tokens and flops are needed, params is there"),
        ("run,params,tokens,loss\n,1e9,1e9,2\n", "runs.csv:2: run is empty"),
        ("run,params,tokens,loss\na,1e9,1e9,2,3\n", "runs.csv:2: there are more values than columns"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text, words):
    with pytest.raises(RunsError) as refused:
        parse_runs(text)
    assert words in str(refused.value)
    assert "columns run, params, tokens, flops, loss" in refused.value.next_step


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_runs_that_reached_no_loss_are_left_out_and_told(separator):
    rows = [
        "run,params,tokens,loss",
        "a,1e9,2e10,2.5",
        "b,1e9,4e10,NaN",
        "c,2e9,4e10,",
        "d,2e9,4e10,inf",
        "e,2e9,4e10,2",
    ]
    runs = parse_runs("\n".join(rows).replace(",", separator))
    assert runs.names == ("a", "e") and list(runs.loss_R) == [2.5, 2.0]
    assert runs.left_out == ("runs.csv:3: loss is NaN", "runs.csv:4: loss is empty", "runs.csv:5: loss is inf")


def test_ten_bad_rows_are_named_and_the_rest_counted():
    with pytest.raises(RunsError, match=r"runs.csv:11: (?s:.*)and 15 more lines"):
        parse_runs("run,params,tokens,loss\n" + "a,1,1,0\n" * 25)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RunsError, match=r"nowhere\.csv"):
        load_runs(tmp_path / "nowhere.csv")


@given(st.floats(1e5, 1e12), st.floats(1e6, 1e14), st.floats(0.01, 20))
def test_an_amount_follows_from_the_other_two(params, tokens, loss):
    whole = parse_runs(f"run,params,tokens,loss\na,{params!r},{tokens!r},{loss!r}\n")
    again = parse_runs(f"run,tokens,flops,loss\na,{tokens!r},{float(whole.flops_R[0])!r},{loss!r}\n")
    assert again.params_R[0] == pytest.approx(params)
