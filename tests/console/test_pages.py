"""Every page of the console, in a real browser: what it shows, on a screen and a phone, by day and by night."""

from dataclasses import replace

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from tiny_study import TINY, study_of

from synthetic_week import synthetic_week
from tenfold.page.palette import by_night
from tenfold.page.shelf import left
from tenfold.plan import page as plan_page
from tenfold.plan.plan import make_plan
from tenfold.plan.report import report as draw_plan
from tenfold.plan.solve import Effort
from tenfold.replay import page as replay_page
from tenfold.replay.compare import compare, rules, targets_of
from tenfold.replay.report import report as draw_replay

WAIT_MS = 60_000
PATHS = ("/", "/plan", "/replay", "/compute")
SCREEN, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A plan and a comparison as their commands leave them."""
    plan = make_plan(study_of(TINY), Effort(seconds=5))
    week = replace(synthetic_week(1, slots=64, steps=60, services=5, jobs=20, step_s=600.0), name="a week")
    comparison = compare(week, rules("static,tenfold", week, targets_of(week, {})), targets_of(week, {}))
    return {plan_page.SHELF: (plan.study.name, draw_plan(plan)), replay_page.SHELF: ("a week", draw_replay(comparison))}


@pytest.fixture(scope="module")
def full(served, pages):
    for shelf, (subject, document) in pages.items():
        (served.home / shelf).mkdir(parents=True)
        (served.home / shelf / f"{subject.replace(' ', '-')}.html").write_text(document)
    return served


@pytest.fixture
def open_page(full, browser):
    contexts, complaints = [], []

    def opened(path, viewport, scheme):
        context = browser.new_context(viewport=viewport, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda told: complaints.append(told.text) if told.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(full.url + path)
        expect(page.locator("nav a[aria-current=page]")).to_be_visible(timeout=WAIT_MS)
        return page

    full.show("live")
    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("viewport", "scheme"), [(SCREEN, "light"), (PHONE, "dark")])
def test_a_page_has_no_serious_finding_and_fits_a_screen_and_a_phone(open_page, path, viewport, scheme):
    page = open_page(path, viewport, scheme)
    if path == "/":
        expect(page.locator(".move").first).to_be_visible(timeout=WAIT_MS)
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    found = Axe().run(page).response["violations"]
    serious = [
        (each["id"], node["html"][:120], node["failureSummary"])
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
    assert serious == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_night_reaches_the_charts_too(open_page, scheme):
    page = open_page("/", SCREEN, scheme)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(245, 246, 249)", "dark": "rgb(16, 20, 27)"}[scheme]
    expect(page.locator(".train-chart canvas")).to_be_visible(timeout=WAIT_MS)
    hue = page.evaluate("hue('w-train')")
    assert hue == {"light": "#4863d8", "dark": by_night("#4863d8")}[scheme]
    seen = """([place, wanted]) => {
      const c = document.querySelector(place + ' canvas');
      const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
      const [r, g, b] = [1, 3, 5].map(i => parseInt(wanted.slice(i, i + 2), 16));
      for (let i = 0; i < d.length; i += 4)
        if (d[i + 3] > 250 && Math.abs(d[i] - r) + Math.abs(d[i + 1] - g) + Math.abs(d[i + 2] - b) < 12) return true;
      return false;
    }"""
    page.wait_for_function(seen, arg=[".train-chart", hue], timeout=WAIT_MS)


def test_a_person_goes_from_page_to_page_by_keyboard(full, browser):
    context = browser.new_context(viewport=SCREEN)
    page = context.new_page()
    page.goto(full.url + "/plan")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_in_viewport()
    for name in ("Tenfold", "Pool", "Plan", "Replay"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == name
    page.keyboard.press("Enter")
    expect(page).to_have_url(full.url + "/replay")
    expect(page.locator("nav a[aria-current=page]")).to_have_text("Replay")
    context.close()


def test_what_runs_left_is_shown_in_the_head_of_the_console(full, browser):
    context = browser.new_context(viewport=SCREEN)
    page = context.new_page()
    page.goto(full.url + "/plan")
    expect(page.get_by_role("heading", name="What to do now")).to_be_visible()
    expect(page.locator(".chips a")).to_have_count(1)
    assert len(left(full.home / "plans")) == 1
    page.get_by_role("link", name="Replay").click()
    expect(page.get_by_role("heading", name="Policies")).to_be_visible()
    expect(page.get_by_role("heading", name="a week")).to_be_visible()
    context.close()


def test_a_product_brings_its_page(full, browser):
    context = browser.new_context(viewport=SCREEN)
    page = context.new_page()
    page.goto(full.url)
    page.get_by_role("link", name="Hello").click()
    expect(page.get_by_text(f"Hello from {full.url}")).to_be_visible(timeout=WAIT_MS)
    expect(page.locator(".heading")).to_have_text("3 people")
    expect(page.locator("nav a[aria-current=page]")).to_have_text("Hello")
    context.close()


def test_without_a_plan_or_a_replay_the_page_says_how_to_make_one(served_afresh):
    for path, command in (("/plan", b"tenfold plan solve two-racks"), ("/replay", b"tenfold replay example week")):
        body = served_afresh.get(path)
        assert command in body and b"<script" not in body


def test_the_calculator_answers_and_says_what_it_cannot_read(full, browser):
    context = browser.new_context(viewport=SCREEN)
    page = context.new_page()
    page.goto(full.url + "/compute")
    page.get_by_label("Parameters").fill("405B")
    page.get_by_label("Tokens").fill("15.6T")
    page.get_by_label("How many at once").fill("16384")
    page.get_by_role("button", name="Estimate").click()
    answer = page.locator("#answer")
    expect(answer).to_contain_text("16.4k h100")
    expect(answer).to_contain_text("Llama 3.1 405B")
    for row in ("days", "accelerator-hours", "energy, MWh", "mean power, MW", "cost, rented", "cost, owned"):
        expect(answer.get_by_role("rowheader", name=row)).to_be_visible()
    page.goto(full.url + '/compute?params=<script>alert(1)</script>&tokens="><b>')
    expect(page.get_by_role("alert")).to_contain_text("is no number from 1 to 1e18")
    assert page.locator("script").count() == 0
    context.close()
