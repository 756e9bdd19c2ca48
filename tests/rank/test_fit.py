"""What learns an epoch's batches does what the textbook's does."""

import pytest
import torch

from tenfold.rank.fit import RowAdam

ROWS, WIDTH, RATE = 5, 3, 0.1


def test_rows_that_every_batch_touches_move_as_adam_moves_them():
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(ROWS, WIDTH, generator=draw)
    touched = torch.tensor([4, 0, 2, 1, 3])
    plain = torch.nn.Parameter(weight[touched].clone())
    adam, own = torch.optim.Adam([plain], RATE, (0.9, 0.98)), RowAdam.of(weight)
    for _ in range(4):
        plain.grad = torch.randn(ROWS, WIDTH, generator=draw)
        own.step(touched, weight[touched], plain.grad, RATE)
        adam.step()
    torch.testing.assert_close(weight[touched], plain.detach())


@pytest.mark.parametrize("share", [0.5, 0.15, 0.05])
def test_items_that_few_batches_touch_get_as_far_as_adam_moves_them_and_the_others_stay(share: float):
    """Otherwise what is learned of an item of a large catalog is a third of what it is of one of a small one."""
    draw, rows, steps = torch.Generator().manual_seed(0), 400, 600
    weight, plain = torch.zeros(rows, 1), torch.nn.Parameter(torch.zeros(rows, 1))
    adam, own = torch.optim.Adam([plain], RATE, (0.9, 0.98)), RowAdam.of(weight)
    for _ in range(steps):
        touched = torch.randperm(rows, generator=draw)[: int(share * rows)]
        before, grad = weight.clone(), torch.zeros(rows, 1)
        grad[touched] = 0.3 + torch.randn(len(touched), 1, generator=draw)
        plain.grad = grad
        adam.step()
        own.step(touched, weight[touched], grad[touched], RATE)
        assert int((weight != before).sum()) <= len(touched)
    assert 0.8 < float(weight.mean() / plain.detach().mean()) < 1.25
