"""Forecasts hold on families that no constant was chosen on, and say why where they are unsure."""

from pathlib import Path

import numpy as np
import pytest
from ladder_laws import TRUE, isoflop_runs

from observed import best_at
from tenfold.core.errors import UsageError
from tenfold.llama.ladder.forecast import forecast
from tenfold.llama.ladder.runs_table import load_runs, parse_runs

SETS = Path(__file__).resolve().parents[3] / "bench" / "ladder_sets"


@pytest.mark.parametrize(
    ("name", "budget"), [("llama3", 1e22), ("llama3", 1e21), ("openeurollm", 1.234e21), ("cerebras", 2.3e22)]
)
def test_ten_times_the_compute_is_foreseen_on_families_held_out(name, budget):
    runs = load_runs(SETS / f"{name}.csv")
    observed = best_at(runs, budget)
    found = forecast(runs.up_to(budget / 10), budget)
    assert found.low <= observed <= found.high
    assert found.best.loss == pytest.approx(observed, rel=0.02)
    assert found.high / found.low < 1.25


def test_the_same_runs_give_the_same_forecast_whatever_the_unit_of_loss():
    runs = isoflop_runs(noise=0.003)
    bits = parse_runs(
        "run,params,flops,loss\n"
        + "".join(
            f"{name},{float(n)!r},{float(c)!r},{float(loss) / 2.77!r}\n"
            for name, n, c, loss in zip(runs.names, runs.params_R, runs.flops_R, runs.loss_R, strict=True)
        )
    )
    nats, other = forecast(runs, 1e22), forecast(bits, 1e22)
    assert other.best.loss * 2.77 == pytest.approx(nats.best.loss, rel=1e-3)
    assert (other.low * 2.77, other.high * 2.77) == pytest.approx((nats.low, nats.high), rel=2e-3)


def test_poor_sets_have_wide_intervals_and_say_why():
    runs = isoflop_runs(noise=0.003)
    good, truth = forecast(runs, 1e22), float(TRUE.loss(np.array(1.5e10), np.array(1e22 / 9e10)))
    assert good.reasons == ()
    assert good.low < truth < good.high
    narrow = forecast(isoflop_runs(count=2, ratio=1.5, noise=0.003), 1e19)
    assert any("only 2 budgets" in reason for reason in narrow.reasons)
    assert any("span only a factor of 1.5" in reason for reason in narrow.reasons)
    single = forecast(isoflop_runs(count=1, noise=0.003), 1e19)
    assert any("only one budget" in reason for reason in single.reasons)
    assert single.high / single.low > good.high / good.low
    ladder = forecast(isoflop_runs(sizes=1, noise=0.003), 1e22)
    assert any("one size only" in reason for reason in ladder.reasons)


def test_runs_still_in_their_warm_up_are_told_apart():
    starved = isoflop_runs(noise=0.003)
    extra_R = 1 + 2.5 * (starved.flops_R / 1e18) ** -0.6
    found = forecast(
        type(starved)(starved.names, starved.params_R, starved.tokens_R, starved.flops_R, starved.loss_R * extra_R),
        1e22,
    )
    assert any("warm-up" in reason for reason in found.reasons)
    assert found.widened > 1.2


def test_budgets_below_the_runs_are_refused():
    with pytest.raises(UsageError, match="below all runs"):
        forecast(isoflop_runs(), 1e17)
