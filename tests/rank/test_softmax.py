"""The fused loss and its gradients are those of the formula."""

import math

import torch
from torch.nn import functional

from tenfold.rank.softmax import sampled_softmax

TARGETS, NEGATIVES, ITEMS, WIDTH = 300, 20, 50, 8
TEMPERATURE, STANDS_FOR = 0.1, 2.5


def test_loss_and_gradients_are_those_of_the_formula():
    draw = torch.Generator().manual_seed(3)
    hidden = functional.normalize(torch.randn(TARGETS, WIDTH, generator=draw), dim=1).requires_grad_()
    vectors = functional.normalize(torch.randn(ITEMS, WIDTH, generator=draw), dim=1).requires_grad_()
    target = torch.randint(ITEMS, (TARGETS,), generator=draw)
    negative = torch.randperm(ITEMS, generator=draw)[:NEGATIVES]
    masked = (target[:, None] == negative[None, :]) | (torch.rand(TARGETS, NEGATIVES, generator=draw) < 0.1)
    pairs = masked.nonzero(as_tuple=True)

    loss = sampled_softmax(hidden, vectors, target, negative, pairs, TEMPERATURE, STANDS_FOR)
    loss.backward()
    got = (loss.detach(), hidden.grad, vectors.grad)

    hidden.grad = vectors.grad = None
    own = (hidden * vectors[target]).sum(dim=1, keepdim=True) / TEMPERATURE
    others = hidden @ vectors[negative].T / TEMPERATURE + math.log(STANDS_FOR)
    scores = torch.cat([own, others.masked_fill(masked, float("-inf"))], dim=1)
    plain = (torch.logsumexp(scores, dim=1) - own[:, 0]).sum()
    plain.backward()
    torch.testing.assert_close(got[0], plain.detach(), rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(got[1], hidden.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(got[2], vectors.grad, rtol=1e-4, atol=1e-5)
