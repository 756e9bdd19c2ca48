"""What programs did is given back, conversions find their campaign, and what was added and earned is told as it is."""

import math
import random
from dataclasses import replace

import pytest
import sqlalchemy as sa
from money_books import add_account, add_campaign, books, impression, spent

from tenfold.ads import clicks as clicking
from tenfold.ads import earning, noting, traffic
from tenfold.ads.campaign import DAY_S, Campaign, Objective
from tenfold.ads.contract import ConversionIn
from tenfold.ads.lift import lift_of
from tenfold.ads.money import lease as leasing
from tenfold.ads.money.books import check
from tenfold.ads.money.budget import campaign_node
from tenfold.ads.money.charge import take
from tenfold.ads.selling import Draw
from tenfold.ads.tables import clicks, conversions
from tenfold.ads.tracking import Click, Signer
from tenfold.product.holdout import is_held_out

SIGNER = Signer({"k1": b"1" * 32})
NOW = 1_000_000.0


@pytest.fixture
def store(tmp_path):
    with books(f"sqlite:///{tmp_path / 'ads.db'}") as store:
        with store.writing() as connection:
            add_account(connection, "acme", 10**9)
            add_account(connection, "rival", 10**9)
            add_campaign(connection, "shoes", "acme", 10**8)
            add_campaign(connection, "hats", "rival", 10**8)
        yield store
        with store.reading() as connection:
            assert check(connection) == []


def show(store, person: str, count: int, *, at: float = NOW, price: int = 10, campaign: str = "shoes") -> list:
    """Have a person see so many ads, a second apart."""
    seen = []
    with store.writing() as connection:
        worker = leasing.enlist(connection, NOW)
        leasing.grant(connection, worker, campaign, count * price)
        held = leasing.open_leases(connection, worker)[0].id
        for number in range(count):
            each = replace(
                impression(f"{person} {campaign} {at:.0f} {number}", held, campaign, price),
                person=person,
                decided_at=at + number,
            )
            take(connection, [each], at + number)
            seen.append(each)
    return seen


def click(store, seen, at: float) -> Click:
    with store.writing() as connection:
        return clicking.take_click(connection, seen, at)[0]


def test_more_ads_than_anybody_sees_in_a_minute_are_given_back_and_nobody_elses(store):
    show(store, "ann", 40)
    begin = NOW - NOW % 60
    with store.writing() as connection:
        worker = leasing.enlist(connection, NOW)
        leasing.grant(connection, worker, "shoes", 610)
        held = leasing.open_leases(connection, worker)[0].id
        crowd = [replace(impression(f"bot {n}", held, "shoes", 10), person="bot") for n in range(61)]
        take(connection, crowd, begin + 1.0)
    with store.writing() as connection:
        assert traffic.credit_invalid(connection, NOW - 3600, NOW).micro_by_person == {"bot": 610}
        assert traffic.credit_invalid(connection, NOW - 3600, NOW).micro == 0
    assert spent(store, campaign_node("shoes"))[0] == 400


def test_who_clicks_on_most_of_what_is_shown_is_a_program_and_its_clicks_lead_to_nothing(store):
    for person, clicked in (("ann", 3), ("bot", 12)):
        for each in show(store, person, 20)[:clicked]:
            click(store, each, each.decided_at + 2.0)
    with store.writing() as connection:
        assert traffic.credit_invalid(connection, NOW - 3600, NOW + 60).micro_by_person == {"bot": 200}
        valid = sa.select(clicks.c.person, sa.func.count()).where(clicks.c.valid).group_by(clicks.c.person)
        assert dict(connection.execute(valid).all()) == {"ann": 3}


def convert(store, *told: ConversionIn, account: str = "acme", now: float = NOW + 100):
    with store.writing() as connection:
        return clicking.take_conversions(connection, account, told, SIGNER, 7.0, now).out


def test_a_conversion_belongs_to_its_click_in_time_however_late_it_is_told_and_once(store):
    seen = show(store, "ann", 3)
    first = click(store, seen[0], NOW + 10)
    token = SIGNER.click(first)
    late = ConversionIn(event="o1", click=token, value_micro=5_000_000, at=NOW + 3 * DAY_S)
    told = convert(store, late, now=NOW + 20 * DAY_S)
    assert (told.attributed, told.others) == (1, 0)
    assert convert(store, late, late, now=NOW + 21 * DAY_S).repeated == 2
    too_late = ConversionIn(event="o2", click=token, at=NOW + 8 * DAY_S)
    assert convert(store, too_late, now=NOW + 8 * DAY_S).others == 1
    # A click leads to conversions of its own advertiser only, and a made-up one to none.
    assert convert(store, ConversionIn(event="o1", click=token), account="rival").others == 1
    assert convert(store, ConversionIn(event="o3", click=token[:-1] + "x")).refused == 1
    # A server that knows who it is needs no click: the last one counts.
    assert convert(store, ConversionIn(event="o4", person="ann")).attributed == 1
    assert convert(store, ConversionIn(event="o5", person="bob")).others == 1
    # One so soon that nobody can have read the ad is no click.
    quick = click(store, seen[1], seen[1].decided_at + 0.1)
    assert convert(store, ConversionIn(event="o6", click=SIGNER.click(quick))).others == 1


