"""The feed's page in a real browser: surfaces, controls that act at once, and what the team sees."""

import json
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from pages import Windows, serving

SCRIPT = Path(__file__).with_name("feed_page_process.py")
SCREEN, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with serving(SCRIPT, tmp_path_factory.mktemp("feed-pages"), "/v1/feed?person=x", patience_s=20) as served:
        yield served.url


@pytest.fixture
def opened(url, browser):
    windows = Windows(browser)
    yield lambda viewport=SCREEN, **more: windows.open(url + "/feed", viewport, **more)
    windows.close()
    assert windows.hosts == {url.split("/")[2]}, "a page asks nobody else"


def test_a_control_on_one_surface_acts_at_once_and_on_the_others(opened, url):
    page = opened()
    cards = page.locator(".feed-card")
    # Somebody whose feeds know all surfaces.
    page.get_by_label("person").fill(next(name for name in map(str, range(900, 999)) if is_served(url, name)))
    page.get_by_role("button", name="Short").click()
    expect(cards).to_have_count(12)
    first = cards.first
    title = first.locator("h2").inner_text()
    first.get_by_role("button", name="Watch").click()
    first.get_by_role("button", name="Stop watching").click()
    expect(page.locator(".feed-history b")).to_have_text("1")
    second = cards.nth(1)
    unwanted = second.locator("h2").inner_text()
    author = second.locator(".feed-author").inner_text()
    second.get_by_role("button", name="Less").click()
    page.get_by_text("Less like this").click()
    expect(page.locator(".feed-note")).to_contain_text(f"You get less like {unwanted}")
    expect(cards.filter(has_text=re.compile(rf"^.*{author}.*$"))).to_have_count(0)
    expect(cards).to_have_count(12)
    # On another surface the next feed knows both.
    page.get_by_role("button", name="Long").click()
    expect(cards).to_have_count(12)
    expect(cards.first).to_contain_text(title)
    expect(cards.filter(has_text=re.compile(rf"^.*{author}.*$"))).to_have_count(0)
    assert complaints_of(page) == []


def is_served(url, name):
    feed = json.load(urllib.request.urlopen(f"{url}/v1/feed?person={name}", timeout=60))
    return feed["by"] == "rank" and feed["arms"] == {"unified": "unified"}


def complaints_of(page):
    # The shell's head is a banner within the page's one landmark, as on every page of the console.
    found = [each for each in Axe().run(page).response["violations"] if each["id"] != "landmark-banner-is-top-level"]
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]


def test_the_team_sees_surfaces_cold_items_and_experiments_on_a_phone_too(opened):
    page = opened(PHONE, color_scheme="dark")
    page.get_by_role("button", name="Team").click()
    expect(page.get_by_role("heading", name="Experiment unified")).to_be_visible()
    expect(page.locator(".team figure").first).to_contain_text("against")
    expect(page.get_by_role("heading", name="Cold items")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert complaints_of(page) == []
