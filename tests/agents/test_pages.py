"""The widget on a shop's page and the owner's page, in a real browser, on a screen and on a phone."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from pages import Windows, serving

SCRIPT = Path(__file__).with_name("page_process.py")
SCREEN, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    imports = [SCRIPT.parents[1] / part for part in ("agents", "product", "pool")]
    with serving(SCRIPT, tmp_path_factory.mktemp("agents-pages"), "/shop", imports=imports) as served:
        yield served.url


@pytest.fixture
def opened(url, browser):
    windows = Windows(browser)
    yield lambda path, viewport=SCREEN: windows.open(url + path, viewport)
    windows.close()


def ask(page, text):
    box = page.get_by_label("Your message")
    box.fill(text)
    box.press("Enter")


def test_a_customer_chats_on_a_page_that_allows_nothing_inline_and_finds_the_chat_again(opened):
    page = opened("/shop")
    page.get_by_role("button", name="Chat with The Shop").click()
    expect(page.get_by_label("Your message")).to_be_focused()
    ask(page, "How much is the Trail Jacket in blue, size M?")
    expect(page.get_by_role("log")).to_contain_text("89.50 EUR")
    page.get_by_role("button", name="That helped").click()
    expect(page.get_by_role("status")).to_contain_text("Good to know")
    ask(page, "Can I return things?")
    expect(page.get_by_role("link", name="Returns")).to_have_attribute("href", "https://shop.example/returns")
    # What a customer writes is text, whatever it looks like.
    ask(page, "<img src=x onerror=alert(1)>")
    expect(page.get_by_role("log")).to_contain_text("<img src=x")
    assert page.evaluate("document.querySelector('tenfold-agent').shadowRoot.querySelector('img')") is None
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Chat with The Shop")).to_be_focused()
    page.reload()
    page.get_by_role("button", name="Chat with The Shop").click()
    expect(page.get_by_role("log")).to_contain_text("89.50 EUR")


def test_a_proposal_has_buttons_and_a_human_answers_in_the_same_chat(opened, url):
    page = opened("/shop", PHONE)
    page.get_by_role("button", name="Chat with The Shop").click()
    ask(page, "Please cancel my order A-1001")
    page.get_by_role("button", name="No", exact=True).click()
    expect(page.get_by_role("button", name="Yes", exact=True)).to_have_count(0)
    ask(page, "I want to talk to a human")
    expect(page.get_by_role("log")).to_contain_text(re.compile("person of our team"))
    # It fills the phone, and nothing is wider than it.
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    panel = page.get_by_role("dialog").bounding_box()
    assert (panel["x"], panel["width"]) == (0, PHONE["width"])

    owner = opened("/agents", PHONE)
    owner.locator(".agents-part", has_text="Inbox").get_by_text("web").first.click()
    owner.get_by_label("Write to the customer").fill("Ben here. What can I do?")
    owner.locator(".agents-part", has_text="Inbox").get_by_role("button", name="Send").click()
    expect(page.get_by_role("log")).to_contain_text("Ben here. What can I do?")
    owner.get_by_role("button", name="Hand back to the agent").click()
    expect(owner.get_by_text("Nobody waits for a human.")).to_be_visible()
    assert owner.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("viewport", [SCREEN, PHONE], ids=["screen", "phone"])
def test_the_owner_tries_it_sees_the_evidence_and_answers_what_it_could_not(opened, viewport):
    page = opened("/agents", viewport)
    expect(page.get_by_text("2 items, 2 passages").first).to_be_visible()
    expect(page.get_by_text("feed products.csv")).to_be_visible()
    box = page.get_by_label("Ask as a customer")
    box.fill("How much is the Wool Cap?")
    box.press("Enter")
    expect(page.get_by_role("log")).to_contain_text("15.00 EUR")
    expect(page.get_by_role("log")).to_contain_text("← color: green")
    question = f"Do you sell {'zeppelins' if viewport is SCREEN else 'submarines'}?"
    box.fill(question)
    box.press("Enter")
    expect(page.get_by_role("log")).to_contain_text(question)
    expect(page.locator(".agents-turn.agent")).to_have_count(2)
    page.get_by_role("button", name="Look again").click()
    row = page.locator(".agents-part", has_text="Not answered")
    expect(row).to_contain_text(question)
    row.get_by_label("Your answer").first.fill("Not yet, but models of them from May on.")
    row.get_by_role("button", name="Answer").first.click()
    expect(page.locator(".agents-part", has_text="Your answers")).to_contain_text("from May on")
    # The shell's head is a banner within the page's one landmark, as on every page of the console.
    found = [each for each in Axe().run(page).response["violations"] if each["id"] != "landmark-banner-is-top-level"]
    assert found == [], [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
