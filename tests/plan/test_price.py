"""The pool's worth of a training token is what one more costs a plan's run; a plan without such a price is refused."""

import pytest
from tiny_study import TINY, study_of

from tenfold.core.errors import ConfigError
from tenfold.llama.workload import TRAIN
from tenfold.plan.plan import make_plan
from tenfold.plan.result import Plan
from tenfold.plan.solve import Effort
from tenfold.wiring import load_config

RUN = {"due": "2027H1", "missed_usd": 5e6, "accelerator_hours": {"gpu": 170_000}, "tokens": 2e11}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(study_of({**TINY, "runs": {"next": RUN}}), Effort(gap=0.01, seconds=5), worth=False)


def pool(tmp_path, plan, *lines):
    """The config of a pool beside a plan."""
    (tmp_path / "plans").mkdir(exist_ok=True)
    plan.save(tmp_path / "plans" / "plan.json")
    path = tmp_path / "tenfold.toml"
    path.write_text("\n".join(["[train]", 'price_from = "plans/plan.json"', *lines]))
    return load_config(path)


def test_the_pool_values_a_token_at_what_the_plan_says_that_one_more_costs(plan, tmp_path):
    (run,) = plan.runs
    price = run.price_usd_per_accelerator_hour["gpu"] * 170_000 / 2e11
    assert price > 0 and run.price_usd_per_token == pytest.approx(price)
    config = pool(tmp_path, plan)
    assert TRAIN.plan(config).value_per_unit_usd == pytest.approx(price)
    # The pool's processes get the config as data, and do not read the plan again.
    (tmp_path / "plans" / "plan.json").unlink()
    again = type(config).model_validate_json(config.model_dump_json())
    assert TRAIN.plan(again).value_per_unit_usd == pytest.approx(price)


def test_one_of_several_runs_is_named(plan, tmp_path):
    (run,) = plan.runs
    both = plan.model_copy(update={"runs": (run, run.model_copy(update={"run": "big", "price_usd_per_token": 7e-6}))})
    assert TRAIN.plan(pool(tmp_path, both, 'price_run = "big"')).value_per_unit_usd == 7e-6
    with pytest.raises(ConfigError, match=r"'train.price_from'.* has several runs: next, big") as error:
        pool(tmp_path, both)
    assert error.value.next_step == "name one by price_run"


@pytest.mark.parametrize(
    ("runs", "line", "message"),
    [
        ({}, "", "has no training run, so no price of training"),
        ({"run": "next"}, 'price_run = "last"', "has no run 'last'; it has next"),
        ({"price_usd_per_token": None}, "", "no price per token of the run 'next'"),
        ({"price_usd_per_token": 0.0}, "", "costs nothing more"),
        ({"run": "next"}, "value_per_unit_usd = 1e-6", "are both given"),
    ],
)
def test_a_plan_without_a_price_is_refused_by_name(plan, tmp_path, runs, line, message):
    changed = tuple(run.model_copy(update=runs) for run in plan.runs) if runs else ()
    with pytest.raises(ConfigError, match=r"tenfold.toml: 'train.price_from'") as error:
        pool(tmp_path, plan.model_copy(update={"runs": changed}), line)
    assert message in str(error.value)
    assert error.value.next_step


def test_a_plan_that_is_not_there_is_refused(tmp_path):
    (tmp_path / "tenfold.toml").write_text('[train]\nprice_from = "no.json"\n')
    with pytest.raises(ConfigError, match=r"'train.price_from': cannot read the plan .*no.json"):
        load_config(tmp_path / "tenfold.toml")


def test_a_run_without_its_plan_is_refused(tmp_path):
    (tmp_path / "tenfold.toml").write_text('[train]\nprice_run = "next"\n')
    with pytest.raises(ConfigError, match=r"tenfold.toml: 'train.price_run' is 'next', and no plan is given") as error:
        load_config(tmp_path / "tenfold.toml")
    assert "train.price_from" in str(error.value.next_step)
