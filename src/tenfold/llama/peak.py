"""How fast this CPU multiplies matrices, measured: what the model FLOP/s of training are held against."""

import time

import torch
from torch import Tensor

SHAPES = ((512, 256, 1024), (4096, 256, 1024), (1024, 1024, 1024))
"""Rows, inner width and columns of the products tried; larger square ones are slower in bfloat16, as they leave the
second cache (2,048 cubed: two thirds of the best)."""

TRY_S = 0.04
"""CPU-seconds for each."""


def measure_peak(*, bfloat16: bool) -> float:
    """Measure what one thread reaches in the best of some products, in FLOP/s of CPU time; takes about 0.2 s.

    The calling thread multiplies with one thread afterwards.
    """
    torch.set_num_threads(1)
    kind = torch.bfloat16 if bfloat16 else torch.float32
    drawn = [
        (torch.randn(rows, inner).to(kind), torch.randn(inner, columns).to(kind)) for rows, inner, columns in SHAPES
    ]
    return max(_rate(left, right) for left, right in drawn)


def _rate(left: Tensor, right: Tensor) -> float:
    out, done = left @ right, 0
    started = time.thread_time()
    while (spent := time.thread_time() - started) < TRY_S:
        torch.mm(left, right, out=out)
        done += 1
    return done * 2 * left.shape[0] * left.shape[1] * right.shape[1] / spent
