"""The page of a comparison: complete, self-contained, and true to what it compares."""

import re
import xml.dom.minidom
from dataclasses import replace

import numpy as np
import pytest
from inline_snapshot import snapshot

from outline import Outline
from synthetic_week import synthetic_week
from tenfold.core.errors import UsageError
from tenfold.replay.bounds import Bound
from tenfold.replay.charts import bucketed, frontier, short_over_time, short_slots, slots_over_time
from tenfold.replay.compare import RULES, Comparison, Played, attainment, compare, rules, summary, targets_of
from tenfold.replay.report import report


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    week = replace(synthetic_week(1, slots=64, steps=60, services=5, jobs=20, step_s=600.0), name="A & B <script>")
    found = compare(week, rules("static,tenfold", week, targets_of(week, {})), targets_of(week, {}))
    return replace(found, bounds=(Bound("clairvoyant, true moves", 500.0),))


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


def test_training_is_set_beside_the_best_other_policy_that_meets_the_targets_too(comparison):
    static, ours = (each.outcome for each in comparison.played)
    own = replace(ours, policy="tenfold, cold starts", useful_training_h=1e6)

    def beside(others, **targets):
        played = tuple(Played(outcome, 0.0) for outcome in (ours, *others))
        return report(replace(comparison, played=played, targets=comparison.targets | targets))

    easy = dict.fromkeys(comparison.targets, 0.01)
    assert "times that of static" in beside((static, own), **easy)
    assert "times that of" not in beside((own,), **easy)
    assert "no other policy met all targets" in beside((replace(static, useful_training_h=0.0),), **easy)
    assert "times that of" not in beside((static,), llm=1.0)


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


def test_share_of_the_bound_is_of_the_clairvoyant_one(comparison):
    ours = comparison.played[1].outcome
    informed = Bound("no knowledge beyond the forecast", 1.0)
    assert replace(comparison, bounds=(*comparison.bounds, informed)).share_of_bound(ours) == pytest.approx(
        ours.useful_training_h / 500.0
    )


def test_every_picture_is_well_formed_and_settings_make_a_line(comparison):
    week, ours = comparison.week, comparison.played[1].outcome
    loose = replace(ours, useful_training_h=ours.useful_training_h + 1.0)
    line = frontier(week, [ours, loose], "llm", 0.95, None)
    assert 'class="line c0"' in line
    assert 'class="line c1"' in report(replace(comparison, settings=(loose,)))
    for drawing in (line, slots_over_time(week, ours), short_over_time(week, ours, 3.0)):
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
    week, targets = comparison.week, comparison.targets
    assert len({rule.name for rule in rules("all", week, targets)}) == len(RULES)
    assert [rule.name for rule in rules("tenfold, static", week, targets)] == ["tenfold", "static"]
    with pytest.raises(UsageError, match="no policy 'tenfld'; did you mean 'tenfold'"):
        rules("tenfld", week, targets)
    with pytest.raises(UsageError, match="no family 'lm'; did you mean 'llm'"):
        targets_of(week, {"lm": 0.9})
    assert targets_of(week, {"llm": 0.9}) == {"llm": 0.9, "ranking": 0.999}


def test_page_fits_a_phone_and_a_desk(comparison, browser):
    for width in (400, 1300):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.set_content(report(comparison))
        assert page.evaluate("document.documentElement.scrollWidth") == width, "no sideways scrolling"
        page.close()
