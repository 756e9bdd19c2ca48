"""The advertiser's page in a real browser: a first campaign without a manual, on a screen and a phone; and the tag."""

import json
import re
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from pages import Windows, serving
from tenfold.ads import command
from tenfold.ads.campaign import Objective
from tenfold.core.errors import TenfoldError, UsageError
from tenfold.pool.runfile import RunFile, write_run_file

SCRIPT = Path(__file__).with_name("ads_page_process.py")
SCREEN, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
CATALOG = """id,title,price,availability,link,brand,description
1,Ridge Rain Jacket,129.00 USD,in stock,https://acme.example/ridge,Acme,A light jacket. Packs into its own pocket.
2,Trail Runner,89.50 USD,in stock,https://acme.example/trail,Acme,A shoe for wet paths.
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("ads-pages")


@pytest.fixture(scope="module")
def url(home):
    with serving(SCRIPT, home, "/thanks") as served:
        started = psutil.Process(served.pid).create_time()
        write_run_file(home, RunFile(pid=served.pid, started=started, url=served.url))
        yield served.url


@pytest.fixture
def opened(url, browser):
    windows = Windows(browser)
    yield lambda path, viewport=SCREEN: windows.open(url + path, viewport)
    windows.close()


def post(url: str, path: str, body: dict) -> dict:
    told = {"content-type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/ads{path}", json.dumps(body).encode(), told)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_a_first_campaign_from_a_catalog_to_its_report(opened, url, tmp_path):
    page = opened("/ads")
    expect(page.get_by_role("status")).to_contain_text("No campaign yet")
    catalog = tmp_path / "shop.csv"
    catalog.write_text(CATALOG)
    page.locator("input[type=file]").set_input_files(catalog)
    expect(page.get_by_role("status")).to_contain_text("shop.csv is read")
    page.get_by_label("Budget in dollars").fill("500")
    page.get_by_role("button", name="Write the ads").click()
    # All that may be shown is there before anything is shown or charged.
    expect(page.get_by_role("status")).to_contain_text("a draft")
    expect(page.get_by_text("Everything that may be shown")).to_be_visible()
    expect(page.get_by_text("Too few pages were asked for lately")).to_be_visible()
    expect(page.get_by_role("heading", name=re.compile("Trail Runner")).first).to_be_visible()
    page.get_by_role("button", name="Approve all and begin").click()
    expect(page.get_by_role("status")).to_contain_text("live")
    expect(page.get_by_text("$0.00 of $500.00")).to_be_visible()

    deadline = time.monotonic() + 60
    while not (ads := post(url, "/candidates", {"person": "ann", "surface": "home"})["ads"]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert post(url, "/impressions", {"tokens": [ads[0]["tell"]["token"]]})["billed"] == 1
    # The page follows by itself.
    expect(page.get_by_text("the price was")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("^Spent"))).to_be_visible()
    # The console's heading stands within the page for all products.
    found = [each for each in Axe().run(page).response["violations"] if each["id"] != "landmark-banner-is-top-level"]
    assert not found, [each["help"] for each in found]

    phone = opened("/ads", PHONE)
    expect(phone.get_by_text("the price was")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

    time.sleep(0.3)
    click = post(url, "/clicks", {"token": ads[0]["tell"]["token"]})["click"]
    thanks = opened(f"/thanks?tf_click={click}")
    expect(thanks).to_have_title("told 1")
    # Later pages of the visit still know the click, and an order counts once.
    thanks.goto(f"{url}/thanks")
    expect(thanks).to_have_title("told 0")

    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Go on")).to_be_visible()
    page.get_by_label("Add dollars").fill("25")
    page.get_by_role("button", name="Top up").click()
    expect(page.get_by_text("of $525.00")).to_be_visible()


@pytest.mark.slow
def test_the_commands_do_the_same(url, home, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TENFOLD_HOME", str(home))
    catalog = tmp_path / "lamps.csv"
    catalog.write_text(CATALOG)

    def told(do, *given, **options):
        do(*given, **options, json=True)
        return json.loads(capsys.readouterr().out)

    made = told(
        command.create, objective=Objective.SALES, budget="$80", days=2, catalog=catalog, cost_per_action="4USD"
    )
    id = made["campaign"]["id"]
    assert (made["campaign"]["wish"]["name"], made["campaign"]["status"]) == ("lamps", "draft")
    assert made["campaign"]["wish"]["cost_per_action_micro"] == 4_000_000
    variants = [each["id"] for each in made["variants"]]
    judged = told(command.preview, id, approve=(variants[0],), reject=(variants[1],))
    assert {each["id"]: each["state"] for each in judged["variants"]}[variants[1]] == "rejected"
    assert told(command.live, id)["campaign"]["status"] == "live"
    assert told(command.pause, id)["status"] == "paused"
    assert told(command.resume, id)["status"] == "live"
    for _ in range(2):
        assert told(command.top_up, id, "20USD", id="once")["money"]["budget_micro"] == 100_000_000
    assert told(command.edit, id, days=3, no_cap=True)["wish"]["cost_per_action_micro"] is None
    assert id in [each["id"] for each in told(command.listed)["campaigns"]]
    assert told(command.report, id, why=True)["spent"] == []
    assert told(command.end, id)["status"] == "ended"
    # As words: in a terminal of 80 columns each text stands in lines of its own, and no address is torn.
    command.preview(id)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    for each in judged["variants"]:
        assert {each["headline"], f"[{each['call_to_action']}] {each['url']}"} <= set(lines)
    # And what is wrong with the next step.
    command.shown(id)
    assert "ended" in capsys.readouterr().out
    with pytest.raises(TenfoldError, match="has ended"):
        command.resume(id)
    with pytest.raises(UsageError, match="not in US dollars"):
        command.create(objective=Objective.SALES, budget="80EUR", catalog=catalog)
    # Who has no catalog tries the shop that comes with Tenfold.
    tried = told(command.create, objective=Objective.SALES, budget="$80", catalog=Path("demo"))
    assert any("Ridge Rain Jacket" in each["body"] for each in tried["variants"])
    with pytest.raises(UsageError, match=r"no file 'shop\.csv'") as missing:
        command.create(objective=Objective.SALES, budget="80", catalog=Path("shop.csv"))
    assert "'demo'" in missing.value.next_step
    with pytest.raises(UsageError, match="a click must lead somewhere"):
        command.create(objective=Objective.REACH, budget="80", name="x")


def test_what_makes_no_sense_is_said_and_nothing_is_made(opened):
    page = opened("/ads")
    page.get_by_label("Budget in dollars").fill("nothing")
    page.get_by_label("Address of your page").fill("https://acme.example")
    page.get_by_role("button", name="Write the ads").click()
    expect(page.get_by_role("status")).to_contain_text("no amount of money")
