"""What the front tells of training, which no request shows: its alarm, and that its coordinator is gone."""

import asyncio

import pytest
from minipool import until

from tenfold.cli import front
from tenfold.cli.front import Front, FrontSpec
from tenfold.llama.progress import LossSample
from tenfold.llama.wire import TrainStatus
from tenfold.pool.loops import for_ever
from tenfold.pool.state import PoolState
from tenfold.wiring import CONFIG

NOTHING = PoolState(
    **{"at": 0.0, "epoch": 1, "policy": "tenfold", "controller": "running", "ready": True, "alarms": ()},
    **{"slots": (), "workloads": (), "moves": (), "history": (), "loss": ()},
)


@pytest.fixture
async def told(monkeypatch):
    """A front whose coordinator says what the test wants; gives both."""
    answers = {"now": None}

    async def status(*_):
        if isinstance(answers["now"], Exception):
            raise answers["now"]
        return answers["now"]

    monkeypatch.setattr(front, "training_status", status)
    monkeypatch.setattr(front, "TRAINING_EVERY_S", 0.01)
    answers["now"] = ConnectionRefusedError("starting")
    spec = FrontSpec(
        config=CONFIG(),
        url="http://127.0.0.1:1",
        listener=0,
        controller_url="http://127.0.0.1:9",
        companions={"train": "127.0.0.1:9"},
        token="secret",
    )
    found = Front(spec)
    found._gateway.link._state = NOTHING
    task = asyncio.create_task(for_ever("following training", found._take_training, found._alarm))
    yield found, answers
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def status(alarm: str) -> TrainStatus:
    return TrainStatus(
        **{"run": "r", "step": 1, "tokens": 1, "loss": 1.0, "workers": 1, "params": 1, "checkpoint_step": None},
        **{"accepted": 1, "rejected": 0, "alarm": alarm},
        loss_history=(LossSample(step=1, tokens=1, loss=1.0),),
    )


async def test_an_alarm_of_training_is_the_pools_and_ends_with_it(told):
    found, answers = told
    await asyncio.sleep(0.2)
    assert found.state().alarms == (), "a coordinator that has not answered yet is still starting"
    answers["now"] = status("training has no checkpoint since step 3")
    await until(lambda: found.state().alarms == ("training has no checkpoint since step 3",))
    answers["now"] = status("")
    await until(lambda: found.state().alarms == ())
    answers["now"] = ConnectionRefusedError(111, "Connection refused")
    await until(lambda: len(found.state().alarms) == 1)
    assert found.state().alarms[0].startswith("training's coordinator does not answer: ")
    answers["now"] = status("")
    await until(lambda: found.state().alarms == ())
