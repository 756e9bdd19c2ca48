"""How long the pool's whole decision takes as it grows: curves, counts, and the slots that change hands.

Synthetic pools of 100 to 100,000 slots with up to 1,000 workloads, of 1 and of 8 kinds; with 8, every workload has its
own speeds, so that nothing can be aggregated. Two thirds are services, whose demand follows a seeded day (or the week
of --rates, each service at an offset and scale of its own); the others train on what is left. Slots that change hands
are those of the tick before, so that every tick starts from a real allocation.

    python bench/pool_scale.py [--rates FILE] [--ticks 60] [--svg docs/pool-scale.svg]

The default takes less than a minute of one core. The last line is one JSON object.
"""

import argparse
import gc
import json
import platform
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tenfold.page.drawing import picture
from tenfold.policy.claims import Claims
from tenfold.policy.forecast import CHANCES_D, LEVELS_D
from tenfold.policy.kinds.mix import mix
from tenfold.policy.kinds.mixture import Mixture, Worth
from tenfold.policy.kinds.relaxation import Relaxation
from tenfold.policy.placement import IDLE, place
from tenfold.policy.value import service_runs

SIZES = (100, 1_000, 10_000, 100_000)
KINDS = (1, 8)
TICK_S = 120.0
WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Figures:
    slots: int
    workloads: int
    kinds: int
    seconds: np.ndarray
    cpu_seconds: np.ndarray
    moves: float
    share_of_bound: float
    parts: dict[str, float]
    over_granted: int


