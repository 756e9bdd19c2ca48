"""Whole weeks made up in memory: for benchmarks, for tests, and for a first look. No figure in them is anybody's.

Letters: S services, T steps, K kinds.
"""

from dataclasses import dataclass, replace

import numpy as np

from bursts import Bursts, generate_bursts
from tenfold.core.errors import UsageError
from tenfold.replay.job_mix import JobMix, backlog, generate_jobs, room_of
from tenfold.replay.loads import DAY_S, generate, llm_load, ranking_load, refine, stream
from tenfold.replay.traces import Rates
from tenfold.replay.week import Floats, Kind, Service, Times, Week

# Kind, its share of the fleet, and how much it does of a job's, an LLM's and a ranker's work as a share of the first.
FLEET = (("h100", 0.6, 1.0, 1.0, 1.0), ("a100", 0.3, 0.4, 0.5, 0.8), ("l4", 0.1, 0.05, 0.1, 0.4))
ENDLESS_SLOTS = 64
"""Most slots of a job that never ends: one that took all that is left would make rules look bad that run jobs whole."""


@dataclass(frozen=True, slots=True)
class _Family:
    """What services of a family have in common.

    ``per_slot``: least and most requests per second of a slot. ``usd_per_hour``: what a slot earns at full work;
    services are worth several times what training is.
    """

    name: str
    per_slot: tuple[float, float]
    usd_per_hour: float
    times: Times
    converts: bool
    queue_s: float


LLM = _Family("llm", (2.0, 20.0), 12.0, Times(start_s=120.0, wake_s=2.0, sleep_s=1.0), converts=False, queue_s=10.0)
RANKING = _Family(
    "ranking", (200.0, 2000.0), 24.0, Times(start_s=45.0, wake_s=1.0, sleep_s=0.5), converts=True, queue_s=0.2
)


@dataclass(frozen=True, slots=True)
class _Clock:
    """Steps of the week, and those before it that every policy knows."""

    step_s: float
    past: int
    steps: int


def synthetic_week(
    seed: int,
    slots: int = 1000,
    steps: int = 5040,
    services: int = 30,
    jobs: int = 1000,
    llm_rates: Rates | None = None,
    *,
    step_s: float = 120.0,
    history_s: float = DAY_S,
    kinds: int = 1,
    llm_share: float = 0.28,
    ranking_share: float = 0.17,
    training_share: float = 0.45,
    endless: int = 16,
    ranking: Bursts | Rates | None = None,
) -> Week:
    """A fleet that serves LLMs, ranks, and trains with what is left.

    Args:
        seed: of all that is random; the same seed gives the same week.
        slots: accelerators of the fleet.
        steps: T.
        services: S; two in five serve an LLM, the others rank. Their sizes are spread like 1, 1/2, 1/3, ...
        jobs: that end; see ``job_mix``.
        llm_rates: the LLM services' load follows these series in turn, each shifted by some hours and made finer by
            ``loads.refine``; none: ``loads.llm_load``. A series that is shorter than the history and the week begins
            again: what repeats was seen before, though with other changes within each of its steps.
        step_s: seconds of a step.
        history_s: seconds before the week whose rates every policy knows.
        kinds: 1 to 3 kinds of accelerators, as in ``FLEET``.
        llm_share: share of the fleet's slots that the LLM services need on average.
        ranking_share: the same for ranking.
        training_share: the same for the jobs that end.
        endless: how many low-priced jobs of up to ``ENDLESS_SLOTS`` slots never end; they take what is left.
        ranking: load of the ranking services: a bursty kind of ``bursts.SOURCES``, or series as for ``llm_rates`` but
            each step's rate held through its finer steps, as counts are; none: ``loads.ranking_load``.
    """
    fleet = FLEET[:kinds]
    made = _fleet(slots, kinds)
    training_K, llm_K, ranking_K = (np.array([kind[place] for kind in fleet]) for place in (2, 3, 4))
    slots_K = np.array([kind.slots for kind in made])
    clock = _Clock(step_s, round(history_s / step_s), steps)
    llms = round(0.4 * services)
    llm_slots_S = _sizes(llms, llm_share * float(slots_K @ llm_K))
    ranking_slots_S = _sizes(services - llms, ranking_share * float(slots_K @ ranking_K))
    room = room_of(made, training_K)
    mix = JobMix(jobs=jobs, offered_slots=training_share * float(slots_K @ training_K))
    ending = generate_jobs(mix, steps * step_s / DAY_S, room, stream(seed, "jobs")) if jobs else ()
    return Week(
        name=f"synthetic {seed}",
        step_s=step_s,
        kinds=made,
        services=(
            *(
                _llm(number, float(slots), clock, llm_K, llm_rates, stream(seed, f"llm-{number}"))
                for number, slots in enumerate(llm_slots_S)
            ),
            *(
                _ranker(number, float(slots), clock, ranking_K, ranking, stream(seed, f"ranking-{number}"))
                for number, slots in enumerate(ranking_slots_S)
            ),
        ),
        jobs=(
            *[replace(backlog(room), name=f"pretraining-{number}", most=ENDLESS_SLOTS) for number in range(endless)],
            *ending,
        ),
    )