SHOES = Campaign("shoes", "acme", "Shoes", Objective.SALES, 10**8, NOW, NOW + 7 * DAY_S, "https://acme.example")


def world(store, people: int, base: float, added: float, seed: int) -> None:
    """People who buy by chance: those shown more often; each purchase is 20 dollars."""
    draw = random.Random(seed)
    drawn, bought = [], []
    for number in range(people):
        person = f"p{seed}.{number}"
        held_out = is_held_out(person, 0.5, "test")
        keen = draw.choice((0.2, 1.8))
        drawn.append(Draw("shoes", person, held_out, base * keen, NOW))
        if draw.random() < base * keen + (0.0 if held_out else added):
            bought.append({"account": "acme", "event": person, "person": person, "value_micro": 20_000_000})
    with store.writing() as connection:
        noting.note_draws(connection, drawn)
        rest = {"click": None, "campaign": None, "at": NOW + 1.0, "taken_at": NOW + 1.0}
        if bought:
            connection.execute(conversions.insert(), [row | rest for row in bought])


def test_what_was_added_is_in_its_interval_and_nothing_is_added_where_nothing_is(store):
    world(store, 3_000, 0.2, 0.1, 1)
    with store.reading() as connection:
        told = lift_of(connection, SHOES, NOW + DAY_S)
    truth = told.shown_people * 0.1
    assert told.low < truth < told.high and told.low > 0 and told.said == "more than without it"
    assert told.dollars.low < 20 * truth < told.dollars.high
    assert told.attributed == 0, "no click led to any of it"


def test_what_is_not_sure_yet_says_how_long_it_takes(store):
    world(store, 1_000, 0.05, 0.01, 3)
    with store.writing() as connection:
        shown = [f"p3.{number}" for number in range(1_000) if not is_held_out(f"p3.{number}", 0.5, "test")]
        of_clicks = conversions.c.event.in_(shown[:200])
        connection.execute(sa.update(conversions).where(of_clicks).values(campaign="shoes"))
    with store.reading() as connection:
        told = lift_of(connection, SHOES, NOW + DAY_S)
    assert told.low < 0 < told.high and told.attributed > 0
    assert told.more_s > DAY_S
    assert f"{math.ceil(told.more_s / DAY_S)} days more at this pace" in told.said
    # People come as they did in the day until now: 1,000 a day.
    assert told.more_people == pytest.approx(1_000 * told.more_s / DAY_S, abs=1)
    assert f"with {told.more_people:,} people more" in told.said
    with store.reading() as connection:
        over = lift_of(connection, SHOES, SHOES.ends_at + DAY_S)
    assert "it ended too soon" in over.said


def test_before_anybody_has_bought_it_is_said_what_an_interval_lacks(store):
    world(store, 1_000, 0.0, 0.0, 4)
    with store.reading() as connection:
        told = lift_of(connection, replace(SHOES, objective=Objective.LEADS), NOW + DAY_S)
    assert (told.incremental, told.dollars) == (None, None) and "nobody of either group" in told.said


def test_too_few_people_say_nothing(store):
    world(store, 20, 0.5, 0.5, 2)
    with store.reading() as connection:
        told = lift_of(connection, SHOES, NOW + DAY_S)
    assert told.incremental is None and "too few" in told.said


def test_rank_earns_the_difference_of_what_people_are_billed_and_each_charge_counts_once(store):
    people = [f"p{number}" for number in range(40)]
    with_rank = [person for person in people if not earning.is_without_rank(person, 0.3)]
    without = [person for person in people if earning.is_without_rank(person, 0.3)]
    with store.writing() as connection:
        earning.count_people(connection, people, 0.3, NOW)
        assert earning.take_untold(connection) is None
        earning.note_billed(connection, dict.fromkeys(with_rank, 3_000_000), 0.3, NOW)
        earning.note_billed(connection, dict.fromkeys(without, 1_000_000), 0.3, NOW)
        assert earning.take_untold(connection) == pytest.approx(len(with_rank) * 2.0)
        assert earning.take_untold(connection) is None
        # What is given back was not earned.
        earning.note_billed(connection, {with_rank[0]: -3_000_000}, 0.3, NOW)
        assert earning.take_untold(connection) == pytest.approx(-3.0)


def test_a_person_who_is_forgotten_leaves_no_name_and_the_books_stay(store):
    seen = show(store, "ann", 2)
    click(store, seen[0], NOW + 10)
    convert(store, ConversionIn(event="o1", person="ann"))
    with store.writing() as connection:
        noting.note_draws(connection, [Draw("shoes", "ann", False, 0.1, NOW)])
        assert noting.forget_person(connection, "ann") == 5
        assert noting.forget_person(connection, "ann") == 0
    assert spent(store, campaign_node("shoes"))[0] == 20
