import re

import pytest
from inline_snapshot import snapshot

from tenfold.console.frame import workload_colours
from tenfold.page.palette import by_night, css, hue_of
from tenfold.pool.board import fragments
from tenfold.pool.board.figures import count, duration, money_rate, quantity, share
from tenfold.pool.board.picture import Sketchbook, picture_of
from tenfold.pool.state import PriceView, ShadowView, configured_price
from tenfold.rank.contract import RankedItem
from tenfold.rank.page import list_html, user_of
from tenfold.wiring import WORKLOADS

NOON = 1_760_000_000.0


def words(html: str) -> str:
    """What a person reads."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.23e-5, "12.3 µ$/s"), (6.4e-7, "640 n$/s"), (0.0012, "1.20 m$/s"), (0, "0 $/s"), (None, "—"), (2.5, "2.50 $/s"),
     (-3.1e-5, "-31.0 µ$/s"), (9.996e-7, "1.00 µ$/s"), (5e-11, "0.05 n$/s"), (1234.5, "1,234 $/s")],
)  # fmt: skip
def test_money_reads_with_its_unit(value, text):
    assert money_rate(value) == text


def test_numbers_read_with_three_figures():
    numbers = (0, 0.42, 12.34, 99.96, 1240, 999_499, 1_281_024, 3.6e9, None, float("nan"))
    assert [quantity(n) for n in numbers] == snapshot(
        ["0", "0.42", "12.3", "100", "1,240", "999,499", "1.28 M", "3.60 G", "—", "—"]
    )
    assert [duration(s) for s in (0, 0.0853, 0.9999, 1.239, 59.94, 125, None)] == snapshot(
        ["0 ms", "85 ms", "1 s", "1.24 s", "59.9 s", "2 min 05 s", "—"]
    )
    assert [share(s) for s in (None, 0, 0.99999, 1)] == ["—", "0.0%", "99.9%", "100%"]
    assert (count(1, "slot"), count(0, "slot")) == ("1 slot", "0 slots")


def test_a_running_pool_in_words(pretend_pool):
    state = pretend_pool.pretend(NOON)
    assert words(fragments.heading(state)) == snapshot("running 4 slots policy tenfold epoch 412 moves 137")
    assert words(fragments.tiles(state))[:89] == snapshot(
        "cpu0 core 0 train ● train awake 21300 ○ serve asleep 21301 ○ rank asleep 21302 cpu1 core "
    )
    serve, train = state.workloads[1], state.workloads[0]
    assert words(fragments.workload_head(serve, 4)) == snapshot("serve 1 slot wants 2")
    assert words(fragments.workload_figures(serve)) == snapshot(
        "demand 0/s plan 0 latency p95 600 ms target 4 s throughput 0/s tokens last slot 60.0 µ$/s value next slot 0 $/s value"  # noqa: E501
    )
    assert words(fragments.workload_foot(serve)) == snapshot("in time 99.3% waiting 2 answered 12,841 shed 17 failed 0")
    assert words(fragments.workload_figures(train)) == snapshot(
        "loss 4.13 done 1.28 M tokens throughput 1,263/s tokens last slot 640 n$/s value next slot 305 n$/s value"
    )
    assert words(re.sub(r"<time>.*?</time>", "", fragments.moves_list(state)))[:90] == snapshot(
        "cpu2 train → serve +31.0 µ$/s 310 ms serve: a slot is worth 31x more there; it needs 1, ha"
    )
    assert fragments.banner(state, NOON) == ""


def test_the_page_tells_what_a_unit_is_worth_and_how_that_is_known(pretend_pool):
    serve = next(view for view in pretend_pool.pretend(NOON).workloads if view.workload == "serve")

    def told(price: PriceView) -> str:
        return words(fragments.workload_foot(serve.model_copy(update={"price": price}))).partition("failed 0 ")[2]

    assert told(configured_price(2e-6, is_fixed=False)) == snapshot("a token is worth 2.00 µ$ , configured")
    assert told(configured_price(2e-6, is_fixed=True)) == snapshot("a token is worth 2.00 µ$ , fixed")
    measured = PriceView(usd=5e-6, source="measured", configured_usd=2e-6, low_usd=-4e-7, high_usd=1.04e-5)
    assert told(measured) == snapshot("a token is worth 5.00 µ$ , measured: earned -400 n$ to 10.4 µ$")


def test_frozen_silent_and_starting_are_told_apart(pretend_pool):
    frozen, ready = pretend_pool.pretend(NOON, controller="frozen"), pretend_pool.pretend(NOON)
    assert "Controller frozen" in fragments.banner(frozen, NOON)
    assert words(fragments.banner(ready, NOON + 12)) == "No news from the controller for 12 s."
    assert words(fragments.heading(pretend_pool.pretend(NOON, ready=False))).startswith("starting 4 slots")
    failing = ready.model_copy(update={"ready": False, "served": True})
    assert words(fragments.heading(failing)).startswith("failing 4 slots")
    assert words(fragments.heading(None)) == "starting waiting for the controller"
    assert "loading" in fragments.tiles(pretend_pool.pretend(NOON, ready=False))


def test_a_move_that_failed_or_is_under_way_says_so(pretend_pool):
    state = pretend_pool.pretend(NOON)
    failed = state.moves[0].model_copy(update={"state": "failed", "seconds": 2.1})
    under_way = state.moves[0].model_copy(update={"state": "waking", "seconds": None, "donor": None})
    html = fragments.moves_list(state.model_copy(update={"moves": (failed, under_way)}))
    assert "2.1 s failed" in words(html)
    assert "idle → " in words(html)
    assert "waking" in words(html)


def test_a_latency_over_its_target_is_marked(pretend_pool):
    view = pretend_pool.pretend(NOON).workloads[2]
    assert "late" not in fragments.workload_figures(view).replace("latency", "")
    assert 'class="late"' in fragments.workload_figures(view.model_copy(update={"latency_p95_s": 0.3}))


def test_text_from_outside_cannot_become_markup(pretend_pool):
    state = pretend_pool.pretend(NOON, controller="frozen")
    evil = "<img src=x onerror=alert(1)>"
    moves = (state.moves[0].model_copy(update={"reason": f'"{evil}', "slot": evil, "donor": evil}),)
    slots = (state.slots[0].model_copy(update={"slot": evil, "awake": evil}),)
    views = (state.workloads[0].model_copy(update={"workload": evil, "unit": evil}),)
    picture = picture_of(
        state.model_copy(update={"alarms": (evil,), "moves": moves, "slots": slots, "workloads": views}), NOON
    )
    assert all("<img" not in html for html in picture.html.values())
    assert "<img" not in list_html([RankedItem(item=1, title=evil, genres=(evil,), score=1.0)])


def test_many_browsers_cost_one_drawing(pretend_pool):
    book, state = Sketchbook(), pretend_pool.pretend(NOON)
    assert book.picture(state, NOON) is book.picture(state, NOON + 0.4)
    assert book.picture(state, NOON + 1) is not book.picture(pretend_pool.pretend(NOON + 1), NOON + 1)


def test_a_workload_keeps_its_colour():
    assert [hue_of(name) for name in ("train", "A/b <c>", None)] == ["w-train", "w-a-b-c-", "idle"]
    assert css("rank") == "var(--w-rank, var(--idle))"
    assert by_night("#000000") == "#3d3d3d" and by_night("#ffffff") == "#ffffff"
    style = workload_colours()
    for workload in WORKLOADS:
        assert f"--w-{workload.name}:{workload.colour};" in style
        assert f"--w-{workload.name}:{by_night(workload.colour)};" in style.partition("dark")[2]


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("196", 196),
        (" 1 ", 1),
        ("943", 943),
        ("0", None),
        ("944", None),
        ("abc", None),
        ("", None),
        (None, None),
        ("²", None),
    ],
)
def test_a_user_id_is_read_or_refused(text, user):
    assert user_of(text) == user


def test_in_shadow_the_page_says_what_would_have_been(pretend_pool):
    view = ShadowView(seconds=3600.0, slots={"train": 3, "rank": 1}, moves=12, real_usd=2.0, shadow_usd=2.5)
    state = pretend_pool.pretend(NOON).model_copy(update={"alarms": (), "shadow": view})
    assert words(fragments.banner(state, NOON)) == (
        "In shadow, nothing moves. In 1:00:00 the policy would have made 12 moves, worth +25.0%. "
        "Now it would have rank 1, train 3."
    )
