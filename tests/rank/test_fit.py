"""What learns an epoch's batches does what the textbook's does."""

import torch

from tenfold.rank.fit import RowAdam

ROWS, WIDTH, RATE = 5, 3, 0.1


def test_rows_that_every_batch_touches_move_as_adam_moves_them_and_the_others_stay():
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(ROWS, WIDTH, generator=draw)
    before, touched = weight.clone(), torch.tensor([4, 0, 2])
    plain = torch.nn.Parameter(weight[touched].clone())
    adam, own = torch.optim.Adam([plain], RATE, (0.9, 0.98)), RowAdam.of(weight)
    for _ in range(4):
        plain.grad = torch.randn(len(touched), WIDTH, generator=draw)
        own.step(touched, weight[touched], plain.grad, RATE)
        adam.step()
    torch.testing.assert_close(weight[touched], plain.detach())
    assert torch.equal(weight[[1, 3]], before[[1, 3]])
