"""The page of a plan: complete, self-contained, and nothing in it that the plan does not say."""

import io
import itertools
import json
import re
import xml.dom.minidom

import pytest
from inline_snapshot import snapshot
from rich.console import Console
from tiny_study import study_of

from outline import Outline
from tenfold.page.drawing import LETTER, ticks
from tenfold.page.figures import amount, percent, usd
from tenfold.plan import show
from tenfold.plan.charts import HALF, PHONE, capex_fan, power_fan, tornado_chart
from tenfold.plan.gantt import groups, staging
from tenfold.plan.plan import make_plan
from tenfold.plan.report import report
from tenfold.plan.result import Plan, Spread, Unseen, Verdict, Year
from tenfold.plan.solve import Effort


@pytest.fixture(scope="module")
def plan() -> Plan:
    from tiny_study import TINY

    lease = {
        "power_mw": 0.2,
        "usd_per_mw_month": 150_000,
        "lead_months": 6,
        "term_months": 6,
        "power": {"usd_per_mwh": 90, "pue": 1.3},
    }
    return make_plan(study_of({**TINY, "leases": {"cage-1": lease}}), Effort(seconds=5))


def test_a_planner_finds_every_part_of_the_plan(plan):
    outline = Outline(report(plan))
    assert outline.headings == snapshot(
        [
            "tiny",
            "What to do now",
            "Capex by year",
            "Power",
            "Sites and phases",
            "Demand against capacity",
            "serving",
            "training",
            "Probability of a shortage",
            "What moves the cost",
            "What flexibility and foresight are worth",
        ]
    )
    assert outline.pictures == snapshot(
        [
            "Capex by year, 10th to 90th percentile and median",
            "IT power available and drawn, MW",
            "When phases and leases are started, built and ready",
            "Demand of serving and what serves it",
            "Demand of training and what serves it",
            "What moves the cost",
        ]
    )


def test_every_number_of_the_page_is_in_the_plan(plan):
    known = set(_numbers(json.loads(plan.model_dump_json()))) | {0.0}
    shown = Outline(report(plan)).values
    assert len(shown) > 60
    assert [value for value in shown if value not in known] == []


def _numbers(value: object) -> list[float]:
    if isinstance(value, dict):
        return [number for inner in value.values() for number in _numbers(inner)]
    if isinstance(value, list):
        return [number for inner in value for number in _numbers(inner)]
    return [float(value)] if isinstance(value, int | float) else []


def test_nothing_is_asked_of_the_network(plan):
    page = report(plan)
    assert all(address.startswith("data:") for address in Outline(page).addresses)
    assert "@import" not in page
    assert re.findall(r"url\(|<script|<iframe|<link(?! rel=.icon.)", page) == []
    assert set(re.findall(r"https?://[^\s%\"<]+", page)) == {"http://www.w3.org/2000/svg"}


def test_names_from_the_study_cannot_break_the_page(plan):
    named = plan.study.model_copy(update={"name": 'A & B <script>alert("x")</script>'})
    page = report(plan.model_copy(update={"study": named}))
    assert "<script" not in page
    assert "A &amp; B &lt;script&gt;" in page


def test_every_picture_is_well_formed(plan):
    for drawing in (capex_fan(plan), power_fan(plan), staging(plan), tornado_chart(plan)):
        assert "nan" not in drawing
        assert xml.dom.minidom.parseString(drawing).documentElement.tagName == "svg"


def test_periods_below_a_picture_do_not_run_into_each_other_on_a_phone(plan):
    drawing = power_fan(plan.model_copy(update={"power": plan.power * 2}))
    places = sorted(float(x) for x in re.findall(r'<text x="([\d.]+)"[^>]*>20\d\dH\d<', drawing))
    assert len(places) >= 3
    apart = min(right - left for left, right in itertools.pairwise(places))
    assert apart * PHONE / HALF > len("2026H1") * LETTER


