"""What the coordinator says to workers, and what it makes of one that is cut off."""

from types import SimpleNamespace

import numpy as np
import pytest

from tenfold.llama.exchange import Exchange
from tenfold.llama.numerics import NUMERICS_FILE, mixed, numerics_of
from tenfold.llama.progress import TrainProgress
from tenfold.llama.wire import Acknowledged, HandedIn, Hello, Next, Offer


class CutOff:
    """A worker's connection that breaks when its second gradient is acknowledged."""

    def __init__(self, *said):
        self.said, self.acknowledged = iter(said), 0

    def receive(self):
        return next(self.said)

    def receive_into(self, vector_P):
        vector_P[:] = 1

    def readable(self):
        return False

    def send(self, message, vector_P=None):
        self.acknowledged += isinstance(message, Acknowledged)
        if self.acknowledged == 2:
            raise ConnectionResetError


def test_the_last_gradient_of_a_step_is_added_also_if_its_worker_is_gone_before_it_hears_so(tmp_path, recipe):
    run = SimpleNamespace(run="run", recipe=recipe.model_copy(update={"microbatches": 2}))
    live = SimpleNamespace(front=SimpleNamespace(parameters_P=np.zeros(3, np.float32)), progress=TrainProgress())
    exchange = Exchange(tmp_path, run, "text", None, live, "any", 60.0, lambda: None)
    said = [Hello(worker="cut off", machine="another", text="text", run="", step=-1)]
    for microbatch in range(2):
        said += [Next(step=0), Offer(run="run", step=0, microbatch=microbatch, loss=1.0), HandedIn()]
    with pytest.raises(ConnectionResetError):
        exchange._converse(CutOff(*said), 1)
    assert exchange.step.complete
    assert list(exchange.buffers.vector_P(exchange.step.result()[1])) == [2, 2, 2]


def test_a_run_that_is_computed_in_two_ways_says_so(tmp_path, recipe, caplog):
    run = SimpleNamespace(run="run", recipe=recipe)
    live = SimpleNamespace(front=SimpleNamespace(parameters_P=np.zeros(3, np.float32)), progress=TrainProgress(step=7))

    def come(*ways):
        exchange = Exchange(tmp_path, run, "text", None, live, "any", 60.0, lambda: None)
        said = []
        for number, way in enumerate(ways):
            said += [
                # One that has another recipe yet, which it learns, and comes again.
                Hello(worker="early", machine="another", text="text", run="", step=-1, numerics="of another run"),
                Hello(worker=f"worker {number}", machine="another", text="text", run="", step=-1, numerics=way),
                Next(step=-1),
            ]
        with pytest.raises(StopIteration):
            exchange._converse(CutOff(*said), 1)
        return numerics_of(tmp_path)

    assert mixed(come("torch 2, kernels 1", "torch 2, kernels 1", "")) == "" == caplog.text
    live.progress = TrainProgress(step=9)
    seen = come("torch 2, torch's compiler", "torch 2, kernels 1")
    assert [(each.what, each.step) for each in seen] == [("torch 2, kernels 1", 7), ("torch 2, torch's compiler", 9)]
    assert "torch 2, kernels 1 (from step 7); torch 2, torch's compiler (from step 9)" in mixed(seen)
    assert "worker 0 computes by torch 2, torch's compiler" in caplog.text

    (tmp_path / NUMERICS_FILE).write_text("{")
    assert [each.what for each in come("torch 3")] == ["torch 3"]
    assert list(tmp_path.glob(f"{NUMERICS_FILE}.damaged-*")), "what was known before is not lost in silence"
