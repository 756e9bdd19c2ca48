"""The model as flat float32 vectors: one for parameters, one for gradients, one for each optimizer moment.

Letter: P parameters of the model.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.adamw import adamw

from tenfold.llama.balance import move_biases
from tenfold.llama.checkpoint import Kind, Span, StateVectors
from tenfold.llama.model import Network, network_of
from tenfold.llama.recipe import ModelShape, Recipe

_ORDER: tuple[Kind, ...] = ("matrix", "norm", "balance")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each parameter lies in a flat vector: matrices and embeddings, then norms, which do not decay, then biases.

    ``decayed``: places before the first norm. ``trained``: places before the first bias of an expert; where those lie,
    a gradient holds loads, and ``balance.py`` moves them in the optimiser's place.
    """

    spans: tuple[Span, ...]
    decayed: int
    trained: int
    size: int


def layout_of(shape: ModelShape) -> Layout:
    """Lay out the parameters of a model of this shape."""
    # A real model: on the meta device its first use would import a second of torch's decompositions.
    spans, start, ends = [], 0, dict.fromkeys(_ORDER, 0)
    kinds = [(name, parameter, _kind(name, parameter)) for name, parameter in network_of(shape).named_parameters()]
    for place in _ORDER:
        for name, parameter, kind in kinds:
            if kind == place or (kind, place) == ("embedding", "matrix"):
                spans.append(Span(name, tuple(parameter.shape), start, kind))
                start += parameter.numel()
        ends[place] = start
    return Layout(tuple(spans), ends["matrix"], ends["norm"], start)


def _kind(name: str, parameter: Tensor) -> Kind:
    if name.endswith("expert_bias"):
        return "balance"
    if name.endswith(("embed_tokens.weight", "positional_embedding_vlm")):
        return "embedding"
    return "matrix" if parameter.dim() > 1 else "norm"


class Bound:
    """A model whose parameters and gradients lie in two flat vectors of shape (P,), float32.

    In bfloat16 the matrices that multiply tokens are copies of that type, made anew for each gradient; norms,
    embeddings and routers stay in float32.
    """

    def __init__(
        self, model: Network, layout: Layout, parameters_P: Tensor, gradients_P: Tensor, *, bfloat16: bool
    ) -> None:
        named = dict(model.named_parameters())
        self._parts = [(named[span.name], parameters_P[span.part].view(span.shape)) for span in layout.spans]
        self._gradients = [(named[span.name], gradients_P[span.part].view(span.shape)) for span in layout.spans]
        self._rounded: list[tuple[Tensor, Tensor]] = []
        for (parameter, part), span in zip(self._parts, layout.spans, strict=True):
            parameter.data = part
            if bfloat16 and span.kind == "matrix" and not span.name.endswith("router.weight"):
                parameter.data = torch.empty_like(part, dtype=torch.bfloat16)
                self._rounded.append((parameter.data, part))

    def load(self) -> None:
        """Take over parameters that were written into the vector, and forget the gradients before."""
        for rounded, part in self._rounded:
            rounded.copy_(part)
        for parameter, _ in self._gradients:
            parameter.grad = None

    def store(self) -> None:
        """Write the gradients of the last backward into the vector; 0 where there is none."""
        for parameter, part in self._gradients:
            if parameter.grad is None:
                part.zero_()
            else:
                part.copy_(parameter.grad)


def initial_parameters(recipe: Recipe, layout: Layout) -> NDArray[np.float32]:
    """Parameters at step 0, shape (P,): a function of the recipe's seed."""
    model = network_of(recipe.model)
    model.initialise(recipe.seed)
    named = dict(model.named_parameters())
    return np.concatenate([named[span.name].detach().numpy().ravel() for span in layout.spans])


def gradient_norm(layout: Layout, gradient_P: NDArray[np.float32]) -> float:
    """Euclidean length of a gradient; loads of experts are none of it."""
    return float(torch.linalg.vector_norm(torch.from_numpy(gradient_P)[: layout.trained]))


def update(
    recipe: Recipe, layout: Layout, state: StateVectors, gradient_P: NDArray[np.float32], norm: float, step: int
) -> None:
    """Apply AdamW (Loshchilov and Hutter 2019) to ``state`` in place, with the gradient clipped to the norm limit.

    The biases of experts move by their loads, which lie in the gradient at their place.

    ``gradient_P`` is the mean gradient of the step, scaled in place, and ``norm`` its finite length; ``step`` counts
    the steps finished before it.
    """
    gradient = torch.from_numpy(gradient_P)
    if norm > recipe.gradient_norm_limit:
        gradient[: layout.trained].mul_(recipe.gradient_norm_limit / norm)
    vectors = [torch.from_numpy(part) for part in (state.parameters_P, state.exp_avg_P, state.exp_avg_sq_P)]
    decayed, others = slice(0, layout.decayed), slice(layout.decayed, layout.trained)
    for part, decay in ((decayed, recipe.weight_decay), (others, 0.0)):
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
    share, share_before = recipe.balance_at(step), recipe.balance_at(step - 1)
    for span in layout.spans:
        if span.kind == "balance":
            move_biases(vectors[0][span.part], gradient[span.part], recipe.balance_rate, share, share_before)
