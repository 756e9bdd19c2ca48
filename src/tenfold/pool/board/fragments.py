"""The parts of the page that are words and boxes: pure functions from the pool's state to HTML.

Every text that comes from outside goes through ``escape``.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from html import escape

from tenfold.page.palette import css
from tenfold.pool.board.figures import ABSENT, count, duration, money, money_rate, quantity, share
from tenfold.pool.state import MoveView, PoolState, PriceView, ResidentView, ShadowView, SlotView, WorkloadView

SILENCE_S = 4.0
"""Seconds without news after which the page says so."""

DETAILED_SLOTS = 8
"""Up to so many slots, a tile lists its residents; beyond, it is a small square."""

MOVES_SHOWN = 30

_PHASE_MARKS = {"awake": "●", "asleep": "○", "waking": "◐", "draining": "◑", "loading": "◌", "dead": "✕"}
_HELD = ' class="held"'
_MOVE_STATES = {"draining": "putting to sleep", "waking": "waking", "done": "done", "failed": "failed"}


def heading(state: PoolState | None) -> str:
    """Give the pool's summary for the top of the page: phase, slots, policy, value per second."""
    if state is None:
        return f'<span class="pill starting">starting</span>{_fact("waiting for the controller")}'
    facts = [
        count(len(state.slots), "slot"),
        f"policy <b>{escape(state.policy)}</b>",
        f"epoch <b>{state.epoch:,}</b>",
        f"moves <b>{max((move.move for move in state.moves), default=0):,}</b>",
    ]
    return f'<span class="pill {state.phase}">{state.phase}</span>' + "".join(_fact(fact) for fact in facts)


def banner(state: PoolState | None, now: float) -> str:
    """Give what is wrong, worst first, and what a shadow sees; empty when there is neither.

    Args:
        state: the latest state, if any.
        now: Unix seconds, to notice that the state has gone stale.
    """
    if state is None:
        return ""
    lines = []
    if state.controller == "frozen":
        lines.append(
            "<b>Controller frozen.</b> The last allocation stays in force; requests are still answered. "
            "It resumes from the ledger when the controller is back."
        )
    elif now - state.at > SILENCE_S:
        lines.append(f"<b>No news</b> from the controller for {duration(float(round(now - state.at)))}.")
    lines.extend(escape(alarm) for alarm in state.alarms)
    watched = f'<div class="notice">{shadow(state.shadow)}</div>' if state.shadow is not None else ""
    return "".join(f'<div class="alarm">{line}</div>' for line in lines) + watched


def shadow(view: ShadowView) -> str:
    """Say what the policy would have done, where it only watches."""
    gain = "" if view.gain is None else f", worth {view.gain:+.1%}"
    slots = ", ".join(f"{escape(workload)} {held}" for workload, held in sorted(view.slots.items()))
    return (
        f"<b>In shadow, nothing moves.</b> In {timedelta(seconds=round(view.seconds))} the policy would have made "
        f"{count(view.moves, 'move')}{gain}. Now it would have {slots}."
    )


def tiles(state: PoolState | None) -> str:
    """Give one tile per slot: who is awake there, and which residents sleep beside it, with their process ids."""
    if state is None or not state.slots:
        return '<div class="blank">Slots appear when the controller has started.</div>'
    if len(state.slots) > DETAILED_SLOTS:
        return f'<div class="squares">{"".join(_square(slot) for slot in state.slots)}</div>'
    one_node = len({slot.node for slot in state.slots}) == 1
    return f'<div class="tiles">{"".join(_tile(slot, one_node) for slot in state.slots)}</div>'


def workload_head(view: WorkloadView, pool_slots: int) -> str:
    """Give the top of a workload's card: its name, its slots as pips, and how many the policy wants."""
    colour = css(view.workload)
    wanted = f' <span class="wanted">wants {view.held}</span>' if view.held != view.slots else ""
    pips = ""
    if pool_slots <= 16:
        pips = "".join(f'<i style="--c:{colour}"{_HELD if i < view.slots else ""}></i>' for i in range(pool_slots))
    return (
        f'<span class="name"><i class="dot" style="background:{colour}"></i>{escape(view.workload)}</span>'
        f'<span class="pips" aria-hidden="true">{pips}</span>'
        f'<span class="have">{count(view.slots, "slot")}{wanted}</span>'
    )


def workload_figures(view: WorkloadView) -> str:
    """Give a workload's numbers: demand and latency (or loss and tokens), throughput, and value per slot."""
    unit = escape(view.unit)
    if view.arrival_per_s is None:
        first = _figure("loss", quantity(view.facts.get("loss")), "")
        second = _figure("done", quantity(view.units_total), f"{unit}s")
    else:
        forecast = f"plan {quantity(view.forecast_per_s)}" if view.forecast_per_s is not None else ""
        first = _figure("demand", f"{quantity(view.arrival_per_s)}/s", forecast)
        target = f"target {duration(view.latency_target_s)}" if view.latency_target_s is not None else ""
        late = _is_late(view.latency_p95_s, view.latency_target_s)
        second = _figure("latency p95", duration(view.latency_p95_s), target, late=late)
    return "".join(
        (
            first,
            second,
            _figure("throughput", f"{quantity(view.units_per_s)}/s", f"{unit}s"),
            _figure("last slot", money_rate(view.value_last_slot_usd_per_s), "value"),
            _figure("next slot", money_rate(view.value_next_slot_usd_per_s), "value"),
        )
    )


