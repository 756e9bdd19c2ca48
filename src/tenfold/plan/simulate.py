"""What following a plan costs on futures that it has not seen, if it is made anew every period and if it is not.

*Re-planned*: what the plan commits to now is done; from the second period on each period is planned anew
(`rolling.py`). *Static*: the same commitments now, and one schedule of all later ones, fixed now as well as can be for
the futures of the plan's tree; only operation adapts. Both are charged for the same futures by the same account, with
the costs of the template that the plan is made of. Floors bend in it, and what is unserved below one is charged
``FLOOR_FACTOR`` times the shortage's price.

The futures are drawn from the study's own demand, with seeds of their own: none of them made the tree, the forecast or
the buffer. What they cannot show is a demand that the study's ranges do not hold.

Shapes: N futures, T periods, K workloads, V variables of a node, D decisions of a node.
"""

import time
from collections.abc import Callable
from enum import StrEnum

import numpy as np

from tenfold.plan.account import Account, account
from tenfold.plan.columns import DECISIONS, Floats, Restriction
from tenfold.plan.demand import DemandProcess
from tenfold.plan.extensive import extensive
from tenfold.plan.model import template
from tenfold.plan.outcomes import SHORT, spread, tail_mean
from tenfold.plan.plan import read_plan
from tenfold.plan.result import Spread, WorkloadOutlook, WorkloadPeriod
from tenfold.plan.rolling import Forecast, Replanning, follow_static, foresee
from tenfold.plan.simulation import Course, Saving, Simulation
from tenfold.plan.solve import DEFAULT_EFFORT, Effort, solve
from tenfold.plan.solved import Solved, solve_study
from tenfold.plan.study import Study
from tenfold.plan.unseen import SURE, best_buffer, commitments, streams, to_follow, whole

BUFFERS = (0.0, 0.15, 0.3, 0.45, 0.6)
TUNING_FUTURES = 100


class Step(StrEnum):
    """What a simulation does, in order."""

    PLAN = "the plan"
    STATIC = "the static plan"
    TUNE = "the buffer"
    REPLAN = "re-planning"
    HOLD = "no re-planning"
    FORESEE = "foreseeing"


Report = Callable[[Step, int, int], None]
"""Told of a step, how much of it is done, and of how much."""


def simulate(
    study: Study, futures: int = 1000, seed: int = 1, effort: Effort = DEFAULT_EFFORT, report: Report | None = None
) -> Simulation:
    """Make the plan of a study, and follow it along futures that it has not seen.

    Args:
        study: the study.
        futures: how many.
        seed: of the futures.
        effort: of each of two solves: of the plan, and of the static one.
        report: told of progress.
    Raises:
        NoPlan: floors and limits cannot all be met.
    """
    told, began = report or (lambda step, done, of: None), time.monotonic()
    told(Step.PLAN, 0, 1)
    solved = solve_study(study, effort)
    told(Step.STATIC, 0, 1)
    schedule_TD = static_schedule(solved, effort)
    planned = time.monotonic()

    node = to_follow(solved)
    process = DemandProcess.fit(study)
    unseen, tuning, forecast = streams(seed)
    replanning = Replanning(node, Forecast.of(process, forecast), schedule_TD[0])
    tried_NTK = process.simulate(min(futures, TUNING_FUTURES), tuning)
    tries = _counted(told, Step.TUNE, len(BUFFERS) * len(tried_NTK) * study.periods)
    buffer = best_buffer(study, node, replanning, tried_NTK, BUFFERS, tries)
    demand_NTK = process.simulate(futures, unseen)
    steps = futures * study.periods
    replanned_NTV = replanning.follow(demand_NTK, buffer, _counted(told, Step.REPLAN, steps))
    static_NTV = follow_static(node, schedule_TD, demand_NTK, _counted(told, Step.HOLD, futures))
    foreseen_usd_N = foresee(node, demand_NTK, _counted(told, Step.FORESEE, futures))
    replanned, static = account(node, replanned_NTV, demand_NTK), account(node, static_NTV, demand_NTK)
    plan = read_plan(solved)
    return Simulation(
        study=study,
        futures=futures,
        seed=seed,
        buffer=buffer,
        plan_cost_usd=plan.cost_usd,
        plan_cvar_usd=plan.cvar_usd,
        plan_capex=plan.capex,
        plan_gap=plan.solve.gap,
        replanned=_course(study, replanned, demand_NTK),
        static=_course(study, static, demand_NTK),
        saved=_saving(static.cost_usd_N, replanned.cost_usd_N),
        foreseen_usd=_spread(foreseen_usd_N),
        planning_s=planned - began,
        following_s=time.monotonic() - planned,
    )


