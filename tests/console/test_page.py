"""The page in a real browser, over a real socket; only the pool behind it is pretended."""

import json
import re
import time
from contextlib import suppress

import pytest
from PIL import Image
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import expect

WAIT_MS = 60_000
HALF_A_REPLY = """() => {
  const said = document.querySelector('.said.assistant')?.innerText ?? '';
  return said.includes('You asked') && !said.includes('looks blue');
}"""
INKED = """e => {
  const c = e.querySelector('canvas'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
  const seen = new Set();
  for (let i = 0; i < d.length; i += 4)
    if (d[i + 3] > 200) seen.add((d[i] >> 4) + ',' + (d[i + 1] >> 4) + ',' + (d[i + 2] >> 4));
  return seen.size;
}"""


@pytest.fixture
def page(served, browser):
    served.show("live")
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    complaints, outside = [], []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: _unless_left(request, complaints))
    page.on("request", lambda request: None if _is_ours(request.url, served.url) else outside.append(request.url))
    page.goto(served.url)
    expect(page.locator(".pill")).to_be_visible(timeout=WAIT_MS)
    yield page
    context.close()
    assert complaints == []
    assert outside == []


def _unless_left(request, complaints) -> None:
    """A request that fails is a complaint, but not one that the browser gives up as its page is left or loaded anew."""
    if request.failure != "net::ERR_ABORTED":
        complaints.append(f"failed: {request.url} ({request.failure})")


def _is_ours(url: str, origin: str) -> bool:
    return url.startswith((origin, origin.replace("http", "ws"), "data:", "blob:"))


def test_a_person_sees_the_pool_at_work_without_scrolling(page):
    expect(page.locator(".pill")).to_have_text("running")
    expect(page.locator(".tile")).to_have_count(4)
    expect(page.locator(".resident.awake")).to_have_count(4)
    expect(page.locator(".resident").first).to_contain_text("21300")
    for name in ("train", "serve", "rank"):
        expect(page.locator(".name", has_text=name)).to_be_visible()
    expect(page.get_by_text("1.28 M")).to_be_visible()
    expect(page.get_by_text(re.compile(r"µ\$/s")).first).to_be_visible()
    expect(page.locator(".move").first).to_contain_text("a slot is worth 31x more there")
    for text in ("Slots over time", "Value of one more slot", "Moves", "Chat", "Ranked list"):
        expect(page.get_by_text(text, exact=False).first).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") == 1280
    assert page.evaluate("document.documentElement.scrollHeight") <= 820


def test_every_chart_is_drawn(page):
    for name in ("slots", "value", "train", "serve", "rank"):
        chart = page.locator(f".{name}-chart")
        expect(chart.locator("canvas")).to_be_visible(timeout=WAIT_MS)
        for _ in range(600):
            if (colours := chart.evaluate(INKED)) >= 3:
                break
            page.wait_for_timeout(100)
        assert colours >= 3, f"{name} is blank"


def test_what_changes_in_the_pool_shows_by_itself(page, served):
    expect(page.locator(".tile")).to_have_count(4)
    served.show("frozen")
    expect(page.locator(".alarm").first).to_contain_text("Controller frozen")
    expect(page.locator(".pill")).to_have_text("frozen")
    expect(page.locator(".alarm").nth(1)).to_contain_text("no counters from serve")
    served.show("live")
    expect(page.locator(".alarm")).to_have_count(0)


def test_the_charts_move_on_with_the_seconds(page):
    ago = "e => { const c = e.querySelector('canvas'); return c.toDataURL().length + c.toDataURL().slice(-4000) }"
    chart = page.locator(".serve-chart")
    expect(chart.locator("canvas")).to_be_visible(timeout=WAIT_MS)
    page.wait_for_timeout(500)
    before = chart.evaluate(ago)
    for _ in range(120):
        page.wait_for_timeout(500)
        if (after := chart.evaluate(ago)) != before:
            break
    assert after != before


def test_a_page_opened_before_the_pool_is_ready_fills_by_itself(page, served):
    served.show("nothing")
    page.reload()
    expect(page.locator(".pill")).to_have_text("starting", timeout=WAIT_MS)
    expect(page.get_by_text("waiting for the controller")).to_be_visible()
    served.show("starting")
    expect(page.locator(".tile .who").first).to_have_text("loading…", timeout=WAIT_MS)
    served.show("live")
    expect(page.locator(".pill")).to_have_text("running", timeout=WAIT_MS)
    expect(page.locator(".train-chart canvas")).to_be_visible()
    expect(page.locator(".resident.awake")).to_have_count(4)


