"""A planner's mistakes in study.yaml are named with file, key and what would be right."""

import pytest
import yaml

from synthetic_study import synthetic_study, to_yaml
from tenfold.core.errors import UsageError
from tenfold.plan.actual import load_actual
from tenfold.plan.result import load_plan
from tenfold.plan.study_file import StudyError, load_study, parse_study


def refused(table: dict) -> str:
    with pytest.raises(StudyError) as error:
        parse_study(yaml.safe_dump(table), "my.yaml")
    assert error.value.exit_code == 2
    assert error.value.next_step
    return str(error.value)


def test_unknown_key_is_named_with_the_one_meant(tiny):
    tiny["workloads"]["serving"]["flor"] = 0.5
    assert refused(tiny) == "my.yaml: unknown key 'workloads.serving.flor'; did you mean 'floor'?"


def test_key_in_another_unit_is_told_the_unit(tiny):
    gpu = tiny["accelerators"]["gpu"]
    gpu["lead_weeks"] = gpu.pop("lead_months")
    message = refused(tiny)
    assert "unknown key 'accelerators.gpu.lead_weeks'; did you mean 'lead_months'? Its unit is months" in message
    assert "'accelerators.gpu.lead_months' is missing: months from order to use" in message


@pytest.mark.parametrize(
    ("key", "value", "right"),
    [
        ("lead_months", "26 weeks", "write 5.97947"),
        ("power_kw", "700 W", "write 0.7"),
        ("price_usd", "30 kUSD", "write 30000"),
        ("price_usd", "$38,000", "write 38000"),
        ("deposit_share", "10%", "write 0.1"),
        ("lead_months", "3 moons", "the unit is fixed by the key 'lead_months'"),
        ("lead_months", "1,5 weeks", "Input should be a valid number"),
        ("lead_months", "1.2.3 weeks", "Input should be a valid number"),
        ("lead_months", "... weeks", "Input should be a valid number"),
        ("needs_conversion", "serving", "should be a list, in [ ]"),
    ],
)
def test_value_with_a_unit_is_told_the_number(tiny, key, value, right):
    tiny["accelerators"]["gpu"][key] = value
    message = refused(tiny)
    assert f"my.yaml: 'accelerators.gpu.{key}' is {value!r}" in message
    assert right in message


def test_a_name_with_a_space_is_told_what_names_are_made_of(tiny):
    tiny["workloads"]["support chat"] = tiny["workloads"].pop("serving")
    message = refused(tiny)
    assert "'workloads.support chat'" in message and "letters, digits, '.', '_' and '-' only" in message


def test_negative_lead_is_refused(tiny):
    tiny["sites"]["home"]["phases"]["hall-2"]["lead_months"] = -3
    assert "'sites.home.phases.hall-2.lead_months' is -3: Input should be greater than or equal to 0" in refused(tiny)


def test_circle_of_phases_is_spelled_out(tiny):
    phases = tiny["sites"]["home"]["phases"]
    phases["hall-2"]["after"] = ["hall-3"]
    assert "'sites.home.phases': hall-2 after hall-3 after hall-2: a circle" in refused(tiny)


def test_phase_after_one_that_is_not_there(tiny):
    tiny["sites"]["home"]["phases"]["hall-3"]["after"] = ["hall2"]
    assert "'sites.home.phases.hall-3.after': there is no phase 'hall2'; did you mean 'hall-2'?" in refused(tiny)


def test_demand_that_nothing_serves(tiny):
    tiny["workloads"]["ranking"] = tiny["workloads"]["serving"]
    assert "'workloads.ranking': no accelerator and no rent serves it" in refused(tiny)


def test_throughput_for_a_workload_that_is_not_there(tiny):
    tiny["accelerators"]["gpu"]["throughput"]["trainin"] = 1
    message = refused(tiny)
    assert "'accelerators.gpu.throughput': there is no workload 'trainin'; did you mean 'training'?" in message