def static_schedule(solved: Solved, effort: Effort) -> Floats:
    """All commitments if they are fixed now and the first are the plan's, shape (T, D), in the solver's units."""
    tree, decisions = solved.tree, solved.node.columns.of(DECISIONS)
    node = template(solved.node.study, tree.demand_nK.max(axis=0), Restriction(floors=False))
    program = extensive(node, tree, node.columns.of(DECISIONS))
    program = program.held(program.column_nV[0, decisions], commitments(solved))
    value_C = solve(program, node, tree, effort).value_C
    firsts = np.searchsorted(tree.stage_n, np.arange(tree.stages))
    return whole(node, value_C[program.column_nV[firsts][:, decisions]])


def _counted(report: Report, step: Step, of: int) -> Callable[[], None]:
    """Tell of one more each time that it is called."""
    done = 0

    def told() -> None:
        nonlocal done
        done += 1
        report(step, done, of)

    return told


def _course(study: Study, found: Account, demand_NTK: Floats) -> Course:
    cost_N, alike_N = found.cost_usd_N, np.ones(len(found.cost_usd_N))
    return Course(
        cost_usd=_spread(cost_N),
        cvar_usd=tail_mean(cost_N, alike_N, study.risk.alpha),
        cost_by_percentile_usd=tuple(np.quantile(cost_N, np.linspace(0, 1, 101)).tolist()),
        capex=found.capex_by_year(study, alike_N),
        workloads=tuple(
            _outlook(study, name, found.short_NTK[:, :, k], demand_NTK[:, :, k])
            for k, name in enumerate(study.workloads)
        ),
        below_floor=dict(zip(study.workloads, found.below_NK.mean(axis=0).tolist(), strict=True)),
    )


def _outlook(study: Study, name: str, short_NT: Floats, demand_NT: Floats) -> WorkloadOutlook:
    is_short_NT = short_NT > SHORT * demand_NT
    periods = tuple(
        WorkloadPeriod(
            period=study.calendar.label(period),
            demand=_spread(demand_NT[:, period]),
            served=_spread(demand_NT[:, period] - short_NT[:, period]),
            shortage_probability=float(is_short_NT[:, period].mean()),
            unserved_share=float(short_NT[:, period].sum() / demand_NT[:, period].sum()),
        )
        for period in range(study.periods)
    )
    return WorkloadOutlook(
        workload=name,
        unit=study.workloads[name].unit,
        shortage_probability=float(is_short_NT.any(axis=1).mean()),
        periods=periods,
    )


def _saving(static_usd_N: Floats, replanned_usd_N: Floats) -> Saving:
    """Paired over futures, so that what both suffer from alike does not count as noise."""
    less_N = static_usd_N - replanned_usd_N
    mean, static = float(less_N.mean()), float(static_usd_N.mean())
    noise = SURE * float(less_N.std(ddof=1)) / np.sqrt(len(less_N))
    return Saving(usd=mean, low_usd=mean - noise, high_usd=mean + noise, share=mean / static if static else None)


def _spread(amount_N: Floats) -> Spread:
    return spread(amount_N, np.ones(len(amount_N)))