def test_a_reply_streams_into_the_chat(page):
    said = page.locator(".said.user")
    for _ in range(4):
        # What is typed while the page's socket connects anew is dropped by NiceGUI: a person types it again.
        page.fill("input[aria-label=message]", "")
        page.fill("input[aria-label=message]", "Why is <b>the sky</b> blue?")
        page.press("input[aria-label=message]", "Enter")
        with suppress(PlaywrightTimeout):
            said.wait_for(timeout=WAIT_MS / 4)
            break
    expect(said).to_have_text("Why is <b>the sky</b> blue?")
    reply = page.locator(".said.assistant")
    # Looked for in the browser, at every frame: a reply that came in one piece is never seen half.
    page.wait_for_function(HALF_A_REPLY, timeout=WAIT_MS)
    expect(reply).to_contain_text("the sky looks blue.", timeout=WAIT_MS)
    expect(page.locator(".pace")).to_contain_text("tokens/s")
    page.fill("input[aria-label=message]", "Are you full?")
    page.click("text=Send")
    expect(page.locator(".said.refused")).to_contain_text("try again in 3 s", timeout=WAIT_MS)


def test_whoever_chats_chooses_the_model_where_there_are_more(page, served):
    expect(page.get_by_label("model", exact=True)).to_be_hidden()
    served.show("two-models")
    page.reload()
    page.get_by_label("model", exact=True).click()
    expect(page.get_by_role("option")).to_have_text(["smollm2-135m", "mine"])
    page.get_by_role("option", name="mine").click()
    page.fill("input[aria-label=message]", "Who are you?")
    page.press("input[aria-label=message]", "Enter")
    expect(page.locator(".said.assistant")).to_contain_text("I am mine. You asked: Who are you?", timeout=WAIT_MS)


def test_a_picture_goes_with_the_message_to_a_model_that_reads_images(page, served, tmp_path):
    add = page.get_by_label("add a picture")
    expect(add).to_be_hidden()
    served.show("two-models")
    page.reload()
    page.get_by_label("model", exact=True).click()
    page.get_by_role("option", name="mine").click()
    Image.new("RGBA", (1536, 768), "red").save(tmp_path / "large.png")
    with page.expect_file_chooser(timeout=WAIT_MS) as chosen:
        add.click()
    chosen.value.set_files(tmp_path / "large.png")
    expect(page.locator("button.text-primary[aria-label='add a picture']")).to_be_visible(timeout=WAIT_MS)
    page.fill("input[aria-label=message]", "What is it?")
    page.press("input[aria-label=message]", "Enter")
    reply = page.locator(".said.assistant")
    expect(reply).to_contain_text("You asked: a picture of 384 x 192 What is it?", timeout=WAIT_MS)
    expect(page.locator(".said.shown")).to_be_visible()
    # A model that reads text only is asked next: it would refuse the picture before, and every message after it.
    page.get_by_label("model", exact=True).click()
    page.get_by_role("option", name="smollm2-135m").click()
    expect(page.locator(".pace")).to_have_count(1, timeout=WAIT_MS)
    page.fill("input[aria-label=message]", "And you?")
    page.press("input[aria-label=message]", "Enter")
    expect(reply.nth(1)).to_contain_text("You asked: And you?", timeout=WAIT_MS)


def test_a_user_gets_a_ranked_list_of_titles(page):
    page.get_by_role("button", name="Rank").click()
    expect(page.locator(".item")).to_have_count(12, timeout=WAIT_MS)
    expect(page.locator(".item").first).to_contain_text("Star Wars (1977)")
    page.fill("input[aria-label=user]", "944")
    page.press("input[aria-label=user]", "Enter")
    expect(page.get_by_text("Users are 1 to 943.")).to_be_visible(timeout=WAIT_MS)


def test_a_large_pool_still_fits(page, served):
    served.show("large")
    expect(page.locator(".squares i")).to_have_count(256, timeout=WAIT_MS)
    assert page.evaluate("document.documentElement.scrollHeight") <= 820
    assert "n0/cpu255" in page.locator(".squares i").last.get_attribute("title")


def test_a_browser_that_leaves_takes_its_timer_and_reply_along(served_afresh, browser):
    def at_work() -> list[str]:
        tasks = json.loads(served_afresh.get("/pretend/clients"))["tasks"]
        return [task for task in tasks if re.search("Timer|Outbox|Conversation", task)]

    own = len(at_work())  # NiceGUI's timers for the whole app
    pages = [browser.new_page() for _ in range(3)]
    for page in pages:
        page.goto(served_afresh.url)
        expect(page.locator(".slots-chart canvas")).to_be_visible(timeout=WAIT_MS)
    pages[0].fill("input[aria-label=message]", "Why is the sky blue? slowly")
    pages[0].press("input[aria-label=message]", "Enter")
    expect(pages[0].locator(".said.assistant")).to_contain_text("You", timeout=WAIT_MS)
    assert len(at_work()) >= own + 7, "three timers, three outboxes and a reply"
    for page in pages:
        page.close()
    for _ in range(240):
        if len(left := at_work()) <= own:
            break
        time.sleep(0.25)
    assert len(left) == own, left
