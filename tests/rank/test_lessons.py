"""What is learned: every event once, nothing that its person had seen as a negative, new events with some old ones."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tenfold.rank.lessons import Lessons, windows_of
from tenfold.rank.recipe import Recipe
from tenfold.rank.stream import Events

ITEMS = 30
RECIPE = Recipe(width=8, length=5, negatives=12, batch_events=20, anywhere=0.0)
HISTORIES = st.lists(st.lists(st.integers(0, ITEMS - 1), min_size=1, max_size=17, unique=True), min_size=1, max_size=8)


def events_of(histories: list[list[int]]) -> Events:
    person = [index for index, history in enumerate(histories) for _ in history]
    rows = [row for history in histories for row in history]
    at = [float(place) for history in histories for place in range(len(history))]
    return Events.of(person, rows, at)


@given(HISTORIES, st.integers(0, 4), st.integers(0, 3))
def test_every_event_is_a_target_once_and_no_window_reads_across_people(
    histories: list[list[int]], context: int, seed: int
):
    events = events_of(histories)
    windows = windows_of(events, RECIPE.length, context, np.random.default_rng(seed))
    targets = [place for start, end in zip(windows.target, windows.end, strict=True) for place in range(start, end)]
    assert sorted(targets) == list(range(len(events)))
    assert (windows.end - windows.first <= RECIPE.length).all()
    assert (events.person_E[windows.first] == events.person_E[windows.end - 1]).all()
    assert (windows.origin <= windows.first).all() and (windows.first <= windows.target).all()


@given(HISTORIES, st.booleans())
def test_what_a_person_had_is_no_negative(histories: list[list[int]], seen_again: bool):
    events = events_of(histories)
    lessons = Lessons(events, np.ones((1, ITEMS), np.bool_), RECIPE, seen_again=seen_again)
    had = {(index, row): place for index, history in enumerate(histories) for place, row in enumerate(history)}
    learned = 0
    for batch in lessons.epoch(np.random.default_rng(0)):
        (rivals,) = batch.rivals
        learned += batch.events
        target = batch.item_BL.flatten()[rivals.target_T]
        masked = {(int(place), int(column)) for place, column in zip(*rivals.masked, strict=True)}
        rows = batch.unique_U[target].tolist()
        negatives = batch.unique_U[rivals.negative_N].tolist()
        for number, row in enumerate(rows):
            owners = [index for index in range(len(histories)) if (index, row) in had]
            for column, negative in enumerate(negatives):
                may = {had.get((owner, negative), 99) <= had[owner, row] for owner in owners}
                if seen_again:
                    assert ((number, column) in masked) == (negative == row)
                elif len(may) == 1:
                    assert ((number, column) in masked) == may.pop()
        assert list(rivals.masked[0]) == sorted(rivals.masked[0])
    assert learned == len(events)


def test_only_what_is_new_and_as_much_of_the_old_is_learned():
    histories = [list(range(start, start + 8)) for start in range(0, 20, 2)]
    events = events_of(histories)
    lessons = Lessons(events, np.ones((1, ITEMS), np.bool_), RECIPE, since=6.0, replay=0.5)
    learned = sum(batch.events for batch in lessons.epoch(np.random.default_rng(0)))
    new = int((events.at_E >= 6.0).sum())
    assert new <= learned <= new + 0.5 * new


def test_a_surface_competes_with_its_own_items_only():
    allowed = np.zeros((2, ITEMS), np.bool_)
    allowed[0, :10] = allowed[1, 10:] = True
    rows = np.arange(ITEMS)
    events = Events.of(rows // 6, rows, surface=(rows >= 10).astype(int))
    lessons = Lessons(events, allowed, RECIPE)
    for batch in lessons.epoch(np.random.default_rng(0)):
        for rivals in batch.rivals:
            surfaces = batch.surface_BL.flatten()[rivals.target_T].unique().tolist()
            assert len(surfaces) == 1
            assert allowed[surfaces[0], batch.unique_U[rivals.negative_N].numpy()].all()


def test_few_events_make_small_batches():
    events = events_of([list(range(ITEMS)) for _ in range(100)])
    allowed_SI = np.ones((1, ITEMS), dtype=np.bool_)
    lessons = Lessons(events, allowed_SI, RECIPE.model_copy(update={"batch_events": 2000}))
    assert 20 <= lessons.steps() <= 60
