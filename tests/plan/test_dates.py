"""A date that the study does not reach is refused or told of, never taken silently."""

import copy

import pytest
from tiny_study import TINY, study_of

from synthetic_study import to_yaml
from tenfold.plan.dates import remarks
from tenfold.plan.shipped import find_study, names
from tenfold.plan.study_file import StudyError, parse_study


def changed(key: str, value: object) -> dict:
    """The tiny study with a lease, and another value at a key with dots."""
    table = copy.deepcopy(TINY)
    table["leases"] = {
        "shed": {
            "power_mw": 0.1,
            "usd_per_mw_month": 1e5,
            "lead_months": 6,
            "term_months": 60,
            "power": {"usd_per_mwh": 80},
        }
    }
    *path, last = key.split("/")
    inner = table
    for name in path:
        inner = inner[name]
    inner[last] = value
    return table


@pytest.mark.parametrize(
    "key",
    [
        "accelerators/gpu/available_from",
        "rent/cloud/available_from",
        "leases/shed/earliest",
        "sites/home/phases/hall-2/earliest",
    ],
)
def test_what_opens_after_the_end_is_refused_and_what_opened_before_the_start_is_told(key):
    name = key.replace("/", ".")
    with pytest.raises(StudyError) as caught:
        parse_study(to_yaml(study_of(changed(key, "2028H1"))), "my.yaml")
    assert f"my.yaml: '{name}': 2028H1 is after the study's last period 2027H2" in str(caught.value)
    before = parse_study(to_yaml(study_of(changed(key, "2025H2"))))
    assert remarks(before) == [f"'{name}': 2025H2 is before the study's first period 2026H1; it is open from the start"]
    for within in ("2026H1", "2027H1"):
        assert remarks(parse_study(to_yaml(study_of(changed(key, within))))) == []


@pytest.mark.parametrize(
    ("key", "value", "remark"),
    [
        (
            "accelerators/gpu/prices_usd",
            {"2026H1": 3e4, "2030H1": 2e4},
            "'accelerators.gpu.prices_usd': 2030H1 is after the study's last period 2027H2",
        ),
        (
            "accelerators/gpu/lead_months",
            30,
            "'accelerators.gpu.lead_months': no order arrives by the last period 2027H2; none is made",
        ),
        (
            "leases/shed/lead_months",
            24,
            "'leases.shed.lead_months': it would begin after the last period 2027H2; it is not signed",
        ),
        (
            "sites/home/phases/hall-3/lead_months",
            48,
            "'sites.home.phases.hall-3.lead_months': it would end after the last period 2027H2; it is not started",
        ),
        (
            "sites/home/phases/hall-1/done_in_months",
            30,
            "'sites.home.phases.hall-1.done_in_months': it ends after the last period 2027H2; its power is never there",
        ),
        (
            "accelerators/gpu/owned",
            [{"count": 60, "age_months": 61}],
            "'accelerators.gpu.owned.0': the 60 are 61 months old and live 60: they have retired and do not count; "
            "raise life_months if they still work",
        ),
    ],
)
def test_what_has_no_effect_is_told_and_not_refused(key, value, remark):
    assert remarks(parse_study(to_yaml(study_of(changed(key, value))))) == [remark]


def test_shipped_studies_need_no_remark():
    assert [remarks(find_study(name)) for name in names()] == [[]] * len(names())
