"""The controller as a process: a loop that failed ends it, whatever becomes of its last words."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from minipool import TOKEN, free_port, plan

from tenfold.core.config import KindSettings, PoolSettings
from tenfold.pool.controller_server import ControllerSpec
from tenfold.pool.token import TOKEN_HEADER


def spec(home: Path, **changes) -> ControllerSpec:
    return ControllerSpec(
        settings=PoolSettings(kinds={"cpu": KindSettings(slots=1)}, tick_s=0.1),
        plans=(plan("serve"),),
        ledger_url=f"sqlite:///{home / 'ledger.db'}",
        port=free_port(),
        token=TOKEN,
        **changes,
    )


def ask(port: int, path: str, body: dict | None = None) -> dict:
    """Ask a controller that may still be starting."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, {TOKEN_HEADER: TOKEN})
    end = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.loads(response.read())
        except urllib.error.URLError:
            assert time.monotonic() < end, "the controller does not answer"
            time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("log", ["/dev/full", "/dev/null"])
def test_a_controller_whose_loop_fails_ends_also_where_its_log_is_full(tmp_path, log):
    slot = {"slot": "n0/cpu0", "kind": "cpu", "node": "n0", "cores": [0], "gpu": None, "share": 1.0}
    # It holds a slot and is of a workload that this controller knows nothing of, which no loop survives.
    stranger = {
        **{"name": "stranger@n0/cpu0", "workload": "stranger", "slot": "n0/cpu0", "pid": 1},
        **{"url": f"http://127.0.0.1:{free_port()}", "restarts": 0, "last_words": ""},
    }
    given = spec(tmp_path)
    with (
        Path(log).open("ab") as output,
        subprocess.Popen(
            [sys.executable, "-m", "tenfold.pool.controller_server"],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
        ) as process,
    ):
        try:
            process.stdin.write(given.model_dump_json().encode() + b"\n")
            process.stdin.close()
            ask(given.port, "/hosts", {"slots": [slot], "residents": [stranger]})
            assert process.wait(120) == 1
        finally:
            process.kill()
