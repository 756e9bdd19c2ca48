"""What Prometheus is told of a pool, from states made by hand: names, labels, and that slots and sums add up."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tenfold.pool.backends.backends import BackendView
from tenfold.pool.demand import GatewayTotals
from tenfold.pool.host import ResidentStatus
from tenfold.pool.metering.used import Used
from tenfold.pool.metrics import Seen, Training, exposition
from tenfold.pool.state import AccountView, MoveView, PoolState, ResidentView, SlotView, WorkloadView
from tenfold.pool.totals import FIRST_BYTE_BOUNDS_S, Spread, Totals

DOCS = Path(__file__).parents[2] / "docs"
UNITS = ("_seconds", "_total", "_usd_per_second", "_per_second", "_nats", "_events", "_step")
COUNTS = {
    "tenfold_ready", "tenfold_controller_running", "tenfold_alarms", "tenfold_console_pages",
    "tenfold_requests_waiting", "tenfold_slots", "tenfold_slots_held", "tenfold_residents",
    "tenfold_training_workers", "tenfold_backend_open",
}  # fmt: skip
"""Gauges of things that are counted or are true: they have no unit."""


def slot(number: int, phases: dict[str, str]) -> SlotView:
    residents = tuple(
        ResidentView(resident=f"{name}@n0/cpu{number}", workload=name, phase=phase, pid=1, url="", restarts=0)
        for name, phase in phases.items()
    )
    awake = next((name for name, phase in phases.items() if phase == "awake"), None)
    return SlotView(slot=f"n0/cpu{number}", kind="cpu", node="n0", cores=(0,), awake=awake, residents=residents)


def workload(name: str, arrival: float | None) -> WorkloadView:
    return WorkloadView(
        workload=name, unit="token", slots=1, held=2, floor=0, ceiling=4, arrival_per_s=arrival,
        forecast_per_s=arrival, capacity_per_slot=1, units_per_s=1, units_total=77, waiting=0, requests_total=5,
        shed_total=0, failed_total=0, latency_p50_s=None, latency_p95_s=None, latency_target_s=None, in_time_share=None,
        value_last_slot_usd_per_s=2e-6, value_next_slot_usd_per_s=1e-6, facts={},
    )  # fmt: skip


def move(receiver: str, state: str, seconds: float | None) -> MoveView:
    return MoveView(
        move=1, epoch=1, at=0, slot="n0/cpu0", donor=None, receiver=receiver, reason="", gain_usd_per_s=0, deadline_s=2,
        state=state, seconds=seconds,
    )  # fmt: skip


def seen() -> Seen:
    totals = Totals(["train", "serve"])
    totals.tick.add(0.02)
    totals.decision.add(0.001)
    totals.moved(move("serve", "done", 0.3))
    totals.moved(move("serve", "done", 40.0))
    totals.moved(move("train", "failed", None))
    totals.restarted([ResidentStatus("serve@n0/cpu0", "serve", "n0/cpu0", 1, "", 2, "")])
    totals.restarted([ResidentStatus("serve@n0/cpu0", "serve", "n0/cpu0", 1, "", 3, "")])
    totals.restarted([ResidentStatus("serve@n0/cpu0", "serve", "n0/cpu0", 1, "", 1, "")])
    pool = PoolState(
        at=0, epoch=1, policy="tenfold", controller="running", ready=True, alarms=("a",), moves=(), history=(), loss=(),
        slots=(
            slot(0, {"train": "awake", "serve": "asleep"}),
            slot(1, {"train": "draining", "serve": "waking"}),
            slot(2, {"train": "asleep", "serve": "loading"}),
        ),
        workloads=(workload("train", None), workload("serve", 2.5)),
        account=(AccountView(workload="serve", asked=9, in_time=7, shed=1, working_s=12.5, starting_s=0.5, joined=2),),
        idle_s=3.5,
        totals=totals.view(recorded=11, dropped=1, unrecorded=4),
    )  # fmt: skip
    first_byte = Spread(FIRST_BYTE_BOUNDS_S)
    for seconds in (0.001, 0.3, 99.0):
        first_byte.add(seconds)
    counted = GatewayTotals(arrived=9, answered=6, in_time=5, shed=1, failed=2, waiting=3)
    used = {("feed", ""): Used(1, 2, 3, 4, 0.5, 6)}
    backends = (BackendView("far", "http://far", ("m",), "open", 0, 7, 5, 1),)
    return Seen(pool, {"serve": (counted, first_byte.view())}, Training(8, 4096, 3.25, 2, 5), 6, used, backends)


@pytest.fixture
def scrape():
    return {family.name: family for family in text_string_to_metric_families(exposition(seen)().decode())}


def value(scrape, name: str, **labels: str) -> float:
    found = [s.value for family in scrape.values() for s in family.samples if s.name == name and s.labels == labels]
    assert len(found) == 1, (name, labels)
    return found[0]


def exposed_name(family) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def test_what_is_told_is_what_was_counted(scrape):
    assert value(scrape, "tenfold_requests_total", workload="serve", outcome="answered") == 6
    assert value(scrape, "tenfold_requests_total", workload="serve", outcome="failed") == 2
    assert value(scrape, "tenfold_requests_in_time_total", workload="serve") == 5
    assert value(scrape, "tenfold_slot_seconds_total", workload="serve", state="working") == 12.5
    assert value(scrape, "tenfold_moves_total", donor="none", receiver="serve", outcome="done") == 2
    assert value(scrape, "tenfold_moves_total", donor="none", receiver="train", outcome="failed") == 1
    assert value(scrape, "tenfold_ledger_events_total", outcome="recorded") == 11
    assert value(scrape, "tenfold_ledger_waiting_events") == 4
    assert value(scrape, "tenfold_training_tokens_total") == 4096
    assert value(scrape, "tenfold_forecast_requests_per_second", workload="serve") == 2.5


def test_what_was_used_of_models_and_how_backends_do_is_told(scrape):
    who = {"product": "feed", "tenant": ""}
    assert value(scrape, "tenfold_model_requests_total", **who, outcome="refused") == 2
    assert value(scrape, "tenfold_model_tokens_total", **who, way="out") == 4
    assert value(scrape, "tenfold_backend_requests_total", backend="far", outcome="failed") == 5
    assert value(scrape, "tenfold_backend_open", backend="far") == 1


def test_slots_by_state_sum_to_the_pool(scrape):
    assert sum(sample.value for sample in scrape["tenfold_slots"].samples) == 3
    assert value(scrape, "tenfold_slots", workload="serve", state="waking") == 1
    assert value(scrape, "tenfold_slots", workload="none", state="idle") == 1


def test_histograms_are_cumulative_and_end_at_their_count(scrape):
    buckets = [s for s in scrape["tenfold_request_first_byte_seconds"].samples if s.name.endswith("_bucket")]
    counts = [s.value for s in buckets]
    assert counts == sorted(counts)
    assert (buckets[0].labels["le"], counts[0], buckets[-1].labels["le"], counts[-1]) == ("0.005", 1, "+Inf", 3)
    assert value(scrape, "tenfold_request_first_byte_seconds_count", workload="serve") == 3
    assert value(scrape, "tenfold_request_first_byte_seconds_sum", workload="serve") == pytest.approx(99.301)
    assert value(scrape, "tenfold_move_seconds_count", receiver="serve") == 2


def test_restarts_only_ever_grow_though_a_new_host_begins_from_zero(scrape):
    assert value(scrape, "tenfold_resident_restarts_total", workload="serve", role="resident") == 4


def test_before_the_controller_has_answered_there_are_the_fronts_own_metrics_only():
    text = exposition(lambda: Seen(None, {}, None, 0))().decode()
    assert "tenfold_ready 0.0" in text
    assert "tenfold_slots" not in text


def test_names_keep_to_the_conventions(scrape):
    for family in scrape.values():
        name = exposed_name(family)
        assert re.fullmatch(r"tenfold_[a-z]+(_[a-z]+)*", name)
        assert name.endswith(UNITS) or name in COUNTS, name
        assert (family.type == "counter") == name.endswith("_total")
        assert family.documentation


def documented() -> dict[str, tuple[str, tuple[str, ...]]]:
    rows = [line.split("|")[1:4] for line in (DOCS / "metrics.md").read_text().splitlines() if line.startswith("| `")]
    return {name.strip(" `"): (kind.strip(), tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def test_the_page_names_every_metric_with_its_type_and_labels_and_no_other(scrape):
    exposed = {
        exposed_name(family): (
            family.type,
            tuple(sorted({label for s in family.samples for label in s.labels} - {"le"})),
        )
        for family in scrape.values()
    }
    assert {name: (kind, tuple(sorted(labels))) for name, (kind, labels) in documented().items()} == exposed


def test_the_dashboard_asks_for_metrics_that_are_there_and_for_their_labels(scrape):
    board = json.loads((DOCS / "grafana-dashboard.json").read_text())
    assert 8 <= len(board["panels"]) <= 12
    samples: dict[str, set[str]] = {}
    for family in scrape.values():
        for sample in family.samples:
            samples.setdefault(sample.name, set()).update(sample.labels)
    for panel in board["panels"]:
        assert panel["title"] and panel["description"]
        for target in panel["targets"]:
            names = re.findall(r"tenfold_\w+", target["expr"])
            assert names, target["expr"]
            for name in names:
                assert name in samples, name
            known = set().union(*(samples[name] for name in names))
            grouped = {label for group in re.findall(r"by \(([^)]*)\)", target["expr"]) for label in group.split(", ")}
            chosen = set(re.findall(r"(\w+)=\"", target["expr"]))
            assert (grouped | chosen) <= known, target["expr"]
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= (grouped or known)