def test_the_page_says_what_each_thing_costs_and_when_it_is_taken_up(plan):
    page = report(plan)
    for item in plan.items:
        for trigger in item.triggers:
            assert trigger.text in page
    assert page.count('class="pill commit"') == sum(item.verdict is Verdict.COMMIT for item in plan.items)
    assert all(worth.definition.replace("'", "&#x27;") in page for worth in plan.worth)


TWICE = {"p10": 5e9, "p50": 7e9, "p90": 9e9}


def test_the_cost_is_that_on_unseen_futures_with_the_tree_s_claim_beside_it(plan):
    spread = plan.cost_usd
    unseen = Unseen(
        futures=100,
        buffer=0.3,
        mean_usd=2 * spread.mean,
        low_usd=1.9 * spread.mean,
        high_usd=2.1 * spread.mean,
        cost_usd=spread,
        cvar_usd=3 * plan.cvar_usd,
        capex=tuple(Year(year=year.year, capex_usd=year.capex_usd.model_copy(update=TWICE)) for year in plan.capex),
        shortage_probability={"serving": 0.25, "training": 0.75},
    )
    page = report(plan.model_copy(update={"unseen": unseen}))
    big = dict(re.findall(r'class="name">([^<]+)</div><div class="big"><data[^>]*>([^<]+)<', page))
    assert big["Cost"] == usd(2 * spread.mean) and big["If it goes badly"] == usd(3 * plan.cvar_usd)
    assert big["Likeliest shortage"] == "75%"
    assert f'own tree claims <data value="{spread.mean!r}">{usd(spread.mean)}' in page
    shown = io.StringIO()
    show.plan(plan.model_copy(update={"unseen": unseen}), Console(file=shown, width=80))
    assert re.search(r"^unseen +25% +75%", shown.getvalue(), re.MULTILINE)
    # What it costs leads, and what its tree claims is said beside it.
    told = " ".join(shown.getvalue().split())
    assert told.index(f"cost {usd(2 * spread.mean)} (") < told.index(f"the plan's own tree claims {usd(spread.mean)}")
    # A year's budget is quoted on both, too.
    first = plan.capex[0]
    assert re.search(rf"^{first.year} .+ \$7B +\$9B$", shown.getvalue(), re.MULTILINE)
    assert "unseen futures: median" in page and 'unseen <data value="5000000000.0">$5B' in page
    assert f"{usd(2 * spread.mean)} ({usd(1.9 * spread.mean)} to" in shown.getvalue()


def test_a_shortage_is_told_with_its_size_and_accelerators_are_whole(plan):
    short = next(period for outlook in plan.workloads for period in outlook.periods if period.shortage_probability)
    assert f"{percent(short.shortage_probability)}</data><br><small>{amount(short.short_by)}</small>" in report(plan)
    gpu = next(item for item in plan.items if item.what == "accelerators")
    part = gpu.model_copy(update={"later": Spread(mean=3.0, p10=2.63, p50=3.0, p90=24.6)})
    part = plan.model_copy(update={"items": tuple(part if item is gpu else item for item in plan.items)})
    shown = io.StringIO()
    show.plan(part, Console(file=shown, width=80))
    assert "3 - 25" in shown.getvalue() and '>3</data> to <data value="24.6">25</data>' in report(part)
    assert "discounted to the start of 2026H1 at 8.0% a year of 8,766 hours" in shown.getvalue()


def test_a_plan_without_values_is_drawn_too(plan):
    page = report(plan.model_copy(update={"worth": (), "tornado": None, "power": ()}))
    assert "What moves the cost" not in page
    assert "What to do now" in page


