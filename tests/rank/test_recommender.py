"""The recommender on data that anyone could bring: people who follow a simple rule, which it has to find."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tenfold.cli.main import main
from tenfold.core.errors import UsageError
from tenfold.rank.contract import Filters
from tenfold.rank.fit import Curve, fit
from tenfold.rank.learn import Learning, learn, prepared
from tenfold.rank.more import _take_over
from tenfold.rank.person import Reader
from tenfold.rank.ranker import Ranker
from tenfold.rank.recipe import Recipe
from tenfold.rank.recommender import Recommender
from tenfold.rank.stream import Events, Item, Items, Stream, joined

ITEMS, PEOPLE = 40, 150
RECIPE = Recipe(width=16, length=10, negatives=40, batch_events=300, epochs=6, learning_rate=0.02, dropout=0.1)


def chains(draw: np.random.Generator) -> list[list[int]]:
    """Each person begins anywhere and goes on to the next item, six times."""
    return [[(start + step) % ITEMS for step in range(6)] for start in draw.integers(ITEMS, size=PEOPLE).tolist()]


def stream_of(histories: list[list[int]]) -> Stream:
    person = [index for index, history in enumerate(histories) for _ in history]
    rows = [row for history in histories for row in history]
    surface = [row % 2 for row in rows]
    items = tuple(
        Item(f"i{row}", f"Item {row}", attributes=(f"third:{row // 3}",), surfaces=(("even", "odd")[row % 2],))
        for row in range(ITEMS)
    )
    at = [1e9 + 60 * index + 3600 * place for index, history in enumerate(histories) for place in range(len(history))]
    events = Events.of(person, rows, at, surface=surface)
    return Stream(
        ("even", "odd"), ("chosen",), tuple(f"p{index}" for index in range(len(histories))), Items(items), events
    )


@pytest.fixture(scope="module")
def stream() -> Stream:
    return stream_of(chains(np.random.default_rng(0)))


@pytest.fixture(scope="module")
def fitted(stream: Stream) -> Recommender:
    return Recommender(recipe=RECIPE).fit(stream)


def test_the_rule_is_found_on_the_surface_that_is_asked_for(fitted: Recommender, stream: Stream):
    found = 0
    for index in range(20):
        last = int(stream.events.histories()[index][-1])
        surface = ("even", "odd")[(last + 1) % 2]
        (best, *_) = fitted.recommend(f"p{index}", surface, 3)
        found += best.item == f"i{(last + 1) % ITEMS}"
        assert all(int(str(each.item)[1:]) % 2 == (last + 1) % 2 for each in fitted.recommend(f"p{index}", surface, 20))
    assert found >= 17


def test_an_event_counts_in_the_very_next_list(fitted: Recommender):
    before = fitted.recommend("somebody new", k=1)
    fitted.observe({"person": "somebody new", "item": "i7", "at": 2e9})
    assert fitted.recommend("somebody new", "even", 1)[0].item == "i8"
    fitted.observe({"person": "somebody new", "item": "i8", "at": 2e9 + 3600})
    assert fitted.recommend("somebody new", "odd", 1)[0].item == "i9"
    assert "i7" not in [each.item for each in fitted.recommend("somebody new", k=ITEMS)]
    assert before
    with pytest.raises(UsageError, match="known item"):
        fitted.observe({"person": "somebody new", "item": "i99"})


def test_an_objective_puts_what_is_liked_before_what_comes_next(stream: Stream, tmp_path: Path):
    """People like every fifth item, whatever they came from."""
    events = stream.events
    bits = 1 + 2 * (events.row_E % 5 == 0)
    liked = Events(events.person_E, events.row_E, events.surface_E, bits, events.watched_E, events.at_E)
    rated = replace(stream, actions=("chosen", "liked"), events=liked)
    longer = RECIPE.model_copy(update={"epochs": 20, "batch_events": 60})
    wants_likes = Recommender(objective={"liked": 100.0}, recipe=longer).fit(rated)
    wants_likes.save(tmp_path)
    plain = Recommender().load(tmp_path).give(rated)
    found = wants_likes.recommend("p3", "even", k=4, explain=True)
    assert sum(int(str(each.item)[1:]) % 5 == 0 for each in found) >= 3
    assert found[0].chances["liked"] > 0.5
    assert found[0].terms["liked"] == pytest.approx(100 * found[0].chances["liked"])
    assert set(found[0].because) <= {f"i{row}" for row in stream.events.histories()[3]}
    assert [each.item for each in plain.recommend("p3", "even", k=4)] != [each.item for each in found]
    only = wants_likes.recommend("p3", "even", k=4, filters=Filters(attributes=("third:2",)))
    assert {each.item for each in only} <= {"i6", "i8"}
    without = Recommender(actions=["liked"], recipe=RECIPE).give(rated).stream
    assert (without.actions, set(without.events.actions_E.tolist())) == (("liked",), {0, 1})
    with pytest.raises(UsageError, match="no action 'bought'"):
        Recommender(objective={"bought": 1.0}).load(tmp_path).recommend("p3")


def test_what_was_saved_recommends_the_same(fitted: Recommender, stream: Stream, tmp_path: Path):
    fitted.save(tmp_path / "ranker")
    loaded = Recommender().load(tmp_path / "ranker").give(stream)
    for person in ("p0", "p1", "nobody"):
        assert loaded.recommend(person, "odd", 5) == fitted.recommend(person, "odd", 5)


def test_a_history_that_was_given_later_is_told_in_the_terms_of_what_was_learned(
    fitted: Recommender, stream: Stream, tmp_path: Path
):
    """Items and surfaces that came since stand before those that are known; what was done there is left out."""
    fitted.save(tmp_path / "ranker")
    old = stream.events
    items = Items((Item("a new one", surfaces=("another",)), *stream.items.all))
    moved = Events(old.person_E, old.row_E + 1, old.surface_E + 1, old.actions_E, old.watched_E, old.at_E)
    added = Events.of([0], [0], [2e9], surface=0)
    longer = replace(stream, surfaces=("another", *stream.surfaces), items=items, events=joined([moved, added]))
    given = Recommender().load(tmp_path / "ranker").give(longer)
    for person in ("p0", "p1"):
        assert given.recommend(person, "odd", 5) == fitted.recommend(person, "odd", 5)


def stop_late(done: float) -> None:
    if done > 0.7:
        raise KeyboardInterrupt


def test_a_run_that_was_stopped_goes_on_to_the_same_network(stream: Stream, tmp_path: Path):
    how, keep = Learning(RECIPE.model_copy(update={"epochs": 3})), tmp_path / "training.pt"
    whole = learn(stream, stream.events, how, lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        learn(stream, stream.events, how, stop_late, keep=keep)
    assert keep.exists()
    told: list[float] = []
    again = learn(stream, stream.events, how, told.append, keep=keep)
    assert told[0] > 0.6, "what was learned is not learned again"
    assert not keep.exists()
    for name, tensor in whole.network.state_dict().items():
        assert tensor.equal(again.network.state_dict()[name]), name


def test_a_run_that_a_version_with_another_network_kept_begins_anew(stream: Stream, tmp_path: Path):
    how, keep = Learning(RECIPE.model_copy(update={"epochs": 3})), tmp_path / "training.pt"
    network, lessons = prepared(stream, stream.events, how)
    del network.candidate  # As if there had been none; these data foretell no actions.
    with pytest.raises(KeyboardInterrupt):
        fit(network, lessons, how.recipe, how.seed, stop_late, keep=keep)
    assert keep.exists()
    told: list[float] = []
    learn(stream, stream.events, how, told.append, keep=keep)
    assert told[0] < 0.3, "all is learned again"


def test_a_surface_on_which_nothing_happened_yet_keeps_asking_by_its_own_events(stream: Stream):
    """Weight decay would pull that to 0 before the first event comes."""
    surfaces = replace(stream, surfaces=("even", "odd", "quiet"))
    network = learn(surfaces, stream.events, Learning(RECIPE), lambda _: None).network
    assert network.surface_bias is not None and network.latest_weight is not None
    untouched, _ = prepared(surfaces, stream.events, Learning(RECIPE))
    assert untouched.surface_bias is not None and untouched.latest_weight is not None
    assert network.surface_bias[:, 2].equal(untouched.surface_bias[:, 2])
    assert network.latest_weight[2].equal(untouched.latest_weight[2])


def test_what_is_like_any_event_of_a_history_comes_first_before_anything_is_learned(stream: Stream):
    """So what a person likes on the whole need not be found out, where events come in no order."""
    items = Items(tuple(replace(item, attributes=()) for item in stream.items))
    plain, recipe = replace(stream, items=items), RECIPE.model_copy(update={"width": 128})
    network, _ = prepared(plain, plain.events, Learning(recipe))
    ranker, draw = Ranker(network, recipe), np.random.default_rng(0)
    for surface in (0, 1, None):
        nearer = []
        for _ in range(30):
            row_L = draw.permutation(ITEMS)[:6]
            (score_I,) = ranker.score([Events.of(np.zeros(6), row_L, np.arange(6), surface=row_L % 2)], [surface])
            nearer.append(score_I[row_L[:4]].mean() - np.delete(score_I, row_L).mean())
        assert np.mean(nearer) > 1.0


def test_items_that_nobody_had_get_more_places_than_they_earn(stream: Stream):
    """Four of 40 items are taken out of all histories."""
    new = np.arange(3, ITEMS, 10)
    train = stream.events.select(~np.isin(stream.events.row_E, new))
    parts = [part for _, part in train.by_person()]
    histories = [train.select(slice(part.start, part.stop - 1)) for part in parts]
    share, order = {}, {}
    for places in (0.0, 5.0):
        recipe = RECIPE.model_copy(update={"cold_places": places})
        network = learn(stream, train, Learning(recipe), lambda _: None).network
        assert bool(network.cold_lift.any()) == (places > 0)
        score_QI = Ranker(network, recipe).score(histories, [int(train.surface_E[part.stop - 1]) for part in parts])
        share[places] = np.isin(np.argsort(-score_QI, axis=1)[:, :10], new).mean()
        order[places] = np.argsort(score_QI[:, np.setdiff1d(np.arange(ITEMS), new)], axis=1)
    assert share[5.0] > 1.2 * share[0.0]
    assert (order[0.0] == order[5.0]).all(), "the others keep their order"


def test_what_is_known_of_surfaces_is_taken_over_by_their_names(fitted: Recommender, stream: Stream):
    """What is expected on a surface is the same in a network that has another one before it."""
    before, old = fitted.snapshot, stream.events
    surfaces = ("new", "odd", "even")
    moved_E = np.array([surfaces.index(name) for name in stream.surfaces])[old.surface_E]
    events = Events(old.person_E, old.row_E, moved_E, old.actions_E, old.watched_E, old.at_E)
    longer = replace(stream, surfaces=surfaces, events=events)
    network, _ = prepared(longer, events, Learning(RECIPE, seed=1))
    with torch.no_grad():
        _take_over(network, longer, before)
    vectors = network.eval().item_vectors(torch.arange(ITEMS)).detach().numpy()
    was, now = (Reader(each, RECIPE.length) for each in (before.network, network))
    _, part = next(iter(events.by_person()))
    state_was, state_now = (
        reader.read(told.select(part), vectors[told.row_E[part]]) for reader, told in ((was, old), (now, events))
    )
    for name in (*before.meta.surfaces, None):
        place_was, place_now = (None if name is None else of.index(name) for of in (before.meta.surfaces, surfaces))
        np.testing.assert_allclose(was.query(state_was, place_was), now.query(state_now, place_now), atol=1e-5)


def test_events_that_are_no_numbers_leave_batches_out_and_not_the_network(stream: Stream):
    watched = np.full(len(stream.events), 0.5, np.float32)
    watched[:6] = np.inf
    events = stream.events
    broken = Events(events.person_E, events.row_E, events.surface_E, events.actions_E, watched, events.at_E)
    snapshot = learn(stream, broken, Learning(RECIPE.model_copy(update={"epochs": 1})), lambda _: None)
    assert all(tensor.isfinite().all() for tensor in snapshot.network.state_dict().values())


def test_what_is_new_is_learned_and_what_is_old_is_not_forgotten(stream: Stream):
    """New people jump by two over items that are there, and over two that are new."""
    items = Items((*stream.items.all, Item("n0", surfaces=("even",)), Item("n1", surfaces=("odd",))))
    rows = [
        row for start in range(0, 40, 2) for _ in range(4) for row in (start, ITEMS, ITEMS + 1, (start + 2) % ITEMS)
    ]
    person = [len(stream.people) + place // 4 for place in range(len(rows))]
    at = [2e9 + place for place in range(len(rows))]
    surface = [{ITEMS: 0, ITEMS + 1: 1}.get(row, row % 2) for row in rows]
    events = joined([stream.events, Events.of(person, rows, at, surface=surface)])
    people = (*stream.people, *(f"new{index}" for index in range(len(rows) // 4)))
    longer = Stream(stream.surfaces, stream.actions, people, items, events)
    recommender = Recommender(recipe=RECIPE).fit(stream)
    before = recommender.snapshot.meta
    recommender.go_on(longer)
    after = recommender.snapshot.meta
    assert (before.shape.items, after.shape.items, len(after.epochs)) == (ITEMS, ITEMS + 2, 2)
    recommender.observe({"person": "anyone", "item": "i4", "at": 3e9})
    recommender.observe({"person": "anyone", "item": "n0", "at": 3e9})
    assert recommender.recommend("anyone", "odd", 1)[0].item == "n1"
    recommender.observe({"person": "someone", "item": "i12", "at": 3e9})
    recommender.observe({"person": "someone", "item": "i13", "at": 3e9 + 3600})
    assert recommender.recommend("someone", "even", 2)[0].item == "i14"
    with pytest.raises(UsageError, match="nothing happened since"):
        recommender.go_on(longer)


def test_items_that_nobody_had_are_no_negatives(stream: Stream):
    """As such they would be pushed down, and with them whatever else is known by its content alone."""
    longer = replace(stream, items=Items((*stream.items.all, Item("new", surfaces=("even",)))))
    network, lessons = prepared(longer, longer.events, Learning(RECIPE))
    assert network.known_I.tolist() == [True] * ITEMS + [False]
    drawn = [
        batch.unique_U[rivals.negative_N]
        for batch in lessons.epoch(np.random.default_rng(0))
        for rivals in batch.rivals
    ]
    assert drawn and all(ITEMS not in rows.tolist() for rows in drawn)


def test_the_best_epoch_is_that_of_the_highest_validation():
    assert Curve([3.0, 2.0, 1.0], [0.1, 0.3, 0.2]).best_epoch == 2
    assert Curve([3.0, 2.0, 1.0], [0.1, 0.3, 0.3]).best_epoch == 3
    assert Curve([3.0, 2.0], []).best_epoch == 2


def test_the_commands_fit_evaluate_and_recommend(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    lines = [
        f"{index + 1} {' '.join(str(row + 1) for row in chain)}"
        for index, chain in enumerate(chains(np.random.default_rng(1)))
    ]
    (tmp_path / "chains.txt").write_text("\n".join(lines) + "\n")
    main(["rank", "fit", str(tmp_path), "--epochs", "2", "--json"])
    meta = json.loads(capsys.readouterr().out)
    assert (meta["data"]["people"], meta["data"]["items"], len(meta["epochs"])) == (PEOPLE, ITEMS, 2)
    main(["rank", "recommend", str(tmp_path), "3", "--k", "4", "--json"])
    listed = json.loads(capsys.readouterr().out)
    seen = {int(word) for word in lines[2].split()[1:]}
    assert len(listed) == 4 and not seen & {each["item"] for each in listed}
    main(["rank", "evaluate", str(tmp_path), "--epochs", "2", "--json"])
    table = json.loads(capsys.readouterr().out)["table"]
    assert {row["system"] for row in table} == {"model", "popularity", "item-kNN", "EASE"}
    with pytest.raises(SystemExit) as caught:
        main(["rank", "recommend", str(tmp_path), "4444"])
    assert caught.value.code == 2
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["rank", "evaluate", str(tmp_path), "--split", "time", "--epochs", "2"])
    assert "these events have no times" in capsys.readouterr().err


@pytest.mark.parametrize("rows", ["ann,1", "ann,1\nbob,2", "ann,1\nann,1"])
def test_events_of_which_nothing_can_be_foreseen_are_refused(tmp_path: Path, rows: str):
    (tmp_path / "events.csv").write_text(f"person,item\n{rows}\n")
    with pytest.raises(UsageError, match="nothing to learn"):
        Recommender().fit(tmp_path)
