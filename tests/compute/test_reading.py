"""Tables, dates and names of accelerators as strangers write them: read without editing; what was assumed is said."""

import json

import pytest

from tenfold.cli.main import main
from tenfold.compute.cells import measured, year
from tenfold.compute.hardware import recognise
from tenfold.compute.table import read_table
from tenfold.core.errors import UsageError


@pytest.mark.parametrize(
    ("name", "found", "count"),
    [
        ("V100 DGXS 32 GB", "v100", None),
        ("B200 GPUs", "b200", None),
        ("NVIDIA H100 80GB HBM3", "h100-sxm", None),
        ("NVIDIA H100 NVL", "h100-nvl", None),
        ("H100 PCIe (80 GB)", "h100-pcie", None),
        ("8x NVIDIA A100-SXM4-40GB", "a100-40", 8),
        ("NVIDIA A100 PCIe", "a100-80", None),
        ("512 H100s", "h100-sxm", 512),
        ("1,024 x H800", "h800-sxm", 1024),
        ("560 80GB A100", "a100-80", 560),
        ("Instinct MI300A", "mi300x", None),
        ("p4d.24xlarge", "a100-40", None),
        ("p5.48xlarge", "h100-sxm", None),
        ("p5en.48xlarge", "h200-sxm", None),
        ("a3-highgpu-8g", "h100-sxm", None),
        ("a2-ultragpu-4g", "a100-80", None),
        ("Standard_ND96isr_H100_v5", "h100-sxm", None),
        ("BM.GPU.H100.8", "h100-sxm", None),
        ("TPU v5litepod-256", "tpu-v5e", 256),
        ("Cloud TPU v5p-512", "tpu-v5p", 256),
        ("v4-128", "tpu-v4", 64),
        ("2x TPU v4 pod(2*3072)", "tpu-v4", None),
    ],
)
def test_makers_and_clouds_names_find_the_nearest_and_the_answer_says_which(name, found, count):
    taken = recognise(name)
    assert (taken.accelerator.name, taken.count) == (found, count)
    assert taken.note is None or f"{name!r} is taken as {found}" in taken.note


def test_a_name_that_is_known_needs_no_note_and_another_memory_is_told():
    assert recognise("NVIDIA H100 SXM5 80GB").note is None
    assert recognise("A100 64GB").note == "'A100 64GB' is taken as a100-80, which has 80 GB"


@pytest.mark.parametrize("name", ["H20", "h1000", "RTX 4090", "Ascend 910 NPU"])
def test_what_is_no_accelerator_of_the_list_is_still_refused(name):
    with pytest.raises(UsageError, match="is not known"):
        recognise(name)


def test_two_accelerators_in_one_cell_are_refused():
    with pytest.raises(UsageError, match="'H100/A100' names several"):
        recognise("H100/A100")


@pytest.mark.parametrize(
    ("text", "months"),
    [
        ("2024-07-23", 6),
        ("July 2024", 6),
        ("Jul 23, 2024", 6),
        ("23 July 2024", 6),
        ("23.7.2024", 6),
        ("7.11.2024", 10),
        ("7/23/2024", 6),
        ("23/07/2024", 6),
        ("2024.7.23", 6),
        ("2024/07", 6),
        ("20240723", 6),
        ("2024-07-23T10:00:00Z", 6),
        ("Q3 2024", 7),
        ("2024H2", 9),
        ("H1 2024", 3),
        ("23-Jul-24", 6),
        ("3 July 24", 6),
        ("mid-2024", 6),
        ("2024", 6),
    ],
)
def test_a_publication_date_in_any_usual_form(text, months):
    assert year(text) == pytest.approx(2024 + months / 12)


def test_a_year_of_two_digits_from_70_on_is_of_the_last_century():
    assert year("23-Jul-98") == pytest.approx(1998.5)
    assert year("3 July 70") == pytest.approx(1970.5)
    assert year("23-Jul-69") == pytest.approx(2069.5)


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("~15T tokens", 15e12, "tokens"),
        ("70 billion", 70e9, ""),
        ("3.8 x 10^25 FLOP", 3.8e25, "flop"),
        ("1.2e24", 1.2e24, ""),
        ("16,384 GPUs", 16384, "gpus"),
        ("1.7M GPU hours", 1.7e6, "gpu hours"),
        ("38%", 0.38, ""),
    ],
)
def test_numbers_with_units_in_their_cells(text, value, unit):
    found = measured(text)
    assert found is not None
    assert found == (pytest.approx(value), unit)


@pytest.mark.parametrize("text", ["many", "16,000-24,000", "5GB??", ""])
def test_what_is_no_number_is_none(text):
    assert measured(text) is None


def read(tmp_path, text):
    path = tmp_path / "runs.csv"
    path.write_text(text)
    return read_table(path)


def test_units_of_headers_count_for_bare_numbers_only(tmp_path):
    table = read(
        tmp_path,
        "Model,Params (B),Tokens (T),Hardware,GPU hours (thousands)\none,7,2,H100,184\ntwo,70B,2T tokens,H100,1.7M\n",
    )
    (_, one, _), (_, two, _) = table.rows
    assert (one.active_params, one.tokens, one.accelerator_hours) == (7e9, 2e12, 184e3)
    assert (two.active_params, two.tokens, two.accelerator_hours) == (70e9, 2e12, 1.7e6)


