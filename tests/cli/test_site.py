"""What residents are told of their part of a core."""

from pathlib import Path

import pytest

from tenfold.cli.site import Site
from tenfold.core.config import KindSettings, PoolSettings
from tenfold.pool.host import make_slots
from tenfold.rank.workload import RANK
from tenfold.wiring import CONFIG


@pytest.mark.parametrize(
    ("cpu", "shares"),
    [
        (KindSettings(), (0.5, None)),
        (KindSettings(borrow=True), (None, None)),
        (KindSettings(core_share=0.5), (0.25, 0.25)),
        (KindSettings(core_share=0.5, borrow=True), (None, 0.25)),
    ],
)
def test_a_job_keeps_to_its_share_unless_it_may_borrow_and_a_service_where_cores_are_not_all_the_slots(cpu, shares):
    config = CONFIG(pool=PoolSettings(kinds={"cpu": cpu}))
    (slot, *_) = make_slots("n0", config.pool.kinds, [0], 0)
    spec = Site(config, Path("home"), Path("cache"), "secret", {}).resident(RANK, slot, "127.0.0.1")
    assert (spec.cpu_share, spec.service_share) == shares
    assert (spec.context().cpu_share, spec.context().service_share) == shares