def test_ranges_must_reach_over_the_study_and_rise(tiny):
    ranges = tiny["workloads"]["serving"]["demand"]["ranges"]
    ranges["2026H1"] = [100, 90, 80]
    ranges["2027H1"] = ranges.pop("2027H2")
    message = refused(tiny)
    assert "'workloads.serving.demand.ranges.2026H1': [100.0, 90.0, 80.0] must rise: [p10, p50, p90]" in message
    assert "must reach from the first period 2026H1 to the last 2027H2" in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": "2026-01"}, "'2026-01' is not a period; write 2026, 2026H1 or 2026Q3"),
        ({"capex_limit_usd": {"2031": 5}}, "'2031' is not a year of the study; its years are 2026, 2027"),
        ({"tree": {"nodes": 2}}, "'tree.nodes': 2 is less than one per period; give at least 4"),
        ({"correlations": [{"between": ["serving", "serving"], "value": 0.1}]}, "name two workloads"),
        ({"sites": {}}, "there is no place to power them; add sites or leases"),
    ],
)
def test_other_contradictions(tiny, change, message):
    assert message in refused(tiny | change)


def test_kit_that_is_needed_but_not_offered(tiny):
    tiny["accelerators"]["gpu"]["needs_conversion"] = ["serving"]
    assert "there is no conversion kit; add the table 'conversion'" in refused(tiny)


def test_cancellation_without_time_to_cancel(tiny):
    tiny["accelerators"]["gpu"]["cancellation"] = {"notice_months": 6, "fee_share": 0.1}
    assert "leaves no time to cancel; it must be below lead_months (6)" in refused(tiny)


def test_key_given_twice_and_text_that_is_no_yaml():
    with pytest.raises(StudyError, match="key 'name' is there twice"):
        parse_study("name: a\nname: b\n")
    with pytest.raises(StudyError, match="holds no table"):
        parse_study("just words")
    with pytest.raises(StudyError, match="is not YAML"):
        parse_study("a: [1")


def test_words_that_yaml_takes_for_numbers_or_dates_stay_words(tiny):
    text = yaml.safe_dump(tiny)
    with pytest.raises(StudyError, match=r"'accelerators\.gpu\.price_usd' is 'yes'"):
        parse_study(text.replace(f"price_usd: {tiny['accelerators']['gpu']['price_usd']}", "price_usd: yes"))
    with pytest.raises(StudyError, match="'2027-07-01' is not a period; write 2026, 2026H1"):
        parse_study(text.replace("2027H2:", "2027-07-01:"))
    assert "no" in parse_study(text.replace("serving", "no")).workloads


def test_numbers_too_large_for_the_solver_are_named(tiny):
    tiny["workloads"]["serving"]["demand"]["ranges"]["2027H2"] = [1, 2, 1e300]
    tiny["accelerators"]["gpu"]["lead_months"] = 1e300
    message = refused(tiny)
    assert "'workloads.serving.demand.ranges.2027H2.2': 1e+300 is not between 1e-15 and 1e+30" in message
    assert "'accelerators.gpu.lead_months': 1e+300" in message


@pytest.mark.parametrize("read", [load_study, load_actual, load_plan])
def test_files_in_another_encoding_are_refused(tmp_path, read):
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: caf\u00e9".encode("latin-1"))
    with pytest.raises(UsageError, match="it is not UTF-8 text"):
        read(path)


def test_missing_file_names_the_next_step(tmp_path):
    with pytest.raises(StudyError, match="cannot read the study") as error:
        load_study(tmp_path / "none.yaml")
    assert "tenfold plan example" in error.value.next_step


def test_numbers_with_an_exponent_are_numbers_and_studies_round_trip():
    study = synthetic_study(3, nodes=24)
    assert parse_study(to_yaml(study)) == study
    assert parse_study(to_yaml(study).replace("price_usd: ", "price_usd: 1e3 #")).accelerators["A"].price_usd == 1000
