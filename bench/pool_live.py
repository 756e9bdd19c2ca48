"""The live pool against its own replay, on the same compressed day.

A real `tenfold up` plays a day of traffic. Then the same arrivals are replayed in steps of the pool's tick, with the
capacities and the demand that the pool had measured before, its prices, and the times of its moves, through the same
policy and forecast. Printed side by side: moves, attainment, training tokens and slot-seconds, predicted and measured.

    python bench/pool_live.py [--day 3m] [--seed 1]

Models and data are fetched and made first where the cache lacks them (a minute). The default takes some 5 minutes
with that: the pool starts, warms up for 25 s, and plays the day.

The last line is one JSON object.
"""

import argparse
import asyncio
import json
import os
import statistics
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from flex import POOL, pool, warm
from ready import ready
from tenfold.core.config import Config
from tenfold.core.written import parse_duration_s
from tenfold.policy.value import sustainable_utilisation
from tenfold.pool.state import PoolState
from tenfold.replay.engine import replay
from tenfold.replay.outcome import Outcome
from tenfold.replay.tenfold import Tenfold
from tenfold.replay.week import Floats, Job, Kind, Service, Times, Week
from tenfold.wiring import CONFIG, WORKLOADS
from tenfold.world.bar import run
from tenfold.world.client import CHAT, RANK, day_for, fetch_state
from tenfold.world.day import Day
from tenfold.world.report import DayReport

talk = Console(stderr=True)
WORKLOAD = {workload.name: workload for workload in WORKLOADS}


@dataclass(frozen=True)
class Measured:
    """What the live pool did: its state before the day and after it, and the sender's report."""

    day: Day
    before: PoolState
    after: PoolState
    report: DayReport

    @property
    def moves(self) -> int:
        return max(move.move for move in self.after.moves) - max((move.move for move in self.before.moves), default=0)

    @property
    def move_s(self) -> float:
        return statistics.median(move.seconds for move in self.after.moves if move.seconds is not None)

    @property
    def tokens_per_chat(self) -> float:
        chat = next(row for row in self.report.workloads if row.workload == CHAT)
        return chat.tokens / max(1, chat.answered)

    def slot_s(self, workload: str) -> float:
        """Slot-seconds that it had by the pool's account, those included in which it woke."""
        after, before = (
            next(row.working_s + row.starting_s for row in state.account if row.workload == workload)
            for state in (self.after, self.before)
        )
        return after - before

    def capacity(self, workload: str) -> float:
        return next(view.capacity_per_slot for view in self.before.workloads if view.workload == workload)


async def live(duration_s: float, seed: int) -> Measured:
    with pool(POOL.toml()) as url:
        await warm(url)
        before = await fetch_state(url)
        day = day_for(before, duration_s, seed=seed)
        report = await run(url, day, talk)
        return Measured(day, before, await fetch_state(url), report)


def week_of(measured: Measured, config: Config) -> Week:
    """The day as a week: rates per tick, a slot's requests per second, what they earn."""
    slots, step_s = len(measured.before.slots), config.pool.tick_s
    times = Times(start_s=measured.move_s, wake_s=measured.move_s, sleep_s=0.0)
    services = (
        _service(RANK, measured.day.rank_at_s, measured, config, times, units=1.0),
        _service(CHAT, measured.day.chat_at_s, measured, config, times, units=measured.tokens_per_chat),
    )
    training = Job(
        name="train",
        arrival_s=0.0,
        work=np.inf,
        least=1,
        most=slots,
        speed_K=np.ones(1),
        usd_per_s=measured.capacity("train") * WORKLOAD["train"].table(config).value_per_unit_usd,
        times=times,
        checkpoint_s=0.0,
    )
    return Week("the day", step_s, (Kind("cpu", slots),), services, (training,))


def _service(name: str, at_s: Floats, measured: Measured, config: Config, times: Times, units: float) -> Service:
    settings, step_s = WORKLOAD[name].table(config), config.pool.tick_s
    steps = int(np.ceil(measured.day.duration_s / step_s))
    return Service(
        name=name,
        family=name,
        rates_T=np.bincount((at_s / step_s).astype(np.int64), minlength=steps)[:steps] / step_s,
        capacity_K=np.array([measured.capacity(name) / units]),
        usd_per_request=settings.value_per_unit_usd * units,
        times=times,
        queue_s=settings.latency_target_s or 0.0,
        # What the pool had seen before the day; a point of its history is a second.
        past_T=np.repeat([point.demand.get(name, 0.0) for point in measured.before.history], round(1.0 / step_s)),
    )


def policy_of(week: Week, config: Config) -> Tenfold:
    """The live pool's settings. Arrivals come one by one, so that a slot is planned to be in use for a part only."""
    dwell_s = config.pool.dwell_s
    utilisation = tuple(
        (
            service.name,
            sustainable_utilisation(
                request_s=1.0 / float(service.capacity_K[0]),
                target_s=WORKLOAD[service.name].table(config).latency_target_s,
            ),
        )
        for service in week.services
    )
    targets = {service.name: WORKLOAD[service.name].table(config).attains for service in week.services}
    return Tenfold(
        attains=tuple((name, share) for name, share in targets.items() if share),
        dwell_s=dwell_s,
        joined_dwell_s=dwell_s,
        job_dwell_s=dwell_s,
        utilisation=utilisation,
        idle_s=config.pool.idle_s,
    )


def show(measured: Measured, predicted: Outcome) -> dict[str, float]:
    """Print both side by side; returns predicted over measured."""
    per_token = measured.capacity("train")
    slot_s = dict(zip((RANK, CHAT), predicted.service_slots_TS.sum(axis=0) * predicted.step_s, strict=True))
    slot_s["train"] = predicted.training_slots_T.sum() * predicted.step_s
    in_time = {row.workload: row.attainment or 0.0 for row in measured.report.workloads}
    pairs = {
        "training_tokens": (predicted.useful_training_h * 3600 * per_token, measured.report.training_tokens),
        "attainment_chat": (predicted.attainment(CHAT), in_time[CHAT]),
        "attainment_ranking": (predicted.attainment(RANK), in_time[RANK]),
        "moves": (float(predicted.moves), float(measured.moves)),
        **{f"slot_seconds_{name}": (float(slot_s[name]), measured.slot_s(name)) for name in slot_s},
    }
    table = Table("", "replay", "live", "replay / live")
    for name, (replayed, lived) in pairs.items():
        table.add_row(name, f"{replayed:,.4g}", f"{lived:,.4g}", f"{replayed / lived:.2f}" if lived else "-")
    Console().print(table)
    return {
        f"{name}_{side}": round(value, 4)
        for name, pair in pairs.items()
        for side, value in zip(("replay", "live"), pair, strict=True)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--day", default="3m")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    ready()
    config = CONFIG()
    measured = asyncio.run(live(parse_duration_s(options.day), options.seed))
    week = week_of(measured, config)
    predicted = replay(week, policy_of(week, config))
    print(f"{os.cpu_count()} cores, {week.kinds[0].slots} slots, a day in {options.day}, seed {options.seed}")
    print(json.dumps(show(measured, predicted)))


if __name__ == "__main__":
    main()
