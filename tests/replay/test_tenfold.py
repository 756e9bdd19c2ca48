"""How generously Tenfold's policy provides for services in a replay."""

import numpy as np
from small import job, service, week

from tenfold.replay.engine import replay
from tenfold.replay.tenfold import Tenfold

STEADY = [10.0] * 200
MOST = (("llm", 0.8),)


def test_the_share_that_is_provided_for_is_served_and_the_rest_trains():
    made = week([service(STEADY, usd_per_request=10.0)], [job()], slots=20)
    full, thrifty = (replay(made, Tenfold(provided=share)) for share in ((), MOST))
    assert full.attainment("llm") > 0.99
    # Most of the steps: before its errors are known, a forecast is taken to scatter by a tenth.
    assert np.median(thrifty.service_slots_TS) == 8
    assert np.median(thrifty.training_slots_T) == 12


def test_what_is_not_provided_for_gets_slots_that_would_be_idle():
    made = week([service(STEADY, usd_per_request=10.0)], [job(most=6)], slots=20)
    assert replay(made, Tenfold(provided=MOST)).attainment("llm") > 0.99


def test_of_two_families_one_can_be_provided_for_less():
    made = week([service(STEADY), service(STEADY, name="feed", family="ranking")], [job(usd_per_s=0.1)], slots=30)
    outcome = replay(made, Tenfold(provided=MOST))
    assert outcome.attainment("ranking") > 0.99
    assert outcome.attainment("llm") < 0.9
