"""What may be shown follows the facts and the word of people, and approval never changes by itself."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from ad_shops import FEED, NOW, gathered
from money_books import add_account, add_campaign, books, impression

from tenfold.ads import library, writing
from tenfold.ads.campaign import Approval, Campaign, Objective
from tenfold.ads.choose import Shown
from tenfold.ads.choosing import Choosing, choosing_of, read_shown
from tenfold.ads.drawn import variant as drawn_variant
from tenfold.ads.facts import fact_sheet
from tenfold.ads.money import lease as leasing
from tenfold.ads.money.charge import take
from tenfold.ads.tables import clicks

CAMPAIGN = Campaign("shoes", "acme", "Lamps", Objective.SALES, 10**8, 0.0, 9e9, "https://lamps.example")
SHEET = fact_sheet(gathered())
DEARER = fact_sheet(
    gathered(FEED.replace("L1,Aurora Desk Lamp,color: white,35.00", "L1,Aurora Desk Lamp,color: white,39.00"))
)


@pytest.fixture
def store(tmp_path):
    with books(f"sqlite:///{tmp_path / 'ads.db'}") as store:
        with store.writing() as connection:
            add_account(connection, "acme", 10**9)
            add_campaign(connection, "shoes", "acme", 10**8)
            add_campaign(connection, "hats", "acme", 10**8)
        yield store


def put(store, sheet, approval, campaign="shoes"):
    with store.writing() as connection:
        return library.put(connection, campaign, writing.write(sheet, CAMPAIGN), approval, 1.0)


def all_of(store, campaign="shoes"):
    with store.reading() as connection:
        return library.variants_of(connection, campaign)


def recheck(store, sheet, now=NOW):
    with store.writing() as connection:
        return library.recheck(connection, "shoes", lambda each: writing.faults_now(each, sheet, now))


def test_the_mode_decides_what_new_copy_is_and_a_regulated_one_waits_for_a_person(store):
    put(store, SHEET, Approval.AUTO)
    found = all_of(store)
    assert {each.state for each in found if each.regulated} == {"waiting"}
    assert {each.state for each in found if not each.regulated} == {"approved"}
    assert {each.regulated for each in found} == {"", "alcohol"}


def test_two_campaigns_may_say_the_same(store):
    assert put(store, SHEET, Approval.REVIEW) == put(store, SHEET, Approval.REVIEW, "hats") > 0
    assert put(store, SHEET, Approval.REVIEW) == 0


@pytest.mark.parametrize("approval", list(Approval))
def test_a_changed_price_takes_down_what_says_the_old_one_and_new_copy_comes_by_the_same_mode(store, approval):
    put(store, SHEET, approval)
    with store.writing() as connection:
        library.judge(connection, "shoes", "all", "approved")
    before = {each.id for each in all_of(store) if each.may_be_shown(1.0)}
    said_it = {each.id for each in all_of(store) if "35.00" in f"{each.headline} {each.body}"}
    assert said_it and recheck(store, DEARER) == len(said_it)
    assert {each.id for each in all_of(store) if each.may_be_shown(1.0)} <= before - said_it
    added = put(store, DEARER, approval)
    fresh = [each for each in all_of(store) if "39.00" in f"{each.headline} {each.body}"]
    if approval is Approval.LOCKED:
        assert added == 0 and not fresh
    else:
        assert {each.state for each in fresh} == {"approved" if approval is Approval.AUTO else "waiting"}
    # The old price is back: what a person had approved may be shown again, and nobody had to decide anew.
    recheck(store, SHEET)
    assert said_it <= {each.id for each in all_of(store) if each.may_be_shown(1.0)}


def test_a_variant_with_a_date_is_shown_until_then_only():
    dated = writing.write(SHEET, CAMPAIGN)[0]
    limited = dated.model_copy(update={"state": "approved", "until": datetime(2027, 2, 1, tzinfo=UTC).timestamp()})
    assert limited.may_be_shown(datetime(2027, 1, 31, tzinfo=UTC).timestamp())
    assert not limited.may_be_shown(datetime(2027, 2, 1, tzinfo=UTC).timestamp())
    ends = {claim.id for claim in SHEET.claims if claim.until is not None}
    assert len(ends) == 1


def test_each_number_in_the_preview_points_to_where_it_is_written():
    for each in writing.write(SHEET, CAMPAIGN):
        covered = {(use.part, at) for use in each.uses for at in range(use.start, use.end)}
        for part, text in (("headline", each.headline), ("body", each.body)):
            assert all((part, at) in covered for at, letter in enumerate(text) if letter.isdigit())
        drawn = drawn_variant(each)
        assert all(f'<mark title="{use.kind}: ' in drawn for use in each.uses)
    pictured = next(each for each in writing.write(SHEET, CAMPAIGN) if each.image)
    assert pictured.caption == "Aurora Desk Lamp" and 'alt="Aurora Desk Lamp"' in drawn_variant(pictured)


def test_choices_are_learned_from_what_was_shown_and_clicked(store):
    put(store, SHEET, Approval.AUTO)
    shown = [each for each in all_of(store) if each.may_be_shown(1.0)][:2]
    with store.writing() as connection:
        worker = leasing.enlist(connection, 0.0)
        leasing.grant(connection, worker, "shoes", 10_000)
        held = leasing.open_leases(connection, worker)[0].id
        for number in range(300):
            seen = replace(
                impression(f"e{number}", held, "shoes", 10),
                variant=shown[number % 2].id,
                decision={"propensity": 0.5, "segment": 3},
            )
            take(connection, [seen], float(number))
            if number % 2 and number % 3 == 0:
                row = {"event": f"e{number}", "campaign": "shoes", "variant": seen.variant, "person": "ann"}
                connection.execute(clicks.insert().values(row | {"valid": True, "at": float(number)}))
    with store.reading() as connection:
        found = read_shown(connection, ["shoes"])
        told = choosing_of(connection, "shoes")
    assert len(found["shoes"]) == 300 and found["shoes"][0] == Shown(shown[1].id, 3, False)
    assert sum(each.clicked for each in found["shoes"]) == 50
    assert told is not None and told.impressions == 300
    assert told.by_chance.low <= told.chosen <= told.by_chance.high
    choosing = Choosing(np.random.default_rng(1), 8)
    choosing.learn({"shoes": shown}, found)
    chosen = [choosing.choose("shoes", shown, np.zeros(8))[0].id for _ in range(200)]
    assert chosen.count(shown[1].id) > 150
