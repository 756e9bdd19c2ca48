"""Vectors of length 1, with a gradient in fewer passes over them than autograd makes.

Shapes: any, (..., D).
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tenfold.rank.softmax import Saved

_SHORTEST = 1e-12


def unit(x: Tensor) -> Tensor:
    """The vectors along the last dimension, each divided by its length."""
    return _Unit.apply(x)


class _Unit(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Saved, x: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp_min_(_SHORTEST)
        unit_x = x / length
        ctx.save_for_backward(unit_x, length)
        return unit_x

    @staticmethod
    @once_differentiable
    def backward(ctx: Saved, *grad_outputs: Tensor) -> Tensor:  # pyrefly: ignore
        (grad,) = grad_outputs
        unit_x, length = ctx.saved_tensors
        # What would make the vector longer is left out.
        along = torch.linalg.vecdot(grad, unit_x).unsqueeze(-1)
        return torch.addcmul(grad, along, unit_x, value=-1).div_(length)
