"""Whole weeks made up in memory: for benchmarks, for tests, and for a first look. No figure in them is anybody's.

Letters: S services, T steps, K kinds.
"""

from collections.abc import Sequence

import numpy as np

from tenfold.replay.job_mix import JobMix, Room, backlog, generate_jobs
from tenfold.replay.loads import DAY_S, generate, llm_load, ranking_load, refine, stream
from tenfold.replay.traces import Rates
from tenfold.replay.week import Floats, Job, Kind, Service, Times, Week

# Kind, its share of the fleet, and how much it does of a job's, an LLM's and a ranker's work as a share of the first.
FLEET = (("h100", 0.6, 1.0, 1.0, 1.0), ("a100", 0.3, 0.4, 0.5, 0.8), ("l4", 0.1, 0.05, 0.1, 0.4))
LLM_TIMES = Times(start_s=120.0, wake_s=2.0, sleep_s=1.0)
RANKING_TIMES = Times(start_s=45.0, wake_s=1.0, sleep_s=0.5)
# What a slot earns in an hour at full work: services are worth several times what training is.
LLM_USD_PER_HOUR = 12.0
RANKING_USD_PER_HOUR = 24.0


def synthetic_week(
    seed: int,
    slots: int = 1000,
    steps: int = 5040,
    services: int = 30,
    jobs: int = 1000,
    llm_rates: Rates | None = None,
    *,
    step_s: float = 120.0,
    kinds: int = 1,
    llm_share: float = 0.28,
    ranking_share: float = 0.17,
    training_share: float = 0.45,
    endless: bool = True,
) -> Week:
    """A fleet that serves LLMs, ranks, and trains with what is left.

    Args:
        seed: of all that is random; the same seed gives the same week.
        slots: accelerators of the fleet.
        steps: T.
        services: S; two in five serve an LLM, the others rank. Their sizes are spread like 1, 1/2, 1/3, ...
        jobs: that end; see ``job_mix``.
        llm_rates: the LLM services' load follows these series in turn, each shifted by some hours and made finer by
            ``loads.refine``; none: ``loads.llm_load``.
        step_s: seconds of a step.
        kinds: 1 to 3 kinds of accelerators, as in ``FLEET``.
        llm_share: share of the fleet's slots that the LLM services need on average.
        ranking_share: the same for ranking.
        training_share: the same for the jobs that end.
        endless: add one low-priced job that takes what is left and never ends.
    """
    fleet = FLEET[:kinds]
    whole = sum(share for _, share, *_ in fleet)
    made = tuple(Kind(name, round(slots * share / whole)) for name, share, *_ in fleet)
    made = (Kind(made[0].name, slots - sum(kind.slots for kind in made[1:])), *made[1:])
    training_K, llm_K, ranking_K = (np.array([kind[place] for kind in fleet]) for place in (2, 3, 4))
    slots_K = np.array([kind.slots for kind in made])
    llms = round(0.4 * services)
    room = Room(slots, made[0].node_slots, made[0].node_slots * made[0].rack_nodes, training_K)
    mix = JobMix(jobs=jobs, offered_slots=training_share * float(slots_K @ training_K))
    days = steps * step_s / DAY_S
    made_jobs: tuple[Job, ...] = generate_jobs(mix, days, room, stream(seed, "jobs")) if jobs else ()
    return Week(
        name=f"synthetic {seed}",
        step_s=step_s,
        kinds=made,
        services=(
            *_llms(seed, _sizes(llms, llm_share * float(slots_K @ llm_K)), steps, step_s, llm_K, llm_rates),
            *_rankers(
                seed, _sizes(services - llms, ranking_share * float(slots_K @ ranking_K)), steps, step_s, ranking_K
            ),
        ),
        jobs=((backlog(room),) if endless else ()) + made_jobs,
    )


def _sizes(count: int, slots: float) -> Floats:
    """Slots that each service needs on average, spread by Zipf's law."""
    shares = 1.0 / np.arange(1, count + 1)
    return slots * shares / shares.sum() if count else shares


def _llms(
    seed: int, slots_S: Floats, steps: int, step_s: float, speed_K: Floats, rates: Rates | None
) -> Sequence[Service]:
    return [
        _llm(number, float(slots), steps, step_s, speed_K, rates, stream(seed, f"llm-{number}"))
        for number, slots in enumerate(slots_S)
    ]


def _llm(
    number: int,
    slots: float,
    steps: int,
    step_s: float,
    speed_K: Floats,
    rates: Rates | None,
    rng: np.random.Generator,
) -> Service:
    per_slot = float(np.exp(rng.uniform(np.log(2.0), np.log(20.0))))
    if rates is None:
        rates_T = generate(llm_load(1.0, rng.uniform(12, 18)), steps, step_s, rng)
    else:
        series_C = np.roll(rates.series(number % len(rates.names)), rng.integers(-3, 4) * round(3600 / rates.step_s))
        rates_T = np.resize(refine(series_C, round(rates.step_s / step_s), rng), steps)
    return Service(
        name=f"llm-{number}",
        family="llm",
        rates_T=rates_T * (slots * per_slot / rates_T.mean()),
        capacity_K=per_slot * speed_K,
        usd_per_request=LLM_USD_PER_HOUR / 3600.0 / per_slot,
        times=LLM_TIMES,
        queue_s=10.0,
    )


def _rankers(seed: int, slots_S: Floats, steps: int, step_s: float, speed_K: Floats) -> Sequence[Service]:
    return [
        _ranker(number, float(slots), steps, step_s, speed_K, stream(seed, f"ranking-{number}"))
        for number, slots in enumerate(slots_S)
    ]


def _ranker(number: int, slots: float, steps: int, step_s: float, speed_K: Floats, rng: np.random.Generator) -> Service:
    per_slot = float(np.exp(rng.uniform(np.log(200.0), np.log(2000.0))))
    rates_T = generate(ranking_load(1.0, rng.uniform(18, 22)), steps, step_s, rng)
    return Service(
        name=f"ranking-{number}",
        family="ranking",
        rates_T=rates_T * (slots * per_slot / rates_T.mean()),
        capacity_K=per_slot * speed_K,
        usd_per_request=RANKING_USD_PER_HOUR / 3600.0 / per_slot,
        times=RANKING_TIMES,
        converts=True,
        queue_s=0.2,
    )