def _fleet(slots: int, kinds: int) -> tuple[Kind, ...]:
    """The first so many kinds, each with its share of the slots."""
    fleet = FLEET[:kinds]
    whole = sum(share for _, share, *_ in fleet)
    others = tuple(Kind(name, round(slots * share / whole)) for name, share, *_ in fleet[1:])
    return (Kind(fleet[0][0], slots - sum(kind.slots for kind in others)), *others)


def _sizes(count: int, slots: float) -> Floats:
    """Slots that each service needs on average, spread by Zipf's law."""
    shares = 1.0 / np.arange(1, count + 1)
    return slots * shares / shares.sum() if count else shares


def _llm(
    number: int, slots: float, clock: _Clock, speed_K: Floats, rates: Rates | None, rng: np.random.Generator
) -> Service:
    per_slot = _per_slot(LLM, rng)
    if rates is None:
        load = llm_load(1.0, rng.uniform(12, 18))
        rates_T = generate(load, clock.past + clock.steps, clock.step_s, rng, clock.past)
    else:
        shift = int(rng.integers(-3, 4)) * round(3600 / rates.step_s)
        rates_T = _repeated(np.roll(rates.series(number % len(rates.names)), shift), rates.step_s, clock, rng)
    return _service(LLM, number, slots, per_slot, rates_T, clock, speed_K)


def _ranker(
    number: int, slots: float, clock: _Clock, speed_K: Floats, ranking: Bursts | Rates | None, rng: np.random.Generator
) -> Service:
    per_slot = _per_slot(RANKING, rng)
    steps, peak_hour = clock.past + clock.steps, rng.uniform(18, 22)
    if ranking is None:
        rates_T = generate(ranking_load(1.0, peak_hour), steps, clock.step_s, rng, clock.past)
    elif isinstance(ranking, Bursts):
        rates_T = generate_bursts(ranking, steps, clock.step_s, rng, peak_hour, clock.past)
    else:
        # Services that share a series have it half a week apart, so that their bursts do not come together.
        series_C = ranking.series(number % len(ranking.names))
        turn = number // len(ranking.names) * len(series_C) // 2
        rates_T = _held(np.roll(series_C, turn), ranking.step_s, clock)
    return _service(RANKING, number, slots, per_slot, rates_T, clock, speed_K)


def _per_slot(family: _Family, rng: np.random.Generator) -> float:
    """Requests per second of a slot, spread evenly in the logarithm."""
    return float(np.exp(rng.uniform(*np.log(family.per_slot))))


def _service(
    family: _Family, number: int, slots: float, per_slot: float, rates_T: Floats, clock: _Clock, speed_K: Floats
) -> Service:
    """One service whose rates, history included, are scaled so that the week fills ``slots`` slots on average."""
    rates_T = rates_T * (slots * per_slot / rates_T[clock.past :].mean())
    return Service(
        name=f"{family.name}-{number}",
        family=family.name,
        rates_T=rates_T[clock.past :],
        capacity_K=per_slot * speed_K,
        usd_per_request=family.usd_per_hour / 3600.0 / per_slot,
        times=family.times,
        converts=family.converts,
        queue_s=family.queue_s,
        past_T=rates_T[: clock.past],
    )


def _repeated(series_C: Floats, coarse_s: float, clock: _Clock, rng: np.random.Generator) -> Floats:
    """A coarse series, begun again where it ends, made finer; as many steps as the history and the week have."""
    parts, count = _parts(coarse_s, clock), clock.past + clock.steps
    return refine(np.resize(series_C, -(-count // parts)), parts, rng)[:count]


def _held(series_C: Floats, coarse_s: float, clock: _Clock) -> Floats:
    """The same with each coarse step's rate in all of its finer ones: counts know no more."""
    parts, count = _parts(coarse_s, clock), clock.past + clock.steps
    return np.repeat(np.resize(series_C, -(-count // parts)), parts)[:count]


def _parts(coarse_s: float, clock: _Clock) -> int:
    """How many steps make a coarse one."""
    parts = round(coarse_s / clock.step_s)
    if parts < 1 or abs(parts * clock.step_s - coarse_s) > 1e-6:
        raise UsageError(
            f"rates in steps of {coarse_s:g} s cannot be made steps of {clock.step_s:g} s",
            next_step="choose a step_s that divides theirs",
        )
    return parts