def workload_captions(view: WorkloadView) -> str:
    """Give the titles of the two curves of a workload's chart."""
    if view.arrival_per_s is None:
        captions = ("loss by tokens seen", f"{escape(view.unit)}s per second")
    else:
        captions = ("requests per second", "latency p95, seconds")
    return "".join(f"<span>{caption}</span>" for caption in captions)


def workload_foot(view: WorkloadView) -> str:
    """Give the counts of a workload's requests: answered in time, waiting, shed, failed."""
    if view.arrival_per_s is None:
        step = view.facts.get("step")
        parts = [] if step is None else [f"step <b>{step:,.0f}</b>"]
        parts.append(f"floor <b>{view.floor}</b>, ceiling <b>{view.ceiling}</b>")
        parts += [escape(view.ended)] if view.ended else []
    else:
        parts = [
            f"in time <b>{share(view.in_time_share)}</b>",
            f"waiting <b>{view.waiting:,}</b>",
            f"answered <b>{view.requests_total:,}</b>",
            f"shed <b>{view.shed_total:,}</b>",
            f"failed <b>{view.failed_total:,}</b>",
        ]
    if view.price is not None:
        parts.append(_price(view.unit, view.price))
    return "".join(f"<span>{part}</span>" for part in parts)


def moves_list(state: PoolState | None) -> str:
    """Give the latest moves, newest first: when, which slot, from whom to whom, the gain, the time it took, why."""
    if state is None or not state.moves:
        return '<div class="blank">No moves yet. A slot moves when another workload is worth more.</div>'
    return "".join(_move(move) for move in state.moves[:MOVES_SHOWN])


def legend(names: Iterable[str]) -> str:
    """Give the key of the colours."""
    return "".join(f'<span><i class="dot" style="background:{css(name)}"></i>{escape(name)}</span>' for name in names)


def _price(unit: str, price: PriceView) -> str:
    """Say what a unit is worth, and how that is known."""
    said = f"a {escape(unit)} is worth <b>{money(price.usd)}</b>, {price.source}"
    if price.low_usd is None or price.high_usd is None:
        return said
    return f"{said}: earned {money(price.low_usd)} to {money(price.high_usd)}"


def _fact(text: str) -> str:
    return f'<span class="fact">{text}</span>'


def _is_late(latency_s: float | None, target_s: float | None) -> bool:
    return latency_s is not None and target_s is not None and latency_s > target_s


def _figure(label: str, value: str, beside: str, *, late: bool = False) -> str:
    mark = ' class="late"' if late else ""
    return f'<div class="figure"><span>{label}</span><b{mark}>{value}</b><em>{beside}</em></div>'


def _tile(slot: SlotView, one_node: bool) -> str:
    name = slot.slot.rpartition("/")[2] if one_node else slot.slot
    cores = f"core {', '.join(str(core) for core in slot.cores)}" if slot.cores else slot.kind
    awake = escape(slot.awake) if slot.awake else _transition(slot.residents)
    return (
        f'<div class="tile" style="--c:{css(slot.awake)}">'
        f'<div class="where"><b>{escape(name)}</b><span>{escape(cores)}</span></div>'
        f'<div class="who{"" if slot.awake else " nobody"}">{awake}</div>'
        f"{''.join(_resident(resident) for resident in slot.residents)}</div>"
    )


def _transition(residents: Iterable[ResidentView]) -> str:
    """Say what a slot with nobody awake is doing."""
    for phase in ("waking", "draining", "loading"):
        for resident in residents:
            if resident.phase == phase:
                return f"{phase}…" if phase == "loading" else f"{escape(resident.workload)} {phase}…"
    return "idle"


def _resident(resident: ResidentView) -> str:
    colour = css(resident.workload)
    restarts = f", restarted {resident.restarts}x" if resident.restarts else ""
    title = f"{escape(resident.resident)}: {resident.doing}{restarts}"
    mark = _PHASE_MARKS.get(resident.doing, "·")
    return (
        f'<div class="resident {resident.doing}" title="{title}"><i style="color:{colour}">{mark}</i>'
        f"<span>{escape(resident.workload)}</span><em>{resident.doing}</em><code>{resident.pid or ABSENT}</code></div>"
    )


def _square(slot: SlotView) -> str:
    residents = ", ".join(
        f"{resident.workload} {resident.doing} ({resident.pid or ABSENT})" for resident in slot.residents
    )
    title = escape(f"{slot.slot}: {slot.awake or 'idle'}; {residents}")
    return f'<i title="{title}" style="background:{css(slot.awake)}"></i>'


def _move(move: MoveView) -> str:
    clock = datetime.fromtimestamp(move.at).astimezone().strftime("%H:%M:%S")
    took = duration(move.seconds) if move.seconds is not None else _MOVE_STATES[move.state]
    failed = ' <b class="late">failed</b>' if move.state == "failed" else ""
    gain = f"{'+' if move.gain_usd_per_s > 0 else ''}{money_rate(move.gain_usd_per_s)}"
    slot = escape(move.slot.rpartition("/")[2])
    return (
        f'<div class="move {move.state}"><time>{clock}</time><span class="slot">{slot}</span>'
        f'<span class="way">{_side(move.donor)}<i class="arrow">→</i>{_side(move.receiver)}</span>'
        f'<span class="gain">{gain}</span><span class="took">{took}{failed}</span>'
        f'<span class="reason" title="{escape(move.reason)}">{escape(move.reason)}</span></div>'
    )


def _side(workload: str | None) -> str:
    return f'<i class="dot" style="background:{css(workload)}"></i>{escape(workload or "idle")}'
