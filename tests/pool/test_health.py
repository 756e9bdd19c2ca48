"""``ready`` means that every workload answers now, not that it once did."""

import pytest
from minipool import plan, until

from tenfold.pool.health import RECENT_S, Answers, Recently, judge
from tenfold.pool.state import PoolState, ResidentView, SlotView, WorkloadView


def resident(workload: str, url: str | None, phase: str = "asleep") -> ResidentView:
    return ResidentView(resident=f"{workload}@n0/cpu0", workload=workload, phase=phase, pid=4, url=url, restarts=0)


def state(*residents: ResidentView, ready: bool = True, controller: str = "running") -> PoolState:
    numbers = dict.fromkeys(WorkloadView.model_fields, 0) | {"facts": {}, "unit": "request", "price": None, "ended": ""}
    slot = SlotView(slot="n0/cpu0", kind="cpu", node="n0", cores=(0,), awake=None, residents=residents)
    return PoolState(
        **{"at": 0.0, "epoch": 1, "policy": "tenfold", "controller": controller, "ready": ready, "served": ready},
        **{"alarms": ("odd",), "slots": (slot,), "moves": (), "history": (), "loss": ()},
        workloads=tuple(WorkloadView(**numbers | {"workload": name}) for name in ("rank", "train")),
    )


ASLEEP = (resident("rank", "http://r"), resident("train", "http://t"))


def test_a_service_that_sleeps_since_nobody_asks_is_ready():
    found = state(*ASLEEP)
    assert judge(found, {}) == found
    assert judge(found, {"rank": Answers(answered=0, failed=0)}).ready


@pytest.mark.parametrize(
    ("found", "recent", "cause"),
    [
        (state(ASLEEP[0]), {}, "train has no loaded resident"),
        (state(ASLEEP[1], resident("rank", None, "loading")), {}, "rank has no loaded resident"),
        (state(*ASLEEP), {"rank": Answers(0, 7)}, "rank answered none of its last 7 requests"),
    ],
)
def test_what_cannot_answer_is_named_and_not_ready(found, recent, cause):
    told = judge(found, recent)
    assert (told.ready, told.phase) == (False, "failing")
    assert told.alarms[0] == "odd"
    assert told.alarms[1].startswith(cause)


def test_one_odd_failure_or_some_among_answers_leave_it_ready():
    assert judge(state(*ASLEEP), {"rank": Answers(0, 1)}).ready
    assert judge(state(*ASLEEP), {"rank": Answers(1, 9)}).ready


def test_without_its_controller_it_is_not_ready_and_while_it_starts_it_says_nothing_more():
    assert not judge(state(*ASLEEP, controller="frozen"), {}).ready
    starting = state(ready=False)
    assert judge(starting, {}) == starting


def test_only_the_last_seconds_count():
    recently = Recently()
    assert recently.note(0.0, {"rank": Answers(5, 1)}) == {"rank": Answers(0, 0)}
    assert recently.note(RECENT_S, {"rank": Answers(5, 4)}) == {"rank": Answers(0, 3)}
    assert recently.note(2.5 * RECENT_S, {"rank": Answers(6, 4)}) == {"rank": Answers(0, 0)}
    assert recently.note(2.6 * RECENT_S, {"rank": Answers(7, 4)}) == {"rank": Answers(1, 0)}


async def test_a_pool_says_that_it_is_not_ready_while_all_requests_fail_and_while_the_controller_is_away(make_pool):
    pool = await make_pool(plan("serve", floor=1), slots=1)
    await pool.ready()

    async def work(status: int) -> int:
        async with pool.session.post(f"{pool.url}/work", json={"status": status}) as response:
            return response.status

    assert [await work(500) for _ in range(3)] == [500] * 3
    await until(lambda: not pool.gateway.link.ready)
    assert pool.gateway.link.state.alarms == ("serve answered none of its last 3 requests",)
    assert await work(200) == 200
    await until(lambda: pool.gateway.link.ready)
    assert pool.gateway.link.state.alarms == ()
    await pool.stop_controller()
    await until(lambda: not pool.gateway.link.ready)
    assert pool.gateway.link.state.alarms == ("the controller does not answer: allocation frozen",)
    pool.start_controller()
    await until(lambda: pool.gateway.link.ready)
