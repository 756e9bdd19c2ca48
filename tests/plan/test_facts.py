"""A study in the planner's own words: names of accelerators, models and runs in place of raw numbers."""

import textwrap

import pytest
import yaml

from tenfold.plan.dates import remarks
from tenfold.plan.plan import make_plan
from tenfold.plan.solve import Effort
from tenfold.plan.study_file import StudyError, load_study, parse_study

WORDS = """
name: words
start: 2027H1
periods: 4
workloads:
  chat:
    unit: M tokens/s
    model: llama-3.1-405b
    traffic: {prompt_tokens: 3000, answer_tokens: 400, cached_share: 0.4}
    demand: {ranges: {2027H1: [0.2, 0.25, 0.3], 2028H2: [0.3, 0.7, 1.5]}}
    shortage_usd_per_unit_month: 1.0e+8
runs:
  next: {params: 1.7e+10, total_params: 4.0e+11, tokens: 2.2e+13, context: 8192, due: 2028H1, missed_usd: 2.0e+8}
accelerators:
  new: {accelerator: NVIDIA H200, lead_months: 5, owned: [{count: 4000}]}
rent:
  cloud: {accelerator: h200, limit: 2000}
sites:
  hall: {power: {usd_per_mwh: 70}, phases: {one: {power_mw: 12, capex_usd: 0, lead_months: 0, done_in_months: 0}}}
tree: {nodes: 10, paths: 200}
"""


def test_names_become_numbers_and_each_says_where_it_is_from():
    study = parse_study(WORDS)
    offer, run = study.accelerators["new"], study.runs["next"]
    assert offer.price_usd > 10_000 and 0.7 < offer.power_kw < 3
    # H200s serve 405 billion parameters at some tens to some hundreds of answers' tokens/s each.
    assert 3e-5 < offer.throughput["chat"] < 1e-3
    assert study.rent["cloud"].throughput == offer.throughput
    assert set(run.accelerator_hours) == {"new", "cloud"}
    # 6 x 17e9 x 22e12 FLOP at 989 TFLOP/s take 0.63M hours at the peak, and between two and ten times that in truth.
    assert 1.2e6 < run.accelerator_hours["new"] < 6e6
    numbers = {"price_usd", "power_kw", "throughput.chat"}
    assert {key for key in study.filled_in if key.startswith("accelerators.")} == {
        f"accelerators.new.{key}" for key in numbers
    }
    assert "80%" in study.filled_in["runs.next.accelerator_hours.new"]


@pytest.mark.parametrize("name", ["p5en.48xlarge", "8x NVIDIA H200 141GB HBM3e"])
def test_clouds_and_makers_names_are_taken_as_compute_takes_them(name):
    study = parse_study(WORDS.replace("cloud: {accelerator: h200", f"cloud: {{accelerator: {name}"))
    assert study.rent["cloud"].throughput == study.accelerators["new"].throughput
    assert "taken as h200-sxm" in study.filled_in["rent.cloud.accelerator"]


def test_what_the_study_says_itself_stands():
    text = WORDS.replace("lead_months: 5", "lead_months: 5, price_usd: 12345, throughput: {chat: 0.5}")
    study = parse_study(text.replace("due: 2028H1", "due: 2028H1, accelerator_hours: {new: 1.0e+6}"))
    assert study.accelerators["new"].price_usd == 12345
    assert study.accelerators["new"].throughput == {"chat": 0.5}
    assert study.runs["next"].accelerator_hours["new"] == 1e6
    assert "accelerators.new.price_usd" not in study.filled_in


def test_the_resolved_study_reads_back_as_it_is():
    study = parse_study(WORDS)
    again = parse_study(yaml.safe_dump(study.model_dump(mode="json", exclude_unset=True)))
    assert again == study


def test_a_study_in_words_is_planned():
    plan = make_plan(parse_study(WORDS), Effort(gap=0.02, seconds=10), worth=False)
    assert plan.runs[0].price_usd_per_accelerator_hour["new"] > 0
    assert plan.study.filled_in


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("NVIDIA H200", "H20O", "'accelerators.new.accelerator': accelerator 'H20O' is not known"),
        ("llama-3.1-405b", "llama-3.1-405", "'workloads.chat.model': model 'llama-3.1-405' is not known"),
        ("unit: M tokens/s", "unit: requests", "'workloads.chat.unit' is 'requests'"),
        ("cached_share: 0.4", "cached_share: 4", "'workloads.chat.traffic.cached_share' is 4"),
        ("params: 1.7e+10, ", "", "'runs.next.accelerator_hours': nothing says how long it takes"),
        ("due: 2028H1", "due: 2029H1", "'runs.next.due': 2029H1 is not between"),
        ("due: 2028H1", "due: 2028", "'runs.next.due'"),
        ("due: 2028H1", "due: 2027H1, earliest: 2028H1", "'runs.next.earliest': 2028H1 is after it is due"),
        ("due: 2028H1", "due: 2028H1, accelerator_hours: {knew: 1}", "did you mean 'new'"),
        ("total_params: 4.0e+11", "total_params: 4.0e+9", "'runs.next.total_params'"),
        ("  next: ", "  chat: ", "a workload has this name too"),
    ],
)
def test_slips_are_named(old, new, message):
    assert old in WORDS
    with pytest.raises(StudyError) as error:
        parse_study(WORDS.replace(old, new, 1))
    assert message in str(error.value)


def test_an_offer_that_does_nothing_is_named():
    with pytest.raises(StudyError, match=r"'rent.idle': it does no workload and no run"):
        parse_study(WORDS.replace("rent:\n", "rent:\n  idle: {usd_per_hour: 2}\n"))


def test_a_forecast_is_read_from_beside_the_study(tmp_path):
    (tmp_path / "next.toml").write_text(
        textwrap.dedent(
            """
            [prediction]
            loss = 1.9
            [run]
            params = 1.7e10
            total_params = 4.0e11
            tokens = 2.2e13
            flops = 2.4e24
            [run.data]
            unique_tokens = 2.2e13
            owned_tokens = 1.1e13
            """
        )
    )
    path = tmp_path / "study.yaml"
    named = WORDS.replace(
        "params: 1.7e+10, total_params: 4.0e+11, tokens: 2.2e+13, context: 8192", "forecast: next.toml"
    )
    path.write_text(named)
    study = load_study(path)
    assert study.runs["next"].flops == 2.4e24
    assert study.filled_in["runs.next.tokens"] == "forecast next.toml"
    assert any("each is seen 2.0 times" in remark for remark in remarks(study))
    path.write_text(named.replace("next.toml", "other.toml"))
    with pytest.raises(StudyError, match=r"'runs.next.forecast': cannot read"):
        load_study(path)
    (tmp_path / "other.toml").write_text("[prediction]\n")
    with pytest.raises(StudyError, match=r"has no table \[run\]"):
        load_study(path)
    (tmp_path / "other.toml").write_text("[run]\nparamz = 1\n")
    with pytest.raises(StudyError, match="did you mean 'params'"):
        load_study(path)
