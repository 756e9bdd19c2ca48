"""Tenfold's policy provides for as many requests as it is asked to, and the rest of the slots train."""

import numpy as np
import pytest
from small import job, service, week

from tenfold.pool.budget import BURN
from tenfold.replay.engine import replay
from tenfold.replay.tenfold import Tenfold

STEADY = [10.0] * 1000
TARGET = (("llm", 0.9),)


def test_a_family_is_steered_to_its_target_and_the_rest_trains():
    made = week([service(STEADY, usd_per_request=10.0)], [job()], slots=20)
    full, thrifty = (replay(made, Tenfold(attains)) for attains in ((), TARGET))
    assert full.attainment("llm") > 0.99
    assert thrifty.attainment("llm") == pytest.approx(0.9, abs=0.02)
    assert thrifty.useful_training_h > full.useful_training_h


def test_an_answer_that_is_worth_little_is_provided_for_all_the_same():
    made = week([service(STEADY, usd_per_request=0.5)], [job()], slots=20)
    assert replay(made, Tenfold()).attainment("llm") < 0.1
    assert replay(made, Tenfold(TARGET)).attainment("llm") == pytest.approx(0.9, abs=0.02)


def test_what_is_not_provided_for_gets_slots_that_would_be_idle():
    made = week([service(STEADY, usd_per_request=10.0)], [job(most=6)], slots=20)
    assert replay(made, Tenfold(TARGET)).attainment("llm") > 0.99


def test_of_two_families_one_can_be_provided_for_less():
    made = week([service(STEADY), service(STEADY, name="feed", family="ranking")], [job(usd_per_s=0.1)], slots=30)
    outcome = replay(made, Tenfold(TARGET))
    assert outcome.attainment("ranking") > 0.99
    assert outcome.attainment("llm") < 0.92


def test_services_of_a_family_share_its_budget_and_however_much_is_unspent_most_is_provided_for():
    made = week(
        [service(STEADY, usd_per_request=10.0), service([1.0] * 900 + [10.0] * 100, name="late", usd_per_request=10.0)],
        [job(most=9), job(name="late job", arrival_s=90_000.0, most=20)],
        slots=20,
    )
    outcome = replay(made, Tenfold(TARGET))
    served_T = outcome.service_slots_TS.sum(axis=1)[905:]
    assert np.median(served_T) >= 20 * (1.0 - BURN * 0.1)
