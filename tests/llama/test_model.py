"""The model: what training relies on."""

import pytest
import torch

from tenfold.llama.model import LlamaForCausalLM
from tenfold.llama.recipe import Recipe


@pytest.fixture
def model(recipe) -> LlamaForCausalLM:
    model = LlamaForCausalLM(recipe.model)
    model.initialise(0)
    return model


def test_names_are_those_of_hugging_face(model):
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    assert shapes["model.embed_tokens.weight"] == shapes["lm_head.weight"] == (320, 32)
    assert shapes["model.layers.0.feed_forward.gate_proj.weight"] == (48, 32)
    assert shapes["model.layers.1.feed_forward.router.weight"] == (4, 32)
    assert shapes["model.layers.1.feed_forward.experts.gate_up_proj"] == (4, 32, 64)
    assert shapes["model.layers.1.feed_forward.experts.down_proj"] == (4, 32, 32)
    assert shapes["model.layers.1.feed_forward.shared_expert.down_proj.weight"] == (32, 32)
    assert shapes["model.layers.3.self_attn.k_proj.weight"] == (16, 32)
    assert "model.layers.2.feed_forward.router.weight" not in shapes


def test_logits_have_one_row_per_token(model):
    logits_BTV = model(torch.randint(0, 320, (3, 17)))
    assert logits_BTV.shape == (3, 17, 320)


@pytest.mark.slow
def test_a_later_token_changes_no_earlier_logit(model):
    tokens_BT = torch.randint(0, 320, (1, 24), generator=torch.Generator().manual_seed(1))
    changed_BT = tokens_BT.clone()
    changed_BT[0, 16:] = (changed_BT[0, 16:] + 7) % 320
    with torch.no_grad():
        before_BTV, after_BTV = model(tokens_BT), model(changed_BT)
    torch.testing.assert_close(before_BTV[:, :16], after_BTV[:, :16])
    assert not torch.allclose(before_BTV[:, 16:], after_BTV[:, 16:])


def test_order_of_earlier_tokens_matters(model):
    tokens_BT = torch.tensor([[5, 9, 30, 7]])
    swapped_BT = torch.tensor([[9, 5, 30, 7]])
    with torch.no_grad():
        assert not torch.allclose(model(tokens_BT)[0, -1], model(swapped_BT)[0, -1], atol=1e-6)


def test_prediction_alone_gives_every_parameter_a_gradient_the_router_too(model):
    loss, _balance = model.losses(torch.randint(0, 320, (4, 33)))
    loss.backward()
    trained = {name: p for name, p in model.named_parameters() if not name.endswith("expert_bias")}
    idle = [name for name, p in trained.items() if p.grad is None or not p.grad.abs().sum() > 0]
    assert idle == []


def test_sorted_experts_equal_a_loop_over_tokens(model):
    mixture = model.model.layers[1].feed_forward
    x_ND = torch.randn(19, 32, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        mixed_ND = mixture(x_ND)[0]
        for row_D, mixed_D in zip(x_ND, mixed_ND, strict=True):
            logits_E = mixture.router(row_D)
            chosen = int(logits_E.argmax())
            scaled_D = row_D * torch.sigmoid(logits_E[chosen])
            gate_F, up_F = (scaled_D @ mixture.experts.gate_up_proj[chosen]).chunk(2)
            routed_D = (up_F * torch.nn.functional.silu(gate_F)) @ mixture.experts.down_proj[chosen]
            torch.testing.assert_close(mixed_D, mixture.shared_expert(row_D) + routed_D)


def test_attention_equals_torchs_own(model):
    attention = model.model.layers[3].self_attn
    x_BTD = torch.randn(2, 11, 32, generator=torch.Generator().manual_seed(3))
    q_BHTC, k_BKTC, v_BKTC = (
        projection(x_BTD).view(2, 11, -1, 16).transpose(1, 2)
        for projection in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    with torch.no_grad():
        mixed_BHTC = torch.nn.functional.scaled_dot_product_attention(
            q_BHTC, k_BKTC, v_BKTC, is_causal=True, enable_gqa=True
        )
        expected_BTD = attention.o_proj(mixed_BHTC.transpose(1, 2).reshape(2, 11, -1))
        captured = []
        hook = attention.register_forward_hook(lambda _module, inputs, output: captured.append((inputs, output)))
        model(torch.randint(0, 320, (2, 11)))
        hook.remove()
        torch.testing.assert_close(attention(x_BTD, captured[0][0][1]), expected_BTD)


def test_an_even_router_of_an_older_run_has_a_balancing_loss_of_one(recipe):
    mixture = LlamaForCausalLM(recipe.model.model_copy(update={"expert_bias": False})).model.layers[1].feed_forward
    with torch.no_grad():
        mixture.router.weight.zero_()
        balance = mixture(torch.randn(8, 32))[2]
    assert float(balance) == pytest.approx(1.0)


def test_the_default_model_is_small_enough_for_a_laptop():
    model = LlamaForCausalLM(Recipe().model)
    assert 3e6 < sum(parameter.numel() for parameter in model.parameters()) < 6e6
