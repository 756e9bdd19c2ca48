"""The trunk's blocks as serving computes them: in numpy, for a few rows at a time.

A request has one query and some sixty candidates. At that size an operation of torch costs more to begin than to
compute, and one of numpy a tenth of it (``docs/log.md``). The numbers are those of ``network.py``; tests hold it.

Shapes: N rows, Q queries, P places of a history (start token and events), D width, H heads, C width of a head.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tenfold.rank.network import GatedBlock

Floats = npt.NDArray[np.float32]

_HALF = np.float32(0.5)

Kept = tuple[Floats, Floats]
"""Keys and values of a history in one block, (H, P, C) each."""


class Block:
    """One block of a network that is done learning.

    Args:
        block: whose weights it takes.
        places: most places of a history.
    """

    def __init__(self, block: GatedBlock, places: int) -> None:
        self._heads = block.heads
        self._key_value_DE = _after_norm(block.before_attention, block.key_value)
        self._query_gate_DE = _after_norm(block.before_attention, block.query_gate)
        self._attended_DD = floats(block.attended.weight.T)
        self._widen_DE = self._narrow_ED = None
        if block.before_widen is not None and block.widen is not None and block.narrow is not None:
            self._widen_DE = _after_norm(block.before_widen, block.widen)
            self._narrow_ED = floats(block.narrow.weight.T)
        self._epsilon = block.before_attention.eps
        # Queries are scaled once here instead of at each request.
        width = len(self._attended_DD)
        self._query_gate_DE[:, :width] *= (width // self._heads) ** -0.5
        self.bias_HPP = floats(block.bias(places))
        """Bias of a query at each place on each place, minus infinity on what comes later."""

    def keys_values(self, x_ND: Floats) -> Kept:
        """What is attended to; of a token alone, so that it can be kept."""
        key_value_NE = standard(x_ND, self._epsilon) @ self._key_value_DE
        split_N2HC = key_value_NE.reshape(len(x_ND), 2, self._heads, -1)
        key_HNC, value_HNC = np.ascontiguousarray(split_N2HC.transpose(1, 2, 0, 3))
        return key_HNC, value_HNC

    def answer(self, x_QD: Floats, kept: Kept, bias_HQP: Floats) -> Floats:
        """Mix each query with the history's places as ``bias_HQP`` (or the same for all, H1P) lets it; (Q, D)."""
        key_HPC, value_HPC = kept
        query_QD, gate_QD = _halves(standard(x_QD, self._epsilon) @ self._query_gate_DE)
        query_HQC = query_QD.reshape(len(x_QD), self._heads, -1).transpose(1, 0, 2)
        weight_HQP = query_HQC @ key_HPC.transpose(0, 2, 1)
        weight_HQP += bias_HQP
        weight_HQP -= weight_HQP.max(axis=2, keepdims=True)
        np.exp(weight_HQP, out=weight_HQP)
        weight_HQP /= weight_HQP.sum(axis=2, keepdims=True)
        mixed_QD = (weight_HQP @ value_HPC).transpose(1, 0, 2).reshape(x_QD.shape)
        x_QD = x_QD + (mixed_QD * silu(gate_QD)) @ self._attended_DD
        if self._widen_DE is None or self._narrow_ED is None:
            return x_QD
        wide_QE, gate_QE = _halves(standard(x_QD, self._epsilon) @ self._widen_DE)
        x_QD += (wide_QE * silu(gate_QE)) @ self._narrow_ED
        return x_QD


def floats(tensor: Tensor) -> Floats:
    """A tensor's numbers, copied row by row."""
    with torch.inference_mode():
        return np.array(tensor.numpy(force=True), dtype=np.float32, order="C")


def standard(x_ND: Floats, epsilon: float) -> Floats:
    """Rows of mean 0 and variance 1, as layer norm makes them before its scale."""
    width = x_ND.shape[1]
    centred_ND = x_ND - np.add.reduce(x_ND, axis=1, keepdims=True) / width
    power_N = np.vecdot(centred_ND, centred_ND)
    return centred_ND / np.sqrt(power_N / width + np.float32(epsilon))[:, None]


def sigmoid(x: Floats) -> Floats:
    """By tanh, which does not overflow."""
    return _HALF + _HALF * np.tanh(_HALF * x)


def silu(x: Floats) -> Floats:
    """As torch has it."""
    return x * sigmoid(x)


def _halves(x_NE: Floats) -> tuple[Floats, Floats]:
    """Its left and right half, without a copy."""
    half = x_NE.shape[1] // 2
    return x_NE[:, :half], x_NE[:, half:]


def _after_norm(norm: nn.LayerNorm, linear: nn.Linear) -> Floats:
    """A matrix to multiply standard rows with: the norm's scale is in it."""
    return floats((linear.weight * norm.weight).T)
