"""A snapshot that serves: the next request knows the last event, kept states change no answer, and the rest is known
of nobody.
"""

import copy
import dataclasses
import gc
import tracemalloc
from collections import Counter

import numpy as np
import pytest
import torch

from tenfold.rank.contract import Filters
from tenfold.rank.learn import Learning, learn
from tenfold.rank.person import Reader
from tenfold.rank.ranker import Ranker
from tenfold.rank.recipe import Recipe
from tenfold.rank.served import Served, Wanted
from tenfold.rank.snapshot import Snapshot
from tenfold.rank.states import KEPT_S
from tenfold.rank.stream import Events, Item, Items, Stream
from tenfold.rank.surface import SurfaceSettings

ITEMS, PEOPLE, LENGTH = 48, 80, 8
RECIPE = Recipe(width=16, length=LENGTH, negatives=40, batch_events=300, epochs=6, learning_rate=0.02, dropout=0.1)
NOW = 2e9
NEW = np.arange(3, ITEMS, 10)


def stream() -> Stream:
    """People go on to the next item; who meets an item of the second half likes it."""
    draw = np.random.default_rng(0)
    starts = draw.integers(ITEMS, size=PEOPLE).tolist()
    rows = np.array([(start + step) % ITEMS for start in starts for step in range(12)])
    person = np.repeat(np.arange(PEOPLE), 12)
    at = 1e9 + 60.0 * np.tile(np.arange(12), PEOPLE)
    liked = rows >= ITEMS // 2
    items = tuple(
        Item(
            row,
            f"Item {row}",
            attributes=(f"sixth:{row // 8}",),
            author=f"author {row % 5}",
            surfaces=(("even", "odd")[row % 2],),
            length_s=60.0,
        )
        for row in range(ITEMS)
    )
    events = Events.of(person, rows, at, surface=rows % 2, actions=1 + 2 * liked, watched=np.where(liked, 0.9, 0.2))
    return Stream(("even", "odd"), ("opened", "liked"), tuple(range(PEOPLE)), Items(items), events)


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    found = stream()
    return learn(found, found.events, Learning(RECIPE), lambda _: None)


def with_new(snapshot: Snapshot, lift: float) -> Snapshot:
    """The same with ``NEW`` items known by their content alone, and a lift of that length."""
    network = copy.deepcopy(snapshot.network)
    network.known_I[NEW] = False
    person = Events.of(np.zeros(1), np.zeros(1), np.zeros(1))
    (query_D,) = Ranker(network, RECIPE).queries([person], [1])
    network.cold_lift.copy_(torch.from_numpy(lift * query_D))
    return dataclasses.replace(snapshot, network=network)


def served(snapshot: Snapshot, state_bytes: int = 0, **settings: SurfaceSettings) -> Served:
    return Served(snapshot, settings, state_bytes=state_bytes)


def history(*rows: int) -> Events:
    at = 1e9 + 60.0 * np.arange(len(rows))
    return Events.of(np.zeros(len(rows)), rows, at, surface=np.array(rows, dtype=np.int64) % 2, actions=1)


