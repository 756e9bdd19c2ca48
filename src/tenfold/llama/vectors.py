"""The model as flat float32 vectors: one for parameters, one for gradients, one for each optimizer moment.

Letter: P parameters of the model.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.adamw import adamw

from tenfold.llama.checkpoint import Span, StateVectors
from tenfold.llama.model import LlamaForCausalLM
from tenfold.llama.recipe import ModelShape, Recipe


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each parameter lies in a flat vector: matrices first, then norms, which do not decay."""

    spans: tuple[Span, ...]
    decayed: int
    size: int


def layout_of(shape: ModelShape) -> Layout:
    """Lay out the parameters of a model of this shape."""
    # A real model: on the meta device its first use would import a second of torch's decompositions.
    named = sorted(LlamaForCausalLM(shape).named_parameters(), key=lambda item: item[1].dim() == 1)
    spans, start, decayed = [], 0, 0
    for name, parameter in named:
        spans.append(Span(name, tuple(parameter.shape), start))
        start += parameter.numel()
        decayed = start if parameter.dim() > 1 else decayed
    return Layout(tuple(spans), decayed, start)


def bind(model: LlamaForCausalLM, layout: Layout, parameters_P: Tensor, gradients_P: Tensor) -> None:
    """Make the model's parameters and their gradients views of two flat vectors."""
    named = dict(model.named_parameters())
    for span in layout.spans:
        parameter = named[span.name]
        part = slice(span.start, span.start + parameter.numel())
        parameter.data = parameters_P[part].view(parameter.shape)
        parameter.grad = gradients_P[part].view(parameter.shape)


def initial_parameters(recipe: Recipe, layout: Layout) -> NDArray[np.float32]:
    """Parameters at step 0, shape (P,): a function of the recipe's seed."""
    model = LlamaForCausalLM(recipe.model)
    model.initialise(recipe.seed)
    named = dict(model.named_parameters())
    return np.concatenate([named[span.name].detach().numpy().ravel() for span in layout.spans])


def gradient_norm(gradient_P: NDArray[np.float32]) -> float:
    """Euclidean length of a gradient."""
    return float(torch.linalg.vector_norm(torch.from_numpy(gradient_P)))


def update(
    recipe: Recipe, layout: Layout, state: StateVectors, gradient_P: NDArray[np.float32], norm: float, step: int
) -> None:
    """Apply AdamW (Loshchilov and Hutter 2019) to ``state`` in place, with the gradient clipped to the norm limit.

    ``gradient_P`` is the mean gradient of the step, scaled in place, and ``norm`` its finite length; ``step`` counts
    the steps finished before it.
    """
    gradient = torch.from_numpy(gradient_P)
    if norm > recipe.gradient_norm_limit:
        gradient.mul_(recipe.gradient_norm_limit / norm)
    vectors = [torch.from_numpy(part) for part in (state.parameters_P, state.exp_avg_P, state.exp_avg_sq_P)]
    for part, decay in ((slice(0, layout.decayed), recipe.weight_decay), (slice(layout.decayed, None), 0.0)):
        adamw(
            [vectors[0][part]],
            [gradient[part]],
            [vectors[1][part]],
            [vectors[2][part]],
            [],
            [torch.tensor(float(step))],
            fused=True,
            amsgrad=False,
            beta1=recipe.beta_1,
            beta2=recipe.beta_2,
            lr=recipe.learning_rate_at(step),
            weight_decay=decay,
            eps=recipe.epsilon,
            maximize=False,
        )
