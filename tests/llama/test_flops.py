"""Parameters and operations are counted as torch counts them in a real model."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from tenfold.llama.flops import flops_per_token, parameters_of
from tenfold.llama.model import LlamaForCausalLM
from tenfold.llama.shape import ModelShape

DENSE = {"num_local_experts": 0, "use_qk_norm": False, "no_rope_layer_interval": 0}


def counted_by_torch(shape: ModelShape, tokens_BT: torch.Tensor) -> float:
    model = LlamaForCausalLM(shape)
    model.initialise(0)
    experts = {
        torch.ops.tenfold.grouped: lambda x, weights, *_, **__: 2 * x[0] * x[1] * weights[2],
        torch.ops.tenfold.grouped_gradient: lambda x, gradient, *_, **__: 2 * x[0] * x[1] * gradient[1],
    }
    with FlopCounterMode(display=False, custom_mapping=experts) as counter:
        model.losses(tokens_BT)[0].backward()
    return counter.get_total_flops() / (tokens_BT.shape[0] * (tokens_BT.shape[1] - 1))


def test_operations_of_a_dense_model_are_those_that_torch_counts():
    shape = ModelShape(vocab_size=300, hidden_size=64, **DENSE)
    assert flops_per_token(shape, 32) == counted_by_torch(shape, torch.randint(0, 300, (2, 33)))


def test_operations_of_a_mixture_are_those_that_torch_counts(recipe):
    assert flops_per_token(recipe.model, 32) == counted_by_torch(recipe.model, torch.randint(0, 320, (2, 33)))


def test_parameters_are_the_models(recipe):
    for shape in (recipe.model, ModelShape(**DENSE, tie_word_embeddings=True)):
        model, counted = LlamaForCausalLM(shape), parameters_of(shape)
        assert counted.total == sum(each.numel() for each in model.parameters() if each.dim() > 1)
        idle = sum(mixture.numel() for name, mixture in model.named_parameters() if "experts." in name)
        assert counted.active == counted.total - idle * max(0, shape.num_local_experts - 1) // 4
        head = shape.vocab_size * shape.hidden_size
        assert counted.without_embeddings == counted.active - head * (1 if shape.tie_word_embeddings else 2)
