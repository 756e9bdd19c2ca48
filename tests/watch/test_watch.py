"""What a watch tells is what the cluster did, and what the policy would have done with the same slots."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.core.errors import InfeasibleError
from tenfold.watch.watch import Holder, Reading, Series, Watch, share_out, whole_slots
from tenfold.watch.watch_file import JobTable, ServiceTable, WatchError, WatchFile

CHAT = ("chat", "Llm")
SERVICE = ServiceTable(usd_per_request=0.01, capacity_per_slot=10.0, latency_target_s=1.0, wake_s=1.0)
JOB = JobTable(holders="*Worker", usd_per_accelerator_hour=2.0, least=1, most=4, resize_s=1.0)


def file(**changes) -> WatchFile:
    return WatchFile(
        **{"tick_s": 1.0, "dwell_s": 60.0, "services": {"chat": SERVICE}, "jobs": {"train": JOB}, **changes}
    )


def replica(deployment=CHAT, accelerators=1.0, node="n0") -> Holder:
    return Holder(node, accelerators, frozenset({f"ServeReplica:{deployment[0]}:{deployment[1]}"}), deployment)


def worker(name="RayTrainWorker", accelerators=1.0, node="n0") -> Holder:
    return Holder(node, accelerators, frozenset({name}))


def counted(arrived: float, busy_s: float | None = None, process: str = "p") -> dict[Series, float]:
    found = {Series("arrived", CHAT, process): arrived, Series("answered", CHAT, process): arrived}
    return found if busy_s is None else {**found, Series("busy_s", CHAT, process): busy_s}


def reading(*holders, nodes=None, counters=None, **more) -> Reading:
    return Reading(nodes or {"n0": 4.0}, holders, {"n0:1": counters or {}}, **more)


def watch(steps, *holders, watched=None) -> Watch:
    """A watch of a cluster that counts ``steps`` one after the other, a second apart."""
    readings = [reading(*holders, counters=counters) for counters in steps]
    found = Watch(watched or file(), "watch.toml", readings[0])
    for each in readings:
        found.observe(each, 1.0)
    return found


def rows(found: Watch) -> dict:
    return {row.workload: row for row in found.view().workloads}


def test_a_service_that_needs_more_slots_would_get_them_from_a_job_that_earns_less():
    found = watch([counted(25.0 * second) for second in range(40)], replica(), worker(), worker(), worker())
    chat, train = rows(found)["chat"], rows(found)["train"]
    assert (chat.slots, train.slots) == (1, 3)
    # 25 a second, 7 to 9 of them a slot: all but the slot that the job must keep.
    assert (chat.shadow_slots, train.shadow_slots) == (3, 1)
    assert chat.arrival_per_s == pytest.approx(25.0)
    assert found.view().shadow.shadow_usd > found.view().shadow.real_usd > 0


def test_a_job_that_is_not_said_to_be_elastic_stays_as_large_as_it_is():
    watched = file(jobs={"train": JobTable(holders="*Worker", usd_per_accelerator_hour=2.0)})
    holders = (replica(), worker(), worker(), worker())
    found = watch([counted(25.0 * second) for second in range(40)], *holders, watched=watched)
    assert rows(found)["train"].shadow_slots == 3
    assert found.view().shadow.moves == 0


def test_a_job_that_ends_gives_its_slots_up_in_the_shadow_too():
    found = watch([counted(25.0 * second) for second in range(20)], replica(), worker(), worker())
    for second in range(20, 40):
        found.observe(reading(replica(), counters=counted(25.0 * second)), 1.0)
    chat, train = rows(found)["chat"], rows(found)["train"]
    assert (train.slots, train.shadow_slots) == (0, 0)
    assert chat.shadow_slots == 4


def test_what_the_file_does_not_name_is_left_out_and_counted():
    found = watch([counted(25.0 * second) for second in range(40)], replica(), worker("Notebook", 2.0), worker())
    view = found.view()
    assert (view.slots, view.others, view.idle) == (2, 2, 0)
    assert rows(found)["chat"].shadow_slots + rows(found)["train"].shadow_slots <= 2


def test_nothing_is_decided_before_rates_can_be_known():
    found = watch([counted(1000.0), counted(1000.0), counted(1000.0)], replica(), worker(), worker(), worker())
    assert found.view().shadow.moves == 0
    assert found.view().shadow.seconds == 0


def test_what_was_counted_before_the_watch_or_before_a_restart_is_not_demand():
    steps = [counted(1e6 + 10.0 * second) for second in range(20)]
    steps += [counted(10.0 * second) for second in range(20)]
    found = watch(steps, replica(), worker(), worker(), worker())
    assert rows(found)["chat"].arrival_per_s == pytest.approx(10.0, rel=0.1)
    assert rows(found)["chat"].forecast_per_s < 20.0


def test_a_replica_that_starts_is_added_and_one_that_ends_is_not_subtracted():
    steps = [counted(10.0 * second) for second in range(10)]
    steps += [counted(100.0) | counted(5.0 * second, process="q") for second in range(10)]
    steps += [counted(5.0 * second, process="q") for second in range(10, 60)]
    found = watch(steps, replica(), worker())
    assert rows(found)["chat"].arrival_per_s == pytest.approx(5.0, rel=0.05)


def test_capacity_is_measured_where_the_file_does_not_give_it():
    service = SERVICE.model_copy(update={"capacity_per_slot": None, "parallel": 2})
    # Each request takes 0.4 s, and a replica works on two together.
    steps = [counted(4.0 * second, busy_s=1.6 * second) for second in range(60)]
    found = watch(steps, replica(), worker(), watched=file(services={"chat": service}))
    assert rows(found)["chat"].capacity_per_slot == pytest.approx(5.0, rel=0.01)
    given = watch(steps, replica(), worker())
    assert rows(given)["chat"].capacity_per_slot == 10.0


def test_a_silence_of_the_cluster_is_told_and_not_all_of_it_is_accounted_for():
    found = watch([counted(10.0 * second) for second in range(10)], replica(), worker())
    before = found.view().shadow.seconds
    found.miss("no Ray dashboard answers")
    assert found.view().alarms == ("no Ray dashboard answers",)
    found.observe(reading(replica(), worker(), counters=counted(10.0 * 1000)), 990.0)
    view = found.view()
    assert (view.missed, view.alarms) == (1, ())
    assert view.shadow.seconds - before == 3.0
    assert rows(found)["chat"].arrival_per_s == pytest.approx(10.0, rel=0.02)


def test_waiting_requests_count_before_any_rate_knows_of_them():
    found = watch([counted(0.0)] * 10, replica(), worker(), worker(), worker())
    assert rows(found)["chat"].shadow_slots == 1
    found.observe(reading(replica(), worker(), worker(), worker(), counters=counted(0.0), waiting={CHAT: 40.0}), 1.0)
    assert rows(found)["chat"].waiting == 40
    assert rows(found)["chat"].shadow_slots == 3


def test_a_job_is_named_by_anything_that_it_may_be_called_by():
    for pattern in ("RayTrain*", "team", "0?000000"):
        watched = file(jobs={"train": JOB.model_copy(update={"holders": pattern})})
        holder = Holder("n0", 1.0, frozenset({"RayTrainWorker", "team", "04000000"}))
        assert rows(watch([counted(0.0)], replica(), holder, watched=watched))["train"].slots == 1


def test_a_deployment_without_a_replica_is_known_by_what_it_has_counted():
    assert rows(watch([counted(0.0)] * 5, worker()))["chat"].slots == 0


def test_a_service_that_the_cluster_does_not_have_is_named_with_what_there_is():
    with pytest.raises(
        WatchError, match=r"'services\.chat\.application': .* no Serve application 'chat'; there are: shop"
    ):
        Watch(file(), "watch.toml", reading(replica(("shop", "Llm"))))
    with pytest.raises(WatchError, match="it has none"):
        Watch(file(), "watch.toml", reading())
    two = reading(replica(("chat", "Llm")), replica(("chat", "Router")))
    with pytest.raises(WatchError, match=r"'services\.chat\.deployment' is missing: 'chat' has Llm, Router"):
        Watch(file(), "watch.toml", two)
    service = SERVICE.model_copy(update={"deployment": "Lmm"})
    with pytest.raises(WatchError, match="did you mean 'Llm'"):
        Watch(file(services={"chat": service}), "watch.toml", two)


def test_two_services_are_two_deployments():
    again = SERVICE.model_copy(update={"application": "chat"})
    with pytest.raises(WatchError, match="'chat/Llm' is both"):
        Watch(file(services={"chat": SERVICE, "again": again}), "watch.toml", reading(replica()))


def test_a_cluster_without_accelerators_is_refused():
    with pytest.raises(InfeasibleError, match="no node of the cluster has any 'GPU'"):
        Watch(file(), "watch.toml", reading(replica(), nodes={"n0": 0.0}))


def test_slots_of_several_accelerators_are_counted_by_node():
    found = reading(worker("a", 4.0), worker("b", 2.0, "n1"), nodes={"n0": 8.0, "n1": 8.0})
    slots, others = share_out(found, lambda holder: min(holder.names), ["a", "b"], 4.0)
    assert slots == {"n0/0": "a", "n0/1": None, "n1/0": "b", "n1/1": None}
    assert others == 0


quarters = st.integers(0, 12).map(lambda number: number / 4)


@given(st.dictionaries(st.sampled_from(["a", "b", "c", None]), quarters, max_size=4), st.integers(0, 3))
def test_no_more_slots_are_held_than_there_are_and_who_holds_one_whole_has_it(held, spare):
    slots = int(sum(held.values())) + spare
    whole = whole_slots(held, slots)
    assert sum(whole.values()) <= slots
    for name, amount in held.items():
        assert int(amount) <= whole[name] <= int(amount) + 1
