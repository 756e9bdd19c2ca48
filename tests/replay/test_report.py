"""The page of a comparison: complete, self-contained, and true to what it compares."""

import re
import xml.dom.minidom
from dataclasses import replace

import numpy as np
import pytest
from inline_snapshot import snapshot
from small import Told, job, service, week

from outline import Outline
from synthetic_week import synthetic_week
from tenfold.core.errors import UsageError
from tenfold.replay.bounds import Bound, _at_least, _coarse, at_least
from tenfold.replay.charts import Held, bucketed, frontier, short_over_time, short_slots, slots_over_time
from tenfold.replay.compare import RULES, Comparison, Played, compare, find_bounds, rules, targets_of
from tenfold.replay.linear import NoSolution
from tenfold.replay.report import report
from tenfold.replay.summary import attainment, summary
from tenfold.replay.week import Recorded, Times


def test_a_bound_in_coarse_steps_is_still_a_bound(monkeypatch):
    monkeypatch.setattr("tenfold.replay.bounds.FEWEST_STEPS", 60)
    made = synthetic_week(2, slots=32, steps=120, services=3, jobs=20, step_s=120.0)
    found = find_bounds(compare(made, rules("static", made, targets_of(made, {})), targets_of(made, {})))
    (static,) = (each.outcome for each in found.played)
    answered_S = np.array([each.answered for each in static.services])
    assert _coarse(made)[0].steps == 60
    fine, coarse = _at_least(made, answered_S, moves=True), found.possible_h["static"]
    assert static.useful_training_h <= fine
    assert coarse == pytest.approx(fine, rel=0.02)
    assert static.useful_training_h <= coarse


def test_a_bound_in_coarse_steps_holds_for_slots_that_join_just_before_they_are_needed(monkeypatch):
    """Four steps without requests, four with: slots join in the fourth, which is within the coarse step before."""
    monkeypatch.setattr("tenfold.replay.bounds.FEWEST_STEPS", 30)
    times = Times(start_s=0.0, wake_s=100.0, sleep_s=0.0)
    made = week([service([0.0, 0.0, 0.0, 0.0, 10.0, 10.0, 10.0, 10.0] * 15, times=times)], [job()], slots=10)
    assert _coarse(made)[0].steps == 30
    told = Told(([[0, 10]] * 3 + [[10, 0]] * 5) * 15)
    found = find_bounds(compare(made, [told], targets_of(made, {})))
    (outcome,) = (each.outcome for each in found.played)
    assert outcome.services[0].answered == pytest.approx(15 * 4 * 100.0 * 10.0)
    assert outcome.useful_training_h == pytest.approx(15 * 3 * 10 * 100.0 / 3600.0)
    assert outcome.useful_training_h <= found.possible_h["told"] * (1 + 1e-6)


def test_a_bound_leaves_time_to_join_and_then_to_do_all_work():
    """Two slots wake for half a step, and then do a job of ten steps whole."""
    times = Times(start_s=50.0, wake_s=50.0, sleep_s=0.0)
    made = week([service([0.0] * 30)], [job(work=2000.0, times=times, arrival_s=100.0)], slots=2)
    found = find_bounds(compare(made, [Told([[0, 0], [0, 2]])], targets_of(made, {})))
    (outcome,) = (each.outcome for each in found.played)
    assert outcome.useful_training_h == pytest.approx(2000.0 / 3600.0)
    assert found.share_of_bound(outcome) == pytest.approx(1.0, abs=1e-6)


def test_a_bound_lets_free_slots_be_taken_when_play_begins():
    times = Times(start_s=100.0, wake_s=100.0, sleep_s=300.0)
    made = week([service([0.0] * 10 + [4.0] * 10, times=times)], [job()], slots=10)
    found = find_bounds(compare(made, [Told([[4, 6]])], targets_of(made, {})))
    (outcome,) = (each.outcome for each in found.played)
    assert outcome.useful_training_h <= found.possible_h["told"] * (1 + 1e-6)


def test_steps_that_do_not_divide_are_merged_all_the_same(monkeypatch):
    monkeypatch.setattr("tenfold.replay.bounds.FEWEST_STEPS", 30)
    made = week([service([6.0, 2.0, 4.0] * 40 + [5.0])], [job()], slots=20)
    coarse, last = _coarse(made)
    assert (made.steps, coarse.steps, last) == (121, 31, pytest.approx(1 / 4))
    assert coarse.services[0].rates_T.sum() * coarse.step_s == pytest.approx(made.services[0].rates_T.sum() * 100.0)
    all_S = np.array([made.services[0].rates_T.sum() * 100.0])
    fine, merged = _at_least(made, all_S, moves=False), at_least(made, all_S)
    # In 121 steps of 100 s 20 slots have 67.2 h, of which the requests need a fifth; nothing is won after the end.
    assert merged == pytest.approx(fine, rel=1e-3)
    # Were the last step played whole, three steps of 20 slots more would be possible.
    assert _at_least(coarse, all_S, moves=False) > 1.02 * merged


