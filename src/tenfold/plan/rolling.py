"""Rolling deterministic re-planning: each period, plan the rest of the study for one forecast with a demand buffer.

The honest baseline, and what planners with a spreadsheet and a solver do. Shapes: N paths, T periods, K workloads, V
variables of a node, G points of a table, F forecast demands (period by workload).
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np

from tenfold.plan.columns import Floats
from tenfold.plan.demand import DemandProcess
from tenfold.plan.highs import Solver
from tenfold.plan.lookahead import Lookahead, decide, lookahead
from tenfold.plan.model import Template

Shape = Literal["flat", "rising"]

POINTS = 25


@dataclass(frozen=True, slots=True)
class Forecast:
    """Mean demand of all later periods, given demand now.

    Each workload is a Markov process whose growth does not depend on other workloads' levels, so that its own demand
    is all there is to know.

    Attributes:
        now_TGK: demand now, rising along G.
        later_TGTK: mean demand of each period, given that.
    """

    now_TGK: Floats
    later_TGTK: Floats

    @classmethod
    def of(cls, process: DemandProcess, rng: np.random.Generator, paths: int = 2000) -> Self:
        """Simulate onward from points between the quantiles that paths pass through."""
        seen_NTK = process.simulate(paths, rng)
        periods = seen_NTK.shape[1]
        now_TGK = np.quantile(seen_NTK, np.linspace(0.0, 1.0, POINTS), axis=0).transpose(1, 0, 2)
        later_TGTK = np.zeros((periods, POINTS, *seen_NTK.shape[1:]))
        for period in range(periods):
            seed = int(rng.integers(2**63))
            for g in range(POINTS):
                later_TGTK[period, g, period] = now_TGK[period, g]
                if period + 1 < periods:
                    onward = process.simulate_from(period, now_TGK[period, g], paths, np.random.default_rng(seed))
                    later_TGTK[period, g, period + 1 :] = onward.mean(axis=0)
        return cls(now_TGK, later_TGTK)

    def mean(self, period: int, demand_NK: Floats) -> Floats:
        """Demand of ``period`` and mean demand of all after it, shape (N, T - period, K)."""
        periods, workloads = self.later_TGTK.shape[2:]
        mean_NTK = np.empty((len(demand_NK), periods - period, workloads))
        for k in range(workloads):
            log_now_N, log_table_G = np.log(demand_NK[:, k]), np.log(self.now_TGK[period, :, k])
            for ahead in range(periods - period):
                log_later_G = np.log(self.later_TGTK[period, :, period + ahead, k])
                mean_NTK[:, ahead, k] = np.exp(_interpolate(log_now_N, log_table_G, log_later_G))
        mean_NTK[:, 0] = demand_NK
        return mean_NTK


def _interpolate(at_N: Floats, known_G: Floats, value_G: Floats) -> Floats:
    """Straight lines between points; beyond them demand later moves as demand now does."""
    return np.interp(at_N, known_G, value_G) + at_N - np.clip(at_N, known_G[0], known_G[-1])


@dataclass(frozen=True, slots=True)
class Replan:
    """The policy: solve what is left for the buffered forecast, do the first period of it.

    Attributes:
        template: of the study, without a weight on risk.
        forecast: of its demand.
        buffer_K: by how much the forecast of later periods is raised, 0.15 for 15%.
        shape: the same buffer for all later periods, or one that rises with the root of the time ahead, as the spread
            of a random walk does; ``buffer_K`` is then that of a year ahead.
        ahead_T, solver_T: what is left to be decided from each period on.
    """

    template: Template
    forecast: Forecast
    buffer_K: Floats
    shape: Shape
    ahead_T: tuple[Lookahead, ...]
    solver_T: tuple[Solver, ...]

    @classmethod
    def of(cls, template: Template, forecast: Forecast) -> Self:
        """Re-planning without a buffer."""
        periods = template.study.periods
        ahead_T = tuple(lookahead(template, period, periods - period) for period in range(periods))
        solver_T = tuple(Solver(ahead.program) for ahead in ahead_T)
        return cls(template, forecast, np.zeros(len(template.study.workloads)), "flat", ahead_T, solver_T)

    def with_buffer(self, buffer_K: Floats, shape: Shape = "flat") -> Self:
        """The same with another buffer."""
        return replace(self, buffer_K=buffer_K, shape=shape)

    def decide(self, period: int, amount_NTV: Floats, demand_NK: Floats) -> Floats:
        """What to do in a period, shape (N, V), in the solver's units."""
        demand_NTK = self.forecast.mean(period, demand_NK)
        years_T = np.arange(1, demand_NTK.shape[1]) * self.template.study.calendar.months / 12
        size_T = np.sqrt(years_T) if self.shape == "rising" else np.ones_like(years_T)
        demand_NTK[:, 1:] *= 1 + size_T[:, None] * self.buffer_K
        return self.follow(period, amount_NTV, demand_NTK)[0]

    def follow(self, period: int, amount_NTV: Floats, demand_NTK: Floats) -> tuple[Floats, Floats]:
        """Plan for given demands from a period on: what to do in it, and what the plan costs from there on."""
        look, solver = self.ahead_T[period], self.solver_T[period]
        demand_NF = demand_NTK.reshape(len(demand_NTK), -1)
        slot_NS = look.slots(amount_NTV)
        decided_NV, cost_N = decide(look, solver, look.row_bounds(slot_NS, demand_NF), demand_NF)
        return decided_NV, cost_N + slot_NS @ look.past_cost_S
