"""The difference of two plans: empty for the same plan, and everything that a planner must hear of otherwise."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_study import TINY, study_of

from tenfold.cli.main import main
from tenfold.plan.diff import NOTICEABLE, diff
from tenfold.plan.plan import make_plan
from tenfold.plan.result import Plan, Spread, Trigger, Unseen, Verdict, Worth
from tenfold.plan.solve import Effort


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(study_of(TINY), Effort(seconds=5), worth=False)


@pytest.fixture(scope="module")
def dearer(plan) -> Plan:
    gpu = {**TINY["accelerators"]["gpu"], "price_usd": 60_000}
    return make_plan(study_of({**TINY, "accelerators": {"gpu": gpu}}), Effort(seconds=5), worth=False)


amounts = st.floats(-1e12, 1e12, allow_nan=False)
spreads = st.builds(Spread, mean=amounts, p10=amounts, p50=amounts, p90=amounts)
triggers = st.builds(
    Trigger,
    by=st.sampled_from(["2026H2", "2027H1"]),
    workload=st.just("serving"),
    above=st.booleans(),
    threshold=amounts,
    amount=amounts,
    agreement=st.floats(0, 1),
    text=st.text(max_size=20),
)


@st.composite
def changed(draw, plan: Plan) -> Plan:
    """A plan with other verdicts, amounts, triggers and capex."""
    items = tuple(
        item.model_copy(
            update={
                "verdict": draw(st.sampled_from(list(Verdict))),
                "now": draw(amounts),
                "probability": draw(st.floats(0, 1)),
                "triggers": tuple(draw(st.lists(triggers, max_size=2))),
            }
        )
        for item in plan.items
        if draw(st.booleans())
    )
    capex = tuple(year.model_copy(update={"capex_usd": draw(spreads)}) for year in plan.capex if draw(st.booleans()))
    return plan.model_copy(update={"items": items, "capex": capex, "cvar_usd": draw(amounts)})


@pytest.mark.slow
@given(st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_a_plan_does_not_differ_from_itself(plan, data):
    one = data.draw(changed(plan))
    assert not diff(one, one)
    again = Plan.model_validate_json(one.model_dump_json())
    assert not diff(one, again)


@given(st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_backwards_the_difference_is_mirrored(plan, data):
    one, other = data.draw(changed(plan)), data.draw(changed(plan))
    there, back = diff(one, other), diff(other, one)
    assert {
        (i.what, i.name, i.old_verdict, i.old_now, i.old_triggers, i.new_verdict, i.new_now) for i in there.items
    } == {(i.what, i.name, i.new_verdict, i.new_now, i.new_triggers, i.old_verdict, i.old_now) for i in back.items}
    assert {(c.name, str(c.old), str(c.new)) for c in there.capex} == {
        (c.name, str(c.new), str(c.old)) for c in back.capex
    }
    assert {(c.name, c.old, c.new) for c in there.cost} == {(c.name, c.new, c.old) for c in back.cost}


def test_a_dearer_accelerator_shows_in_the_study_the_items_and_the_cost(plan, dearer):
    found = diff(plan, dearer)
    assert [(change.key, change.old, change.new) for change in found.study] == [
        ("accelerators.gpu.price_usd", 30_000, 60_000)
    ]
    gpu = next(change for change in found.items if change.name == "gpu")
    assert gpu.pending
    assert (gpu.old_verdict, gpu.new_verdict) == (Verdict.LATER, Verdict.NOTHING)
    assert gpu.new_probability < gpu.old_probability
    mean = next(change for change in found.cost if change.name == "mean, as the tree claims")
    assert mean.new > mean.old
    assert {change.name for change in found.capex} <= {"2026", "2027"}
    assert found.capex


def test_what_is_only_in_one_plan_is_named(plan):
    fewer = plan.model_copy(update={"items": plan.items[1:], "capex": plan.capex[:-1]})
    gone = next(change for change in diff(plan, fewer).items)
    assert (gone.name, gone.new_verdict, gone.pending) == (plan.items[0].name, None, True)
    added = next(change for change in diff(fewer, plan).capex)
    assert (added.name, added.old) == (str(plan.capex[-1].year), None)


def test_keys_that_a_new_offer_leaves_out_are_no_change(plan):
    rent = {"usd_per_hour": 3, "throughput": {"serving": 1}}
    new = plan.model_copy(update={"study": study_of({**TINY, "rent": {**TINY.get("rent", {}), "spot": rent}})})
    changes = {change.key: change.new for change in diff(plan, new).study}
    assert changes["rent.spot.usd_per_hour"] == 3
    assert "rent.spot.limit" not in changes


def test_what_it_costs_on_unseen_futures_is_compared_too(plan):
    unseen = Unseen(
        futures=100, buffer=0, mean_usd=1e6, low_usd=9e5, high_usd=2e6, cost_usd=plan.cost_usd, cvar_usd=2e6
    )
    followed = plan.model_copy(update={"unseen": unseen})
    dearer = plan.model_copy(update={"unseen": unseen.model_copy(update={"mean_usd": 2e6})})
    (change,) = diff(followed, dearer).cost
    assert (change.name, change.old, change.new) == ("mean on unseen futures", 1e6, 2e6)
    (capex,) = diff(
        followed, plan.model_copy(update={"unseen": unseen.model_copy(update={"capex": plan.capex[:1]})})
    ).capex
    assert (capex.name, capex.old, capex.new) == (f"{plan.capex[0].year}, unseen", None, plan.capex[0].capex_usd)
    mean, worst = diff(plan, followed).cost
    assert (mean.old, mean.new) == (None, 1e6)
    assert (worst.name, worst.new) == ("mean of the worst of these", 2e6)


def test_a_value_below_zero_is_nothing_as_in_the_plan_s_own_table(plan, tmp_path, capsys):
    worth = Worth(name="information", definition="", usd=5e6, low_usd=4e6, high_usd=6e6, share=0.1)
    for name, value in (("old", worth), ("new", worth.model_copy(update={"usd": -9e6, "low_usd": -9e6}))):
        plan.model_copy(update={"worth": (value,)}).save(tmp_path / f"{name}.json")
    with pytest.raises(SystemExit, match="3"):
        main(["plan", "diff", str(tmp_path / "old.json"), str(tmp_path / "new.json")])
    assert "information  $5M  nothing" in capsys.readouterr().out


def test_rounding_of_the_solver_is_no_change(plan):
    nudged = plan.model_copy(update={"cvar_usd": plan.cvar_usd * (1 + NOTICEABLE / 2)})
    assert not diff(plan, nudged)
    assert diff(plan, plan.model_copy(update={"cvar_usd": plan.cvar_usd * (1 + 2 * NOTICEABLE)}))


def test_the_command_exits_0_without_a_change_and_3_with_one(plan, dearer, tmp_path, capsys):
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    plan.save(old)
    dearer.save(new)
    main(["plan", "diff", str(old), str(old)])
    assert capsys.readouterr().out == "no change\n"
    with pytest.raises(SystemExit) as stopped:
        main(["plan", "diff", str(old), str(new), "--json"])
    assert stopped.value.code == 3
    assert json.loads(capsys.readouterr().out)["study"][0]["key"] == "accelerators.gpu.price_usd"
    with pytest.raises(SystemExit):
        main(["plan", "diff", str(old), str(new)])
    printed = capsys.readouterr().out
    # As many rows as are counted, and in each what changed.
    changes = diff(plan, dearer).items
    table = printed.partition("What to do")[2].partition("Triggers")[0].partition("Capex")[0]
    rows = [line for line in table.splitlines() if line.startswith(("phase ", "accelerators "))]
    pending = sum(change.pending for change in changes)
    assert len(rows) == len(changes) and f"{pending} of {len(changes)} changed items" in printed
    assert "accelerators.gpu.price_usd" in printed
    assert "changed items change what to do now" in printed


def test_a_file_that_is_no_plan_is_refused(tmp_path, capsys):
    path = tmp_path / "no.json"
    path.write_text("{}")
    with pytest.raises(SystemExit) as stopped:
        main(["plan", "diff", str(path), str(path)])
    assert stopped.value.code == 2
    assert "is no plan of this version" in " ".join(capsys.readouterr().err.split())
