"""Rows sorted by expert times each expert's own matrix, as one operation that compiled layers can hold.

On CUDA it is torch's own grouped product. There it has not been run yet: no machine of this project has such a device.

Shape letters: N tokens, D and F widths, E experts.
"""

import torch
from torch import Tensor
from torch.nn import functional

ROWS_MULTIPLE = 32
"""Of an expert's rows. oneDNN compiles and keeps a kernel for each shape that it meets; with any count of rows a worker
grew from 0.5 to 1.4 GB and was a tenth slower."""


def multiply_grouped(x_ND: Tensor, weights_EDF: Tensor, counts_E: Tensor) -> Tensor:
    """Multiply the rows of each expert, which stand together, by its matrix; shape (N, F).

    Args:
        x_ND: the rows, sorted by expert.
        weights_EDF: a matrix for each.
        counts_E: rows of each, int64.
    """
    if x_ND.is_cuda:
        return torch._grouped_mm(x_ND, weights_EDF, counts_E.cumsum(0).to(torch.int32))
    return torch.ops.tenfold.grouped(x_ND, weights_EDF, counts_E)


@torch.library.custom_op("tenfold::grouped", mutates_args=())
def _grouped(x_ND: Tensor, weights_EDF: Tensor, counts_E: Tensor) -> Tensor:
    out_NF = x_ND.new_empty(len(x_ND), weights_EDF.shape[2])
    start = 0
    for weight_DF, rows in zip(weights_EDF.unbind(0), counts_E.tolist(), strict=True):
        padded = -(-rows // ROWS_MULTIPLE) * ROWS_MULTIPLE
        if start + padded <= len(x_ND):
            # What it writes of the rows after its own is overwritten by the experts after it.
            torch.mm(x_ND[start : start + padded], weight_DF, out=out_NF[start : start + padded])
        elif rows:
            out_NF[start : start + rows] = (_padded(x_ND[start : start + rows], padded) @ weight_DF)[:rows]
        start += rows
    return out_NF


@_grouped.register_fake
def _(x_ND: Tensor, weights_EDF: Tensor, counts_E: Tensor) -> Tensor:
    return x_ND.new_empty(len(x_ND), weights_EDF.shape[2])


@torch.library.custom_op("tenfold::grouped_gradient", mutates_args=())
def _grouped_gradient(x_ND: Tensor, gradient_NF: Tensor, counts_E: Tensor) -> Tensor:
    """Gradient of the experts' matrices, shape (E, D, F)."""
    out_EDF = x_ND.new_empty(len(counts_E), x_ND.shape[1], gradient_NF.shape[1])
    start = 0
    for out_DF, rows in zip(out_EDF.unbind(0), counts_E.tolist(), strict=True):
        padded = -(-rows // ROWS_MULTIPLE) * ROWS_MULTIPLE
        own = slice(start, start + rows)
        torch.mm(_padded(x_ND[own], padded).mT, _padded(gradient_NF[own], padded), out=out_DF)
        start += rows
    return out_EDF


@_grouped_gradient.register_fake
def _(x_ND: Tensor, gradient_NF: Tensor, counts_E: Tensor) -> Tensor:
    return x_ND.new_empty(len(counts_E), x_ND.shape[1], gradient_NF.shape[1])


def _padded(x_ND: Tensor, rows: int) -> Tensor:
    return functional.pad(x_ND, (0, 0, 0, rows - len(x_ND)))


def _keep(ctx: torch.autograd.function.FunctionCtx, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: torch.autograd.function.BackwardCFunction, gradient_NF: Tensor) -> tuple[Tensor, Tensor, None]:
    x_ND, weights_EDF, counts_E = list(ctx.saved_tensors)
    gradient_NF = gradient_NF.contiguous()
    return (
        torch.ops.tenfold.grouped(gradient_NF, weights_EDF.mT, counts_E),
        torch.ops.tenfold.grouped_gradient(x_ND, gradient_NF, counts_E),
        None,
    )


_grouped.register_autograd(_backward, setup_context=_keep)


class Reordered(torch.autograd.Function):
    """Rows in another order; its backward is a look-up too, where that of indexing adds row by row."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x_ND: Tensor, order_N: Tensor, inverse_N: Tensor) -> Tensor:
        """Row ``order_N[i]`` of ``x_ND`` becomes row i; ``inverse_N`` undoes it."""
        ctx.save_for_backward(inverse_N)
        return x_ND[order_N]

    @staticmethod
    def backward(ctx: torch.autograd.function.BackwardCFunction, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Put the rows' gradients back."""
        (inverse_N,) = ctx.saved_tensors
        return gradients[0][inverse_N], None, None