def test_where_the_solver_finds_nothing_with_times_of_moves_they_are_free(monkeypatch):
    made = week([service([5.0] * 30)], [job()], slots=10)
    answered_S = np.array([5.0 * 30 * 100.0])
    free = _at_least(made, answered_S, moves=False)

    def gives_up(week, answered_S, *, moves: bool, last: float, merged: bool = False) -> float:
        if moves:
            raise NoSolution("HiGHS ended with 'Unknown'")
        return _at_least(week, answered_S, moves=False, last=last)

    monkeypatch.setattr("tenfold.replay.bounds._at_least", gives_up)
    assert at_least(made, answered_S) == free


def test_a_policy_whose_bound_has_no_solution_is_named_and_the_others_go_on(comparison):
    made = week([service([5.0] * 30)], [job()], slots=10)
    found = compare(made, [Told([[6, 4]]), Told([[5, 5]], name="other")], targets_of(made, {"llm": 0.9}))
    told, other = found.played
    # More than was ever asked for: nobody can have answered that.
    wrong = replace(told.outcome, services=(replace(told.outcome.services[0], answered=1e6),))
    found = find_bounds(replace(found, played=(replace(told, outcome=wrong), other)))
    assert found.share_of_bound(wrong) is None
    assert found.share_of_bound(other.outcome) == pytest.approx(1.0, abs=0.02)
    assert len(found.bounds) == 3
    page, record = report(found), summary(found)
    assert "What was possible is not known of told: a linear program has no solution" in page
    assert list(record["bounds_not_found"]) == ["told"]
    assert [each["share_of_bound"] is None for each in record["policies"]] == [True, False]


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    made = replace(synthetic_week(1, slots=64, steps=60, services=5, jobs=20, step_s=600.0), name="A & B <script>")
    found = compare(made, rules("static,tenfold", made, targets_of(made, {})), targets_of(made, {}))
    bounds = (Bound("clairvoyant, true moves", 500.0),)
    return replace(found, bounds=bounds, possible_h={"static": 400.0, "tenfold": 600.0})


def test_a_reader_finds_every_part(comparison):
    outline = Outline(report(comparison), headings=("h1", "h2"))
    assert outline.headings == snapshot(
        ["A & B <script>", "Policies", "Attainment against training", "Slots over time", "Services"]
    )
    assert outline.pictures == snapshot(
        [
            "Training against requests of llm not answered in time",
            "Training against requests of ranking not answered in time",
            "Slots over the week under static, and what demand takes",
            "Slots that services lacked under static",
            "Slots over the week under tenfold, and what demand takes",
            "Slots that services lacked under tenfold",
        ]
    )


def test_what_nobody_recorded_of_the_cluster_is_not_made_up(comparison):
    week = comparison.week
    none_S, none_T = np.zeros(len(week.services)), np.zeros(week.steps)
    nothing = Recorded(none_S, none_S, np.full(week.rates_TS.shape, np.nan), none_T, None, np.zeros(0), 0)
    page = report(replace(comparison, week=replace(week, recorded=nothing)))
    assert "what jobs held is not recorded" in page
    assert "jobs held <data" not in page


def test_training_is_set_beside_the_best_other_policy_that_meets_the_targets_too(comparison):
    static, ours = (each.outcome for each in comparison.played)
    own = replace(ours, policy="tenfold, cold starts", useful_training_h=1e6)

    def beside(others, tuned_on="another week", **targets):
        played = tuple(Played(outcome, 0.0) for outcome in (ours, *others))
        return report(replace(comparison, played=played, targets=comparison.targets | targets, tuned_on=tuned_on))

    easy = dict.fromkeys(comparison.targets, 0.01)
    assert "times that of static" in beside((static, own), **easy)
    assert "times that of" not in beside((own,), **easy)
    assert "no other policy met all targets" in beside((replace(static, useful_training_h=0.0),), **easy)
    assert "times that of" not in beside((static,), llm=1.0)
    # A rule that was not tuned and answered more is no measure of training.
    full = replace(static, families=tuple(replace(each, answered=each.asked) for each in static.families))
    page = beside((full,), tuned_on=None, **easy)
    assert "times that of" not in page
    assert "but not tuned: it answered 100.00% of llm" in page
    assert "times that of" in beside((replace(ours, policy="static"),), tuned_on=None, **easy)


def test_nothing_is_asked_of_the_network_and_names_cannot_break_the_page(comparison):
    page = report(comparison)
    assert all(address.startswith("data:") for address in Outline(page).addresses)
    assert re.findall(r"url\(|<script|<iframe|@import|<link(?! rel=.icon.)", page) == []
    assert set(re.findall(r"https?://[^\s%\"<]+", page)) == {"http://www.w3.org/2000/svg"}
    assert "A &amp; B &lt;script&gt;" in page


