"""What ``/metrics`` tells Prometheus, made afresh at each scrape from what the front knows already.

Counters are the running sums of the process that counts, the front or the controller, and start from zero with it, as
Prometheus expects. docs/metrics.md says what each means; a test holds both together.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from tenfold.pool.backends.backends import BackendView
from tenfold.pool.demand import GatewayTotals
from tenfold.pool.metering.used import NANO, Used
from tenfold.pool.state import ControllerTotals, PoolState, SlotView, SpreadView

NOBODY = "none"
"""Label of a slot that no workload has, and of a move's end where there is none."""


@dataclass(frozen=True, slots=True)
class Training:
    """How training goes. ``loss`` in nats per token; ``workers`` connected now."""

    step: int
    tokens: int
    loss: float | None
    workers: int
    checkpoint_step: int | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What the front knows at a scrape. ``pool`` and ``training`` are none until first heard of.

    ``used``: of models since the front started, by product and tenant.
    """

    pool: PoolState | None
    gateway: Mapping[str, tuple[GatewayTotals, SpreadView]]
    training: Training | None
    pages: int
    used: Mapping[tuple[str, str], Used] = field(default_factory=dict)
    backends: tuple[BackendView, ...] = ()


class _Scrape(Collector):
    def __init__(self, look: Callable[[], Seen]) -> None:
        self._look = look

    def collect(self) -> Iterator[Metric]:
        yield from families(self._look())


def exposition(look: Callable[[], Seen]) -> Callable[[], bytes]:
    """Give a function that writes the metrics in Prometheus' text format.

    Args:
        look: tells what the front knows now.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Scrape(look))
    return lambda: generate_latest(registry)


def families(seen: Seen) -> Iterator[Metric]:
    """Give all metrics."""
    yield _gauge("tenfold_ready", "1 while every workload answers", seen.pool is not None and seen.pool.ready)
    yield _gauge("tenfold_console_pages", "Console pages that are open", seen.pages)
    yield from _gateway(seen.gateway)
    if seen.pool is not None:
        yield from _pool(seen.pool)
        yield from _workloads(seen.pool)
        if seen.pool.totals is not None:
            yield from _controller(seen.pool.totals)
    if seen.training is not None:
        yield from _training(seen.training)
    yield from _used(seen.used)
    yield from _backends(seen.backends)


def _gateway(gateway: Mapping[str, tuple[GatewayTotals, SpreadView]]) -> Iterator[Metric]:
    outcomes = [
        ((workload, outcome), count)
        for workload, (totals, _) in gateway.items()
        for outcome, count in (("answered", totals.answered), ("shed", totals.shed), ("failed", totals.failed))
    ]
    yield _counter("tenfold_requests", "Requests that ended, by how", ("workload", "outcome"), outcomes)
    in_time = [((workload,), totals.in_time) for workload, (totals, _) in gateway.items()]
    yield _counter("tenfold_requests_in_time", "Of these, answered within the target", ("workload",), in_time)
    waiting = [((workload,), totals.waiting) for workload, (totals, _) in gateway.items()]
    yield _gauges("tenfold_requests_waiting", "Requests admitted and not yet ended", ("workload",), waiting)
    first_bytes = [((workload,), spread) for workload, (_, spread) in gateway.items()]
    text = "From the request to the first byte of its answer"
    yield _histogram("tenfold_request_first_byte_seconds", text, ("workload",), first_bytes)


def _pool(pool: PoolState) -> Iterator[Metric]:
    yield _gauge("tenfold_controller_running", "1 while the controller answers", pool.controller == "running")
    yield _gauge("tenfold_alarms", "Alarms that hold now", len(pool.alarms))
    slots = Counter({(view.workload, state): 0 for view in pool.workloads for state in ("awake", "waking", "draining")})
    slots[NOBODY, "idle"] = 0
    slots.update(_holder(slot) for slot in pool.slots)
    yield _gauges(
        "tenfold_slots", "Slots, by who has them and what happens there", ("workload", "state"), slots.items()
    )
    residents = Counter((r.workload, r.phase) for slot in pool.slots for r in slot.residents)
    text = "Resident processes, by phase"
    yield _gauges("tenfold_residents", text, ("workload", "phase"), residents.items())
    yield _counter("tenfold_slot_idle_seconds", "Slot-seconds that nobody held", (), [((), pool.idle_s)])


def _holder(slot: SlotView) -> tuple[str, str]:
    """Who has a slot: who is awake, else who wakes, else who still drains."""
    if slot.awake is not None:
        return slot.awake, "awake"
    for phase in ("waking", "draining"):
        for resident in slot.residents:
            if resident.phase == phase:
                return resident.workload, phase
    return NOBODY, "idle"


