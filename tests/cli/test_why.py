"""``tenfold pool why`` and ``tenfold pool shadow`` tell from the ledger alone, also when the pool has stopped."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from tenfold.cli.main import main
from tenfold.cli.why import Why, tell
from tenfold.ledger.ledger import Ledger
from tenfold.pool.standing import Aim, Standing, Standings
from tenfold.pool.state import MoveView, ShadowView


def standing(workload: str, **changed) -> Standing:
    table = {
        "workload": workload,
        "unit": "request",
        "held": 1,
        "floor": 0,
        "ceiling": 4,
        "demand_units_per_s": 90.0,
        "capacity_units_per_s": 80.0,
        "last_slot_usd_per_s": 12e-6,
        "next_slot_usd_per_s": 1.5e-6,
    }
    return Standing.model_validate({**table, **changed})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TENFOLD_HOME", str(tmp_path))
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=lambda: 1_700_000_000.0)
    rows = (
        standing("rank"),
        standing("train", unit="token", held=3, demand_units_per_s=None, next_slot_usd_per_s=4e-6),
    )
    decision = Standings(epoch=5, slots=4, workloads=rows, next_slot_to="train")
    ledger.append("standings", "pool", decision.model_dump())
    for number, (donor, receiver) in enumerate((("train", "rank"), ("rank", "serve"), ("serve", "train")), start=1):
        move = MoveView(
            move=number,
            epoch=number,
            at=1_700_000_000.0,
            slot="n0/cpu1",
            donor=donor,
            receiver=receiver,
            reason=f"worth more to {receiver}",
            gain_usd_per_s=1e-6,
            deadline_s=2.0,
            state="done",
            seconds=0.1,
        )
        ledger.append("move", move.slot, move.model_dump())
    ledger.close()
    return tmp_path


def test_why_says_when_other_programs_take_the_cores():
    def told(supply: float) -> str:
        mine = standing("rank", supply=supply)
        return tell(Why(at=0.0, epoch=1, slots=4, mine=mine, others=(), next_slot_to=None, moves=()))

    assert "its slots had 52% of what they are sure of" in told(0.52)
    assert "take its cores" not in told(0.95)


@pytest.mark.parametrize(
    ("price", "said"),
    [
        ({"source": "configured"}, "A request is worth 2 µ$, the configured price: no product has earned with it."),
        ({"source": "fixed"}, "A request is worth 2 µ$, a fixed price."),
        (
            {"source": "measured", "configured_usd": 1e-6, "low_usd": 1.5e-6, "high_usd": 2.5e-6, "earned_usd": 0.4,
             "units": 2e5},
            "A request is worth 2 µ$, measured: products earned 0.4 $ with 200,000 requests of late, "
            "which says 1.5 µ$ to 2.5 µ$. Configured: 1 µ$.",
        ),
        (
            {"source": "measured", "low_usd": 1.5e-6, "high_usd": 2.5e-6, "earned_usd": 0.4, "units": 2e5,
             "by_product": {"ads": 0.5, "feed": -0.1}},
            "A request is worth 2 µ$, measured: products earned 0.4 $ with 200,000 requests of late, "
            "which says 1.5 µ$ to 2.5 µ$ (ads 2.5 µ$, feed -0.5 µ$ a request). Configured: 2 µ$.",
        ),
        (
            {"source": "fixed", "low_usd": -1e-7, "high_usd": 2.5e-6, "earned_usd": 0.4, "units": 2e5},
            "A request is worth 2 µ$, a fixed price; products earned 0.4 $ with 200,000 requests of late, "
            "which says -0.1 µ$ to 2.5 µ$.",
        ),
    ],
)  # fmt: skip
def test_why_tells_the_price_and_how_it_is_known(price, said):
    mine = standing("rank", price={"usd": 2e-6, "configured_usd": 2e-6, **price})
    assert said in tell(Why(at=0.0, epoch=1, slots=4, mine=mine, others=(), next_slot_to=None, moves=())).split("\n")


def test_why_tells_what_a_slot_is_worth_to_whom_and_the_moves_that_led_there(home, capsys):
    main(["pool", "why", "rank"])
    told = capsys.readouterr().out
    assert "rank has 1 of 4 slots (floor 0, ceiling 4)" in told
    assert "must expect 90 requests/s; a slot does 80" in told
    assert "Its last slot is worth 12 µ$/s to it, and would be worth 4 µ$/s to train." in told
    assert "One more would be worth 1.5 µ$/s to it." in told
    assert "A slot more in the pool would go to train." in told
    assert "got n0/cpu1 from train: worth more to rank" in told
    assert "gave n0/cpu1 to serve" in told
    assert "worth more to train" not in told


def test_moves_from_before_donor_and_receiver_had_their_names_are_told_alike(home, capsys):
    with closing(Ledger(f"sqlite:///{home / 'ledger.db'}")) as ledger:
        old = ledger.latest("move")[0].body | {"source": "serve", "target": "rank", "price_usd_per_s": 2e-6}
        for name in ("donor", "receiver", "gain_usd_per_s"):
            del old[name]
        ledger.append("move", "n0/cpu0", old | {"slot": "n0/cpu0"})
    main(["pool", "why", "rank"])
    assert "got n0/cpu0 from serve" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("attained", "provided", "worth", "done", "said"),
    [
        (0.99999, 0.88, 1.0, "99.99%", "88% of what it must expect is worth the price."),
        (0.94, 1.0, 3.214, "94%", "until then an answer is worth 3.21 times its price."),
        (1.0, 1.0, 3.214, "100%", "until it has something in reserve an answer is worth 3.21 times its price."),
        (0.95, 1.0, 1.0, "95%", "that goes by the price."),
    ],
)
def test_why_tells_what_a_workload_is_steered_to(attained, provided, worth, done, said):
    aim = Aim(attains=0.95, attained=attained, provided=provided, worth=worth)
    mine = standing("rank", aim=aim)
    told = tell(Why(at=0.0, epoch=1, slots=4, mine=mine, others=(), next_slot_to=None, moves=()))
    assert f"It answered {done} of its requests in time and shall answer 95%: {said}" in told


def test_why_tells_how_many_slots_a_workload_keeps_while_it_may_still_miss_requests():
    def told(kept: int | None) -> str:
        mine = standing("rank", held=3, aim=Aim(attains=0.95, attained=0.99, provided=0.9, worth=1.0, kept=kept))
        return tell(Why(at=0.0, epoch=1, slots=4, mine=mine, others=(), next_slot_to=None, moves=()))

    assert "Since it may still miss requests, it would keep 2 of its slots in a surge of another service." in told(2)
    assert "it would keep none of its slots" in told(0)
    assert not any("surge" in told(kept) for kept in (None, 3, 5))


def test_why_tells_that_a_target_is_out_of_reach():
    def told(**aim) -> str:
        mine = standing("rank", aim=Aim(attains=0.95, provided=1.0, **aim))
        return tell(Why(at=0.0, epoch=1, slots=4, mine=mine, others=(), next_slot_to=None, moves=()))

    assert "out of reach: an answer is worth 6.25 times" in told(attained=0.9, worth=6.25, owed=0.08, stretched=True)
    assert "no slots could have answered, so it is not made good" in told(attained=0.9, worth=1.0, owed=0.01)


def test_why_of_training_says_that_it_always_has_more_to_do(home, capsys):
    main(["pool", "why", "train", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (found["mine"]["held"], found["mine"]["demand_units_per_s"]) == (3, None)


def test_an_unknown_workload_is_named_with_those_that_there_are(home, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["pool", "why", "chat"])
    assert "it has rank, train" in capsys.readouterr().err


def test_shadow_sums_up_what_would_have_been(home, capsys):
    ledger = Ledger(f"sqlite:///{home / 'ledger.db'}")
    view = ShadowView(seconds=3600.0, slots={"rank": 1, "train": 3}, moves=12, real_usd=2.0, shadow_usd=2.5)
    ledger.append("shadow", "pool", view.model_dump())
    ledger.close()
    main(["pool", "shadow"])
    told = capsys.readouterr().out
    assert "In 1:00:00 of watching it would have made 12 moves" in told
    assert "(+25.0%)" in told


def test_without_a_shadow_it_says_how_to_start_one(home, capsys):
    with pytest.raises(SystemExit, match="1"):
        main(["pool", "shadow"])
    assert "tenfold up --shadow" in capsys.readouterr().err
