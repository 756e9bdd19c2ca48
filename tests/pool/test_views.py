"""What the console and metrics show of a slot's worth is what the policy decides by, and what ``pool why`` tells."""

from contextlib import closing

import pytest

from tenfold.core.config import PoolSettings
from tenfold.ledger.ledger import Ledger
from tenfold.ledger.recorder import Recorder
from tenfold.pool.decision import Decisions
from tenfold.pool.demand import GatewayTotals, WorkloadPlan
from tenfold.pool.host import Slot
from tenfold.pool.knowledge import Knowledge
from tenfold.pool.meters import look_around
from tenfold.pool.standing import Standings
from tenfold.pool.views import pool_state

SLOTS = 12


def plan(workload: str, *, usd: float, attains: float | None = None, serves: bool = True) -> WorkloadPlan:
    return WorkloadPlan(
        workload=workload,
        unit="request" if serves else "token",
        kinds=frozenset({"cpu"}),
        floor=0,
        ceiling=None,
        value_per_unit_usd=usd,
        latency_target_s=1.0 if serves else None,
        assumed_capacity=20.0,
        takes_requests=serves,
        probe=None,
        attains=attains,
    )


async def test_a_slot_that_its_holder_would_yield_is_shown_at_the_worth_that_it_yields_at(tmp_path):
    plans = [plan("chat", usd=3e-5, attains=0.9), plan("rank", usd=3e-5), plan("train", usd=1e-6, serves=False)]
    with closing(Recorder(lambda: Ledger(f"sqlite:///{tmp_path / 'ledger.db'}"), "the ledger")) as recorder:
        await recorder.opened()
        known = Knowledge(PoolSettings(), plans, recorder, lambda: 0.0)
        known.occupancy.take([Slot(f"s{n}", "cpu", "n", (n,), None, 1.0) for n in range(SLOTS)], ())
        known.occupancy.holder = {f"s{n}": "chat" if n < 5 else "train" for n in range(SLOTS)}
        for asked in (0, 80 * 3600):
            totals = GatewayTotals(arrived=asked, answered=asked, in_time=asked)
            known.meters["chat"].observe_gateway(totals, 3600.0)
        look_around(list(known.meters.values()), slots=SLOTS, held=known.held())
        decisions = Decisions(known)
        decisions.tell(decisions.claims(), at_once=True)
        told = Standings.model_validate(recorder.latest("standings")[0].body)
        shown = pool_state(known, decisions.claims(), running=True, history=(), shadow=None)
    for view, row in zip(shown.workloads, told.workloads, strict=True):
        assert view.value_last_slot_usd_per_s == row.last_slot_usd_per_s
        assert view.value_next_slot_usd_per_s == row.next_slot_usd_per_s
    chat, _, train = shown.workloads
    assert told.workloads[0].aim.kept == 3
    # Its fifth slot always has work, which is worth more than ten times what training would make of the slot.
    assert train.value_last_slot_usd_per_s == pytest.approx(20 * 1e-6)
    assert 1.0 < chat.value_last_slot_usd_per_s / train.value_last_slot_usd_per_s < 3.0
