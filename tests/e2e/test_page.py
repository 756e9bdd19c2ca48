"""The page of a real pool in a real browser: a person watches it and talks to it."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

WAIT_MS = 60_000


@pytest.fixture(scope="module")
def page(pool, browser):
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(pool.url)
    expect(page.locator(".pill")).to_have_text("running", timeout=WAIT_MS)
    yield page
    context.close()
    assert complaints == []


def test_a_person_sees_every_slot_and_workload(pool, page):
    expect(page.locator(".tile")).to_have_count(len(pool.slots()), timeout=WAIT_MS)
    for name in ("train", "serve", "rank"):
        expect(page.locator(".name", has_text=name)).to_be_visible()
    expect(page.locator(".move").first).to_be_visible()


def test_a_chat_is_answered_and_its_wake_up_is_shown(page):
    page.fill("input[aria-label=message]", "What is the capital of France?")
    page.press("input[aria-label=message]", "Enter")
    # A small model, and sampled: which words come is its own affair, that words come is ours.
    expect(page.locator(".said.assistant")).to_contain_text(re.compile(r"\w+ \w+"), timeout=WAIT_MS)
    expect(page.locator(".pace")).to_contain_text("tokens/s", timeout=WAIT_MS)
    expect(page.locator(".move", has_text="serve").first).to_be_visible(timeout=WAIT_MS)


def test_a_user_gets_a_ranked_list(page):
    page.get_by_role("button", name="Rank").click()
    expect(page.locator(".item").first).to_be_visible(timeout=WAIT_MS)
    assert page.locator(".item").count() >= 10


def test_somebody_asks_the_assistant_by_keyboard_on_a_phone_at_night_and_finds_it_again(pool, browser):
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{pool.url}/assistant")
    expect(page.get_by_text("It reads nothing yet")).to_be_visible(timeout=WAIT_MS)
    for label, text, then in (
        ("your name", "Ann", page.get_by_text("None yet.")),
        ("new thread", "Outing", page.get_by_role("button", name="Outing")),
    ):
        page.fill(f'input[aria-label="{label}"]', text)
        page.press(f'input[aria-label="{label}"]', "Enter")
        expect(then).to_be_visible(timeout=WAIT_MS)
    page.fill('input[aria-label="message"]', "Who won the Coastal Cup?")
    page.press('input[aria-label="message"]', "Enter")
    # There are no sources: it does not know, and says so.
    expect(page.locator(".asst-said.assistant")).to_contain_text("do not tell", timeout=WAIT_MS)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    found = Axe().run(page).response["violations"]
    assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
    page.reload()
    page.get_by_role("button", name="Outing").click(timeout=WAIT_MS)
    expect(page.locator(".asst-said.mine, .asst-said.theirs")).to_contain_text("Coastal Cup", timeout=WAIT_MS)
    context.close()
    assert complaints == []