def rows_of(found: Served, events: Events, person: str | None = None, **wanted: object) -> list[int]:
    ranking = found.rank(person, events, Wanted(**{"k": 5, **wanted}), np.random.default_rng(0), NOW)
    return [pick.row for pick in ranking.picks]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a history was read whole, and an event appended, by whoever keeps states."""
    counted: Counter[str] = Counter()
    for name in ("read", "append"):
        whole = getattr(Reader, name)

        def counting(*arguments, name=name, whole=whole):
            counted[name] += 1
            return whole(*arguments)

        monkeypatch.setattr(Reader, name, counting)
    return counted


def test_a_kept_state_gives_the_list_that_reading_everything_gives(snapshot: Snapshot, calls: Counter[str]):
    keeps, reads = served(snapshot, state_bytes=1 << 20), served(snapshot)
    seen = [5, 6, 30, 31, 32, 7, 8, 9, 10, 11, 12, 40, 41]
    for end in range(len(seen) + 1):
        told = history(*seen[:end])
        kept = keeps.rank("ann", told, Wanted(k=5, surface="even"), np.random.default_rng(0), NOW)
        anew = reads.rank(None, told, Wanted(k=5, surface="even"), np.random.default_rng(0), NOW)
        assert [pick.row for pick in kept.picks] == [pick.row for pick in anew.picks]
        np.testing.assert_allclose(kept.query_D, anew.query_D, atol=1e-5)
    # Without events, and with the first; the other one reads each history anew.
    assert calls == {"read": 2 + len(seen) + 1, "append": len(seen) - 1}, "only what is new is read"


def test_an_event_counts_in_the_next_request(snapshot: Snapshot, calls: Counter[str]):
    found = served(snapshot, state_bytes=1 << 20)
    before = found.rank("ann", history(3, 4), Wanted(k=5), np.random.default_rng(0), NOW)
    after = found.rank("ann", history(3, 4, 40), Wanted(k=5), np.random.default_rng(0), NOW)
    assert 41 in [pick.row for pick in after.picks] and 41 not in [pick.row for pick in before.picks]
    assert calls == {"read": 1, "append": 1}


def test_a_history_that_is_not_the_one_before_is_read_anew(snapshot: Snapshot, calls: Counter[str]):
    found = served(snapshot, state_bytes=1 << 20)
    rows_of(found, history(3, 4, 5), "ann")
    assert rows_of(found, history(3, 9, 5), "ann") == rows_of(found, history(3, 9, 5))
    assert calls == {"read": 3}


def test_states_keep_within_their_bytes_and_the_oldest_goes(snapshot: Snapshot):
    found = served(snapshot, state_bytes=40_000)
    for person in range(30):
        rows_of(found, history(*range(person, person + LENGTH)), f"p{person}")
        assert found.states.bytes <= 40_000
    assert 1 < len(found.states) < 30
    assert served(snapshot, state_bytes=0).states.bytes == 0


def test_a_kept_state_holds_no_more_memory_than_is_counted(snapshot: Snapshot):
    """Somebody with a long history is kept by their latest events alone."""
    found = served(snapshot, state_bytes=1 << 24)
    rows_of(found, history(*range(LENGTH)), "first")
    gc.collect()
    tracemalloc.start()
    before, counted = tracemalloc.get_traced_memory()[0], found.states.bytes
    for person in range(20):
        found.states.state(f"p{person}", history(*(np.arange(10_000 + person) % ITEMS)))
    gc.collect()
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert held <= found.states.bytes - counted


def test_a_state_goes_when_its_person_has_not_been_here_for_long(snapshot: Snapshot):
    found, now = served(snapshot, state_bytes=1 << 20), [0.0]
    found.states._clock = lambda: now[0]
    for person, at in (("ann", 0.0), ("bob", 1000.0), ("ann", 1500.0), ("cat", KEPT_S + 1200.0)):
        now[0] = at
        rows_of(found, history(1, 2, 3), person)
    assert len(found.states) == 2, "bob has not been here for longest"


def test_a_surface_has_its_items_and_its_weights(snapshot: Snapshot):
    likes = SurfaceSettings(relevance=0.0, actions={"liked": 1.0}, diversity=0.0, author_decay=1.0)
    found = served(snapshot, even=likes)
    told = history(2, 3, 4)
    rows = rows_of(found, told, surface="even", k=10)
    assert all(row % 2 == 0 for row in rows)
    assert np.mean(np.array(rows) >= ITEMS // 2) > np.mean(np.array(rows_of(found, told, k=10)) >= ITEMS // 2)
    ranking = found.rank(None, told, Wanted(k=10, surface="even", explain=True), np.random.default_rng(0), NOW)
    assert all(pick.value == pytest.approx(sum(pick.terms.values())) for pick in ranking.picks)
    assert all(set(pick.chances) == {"opened", "liked"} for pick in ranking.picks)


def test_reasons_are_events_of_the_person(snapshot: Snapshot):
    found = served(snapshot)
    told = history(*range(20), 30, 31)
    ranking = found.rank(None, told, Wanted(k=3, explain=True), np.random.default_rng(0), NOW)
    assert ranking.picks[0].row == 32
    assert len(told) - 1 in ranking.picks[0].because, "the latest event leads to the next item"
    assert all(len(told) - LENGTH <= place < len(told) for pick in ranking.picks for place in pick.because)


def test_who_is_unknown_and_a_surface_that_is_new_get_a_list(snapshot: Snapshot):
    found = served(snapshot)
    assert len(rows_of(found, history())) == 5
    assert len(rows_of(found, history(), surface="odd")) == 5
    assert len(rows_of(found, history(1, 2), surface="came yesterday", explain=True)) == 5


def test_only_what_may_be_shown_is_shown(snapshot: Snapshot):
    found = served(snapshot)
    told = history(3, 4, 5)
    assert not {3, 4, 5} & set(rows_of(found, told, k=ITEMS))
    assert set(rows_of(found, told, only=np.array([6, 7, 4]))) == {6, 7}
    assert 6 not in rows_of(found, told, without=np.array([6]), k=ITEMS)
    assert set(rows_of(found, told, filters=Filters(attributes=("sixth:5",)), k=ITEMS)) == set(range(40, 48))
    assert {3, 4, 5} <= set(rows_of(found, told, seen_again=True, k=ITEMS))


def test_chance_shows_what_would_not_be_shown_and_says_how_likely_that_was(snapshot: Snapshot):
    explores = served(snapshot, even=SurfaceSettings(explore=0.5))
    draw = np.random.default_rng(3)
    wanted = Wanted(k=3, surface="even")
    lists = [explores.rank(None, history(2, 4), wanted, draw, NOW) for _ in range(40)]
    assert len({tuple(pick.row for pick in ranking.picks) for ranking in lists}) > 5
    assert all(0 < pick.propensity < 1 for ranking in lists for pick in ranking.picks)


def test_items_never_seen_lie_near_those_that_share_their_attributes(snapshot: Snapshot):
    found = served(snapshot)
    new = dataclasses.replace(found.items[42], id="new")
    (vector,) = found.embed([new], None)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
    score = found.vector_ID @ vector
    same = np.array([item.attributes == new.attributes for item in found.items])
    assert score[same].mean() > score[~same].mean()


def test_a_list_that_is_varied_has_as_many_new_items_as_one_that_is_not(snapshot: Snapshot):
    lifted = with_new(snapshot, 3.0)
    varied, plain = (
        served(lifted, odd=SurfaceSettings(diversity=diversity)) for diversity in (SurfaceSettings().diversity, 0.0)
    )
    new = [
        np.mean([np.isin(rows_of(found, history(row, row + 2), surface="odd", k=10), NEW).sum() for row in range(20)])
        for found in (varied, plain)
    ]
    assert new[1] > 1
    assert 0.8 * new[1] <= new[0] <= 1.2 * new[1]


def test_what_is_told_of_a_new_item_and_after_it_is_by_its_own_vector(snapshot: Snapshot):
    """Its lift says how often it is shown, and nothing else."""
    pair = with_new(snapshot, 3.0), with_new(snapshot, 0.0)
    lifts, lifts_not = map(served, pair)
    np.testing.assert_allclose(np.linalg.norm(lifts.vector_ID, axis=1), 1.0, atol=1e-5)
    only = np.concatenate([NEW, NEW + 1])
    wanted = Wanted(k=len(only), only=only, explain=True)
    told = history(5, 6, int(NEW[2]), int(NEW[1]))
    one, other = (found.rank(None, told, wanted, np.random.default_rng(0), NOW) for found in (lifts, lifts_not))
    np.testing.assert_allclose(one.query_D, other.query_D, atol=1e-6)
    by_row = {pick.row: pick for pick in other.picks}
    for pick in one.picks:
        assert pick.chances == pytest.approx(by_row[pick.row].chances, abs=1e-5)
        assert pick.because == by_row[pick.row].because
        assert (abs(pick.score - by_row[pick.row].score) > 1e-3) == (pick.row in NEW)
    rankers = [Ranker(each.network, RECIPE) for each in pair]
    np.testing.assert_allclose(*(ranker.queries([told], [1]) for ranker in rankers), atol=1e-6)
