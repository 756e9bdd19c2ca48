"""``tenfold compute`` as a user types it: answers, JSON, refusals with exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tenfold.cli.main import main
from tenfold.compute import show

TRAIN = ["compute", "train", "--params", "405e9", "--tokens", "15.6e12"]
LLAMA = [*TRAIN, "--accelerator", "h100", "--count", "16384"]
INFER = ["compute", "infer", "--input-per-s", "1e6", "--output-per-s", "2e5"]
RANK = ["compute", "rank", "--requests-per-s", "1e5", "--candidates", "500", "--flops-per-example", "1e9"]


def run(capsys, *arguments):
    main(list(arguments))
    return capsys.readouterr().out


def refused(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    talk = capsys.readouterr()
    assert talk.out == ""
    return caught.value.code, " ".join(talk.err.split())


def test_the_issues_own_command_in_a_process_of_its_own():
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "src")}
    done = subprocess.run(
        [sys.executable, "-m", "tenfold.cli.main", *LLAMA],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        timeout=60,
    )
    for label in ("days", "accelerator-hours", "energy, MWh", "rented, USD", "owned, USD", "Llama 3.1 405B"):
        assert label in done.stdout
    assert done.stderr == ""


def test_training_as_json(capsys):
    found = json.loads(run(capsys, *LLAMA, "--json"))
    assert found["days"]["low"] < found["days"]["mid"] < found["days"]["high"]
    assert found["accelerator_hours"]["mid"] == pytest.approx(found["days"]["mid"] * 24 * 16384)
    assert found["nearest"][0]["run"] == "Llama 3.1 405B"


def test_numbers_are_taken_with_suffixes(capsys):
    plain = run(capsys, *TRAIN, "--json")
    assert run(capsys, "compute", "train", "--params", "405B", "--tokens", "15.6T", "--json") == plain


def test_a_bad_row_of_a_table_is_named_and_the_others_are_printed(capsys, tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("accelerator,params,tokens,country\nh100,7B,2T,here\nh20,7B,2T,there\n")
    with pytest.raises(SystemExit) as caught:
        main(["compute", "train", "--csv", str(path), "--json"])
    talk = capsys.readouterr()
    found = json.loads(talk.out)
    assert caught.value.code == 2
    assert [row["line"] for row in found["rows"]] == [2]
    assert [row["line"] for row in found["bad_rows"]] == [3]
    assert found["columns_not_read"] == ["country"]
    said = " ".join(talk.err.split())
    assert "1 of 2 rows are bad and were not estimated line 3: accelerator 'h20' is not known; did you mean" in said
    assert "columns not read: 'country'" in said


def test_of_a_long_table_the_beginning_is_printed_and_the_file_holds_all(capsys, tmp_path, monkeypatch):
    path, found = tmp_path / "runs.csv", tmp_path / "found.csv"
    path.write_text("run,accelerator,params,tokens\n" + "".join(f"[r{n}],h100,7B,2T\n" for n in range(9)))
    monkeypatch.setattr(show, "SHOWN_ROWS", 4)
    main(["compute", "train", "--csv", str(path), "--output", str(found)])
    talk = capsys.readouterr()
    assert ("[r3]" in talk.out, "[r4]" in talk.out) == (True, False)
    assert "the first 4 of 9 rows; --output FILE or --json gives all" in talk.err
    assert len(found.read_text().splitlines()) == 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--params", "many", "--tokens", "1T"], "'many' is not a number; give one like 405e9 or 405B"),
        (["--params", "7B", "--tokens", "1T", "--year", "20245"], "--year 20245 is not a year"),
        (["--params", "7B", "--csv", "runs.csv"], "--csv and one run were given next: give either --csv"),
        (["--csv", "runs.csv", "--mfu", "0.4", "--count", "8"], "--count, --mfu would not be used with --csv"),
        (["--params", "1e300", "--tokens", "1T"], "--params 1e+300 is out of range"),
        (
            ["--params", "7B", "--tokens", "1T", "--accelerator", "a100", "--precision", "fp8"],
            "a100-80 has no 'fp8' peak",
        ),
    ],
)
def test_slips_are_refused_with_what_would_be_right(capsys, arguments, message):
    code, said = refused(capsys, "compute", "train", *arguments)
    assert code == 2
    assert message in said


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (TRAIN, "--count"),
        (TRAIN, "--layers"),
        (TRAIN, "--hidden"),
        (TRAIN, "--context"),
        ([*INFER, "--model", "deepseek-v3"], "--prefill-replica"),
        ([*INFER, "--model", "deepseek-v3"], "--decode-replica"),
    ],
)
def test_half_an_accelerator_is_refused_and_a_whole_number_is_taken_as_people_write_it(capsys, command, option):
    code, said = refused(capsys, *command, option, "2.5")
    assert code == 2
    assert f"Invalid value for {option}: '2.5' is not a whole number" in said
    assert run(capsys, *command, option, "16k", "--json") == run(capsys, *command, option, "16,000.0", "--json")


def test_experts_and_an_mfu_of_ones_own(capsys):
    dense = json.loads(run(capsys, *LLAMA, "--mfu", "0.4", "--json"))
    sparse = json.loads(run(capsys, *LLAMA, "--mfu", "0.4", "--active-params", "40e9", "--json"))
    assert sparse["flops"] < dense["flops"] / 8
    assert sparse["least_accelerators"] == dense["least_accelerators"]


def test_inference(capsys):
    assert "prefill is bound by" in run(capsys, *INFER, "--model", "deepseek-v3", "--accelerator", "h800")
    found = json.loads(run(capsys, *INFER, "--params", "70e9", "--json"))["estimate"]
    assert "70 billion parameters: prefill" in run(capsys, *INFER, "--params", "70B")
    assert found["accelerators"]["mid"] == pytest.approx(
        found["prefill_accelerators"]["mid"] + found["decode_accelerators"]["mid"]
    )


def test_ranking(capsys):
    assert "host cores" in run(capsys, *RANK, "--embedding-gb", "2000")
    suffixed = ["compute", "rank", "--requests-per-s", "100k", "--candidates", "500", "--flops-per-example", "1B"]
    assert run(capsys, *suffixed, "--embedding-gb", "2000") == run(capsys, *RANK, "--embedding-gb", "2000")
    assert json.loads(run(capsys, *RANK, "--embedding-gb", "2e6", "--json"))["bound"] == "embedding memory"


def test_accelerators_with_their_sources(capsys):
    assert "h100-sxm" in run(capsys, "compute", "accelerators")
    assert "DGX H100 user guide" in run(capsys, "compute", "accelerators", "h100")
    listed = json.loads(run(capsys, "compute", "accelerators", "--json"))
    assert listed["h100-sxm"]["bf16_tflops"]["value"] == 989.5


def test_facilities_with_their_sources(capsys):
    assert "Uptime Institute" in run(capsys, "compute", "facilities")
    assert json.loads(run(capsys, "compute", "facilities", "--json"))["office"]["entry"]["pue"]["high"] == 2


def test_a_table_in_and_a_table_out(capsys, tmp_path):
    runs, output = tmp_path / "runs.csv", tmp_path / "out.csv"
    runs.write_text("run,accelerator,active_params,tokens,accelerator_hours\nmine,h100,3e9,4e12,1e5\n")
    found = json.loads(run(capsys, "compute", "train", "--csv", str(runs), "--output", str(output), "--json"))
    assert found["score"]["runs"] == 1
    assert found["rows"][0]["low_hours"] < found["rows"][0]["estimate_hours"] < found["rows"][0]["high_hours"]
    assert (
        output.read_text().splitlines()[0].startswith("line,run,accelerator,flops,estimate_hours,low_hours,high_hours")
    )
    assert "1 with an actual" in run(capsys, "compute", "train", "--csv", str(runs))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([*LLAMA[:2], "--tokens", "1e12"], 2, "--params is missing"),
        ([*LLAMA[:4]], 2, "--tokens is missing"),
        ([*TRAIN, "--accelerator", "h101"], 2, "accelerator 'h101' is not known next: did you mean 'h100'?"),
        ([*LLAMA, "--mfu", "40"], 2, "--mfu 40 is not a share of the peak"),
        ([*TRAIN, "--count", "0"], 2, "--count 0 is below one"),
        ([*TRAIN, "--count", "8"], 3, "do not fit on 8 h100-sxm"),
        ([*LLAMA, "--active-params", "1e12"], 2, "--active-params 1e+12 is not within --params 4.05e+11"),
        ([*LLAMA, "--precision", "int3"], 2, "--precision 'int3' is not known"),
        ([*LLAMA, "--facility", "moon"], 2, "facility 'moon' is not known"),
        (["compute", "train", "--tokens", "1e12", "--params", "lots"], 2, "lots"),
        ([*INFER], 2, "a model is needed, once"),
        ([*INFER, "--model", "llama-3.1-70b", "--cached-share", "1"], 2, "--cached-share 1 is not a share"),
        ([*INFER, "--model", "llama-3.1-405b", "--decode-replica", "2"], 3, "does not fit on 2 h100-sxm"),
        ([*RANK, "--embedding-gb", "0"], 2, "--embedding-gb 0 is not above zero"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_cure(capsys, arguments, code, message):
    found, said = refused(capsys, *arguments)
    assert found == code
    assert message in said


def test_an_output_that_cannot_be_written_says_so(capsys, tmp_path):
    runs = tmp_path / "runs.csv"
    runs.write_text("accelerator,active_params,tokens\nh100,3e9,4e12\n")
    code, said = refused(capsys, "compute", "train", "--csv", str(runs), "--output", str(tmp_path / "no" / "out.csv"))
    assert code == 2
    assert "cannot write" in said
