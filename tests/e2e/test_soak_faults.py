"""Twenty minutes of load during which every fault of ``bench/faults.py`` comes at random: nothing is lost.

Requests are judged as there: those that a killed front had in its hands are counted apart, and so many at most.
"""

import os
import random
import time
from collections import Counter

import pytest

from fault.catalog import FAULTS
from fault.judge import growth, is_flat, ledger_gaps
from fault.kinds import Fault
from fault.load import Load
from fault.pool import prepare, running
from fault.trial import explain, settle, suffer, tallies

MINUTES = float(os.environ.get("TENFOLD_SOAK_MINUTES", "20"))
SEED = int(os.environ.get("TENFOLD_SOAK_SEED", str(random.SystemRandom().randrange(10_000))))
LIMIT_S = 60.0
DAY_S = 240.0


@pytest.mark.soak
@pytest.mark.timeout(60 * MINUTES + 900)
def test_faults_at_random_lose_nothing_and_leave_memory_flat(tmp_path):
    """Memory is the proportional size (PSS) of all processes of the pool, read each time that it is whole again.

    The first quarter of the run is its warm-up. Memory is flat if the median of the last quarter is at most 5% and 60
    MB above that of the second.
    """
    print(f"\nseed {SEED}, {MINUTES:g} minutes; again with TENFOLD_SOAK_SEED={SEED}")
    prepare()
    chance, suffered, memory = random.Random(SEED), [], []
    with running(tmp_path) as pool:
        load = Load(pool.url, DAY_S, SEED)
        time.sleep(10)
        assert settle(pool, LIMIT_S), pool.missing(-1)
        began = time.monotonic()
        # Each fault once in an order of chance, then again: twenty minutes see each about three times.
        turn: list[Fault] = []
        while time.monotonic() - began < 60 * MINUTES:
            turn = turn or chance.sample(FAULTS, len(FAULTS))
            each = suffer(pool, turn.pop(), LIMIT_S)
            suffered.append(each)
            print(f"{time.monotonic() - began:6.0f} s  {each.fault.name}: whole after {each.whole_s or -1:.1f} s")
            if each.whole_s is None:
                # Its home is gone with it, and a machine that others use looks like a fault of the pool's.
                explain(pool)
            assert each.happened, each.note
            assert each.whole_s is not None, each.note
            assert settle(pool, LIMIT_S), pool.missing(-1)
            memory.append((time.monotonic() - began, pool.memory_mb()))
        assert load.stop(patience_s=15) == 0
        counted = tallies(suffered, load)
        gaps = ledger_gaps(pool.home)
        step = pool.step()
    assert pool.left_behind() == []
    report(suffered, counted, memory, step)
    lost = [
        f"{each.fault.name}: {tally.failed} of the load ({tally.ends}), {each.own_failed} of the fault's own"
        for each, tally in zip(suffered, counted, strict=True)
        if tally.failed or each.own_failed
    ]
    assert lost == [], "\n".join(lost)
    assert max(each.steps_lost for each in suffered) <= 1
    assert gaps == {}
    early_mb, late_mb = growth(memory, 60 * MINUTES)
    print(f"memory: {early_mb:.0f} MB after the warm-up, {late_mb:.0f} MB at the end")
    assert is_flat(early_mb, late_mb), memory


def report(suffered, counted, memory, step) -> None:
    times = Counter(each.fault.name for each in suffered)
    for name, count in sorted(times.items()):
        mine = [(each, tally) for each, tally in zip(suffered, counted, strict=True) if each.fault.name == name]
        worst = max(each.whole_s for each, _ in mine)
        failed = sum(tally.failed + each.own_failed for each, tally in mine)
        in_hand, cut = sum(tally.in_hand for _, tally in mine), sum(tally.cut for _, tally in mine)
        shed = sum(tally.shed for _, tally in mine)
        print(
            f"{name:<20}{count:>3} times  failed {failed}  in hand {in_hand}  cut {cut}  shed {shed}  "
            f"whole within {worst:.1f} s"
        )
    print(f"answered {sum(tally.answered for tally in counted)}, training reached step {step}")
    print("memory, MB at seconds:", ", ".join(f"{mb:.0f} at {at:.0f}" for at, mb in memory))
