"""The calibrated model: more never costs less, and what is left out is not seen."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.compute.accelerators import accelerators, find_accelerator
from tenfold.compute.expected import expected_share
from tenfold.compute.facilities import find_facility
from tenfold.compute.published import published_runs
from tenfold.compute.run import Run
from tenfold.compute.training import calibrated, estimate_training
from tenfold.compute.utilisation import CANDIDATES, describe, fit, likeness

HALL = find_facility("hyperscale")
organisations = st.sampled_from([None, "Meta", "DeepSeek", "EleutherAI", "Microsoft"])
runs = st.builds(
    lambda params, sparsity, tokens, kind, year, organisation: Run(
        params, params * sparsity, tokens, kind, year=year, organisation=organisation
    ),
    st.floats(1e8, 5e11),
    st.sampled_from([1.0, 1.0, 8.0]),
    st.floats(1e10, 4e13),
    st.sampled_from(list(accelerators().values())),
    st.floats(2020, 2027),
    organisations,
)


@given(runs, st.floats(1.05, 20))
def test_more_tokens_cost_more(run, factor):
    less, more = (estimate_training(each, HALL) for each in (run, replace(run, tokens=run.tokens * factor)))
    assert more.accelerator_hours.mid > less.accelerator_hours.mid
    assert more.bill.energy_mwh.mid > less.bill.energy_mwh.mid


@given(runs, st.floats(1.05, 20))
def test_more_parameters_cost_more(run, factor):
    larger = replace(run, active_params=run.active_params * factor, total_params=run.total_params * factor)
    less, more = (estimate_training(each, HALL).accelerator_hours.mid for each in (run, larger))
    assert more > less


@given(runs, st.integers(1, 15), st.floats(1.1, 16))
def test_more_accelerators_take_fewer_days_and_no_fewer_hours(run, doublings, factor):
    few = replace(run, count=2**doublings * 2_000)
    many = replace(few, count=int(few.count * factor))
    slow, fast = (estimate_training(each, HALL) for each in (few, many))
    assert fast.days.mid < slow.days.mid
    assert fast.accelerator_hours.mid >= slow.accelerator_hours.mid


@given(runs)
def test_utilisation_is_a_share_inside_its_interval(run):
    utilisation = calibrated().predict(run)
    assert 0 < utilisation.low < utilisation.mid < utilisation.high <= 0.95


def test_a_known_organisation_and_a_known_design_narrow_the_interval():
    def width(run):
        found = calibrated().predict(run)
        return found.high / found.low

    run = Run(70e9, 70e9, 15e12, find_accelerator("h100"), year=2024.5)
    assert (
        width(replace(run, organisation="Meta"))
        < width(run)
        < width(replace(run, accelerator=find_accelerator("b200")))
    )


def test_an_organisation_that_is_not_named_is_as_uncertain_as_a_new_one():
    run = Run(70e9, 70e9, 15e12, find_accelerator("h100"), year=2024.5)
    unnamed, new = (calibrated().predict(replace(run, organisation=name)) for name in (None, "Nobody"))
    assert (unnamed.low, unnamed.mid, unnamed.high) == pytest.approx((new.low, new.mid, new.high))


def test_closed_form_leave_one_out_equals_fitting_again():
    known = published_runs()
    runs, shares = [each.run for each in known], np.array([each.utilisation for each in known])
    whole = fit(runs, shares)
    logs = np.log(shares) - np.log([expected_share(run) for run in runs]) - whole.centre
    residual = whole.weights_n / np.diag(whole.precision_nn)
    for index in (0, 17, len(runs) - 1):
        rest = [i for i in range(len(runs)) if i != index]
        described = describe([runs[i] for i in rest])
        kernel = likeness(described, described).covariance(whole.shrinkage) + np.diag(whole.noise_n[rest])
        cross = likeness(describe([runs[index]]), described).covariance(whole.shrinkage)
        again = float((cross @ np.linalg.solve(kernel, logs[rest]))[0])
        assert logs[index] - residual[index] == pytest.approx(again)


def test_a_run_left_out_has_no_say_in_its_own_estimate():
    known = published_runs()
    rest = [each for each in known if each.row.run != "Lucie-7B"]
    (odd,) = (each for each in known if each.row.run == "Lucie-7B")
    model = fit([each.run for each in rest], [each.utilisation for each in rest])
    assert model.predict(odd.run).low > 2 * odd.utilisation


def test_the_model_recovers_what_it_was_made_from():
    known = [each.run for each in published_runs()]
    rng = np.random.default_rng(1)
    described = describe(known)
    kernel = likeness(described, described).covariance(CANDIDATES[3]) - 1
    made = np.exp(-1 + np.linalg.cholesky(kernel + 0.01 * np.eye(len(known))) @ rng.standard_normal(len(known)) * 0.5)
    shares = np.clip(made, 0.01, 0.9)
    model = fit(known, shares)
    predicted = np.array([model.predict(run).mid for run in known])
    assert np.corrcoef(np.log(predicted), np.log(shares))[0, 1] > 0.9
