"""Sampled softmax whose scores never leave the cache: loss and gradients in one pass over slices of the targets.

Shapes: T targets, N negatives, U unique items of a batch, D width.
"""

import math
from typing import Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_SCORES = 1 << 17
"""At a time: half a megabyte. All of a batch at once (2,000 targets, 1,024 negatives) took twice the time."""
_LEAST_TARGETS = 32
"""At a time: with very many negatives, the vectors of these are read as often as there are slices."""


def sampled_softmax(
    hidden_TD: Tensor,
    vector_UD: Tensor,
    target_T: Tensor,
    negative_N: Tensor,
    masked: tuple[Tensor, Tensor],
    temperature: float,
    stands_for: float,
) -> Tensor:
    """Sum of the losses of telling each target from the batch's negatives, in nats.

    A negative drawn uniformly stands for ``stands_for`` items (Jean 2015); so the loss is that of the softmax over all
    items, but for chance.

    Args:
        hidden_TD: what is expected, of length 1.
        vector_UD: of the batch's items, of length 1.
        target_T: place of each target in ``vector_UD``.
        negative_N: places of the negatives.
        masked: target and negative of each pair that does not count: what the person has already seen.
        temperature: a score is a cosine over this.
        stands_for: items per negative.
    """
    return _SampledSoftmax.apply(hidden_TD, vector_UD, target_T, negative_N, masked, temperature, stands_for)


class Saved(Protocol):
    """Where a function keeps what its gradient needs."""

    saved_tensors: tuple[Tensor, ...]

    def save_for_backward(self, *tensors: Tensor) -> None:
        """Keep them."""


class _SampledSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Saved,
        hidden_TD: Tensor,
        vector_UD: Tensor,
        target_T: Tensor,
        negative_N: Tensor,
        masked: tuple[Tensor, Tensor],
        temperature: float,
        stands_for: float,
    ) -> Tensor:
        scale = 1 / temperature
        negative_ND, target_TD = vector_UD.index_select(0, negative_N), vector_UD.index_select(0, target_T)
        # No score is above ``scale``, since both vectors have length 1: no row needs a maximum of its own.
        target_T1 = (((hidden_TD * target_TD).sum(dim=1, keepdim=True) - 1) * scale).exp_()
        # A negative that stands for several has so much more weight.
        offset = hidden_TD.new_tensor(math.log(stands_for) - scale)
        grad_hidden_TD, grad_negative_ND = torch.empty_like(hidden_TD), torch.zeros_like(negative_ND)
        total_T1 = torch.empty_like(target_T1)
        masked_target, masked_negative = masked
        length = max(_LEAST_TARGETS, _SCORES // len(negative_N))
        edges = range(0, len(hidden_TD), length)
        cut = torch.searchsorted(masked_target, torch.tensor([*edges, len(hidden_TD)])).tolist()
        for index, start in enumerate(edges):
            part = slice(start, start + length)
            hidden_SD = hidden_TD[part]
            weight_SN = torch.addmm(offset, hidden_SD, negative_ND.T, alpha=scale).exp_()
            pairs = slice(cut[index], cut[index + 1])
            weight_SN[masked_target[pairs] - start, masked_negative[pairs]] = 0
            total_S1 = torch.sum(weight_SN, dim=1, keepdim=True, out=total_T1[part]).add_(target_T1[part])
            # Divided by the total where there are D numbers a target, not N.
            torch.mm(weight_SN, negative_ND, out=grad_hidden_TD[part]).div_(total_S1)
            grad_negative_ND.addmm_(weight_SN.T, hidden_SD / total_S1)
        miss_T1 = target_T1 / total_T1 - 1
        grad_hidden_TD.addcmul_(miss_T1, target_TD).mul_(scale)
        grad_UD = torch.zeros_like(vector_UD)
        grad_UD.index_add_(0, negative_N, grad_negative_ND)
        grad_UD.index_add_(0, target_T, miss_T1 * hidden_TD)
        ctx.save_for_backward(grad_hidden_TD, grad_UD.mul_(scale))
        return (total_T1.log_() - target_T1.log_()).sum()

    @staticmethod
    @once_differentiable
    def backward(  # pyrefly: ignore
        ctx: Saved, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, ...]:
        (grad,) = grad_outputs
        grad_hidden_TD, grad_UD = ctx.saved_tensors
        return grad_hidden_TD * grad, grad_UD * grad, None, None, None, None, None
