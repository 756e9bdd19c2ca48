"""A state that grows by events is the one that reading all of them gives, and says what the trunk says in training."""

import numpy as np
import pytest
import torch

from tenfold.rank.network import Candidates, Features, Network, Tokens
from tenfold.rank.person import Reader, token_columns
from tenfold.rank.recipe import Recipe, Shape
from tenfold.rank.stream import Events

ITEMS, LENGTH = 40, 6


def network_of(blocks: int, surfaces: int = 3, widen: int = 2) -> Network:
    shape = Shape(
        items=ITEMS, attributes=5, content=7, surfaces=surfaces, actions=2, timed=True, judged=True, watched=True
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        features = Features(
            torch.randint(5, (2 * ITEMS,)), torch.arange(ITEMS + 1) * 2, torch.randn(ITEMS, 7), torch.ones(ITEMS) > 0
        )
        network = Network(Recipe(width=16, blocks=blocks, length=LENGTH, widen=widen), shape, features)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.4)
    return network.eval()


def some_events(count: int, surfaces: int = 3) -> Events:
    draw = np.random.default_rng(0)
    return Events.of(
        np.zeros(count),
        draw.integers(ITEMS, size=count),
        np.cumsum(draw.integers(1, 10_000, size=count)),
        surface=draw.integers(surfaces, size=count),
        actions=draw.integers(4, size=count),
        watched=draw.random(count),
    )


@pytest.mark.parametrize(("blocks", "surfaces"), [(1, 3), (2, 3), (1, 1)])
def test_appending_events_is_reading_them_anew(blocks: int, surfaces: int):
    network = network_of(blocks, surfaces)
    reader = Reader(network, LENGTH)
    vectors = network.item_vectors(torch.arange(ITEMS)).detach().numpy()
    events = some_events(2 * LENGTH, surfaces)
    state = reader.read(Events.none(), vectors[:0])
    for place in range(len(events)):
        state = reader.append(state, events.select(slice(place, place + 1)), vectors[events.row_E[place]])
        so_far = events.select(slice(place + 1))
        anew = reader.read(so_far, vectors[so_far.row_E])
        assert len(state) == min(place + 1, LENGTH)
        for surface in (*range(surfaces), None):
            np.testing.assert_allclose(reader.query(state, surface), reader.query(anew, surface), atol=1e-5)
        one, other = (reader.judge(each, surfaces - 1, vectors[:9]) for each in (state, anew))
        np.testing.assert_allclose(one.actions_KA, other.actions_KA, atol=1e-5)
        np.testing.assert_allclose(one.watched_KQ, other.watched_KQ, atol=1e-4)


@pytest.mark.parametrize("surface", [0, 1, 2, None])
@pytest.mark.parametrize(("blocks", "widen"), [(1, 2), (2, 2), (1, 0)])
def test_serving_says_what_training_learned(blocks: int, widen: int, surface: int | None):
    """After any part of a history, the empty one and one without an event on the surface too."""
    network = network_of(blocks, widen=widen)
    reader = Reader(network, LENGTH)
    vectors = network.item_vectors(torch.arange(ITEMS)).detach().numpy()
    events = some_events(LENGTH)
    columns = [torch.from_numpy(np.array(column))[None] for column in token_columns(events)]
    asked = torch.full((1, LENGTH + 1), 3 if surface is None else surface)
    vector_BLD = torch.from_numpy(vectors[events.row_E])[None]
    candidate_BLD = torch.from_numpy(vectors[:1]).expand(1, LENGTH + 1, -1)
    with torch.inference_mode():
        candidates = Candidates(candidate_BLD, torch.full((1, LENGTH + 1), surface or 0))
        hidden_BLD, judged_BLD = network(vector_BLD, Tokens(*columns, asked), candidates)
        assert judged_BLD is not None
        chance_LA = network.action_logits(judged_BLD[0]).sigmoid().numpy()
    for count in range(LENGTH + 1):
        so_far = events.select(slice(count))
        state = reader.read(so_far, vectors[so_far.row_E])
        np.testing.assert_allclose(reader.query(state, surface), hidden_BLD[0, count].numpy(), atol=1e-5)
        # A list for anywhere is judged as what it is: items each on a surface.
        judged = reader.judge(state, surface or 0, vectors[:1]).actions_KA
        np.testing.assert_allclose(judged, chance_LA[count : count + 1], atol=1e-5)


