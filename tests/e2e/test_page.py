"""The page of a real pool in a real browser: a person watches it and talks to it."""

import re

import pytest
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