def test_a_study_that_only_rents_for_one_year_is_drawn_too():
    workload = {
        "unit": "x",
        "demand": {"ranges": {"2026": [9, 10, 11]}},
        "shortage_usd_per_unit_month": 1e6,
    }
    study = study_of(
        {
            "name": "rented",
            "start": "2026",
            "periods": 1,
            "workloads": {"chat": workload},
            "rent": {"cloud": {"usd_per_hour": 3, "throughput": {"chat": 1}}},
            "tree": {"nodes": 1, "paths": 50},
        }
    )
    outline = Outline(report(make_plan(study, Effort(seconds=5))))
    assert "Demand of chat and what serves it" in outline.pictures
    assert "Capex by year" not in outline.headings
    assert "Sites and phases" not in outline.headings


def test_bars_of_the_staging_follow_lead_times_and_terms(plan):
    lines = {(group, line.name): line for group, found in groups(plan) for line in found}
    assert lines["home", "hall-1"].ready_T == (1.0, 1.0, 1.0, 1.0)
    for line in lines.values():
        for building, ready in zip(line.building_T, line.ready_T, strict=True):
            assert -1e-9 <= building + ready <= 1 + 1e-9
    hall, item = lines["home", "hall-2"], next(item for item in plan.items if item.name == "home/hall-2")
    assert hall.ready_T == (0.0, *item.share_by_period[:3])
    cage, item = lines["leases", "cage-1"], next(item for item in plan.items if item.name == "cage-1")
    signed_T = item.share_by_period
    assert cage.ready_T == pytest.approx((0.0, signed_T[0], signed_T[1] - signed_T[0], signed_T[2] - signed_T[1]))


@pytest.mark.parametrize(
    ("high", "expected"), [(9, (0, 2.5, 5, 7.5, 10)), (62e9, (0, 2e10, 4e10, 6e10, 8e10)), (0, (0, 1))]
)
def test_axes_have_round_numbers_up_to_the_highest(high, expected):
    assert ticks(high) == pytest.approx(expected)


def test_figures_are_written_short():
    assert [usd(value) for value in (0, 999.6, 45_000, 3.1e8, 9.9996e8, -2.14e9, 1.2e12)] == snapshot(
        ["$0", "$1k", "$45k", "$310M", "$1B", "-$2.14B", "$1.2T"]
    )
    assert [amount(value) for value in (0.04, 12.5, 450, 4_500, 310_000, 1.24e6)] == snapshot(
        ["0.04", "12.5", "450", "4,500", "310k", "1.24M"]
    )
    assert [percent(value) for value in (0, 0.004, 0.37, 0.996, 1)] == snapshot(["0%", "<1%", "37%", ">99%", "100%"])


def test_the_page_opens_in_a_browser_in_light_and_dark_and_on_a_phone(plan, browser, tmp_path):
    path = tmp_path / "plan.html"
    path.write_text(report(plan))
    for scheme, width in (("light", 1280), ("dark", 1280), ("light", 400)):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page = context.new_page()
        outside, complaints = [], []
        page.on("request", lambda request, seen=outside: seen.append(request.url))
        page.on("console", lambda message, seen=complaints: seen.append(message.text))
        page.on("pageerror", lambda error, seen=complaints: seen.append(str(error)))
        page.goto(path.as_uri())
        assert page.locator("h1").inner_text() == "tiny"
        assert page.locator("svg:visible").count() == 6
        assert page.evaluate("document.documentElement.scrollWidth") == width, "no sideways scrolling"
        ink = page.evaluate("getComputedStyle(document.body).color")
        assert (ink == "rgb(232, 236, 242)") == (scheme == "dark")
        shown = "[...document.querySelectorAll('svg')].filter(e => e.checkVisibility())"
        assert page.evaluate(f"Math.min(...{shown}.map(e => e.clientHeight))") > 60, "no picture has collapsed"
        cut = "[...document.querySelectorAll('section')].filter(e => e.scrollWidth > e.clientWidth)"
        assert page.evaluate(f"{cut}.map(e => e.innerText.slice(0, 40))") == [], "tables and pictures are seen whole"
        context.close()
        assert [url for url in outside if not url.startswith(("file:", "data:"))] == []
        assert complaints == []