def test_every_figure_of_the_table_is_on_the_page_unrounded(comparison):
    shown = Outline(report(comparison)).values
    assert not np.isnan(shown).any()
    for record in summary(comparison)["policies"]:
        for key in ("useful_training_h", "share_of_bound", "moves_per_day", "idle_share", "fragmentation", "jobs_done"):
            assert record[key] in shown, key
        for share in (*record["attainment"].values(), *record["services"].values()):
            assert share in shown


def test_share_of_what_was_possible_is_of_the_policy_s_own_answers(comparison):
    ours = comparison.played[1].outcome
    informed = Bound("no knowledge beyond the forecast", 1.0)
    assert replace(comparison, bounds=(*comparison.bounds, informed)).share_of_bound(ours) == pytest.approx(
        ours.useful_training_h / 600.0
    )
    assert "answered as much of every single service as that policy did" in report(comparison)


def test_share_of_what_was_possible_does_not_change_with_how_services_are_grouped():
    made = week([service([6.0] * 30), service([5.0] * 30, name="dear", capacity_K=np.array([0.5]))], [job()], slots=20)
    apart = replace(made, services=(made.services[0], replace(made.services[1], family="ranking")))
    # One slot less than the dear service needs: of the family together 95% is answered, of the dear one 90%.
    shares = []
    for each in (made, apart):
        found = find_bounds(compare(each, [Told([[6, 9, 5]])], targets_of(each, {"llm": 0.9})))
        shares.append(found.share_of_bound(found.played[0].outcome))
        assert found.bound_h is not None
    assert shares[0] == pytest.approx(shares[1])
    assert shares[0] == pytest.approx(1.0, abs=0.02)


def test_every_picture_is_well_formed_and_settings_make_a_line(comparison):
    made, ours = comparison.week, comparison.played[1].outcome
    fewer = tuple(replace(each, answered=0.9 * each.answered) for each in ours.families)
    loose = replace(ours, useful_training_h=ours.useful_training_h + 1.0, families=fewer)
    worse = replace(ours, useful_training_h=ours.useful_training_h - 2.0, families=fewer)
    line = frontier(made, [ours, loose], "llm", 0.95, None)
    assert 'class="line c0"' in line
    # What another setting of the same policy beats is not shown.
    assert frontier(made, [ours, loose, worse], "llm", 0.95, None) == line
    assert 'class="line c1"' in report(replace(comparison, settings=(loose,)))
    for drawing in (line, slots_over_time(made, Held.by(ours)), short_over_time(made, ours, 3.0)):
        assert "nan" not in drawing
        assert xml.dom.minidom.parseString(drawing).documentElement.tagName == "svg"


def test_buckets_are_means_and_keep_a_shorter_end():
    assert bucketed(np.array([1.0, 3.0, 5.0, 7.0, 9.0]), most=3).tolist() == [2.0, 6.0, 9.0]
    assert bucketed(np.array([1.0, 2.0]), most=5).tolist() == [1.0, 2.0]


def test_slots_short_are_by_service_and_not_of_their_sum(comparison):
    outcome = replace(
        comparison.played[0].outcome,
        demand_slots_TS=np.array([[3.0, 1.0]]),
        service_slots_TS=np.array([[1, 4]]),
    )
    assert short_slots(outcome).tolist() == [2.0]


def test_attainment_is_never_rounded_up():
    assert [attainment(share) for share in (1.0, 0.99999, 0.9, 0.99899)] == ["100.00%", "99.99%", "90.00%", "99.89%"]


def test_policies_are_found_by_name_and_a_wrong_one_is_told(comparison):
    made, targets = comparison.week, comparison.targets
    assert len({rule.name for rule in rules("all", made, targets)}) == len(RULES)
    assert [rule.name for rule in rules("tenfold, static", made, targets)] == ["tenfold", "static"]
    with pytest.raises(UsageError, match="no policy 'tenfld'; did you mean 'tenfold'"):
        rules("tenfld", made, targets)
    with pytest.raises(UsageError, match="no family 'lm'; did you mean 'llm'"):
        targets_of(made, {"lm": 0.9})
    assert targets_of(made, {"llm": 0.9}) == {"llm": 0.9, "ranking": 0.999}


def test_page_fits_a_phone_and_a_desk(comparison, browser):
    for width in (400, 1300):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.set_content(report(comparison))
        assert page.evaluate("document.documentElement.scrollWidth") == width, "no sideways scrolling"
        table = page.locator("table.policies")
        assert table.evaluate("each => each.scrollWidth <= each.parentElement.clientWidth"), "no figure is cut off"
        page.close()