def _workloads(pool: PoolState) -> Iterator[Metric]:
    views = pool.workloads
    held = [((view.workload,), view.held) for view in views]
    yield _gauges("tenfold_slots_held", "Slots that the policy gives it", ("workload",), held)
    units = [((view.workload, view.unit), view.units_total) for view in views]
    yield _counter("tenfold_work_units", "Units of work done", ("workload", "unit"), units)
    plans = [((view.workload,), view.forecast_per_s) for view in views if view.forecast_per_s is not None]
    text = "Requests a second that are provided for"
    yield _gauges("tenfold_forecast_requests_per_second", text, ("workload",), plans)
    values = [
        ((view.workload, slot), usd)
        for view in views
        for slot, usd in (("last", view.value_last_slot_usd_per_s), ("next", view.value_next_slot_usd_per_s))
    ]
    text = "Price of a slot: of the last that it has, and of one more"
    yield _gauges("tenfold_slot_value_usd_per_second", text, ("workload", "slot"), values)
    spent = [
        ((account.workload, state), seconds)
        for account in pool.account
        for state, seconds in (("working", account.working_s), ("starting", account.starting_s))
    ]
    yield _counter("tenfold_slot_seconds", "Slot-seconds that it held", ("workload", "state"), spent)


def _controller(totals: ControllerTotals) -> Iterator[Metric]:
    yield _histogram("tenfold_tick_seconds", "A whole tick of the controller", (), [((), totals.tick)])
    yield _histogram("tenfold_decision_seconds", "Of a tick, the policy's part", (), [((), totals.decision)])
    moves = [((m.donor or NOBODY, m.receiver or NOBODY, m.state), m.count) for m in totals.moves]
    yield _counter("tenfold_moves", "Moves that ended, by way and how", ("donor", "receiver", "outcome"), moves)
    spreads = [((workload,), spread) for workload, spread in totals.move.items()]
    text = "A move, from the decision until the slot works again"
    yield _histogram("tenfold_move_seconds", text, ("receiver",), spreads)
    restarts = [((r.workload, r.role), r.count) for r in totals.restarts]
    text = "Processes that died and were started again"
    yield _counter("tenfold_resident_restarts", text, ("workload", "role"), restarts)
    events = [(("recorded",), totals.recorded), (("dropped",), totals.dropped)]
    yield _counter("tenfold_ledger_events", "Events for the ledger, by what became of them", ("outcome",), events)
    text = "Events that wait until the ledger can be written"
    yield _gauge("tenfold_ledger_waiting_events", text, totals.unrecorded)


def _training(training: Training) -> Iterator[Metric]:
    yield _counter("tenfold_training_steps", "Steps of the run", (), [((), training.step)])
    yield _counter("tenfold_training_tokens", "Tokens trained on in the run", (), [((), training.tokens)])
    yield _gauge("tenfold_training_workers", "Workers connected to the coordinator", training.workers)
    if training.loss is not None:
        yield _gauge("tenfold_training_loss_nats", "Loss of the last step, per token", training.loss)
    if training.checkpoint_step is not None:
        text = "Step of the newest durable checkpoint"
        yield _gauge("tenfold_training_checkpoint_step", text, training.checkpoint_step)


def _used(used: Mapping[tuple[str, str], Used]) -> Iterator[Metric]:
    who = ("product", "tenant")
    requests = [((*name, "answered"), each.requests) for name, each in used.items()]
    requests += [((*name, "refused"), each.refused) for name, each in used.items()]
    yield _counter("tenfold_model_requests", "Requests for models, by how they ended", (*who, "outcome"), requests)
    tokens = [((*name, "in"), each.tokens_in) for name, each in used.items()]
    tokens += [((*name, "out"), each.tokens_out) for name, each in used.items()]
    yield _counter("tenfold_model_tokens", "Tokens of prompts and of answers", (*who, "way"), tokens)
    slots = [(name, each.slot_s) for name, each in used.items()]
    yield _counter("tenfold_model_slot_seconds", "Seconds of slots that requests for models took", who, slots)
    usd = [(name, each.nano_usd / NANO) for name, each in used.items()]
    yield _counter("tenfold_model_usd", "What they cost, USD", who, usd)


def _backends(views: tuple[BackendView, ...]) -> Iterator[Metric]:
    ended = [((view.name, "answered"), view.answered) for view in views]
    ended += [((view.name, "failed"), view.failed) for view in views]
    text = "Requests passed to a backend, by how they ended"
    yield _counter("tenfold_backend_requests", text, ("backend", "outcome"), ended)
    left_alone = [((view.name,), float(view.state == "open")) for view in views]
    yield _gauges("tenfold_backend_open", "1 while a backend is left alone", ("backend",), left_alone)


_Labels = tuple[str, ...]


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))


def _gauges(name: str, text: str, labels: _Labels, values: Iterable[tuple[_Labels, float]]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, value)
    return family


def _counter(name: str, text: str, labels: _Labels, values: Iterable[tuple[_Labels, float]]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, value)
    return family


def _histogram(name: str, text: str, labels: _Labels, values: Iterable[tuple[_Labels, SpreadView]]) -> Metric:
    family = HistogramMetricFamily(name, text, labels=labels)
    for label_values, spread in values:
        bounds = [*(f"{bound:g}" for bound in spread.bounds_s), "+Inf"]
        so_far, buckets = 0, []
        for bound, count in zip(bounds, spread.counts, strict=True):
            so_far += count
            buckets.append((bound, float(so_far)))
        family.add_metric(label_values, buckets, spread.sum_s)
    return family