@pytest.mark.parametrize("surfaces", [1, 3])
def test_an_event_is_left_out_as_if_it_had_not_been(surfaces: int):
    """Where neither distance nor time counts: also the event that is asked by, and the only one."""
    network = network_of(1, surfaces)
    with torch.no_grad():
        assert network.after_gap is not None
        network.after_gap.weight.zero_()
        for block in network.blocks:
            block.distance_bias.zero_()
    reader = Reader(network, LENGTH)
    vectors = network.item_vectors(torch.arange(ITEMS)).detach().numpy()
    for count in (1, LENGTH):
        events = some_events(count, surfaces)
        state = reader.read(events, vectors[events.row_E])
        for surface in (*range(surfaces), None):
            without_LD = reader.without_each(state, surface)
            for place in range(count):
                rest = events.select(np.arange(count) != place)
                expected_D = reader.query(reader.read(rest, vectors[rest.row_E]), surface)
                np.testing.assert_allclose(without_LD[place], expected_D, atol=1e-5)


def test_a_network_that_looks_at_the_surface_asked_for_alone_answers_as_if_nothing_was_done_elsewhere():
    """So a model of all surfaces can be one of each surface, where surfaces tell nothing of one another."""
    network = network_of(1)
    with torch.no_grad():
        assert network.surface_bias is not None
        assert network.after_gap is not None
        network.surface_bias[:, :3] = torch.where(torch.eye(3) > 0, 0.0, -1e9)
        network.after_gap.weight.zero_()
        assert network.latest_weight is not None
        network.latest_weight.zero_()
        assert network.mean_bias is not None
        network.mean_bias[:3] = torch.where(torch.eye(3) > 0, 0.0, -1e9)
        for block in network.blocks:
            block.distance_bias.zero_()
    reader = Reader(network, LENGTH)
    vectors = network.item_vectors(torch.arange(ITEMS)).detach().numpy()
    events = some_events(LENGTH)
    everything = reader.read(events, vectors[events.row_E])
    surfaces = np.unique(events.surface_E).tolist()
    assert len(surfaces) > 1
    for surface in surfaces:
        there = events.select(events.surface_E == surface)
        alone = reader.read(there, vectors[there.row_E])
        np.testing.assert_allclose(reader.query(everything, surface), reader.query(alone, surface), atol=1e-5)
        np.testing.assert_allclose(
            reader.judge(everything, surface, vectors).actions_KA,
            reader.judge(alone, surface, vectors).actions_KA,
            atol=1e-5,
        )


def test_a_candidate_is_judged_the_same_alone_and_among_others():
    network = network_of(1)
    reader = Reader(network, LENGTH)
    vectors = network.item_vectors(torch.arange(ITEMS)).detach().numpy()
    events = some_events(4)
    state = reader.read(events, vectors[events.row_E])
    together = reader.judge(state, 0, vectors)
    alone = reader.judge(state, 0, vectors[5:6])
    np.testing.assert_allclose(alone.actions_KA[0], together.actions_KA[5], atol=1e-5)
    assert (np.diff(together.watched_KQ, axis=1) >= 0).all()


def test_an_item_never_seen_is_embedded_as_one_that_training_held_back():
    network = network_of(1)
    row = torch.tensor([3])
    held_back = network.item_vectors(row, dropped_N=torch.tensor([True]))
    unseen = Features(network.attribute[6:8], torch.tensor([0, 2]), network.content_IC[3:4], torch.zeros(1) > 0)
    torch.testing.assert_close(network.embed(unseen), held_back)
