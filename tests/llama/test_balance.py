"""Experts are kept evenly loaded by biases, which are gone when a run ends."""

import numpy as np
import pytest
import torch

from tenfold.llama.balance import move_biases
from tenfold.llama.checkpoint import StateVectors
from tenfold.llama.model import LlamaForCausalLM
from tenfold.llama.vectors import Bound, gradient_norm, initial_parameters, layout_of, update


def test_biases_even_out_a_router_that_would_send_all_to_one_expert():
    logits_NE = torch.randn(4096, 8, generator=torch.Generator().manual_seed(1)) + torch.linspace(0, 3, 8)
    biases_E = torch.zeros(8)
    for _ in range(600):
        loads_E = torch.bincount((logits_NE + biases_E).argmax(1), minlength=8).float()
        move_biases(biases_E, loads_E, 0.01, 1.0, 1.0)
    unbiased_E = torch.bincount(logits_NE.argmax(1), minlength=8)
    assert unbiased_E.max() > 3 * 512
    assert loads_E.max() < 1.1 * 512
    assert loads_E.min() > 0.9 * 512
    assert float(biases_E.sum()) == pytest.approx(0, abs=1e-4)


def test_what_is_left_of_a_bias_fades_to_nothing_at_all():
    biases_E, loads_E = torch.tensor([0.5, -0.5]), torch.tensor([3.0, 1.0])
    move_biases(biases_E, loads_E, 0.0, 0.25, 0.5)
    assert biases_E.tolist() == [0.25, -0.25]
    move_biases(biases_E, loads_E, 0.01, 0.0, 0.25)
    assert biases_E.tolist() == [0.0, 0.0]


def test_biases_are_gone_from_the_middle_of_a_runs_decay_on(recipe):
    run = recipe.model_copy(update={"steps": 100, "decay_share": 0.2})
    assert [run.balance_at(step) for step in (0, 79, 84, 89, 99)] == [1.0, 1.0, 0.5, 0.0, 0.0]
    assert recipe.balance_at(10**9) == 1.0


def test_a_step_moves_the_biases_by_the_loads_and_leaves_them_out_of_the_gradients_norm(recipe):
    layout = layout_of(recipe.model)
    parameters, gradients = torch.from_numpy(initial_parameters(recipe, layout)), torch.empty(layout.size)
    model = LlamaForCausalLM(recipe.model)
    bound = Bound(model, layout, parameters, gradients, bfloat16=False)
    bound.load()
    loss, _ = model.losses(torch.randint(0, 320, (2, 33), generator=torch.Generator().manual_seed(2)))
    loss.backward()
    bound.store()
    biases = [span for span in layout.spans if span.kind == "balance"]
    assert [span.name for span in biases] == [f"model.layers.{layer}.feed_forward.expert_bias" for layer in (1, 3)]
    loads_E = gradients[biases[0].part].clone()
    assert loads_E.sum() == 64
    zeros = np.zeros(layout.size, np.float32)
    state = StateVectors(parameters.numpy().copy(), zeros, zeros.copy())
    norm = gradient_norm(layout, gradients.numpy())
    assert norm < loads_E.norm()
    update(recipe, layout, state, gradients.numpy(), norm, 0)
    moved_E = torch.from_numpy(state.parameters_P[biases[0].part])
    assert all(moved_E[loads_E > 16] < moved_E[loads_E < 16].min())


def test_a_bias_changes_who_is_chosen_and_not_how_much_it_counts(recipe):
    model = LlamaForCausalLM(recipe.model)
    model.initialise(0)
    mixture = model.model.layers[1].feed_forward
    x_ND = torch.randn(64, 32, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        logits_NE = mixture.router(x_ND)
        mixture.expert_bias += torch.tensor([0.0, 0.0, 9.0, 0.0])
        routed_ND, loads_E, _ = mixture(x_ND)
        assert loads_E.tolist() == [0, 0, 64, 0]
        scaled_ND = x_ND * torch.sigmoid(logits_NE[:, 2:3])
        expected_ND = mixture.shared_expert(x_ND) + mixture.experts(scaled_ND, loads_E)
        torch.testing.assert_close(routed_ND, expected_ND)