class Pool:
    """A synthetic pool and the demand on it."""

    def __init__(self, slots: int, kinds: int, rates: list[np.ndarray] | None, step_s: float) -> None:
        self.random = np.random.default_rng(slots + kinds)
        random = self.random
        self.workloads = min(1_000, max(6, slots // 20))
        self.services = 2 * self.workloads // 3
        jobs = self.workloads - self.services
        self.slots_K = np.full(kinds, slots // kinds)
        self.slots_K[: slots % kinds] += 1
        self.kind_N = np.repeat(np.arange(kinds), self.slots_K)
        speed_WK = random.uniform(0.3, 1.0, (self.workloads, kinds))
        speed_WK *= random.random(speed_WK.shape) < 0.8
        speed_WK[np.arange(self.workloads), random.integers(0, kinds, self.workloads)] = 1.0
        self.speed_WK = np.ones_like(speed_WK) if kinds == 1 else speed_WK
        self.converts_W = (random.random(self.workloads) < 0.3) & (np.arange(self.workloads) < self.services)
        self.conversion_K = self.slots_K if kinds == 1 else np.maximum(1, self.slots_K // 5)
        size_S = random.lognormal(0.0, 1.0, self.services)
        self.mean_S = 0.45 * slots * size_S / size_S.sum()
        self.usd_S, self.usd_J = random.lognormal(1.0, 0.4, self.services), random.lognormal(-0.5, 0.4, jobs)
        most = np.maximum(2, random.lognormal(0.0, 0.8, jobs) * slots / jobs).astype(np.int64)
        self.most_J, self.least_J = most, np.maximum(1, most // 8)
        self.rates, self.step_s = rates, step_s
        self.offset_S, self.which_S = random.uniform(0, 7 * 86400, self.services), np.arange(self.services)
        self.held_WK = np.zeros((self.workloads, kinds), dtype=np.int64)
        self.holder_N = np.full(slots, IDLE)

    def need_S(self, tick: int) -> np.ndarray:
        """Slots that each service's demand fills."""
        at_s_S = self.offset_S + tick * TICK_S
        if self.rates is None:
            day = 1.0 + 0.6 * np.sin(2 * np.pi * at_s_S / 86400) + 0.1 * np.sin(2 * np.pi * at_s_S / (7 * 86400))
        else:
            day = np.empty(self.services)
            for number, rate_T in enumerate(self.rates):
                mine = self.which_S % len(self.rates) == number
                period = len(rate_T)
                day[mine] = np.interp(at_s_S[mine] / self.step_s % period, np.arange(period), rate_T, period=period)
                day[mine] /= rate_T.mean()
        return self.mean_S * day * self.random.lognormal(0.0, 0.05, self.services)

    def decide(self, need_S: np.ndarray, relaxation: Relaxation) -> tuple[Mixture, np.ndarray, int, dict[str, float]]:
        """Take one decision and carry it out: from the forecast's demands to the slots."""
        began = time.perf_counter()
        demands_SD = need_S[:, None] * np.exp(0.15 * (LEVELS_D - 0.5) * 2)
        owner_R, usd_R, slots_R = service_runs(demands_SD, CHANCES_D, self.usd_S)
        jobs = len(self.most_J)
        # A slower kind gives less than one effective slot, so a job's curve is as wide as its slots on the fastest.
        claims = Claims(
            names=tuple(f"w{number}" for number in range(self.workloads)),
            owner_R=np.concatenate((owner_R, self.services + np.arange(jobs))),
            usd_R=np.concatenate((usd_R, self.usd_J)),
            slots_R=np.concatenate((slots_R, self.most_J)),
            floor_W=np.concatenate((np.ones(self.services, dtype=np.int64), np.zeros(jobs, dtype=np.int64))),
            ceiling_W=np.concatenate((np.full(self.services, self.slots_K.sum()), self.most_J)),
            least_W=np.concatenate((np.ones(self.services, dtype=np.int64), self.least_J)),
            held_W=self.held_WK.sum(axis=1),
            join_cost_W=np.full(self.workloads, 1.0 / 600.0),
            resize_cost_W=np.concatenate((np.zeros(self.services), np.full(jobs, 2.0 / 600.0))),
        )
        mixture = Mixture(claims, self.speed_WK, self.held_WK, self.slots_K, self.converts_W, self.conversion_K)
        curves = time.perf_counter()
        counts_WK = mix(mixture, relaxation)
        counted = time.perf_counter()
        moves = 0
        for kind in range(len(self.slots_K)):
            here = np.flatnonzero(self.kind_N == kind)
            share_N, every = np.arange(len(here)) // 8, np.ones(len(here), dtype=bool)
            weak_share = np.zeros(share_N[-1] + 1, dtype=bool)
            patient_W = np.arange(self.workloads) >= self.services
            slots, takers = place(
                self.holder_N[here], counts_WK[:, kind], share_N, every, weak_share=weak_share, patient_W=patient_W
            )
            # Slots of those who hold more than they shall, and that nobody asked for, are idle.
            self.holder_N[here[slots]] = takers
            moves += len(slots)
        placed = time.perf_counter()
        return (
            mixture,
            counts_WK,
            moves,
            {"curves": curves - began, "counts": counted - curves, "slots": placed - counted},
        )

    def settle(self) -> None:
        """What is held in the next tick is what the slots say."""
        held = self.holder_N != IDLE
        pair_N = self.holder_N[held] * len(self.slots_K) + self.kind_N[held]
        self.held_WK = np.bincount(pair_N, minlength=self.held_WK.size).reshape(self.held_WK.shape)


def run(slots: int, kinds: int, ticks: int, rates: list[np.ndarray] | None, step_s: float) -> Figures:
    pool, relaxation = Pool(slots, kinds, rates, step_s), Relaxation()
    seconds, cpu_seconds, moves, shares, parts, over = [], [], [], [], [], 0
    for tick in range(WARM_UP + ticks):
        need_S = pool.need_S(tick)
        began, cpu_began = time.perf_counter(), time.process_time()
        mixture, counts_WK, moved, part = pool.decide(need_S, relaxation)
        took, cpu_took = time.perf_counter() - began, time.process_time() - cpu_began
        over += int((counts_WK.sum(axis=0) > pool.slots_K).any())
        over += int((counts_WK[pool.converts_W].sum(axis=0) > pool.conversion_K).any())
        if tick >= WARM_UP:
            seconds.append(took)
            cpu_seconds.append(cpu_took)
            moves.append(moved)
            parts.append(part)
            if kinds > 1 and tick % 10 == 0:
                bound = Relaxation().solve(mixture).bound_usd_per_s
                shares.append(float(Worth(mixture).net_W(counts_WK).sum()) / bound)
        pool.settle()
    return Figures(
        slots,
        pool.workloads,
        kinds,
        np.array(seconds),
        np.array(cpu_seconds),
        float(np.mean(moves)),
        min(shares, default=1.0),
        {name: float(np.median([part[name] for part in parts])) for name in parts[0]},
        over,
    )


def draw(figures: list[Figures]) -> str:
    """Decision time against slots, both on logarithmic scales."""
    width, height, left, bottom = 640.0, 380.0, 70.0, 50.0
    low_s, high_s = 1e-4, 1e1

    def x(slots: float) -> float:
        return left + (np.log10(slots) - 2) / 3 * (width - left - 90)

    def y(seconds: float) -> float:
        share = (np.log10(max(seconds, low_s)) - np.log10(low_s)) / (np.log10(high_s) - np.log10(low_s))
        return height - bottom - share * (height - bottom - 20)

    def text(at_x: float, at_y: float, words: str, anchor: str = "middle", fill: str = "#555") -> str:
        return (
            f'<text x="{at_x:.1f}" y="{at_y:.1f}" text-anchor="{anchor}" font-family="sans-serif" font-size="12" '
            f'fill="{fill}">{words}</text>'
        )

    parts = [f'<rect width="{width:.0f}" height="{height:.0f}" fill="#fff"/>']
    for power in range(-4, 2):
        parts.append(
            f'<line x1="{left}" x2="{width - 90:.1f}" y1="{y(10.0**power):.1f}" y2="{y(10.0**power):.1f}" '
            'stroke="#ddd"/>'
        )
        parts.append(text(left - 8, y(10.0**power) + 4, f"{10.0**power:g} s", "end"))
    for slots in SIZES:
        parts.append(text(x(slots), height - bottom + 20, f"{slots:,}"))
    parts.append(text((left + width - 90) / 2, height - 10, "slots"))
    for kinds, colour in zip(KINDS, ("#1f77b4", "#d62728"), strict=True):
        mine = [one for one in figures if one.kinds == kinds]
        for percent, dash in ((50, "4 3"), (99, "none")):
            points = " ".join(f"{x(one.slots):.1f},{y(np.percentile(one.seconds, percent)):.1f}" for one in mine)
            parts.append(
                f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" '
                f'stroke-dasharray="{dash}"/>'
            )
        end_s = float(np.percentile(mine[-1].seconds, 99))
        parts.append(text(width - 84, y(end_s) + 4, f"{kinds} kind{'s' * (kinds > 1)}", "start", colour))
    parts.append(text(left + 10, 16, "one decision: p99 (solid), p50 (dashed)", "start"))
    label = "Seconds of one decision against slots, for one and eight kinds"
    return picture(width, height, label, parts).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n"


def read_rates(path: Path) -> tuple[list[np.ndarray], float]:
    content = json.loads(path.read_text())
    return [np.array(rates, dtype=float) for rates in content["rates"].values()], float(content["step_s"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=Path, help="JSON with source, step_s, unit and rates by name")
    parser.add_argument("--ticks", type=int, default=60)
    parser.add_argument("--svg", type=Path, help="draw the times into this file")
    options = parser.parse_args()
    rates, step_s = read_rates(options.rates) if options.rates else (None, TICK_S)
    print(
        f"{platform.platform()}, Python {platform.python_version()}, numpy {np.__version__}, one thread",
        file=sys.stderr,
    )
    print(
        "| slots | workloads | kinds | p50 s | p99 s | p99 CPU s | curves / counts / slots, p50 ms | "
        "moves a tick | least share of bound |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    figures = []
    for kinds in KINDS:
        for slots in SIZES:
            gc.collect()
            one = run(slots, kinds, options.ticks, rates, step_s)
            figures.append(one)
            assert not one.over_granted, f"{one.over_granted} ticks granted more than there is"
            p99_s, p99_cpu_s = np.percentile(one.seconds, 99), np.percentile(one.cpu_seconds, 99)
            parts = " / ".join(f"{1e3 * part:.1f}" for part in one.parts.values())
            share = f"{one.share_of_bound:.5f}" if kinds > 1 else "not computed"
            print(
                f"| {slots:,} | {one.workloads:,} | {kinds} | {np.percentile(one.seconds, 50):.4f} | "
                f"{p99_s:.4f} | {p99_cpu_s:.4f} | {parts} | {one.moves:.0f} | {share} |",
                flush=True,
            )
    if options.svg:
        options.svg.write_text(draw(figures))
    p99 = {one.kinds: float(np.percentile(one.seconds, 99)) for one in figures if one.slots == SIZES[-1]}
    cpu = {one.kinds: float(np.percentile(one.cpu_seconds, 99)) for one in figures if one.slots == SIZES[-1]}
    print(
        json.dumps(
            {
                "p99_s_100k_slots_8_kinds": round(p99[8], 4),
                "p99_s_100k_slots_1_kind": round(p99[1], 4),
                "p99_cpu_s_100k_slots_8_kinds": round(cpu[8], 4),
                "p99_cpu_s_100k_slots_1_kind": round(cpu[1], 4),
                "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
