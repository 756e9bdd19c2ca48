"""A fourth workload is a constant in its own package and a line in ``wiring.py``; everything else follows from them."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from echo_workload import ECHO
from minipool import TOKEN, MiniPool, plan, until

import tenfold
from tenfold.cli.site import Site
from tenfold.core.config import config_type, read_config
from tenfold.pool.host import Slot
from tenfold.pool.process import ProcessSpec

pytestmark = pytest.mark.slow
PACKAGE = Path(tenfold.__file__).parent
TOYS = Path(__file__).parent
TABLE = "[pool]\ntick_s = 0.1\nidle_s = 0.5\n[pool.kinds.cpu]\nslots = 2\n[echo]\ntimes = 3\nceiling = 1\n"

ASKED = """
import json, sys
from pathlib import Path
from fastapi import FastAPI
from tenfold import wiring
from tenfold.cli import prepare
from tenfold.cli.front import FrontSpec
from tenfold.cli.supervisor import Supervisor
from tenfold.cli.workload_api import publish
from tenfold.console.frame import workload_colours

home = Path(sys.argv[1])
config = wiring.load_config(home / "tenfold.toml")
spec = FrontSpec(config=config, url="", listener=0, controller_url="", companions={}, token="")
api = FastAPI()
publish(api, wiring.WORKLOADS)
print(json.dumps({
    "front": FrontSpec.model_validate_json(spec.model_dump_json()).config.echo.times,
    "routes": {path: route.workload for path, route in wiring.gateway_routes(config).items()},
    "schema": [path for path, methods in api.openapi()["paths"].items() if "post" in methods],
    "colours": workload_colours(),
    "needs": [row.name for row in prepare.inventory(home, quick=True)],
}))
"""


@pytest.fixture
def with_echo(tmp_path, monkeypatch) -> Path:
    """A home, and this package beside it with one line more in its ``wiring.py``."""
    rewired = tmp_path / "rewired" / "tenfold"
    rewired.mkdir(parents=True)
    for part in PACKAGE.iterdir():
        if part.name != "wiring.py":
            (rewired / part.name).symlink_to(part)
    text = (PACKAGE / "wiring.py").read_text()
    text = text.replace("TRAIN, RANK_TRAIN)", "TRAIN, RANK_TRAIN, ECHO)")
    (rewired / "wiring.py").write_text(text.replace("from typing", "from echo_workload import ECHO\nfrom typing", 1))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(rewired.parent), str(TOYS)]))
    (tmp_path / "tenfold.toml").write_text(TABLE)
    return tmp_path


def test_its_table_paths_schema_colour_and_needs_are_the_pools(with_echo):
    command = [sys.executable, "-c", ASKED, str(with_echo)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    told = json.loads(done.stdout)
    assert told["front"] == 3
    assert told["routes"]["/v1/echo"] == "echo" and told["routes"]["/v1/rank"] == "rank"
    assert "/v1/echo" in told["schema"] and "/v1/rank" in told["schema"]
    assert f"--w-echo:{ECHO.colour};" in told["colours"]
    assert told["needs"][-1] == "greeting" and "ranker" in told["needs"]


class EchoPool(MiniPool):
    """A pool whose ``echo`` is started as ``tenfold up`` starts a workload; ``train`` is a toy."""

    def _spec(self, workload: str, slot: Slot) -> ProcessSpec:
        if workload != ECHO.name:
            return super()._spec(workload, slot)
        return Site(self.config, self.home, self.home, TOKEN, {}).resident(ECHO, slot, "127.0.0.1")


async def test_it_gets_a_slot_when_it_is_asked_and_answers_by_its_settings(tmp_path, toys_importable):
    (tmp_path / "tenfold.toml").write_text(TABLE)
    (need,) = ECHO.needs
    assert need.status(tmp_path, True) == "missing"
    need.make(tmp_path, lambda _what, _share: None)
    assert need.status(tmp_path, True) == "present"
    config = read_config(tmp_path / "tenfold.toml", config_type({ECHO.name: ECHO.settings}))
    ended = tmp_path / "train-ended"
    plans = (ECHO.plan(config), replace(plan("train", floor=1, path=None, value=1e-9), ended=str(ended)))
    pool = EchoPool(tmp_path, plans, {"/v1/echo": "echo"}, config.pool)
    pool.config = config
    await pool.start()
    try:
        await pool.ready()
        async with pool.session.post(f"{pool.url}/v1/echo", json={"word": "hello"}) as response:
            assert (response.status, await response.json()) == (200, {"words": ["hark", "hello", "hello", "hello"]})
        state = await pool.state()
        (echo,) = (view for view in state["workloads"] if view["workload"] == "echo")
        assert (echo["unit"], echo["ceiling"]) == ("word", 1)

        async def train(works: bool) -> bool:
            (view,) = (view for view in (await pool.state())["workloads"] if view["workload"] == "train")
            worth = view["value_next_slot_usd_per_s"]
            return (view["floor"], worth > 0, view["ended"]) == (works, works, "" if works else "run small: finished")

        # A job that has come to its end asks for no slot, not even its floor: whoever has use for one takes it.
        await until(lambda: train(True))
        ended.write_text("run small: finished\n")
        await until(lambda: train(False))
        ended.unlink()
        await until(lambda: train(True))
    finally:
        await pool.close()
