"""``rank-train`` as the pool runs it: it learns what is new, stops at a step, goes on, and what it learns is served."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from feed_files import write_items, write_segment

from idle import least_cpu_s
from tenfold.core.sound import damages
from tenfold.pool.news import has_news
from tenfold.pool.resident import Context
from tenfold.rank.artifact import describe, describe_at
from tenfold.rank.contract import RankRequest
from tenfold.rank.desk import RankDesk
from tenfold.rank.following import Following, fresh_folder, stale_folder, version_of
from tenfold.rank.rounds import Rounds
from tenfold.rank.segments import segments_folder
from tenfold.rank.snapshot import Snapshot, load_snapshot
from tenfold.rank.trainer import TrainerResident, create

WAIT_S = 120.0


def tell(home: Path, last_us: int, people: int, each: int = 5) -> None:
    """People who watch on from a film to the next, and a film that ranking has never seen."""
    draw = np.random.default_rng(last_us)
    rows = [
        {
            "person": f"p{person}",
            "item": str(1 + (start + step) % 60) if step else "brand-new",
            "surface": "home",
            "action": "opened",
            "session": f"{last_us}",
            "at": 1.7e9 + last_us + 60.0 * step + person,
        }
        for person, start in enumerate(draw.integers(60, size=people).tolist())
        for step in range(each)
    ]
    write_items(segments_folder(home), [{"item": "brand-new", "title": "Brand new", "attributes": ["genre:Comedy"]}])
    write_segment(segments_folder(home), 0, last_us, rows)


def resident(home: Path, cache: Path, slot: str = "n0/cpu0", share: float | None = None) -> TrainerResident:
    found = create(Context(slot, 1, home, cache, {}, {}, "token", cpu_share=share))
    assert isinstance(found, TrainerResident)
    found.load()
    return found


async def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        await asyncio.sleep(0.02)


async def test_what_is_new_is_learned_and_served_without_a_restart(trained_cache: Path, movielens, tmp_path: Path):
    def open_desk(snapshot: Snapshot, version: str) -> RankDesk:
        return RankDesk(
            snapshot, version, movielens, {}, lambda: pytest.fail("no text is read"), threads=1, state_bytes=0
        )

    serving = Following(trained_cache, tmp_path, open_desk)
    serving.load()
    first = serving.desk(stale=False).version
    trainer = resident(tmp_path, trained_cache)
    folder, mark = segments_folder(tmp_path), tmp_path / "rank" / "learned.json"
    try:
        await trainer.wake()
        await until(lambda: trainer.counters().requests > 0)
        assert (trainer.counters().units, has_news(folder, mark)) == (0, False)
        tell(tmp_path, 10, people=40)
        assert has_news(folder, mark)
        await until(lambda: trainer.counters().units >= 200)
        await until(lambda: not has_news(folder, mark))
        await trainer.sleep(60.0)
    finally:
        trainer.close()
    serving._look()
    meta = describe_at(fresh_folder(tmp_path))
    assert serving.desk(stale=False).version == version_of(meta) != first
    assert serving.desk(stale=True).version == first, "what was served until now is the stale one"
    assert "home" in meta.surfaces
    answer = json.loads(serving.desk(stale=False).rank(RankRequest(history=("brand-new", 1), surface="home", k=5)))
    assert answer["snapshot"] == version_of(meta) and len(answer["items"]) == 5
    learned = Rounds(tmp_path, trained_cache, 1.0).learned()
    assert (learned.rounds, learned.events) == (1, 200)
    assert learned.loss is not None and np.isfinite(learned.loss)

    # A snapshot that is damaged is not taken, and is not looked at again and again.
    (fresh_folder(tmp_path) / meta.tensor_file).write_bytes(b"nothing")
    (fresh_folder(tmp_path) / "meta.json").touch()
    serving._look()
    assert serving.desk(stale=False).version == version_of(meta)
    assert stale_folder(tmp_path).exists()


@pytest.mark.parametrize("harm", ["another version", "damaged"])
def test_ranking_is_learned_anew_where_what_was_learned_last_cannot_be_read(
    trained_cache: Path, tmp_path: Path, harm: str
):
    rounds = Rounds(tmp_path, trained_cache, stale_s=1e9)
    fresh, stale = fresh_folder(tmp_path), stale_folder(tmp_path)
    tell(tmp_path, 10, people=20)
    assert rounds.learn(lambda _: None) == 100
    if harm == "damaged":
        (fresh / describe_at(fresh).tensor_file).write_bytes(b"nothing")
    else:
        for folder in (fresh, stale):
            meta = json.loads((folder / "meta.json").read_text())
            (folder / "meta.json").write_text(json.dumps({**meta, "format": meta["format"] - 1}))
    tell(tmp_path, 20, people=20)
    assert rounds.learn(lambda _: None) == 100
    assert version_of(describe_at(stale)) == version_of(describe(trained_cache))
    assert "brand-new" in load_snapshot(fresh).items.row_of()
    assert len(damages([tmp_path / "rank"])) == (harm == "damaged")


async def test_it_stops_at_a_step_uses_no_cpu_asleep_and_goes_on(trained_cache: Path, tmp_path: Path):
    tell(tmp_path, 10, people=120, each=8)
    trainer = resident(tmp_path, trained_cache, share=0.5)
    try:
        await trainer.wake()
        await until(lambda: trainer.counters().units > 0)
        await trainer.sleep(60.0)
        before = trainer.counters()
        assert before.in_flight == 0
        assert least_cpu_s(time.process_time, 0.05) <= 0.05
        assert trainer.counters().units == before.units
        await trainer.wake()
        await until(lambda: Rounds(tmp_path, trained_cache, 1.0).learned().rounds == 1)
        await until(lambda: trainer.counters().units == 960)
        await trainer.sleep(60.0)
    finally:
        trainer.close()


async def test_another_resident_takes_over_what_one_that_sleeps_has_in_hand(trained_cache: Path, tmp_path: Path):
    tell(tmp_path, 10, people=120, each=8)
    first = resident(tmp_path, trained_cache, share=0.3)
    second = resident(tmp_path, trained_cache, "n0/cpu1")
    rounds = Rounds(tmp_path, trained_cache, 1.0)
    try:
        await first.wake()
        await until(lambda: first.counters().units > 0)
        # While one is awake, another one waits.
        await second.wake()
        await asyncio.sleep(0.3)
        assert second.counters().requests == 0
        await first.sleep(60.0)
        await until(lambda: rounds.learned().rounds == 1)
        await second.sleep(60.0)
        await first.wake()
        looks = first.counters().requests
        await until(lambda: first.counters().requests > looks)
        await first.sleep(60.0)
        assert rounds.learned().rounds == 1, "what the first had in hand is dropped"
    finally:
        first.close()
        second.close()