def test_a_suffix_in_a_cell_leaves_the_headers_unit_of_time_and_percents_are_shares(tmp_path):
    days = read(
        tmp_path, "Model,Params (B),Tokens (T),Hardware,GPU days (thousands)\none,7,2,H100,1\ntwo,7,2,H100,1.7k\n"
    )
    assert [row.accelerator_hours for _, row, _ in days.rows] == [24e3, 1.7e3 * 24]
    time = read(tmp_path, "Model,Params (B),Tokens (T),Hardware,Count,Training time (days)\none,7,2,H100,8,0.1k\n")
    assert [row.accelerator_hours for _, row, _ in time.rows] == [100 * 24 * 8]
    short = read(tmp_path, "name\tgpu\tn_gpus\tdays\tparams (B)\ttokens (T)\none\tH100\t8\t3\t7\t2\n")
    assert [row.accelerator_hours for _, row, _ in short.rows] == [3 * 24 * 8]
    shares = read(tmp_path, "Model,Params (B),Tokens (T),Hardware,MFU (%)\none,7,2,H100,38\ntwo,7,2,H100,41%\n")
    assert [row.mfu for _, row, _ in shares.rows] == [0.38, 0.41]


def test_time_and_flops_stand_for_what_is_not_there(tmp_path):
    header = "Model,Parameters,Training compute (FLOP),Training hardware,Hardware quantity,Training time (hours),Year\n"
    table = read(tmp_path, header + "a,405B,3.8e25 FLOP,NVIDIA H100 SXM5 80GB,16384,1500,July 2024\n")
    ((line, row, run),) = table.rows
    assert row.tokens == pytest.approx(3.8e25 / 6 / 405e9)
    assert row.accelerator_hours == 1500 * 16384
    assert run.year == pytest.approx(2024.5)
    assert table.assumed[line] == (
        "accelerator-hours are the time of the run times its accelerators",
        "tokens are FLOPs / 6 / parameters",
    )


# As written in github.com/ConnollyLeon/awesome-Auto-Parallelism, Models.md, with commas for its bars.
STRANGERS = """Time,Name,Organization,Model size,Dataset size,Devices,Backbone,paper
2022.4.5,PaLM,Google,540 B,780 B tokens,2x TPU v4 pod(2*3072),Singleton,[arxiv](https://arxiv.org/pdf/2204.02311.pdf)
2022.2.4,Megatron-Turing NLG,Microsoft & Nvidia,530 B,339 B tokens,560 80GB A100,Singleton,[arxiv](https://arxiv.org)
2021.12.9,GLaM,Google Brain,1.162T,1.6 T tokens,[1024 TPUv3?](https://ai.googleblog.com/2021/12/x.html),GShard,blog
2021.12.8,Gopher,Google DeepMind,280 B,5GB??,4096 16 GB TPUv3,Singleton,deepmind
2021.12.8,Wenxin,Baidu and PengCheng Lab,260 B,Unknown,1920 Ascend 910 NPU,ERNIE,arxiv
2021.10.25,M6-10T,Alibaba,10T,16 GB,512 32GB V100,M6,arxiv
2021.8,Jurassic-1,AI21,178B,300B tokens,Thousands of GPU,Singleton,tech paper
"""


def test_a_table_of_runs_as_a_stranger_wrote_it(capsys, tmp_path):
    path = tmp_path / "models.csv"
    path.write_text(STRANGERS)
    with pytest.raises(SystemExit) as caught:
        main(["compute", "train", "--csv", str(path), "--json"])
    talk = capsys.readouterr()
    found = json.loads(talk.out)
    assert caught.value.code == 2
    assert [(row["run"], row["accelerator"]) for row in found["rows"]] == [
        ("PaLM", "tpu-v4"),
        ("Megatron-Turing NLG", "a100-80"),
        ("GLaM", "tpu-v3"),
    ]
    assert found["rows"][1]["flops"] == pytest.approx(6 * 530e9 * 339e9, rel=0.1)
    assert found["rows"][1]["assumed"] == "'560 80GB A100' is taken as a100-80"
    assert [row["line"] for row in found["bad_rows"]] == [5, 6, 7, 8]
    said = " ".join(talk.err.split())
    for what in (
        "line 5: tokens: ",
        "'5GB??'",
        "line 6: accelerator '1920 Ascend 910 NPU' is not known",
        "not '16 GB'",
    ):
        assert what in said
    assert "columns not read: 'Backbone', 'paper'" in said


def test_what_was_assumed_is_printed_below_the_table(capsys, tmp_path):
    path = tmp_path / "models.csv"
    path.write_text("\n".join(STRANGERS.splitlines()[:4]))
    main(["compute", "train", "--csv", str(path)])
    assert "assumed: '560 80GB A100' is taken as a100-80 (line 3)" in capsys.readouterr().out


def test_an_option_says_what_was_taken_and_takes_a_date(capsys):
    main(
        ["compute", "train", "--params", "7B", "--tokens", "1T", "--accelerator", "p5.48xlarge", "--date", "July 2024"]
    )
    talk = capsys.readouterr()
    assert "'p5.48xlarge' is taken as h100-sxm, of which a machine has 8" in " ".join(talk.err.split())
    assert "h100-sxm" in talk.out
