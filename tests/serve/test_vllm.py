"""The vLLM adapter against a stub HTTP server (``vllm_stub.py``), not against vLLM, which needs a GPU.

What holds here: the child's arguments and environment, the orders of sleep mode, and the resident's face over it.
That a real vLLM frees its GPU in a second is not shown.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import openai
import psutil
import pytest

from tenfold.core.errors import ResidentFailed
from tenfold.serve.resident import Served, ServeResident
from tenfold.serve.vllm import VllmEngine

if TYPE_CHECKING:
    from tests.serve.conftest import RunningResident

STUB = Path(__file__).with_name("vllm_stub.py")
COMMAND = (sys.executable, str(STUB))


def is_sleeping(url: str) -> bool:
    with urllib.request.urlopen(f"{url}/is_sleeping") as response:
        return bool(json.loads(response.read())["is_sleeping"])


def is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health"):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except urllib.error.URLError:
        return False


@pytest.fixture
def engine() -> Iterator[VllmEngine]:
    engine = VllmEngine("m", parallel=4, context_tokens=512, command=COMMAND)
    yield engine
    engine.close()


def test_it_starts_asleep_wakes_and_sleeps(engine: VllmEngine) -> None:
    endpoint = engine.start()
    assert is_sleeping(endpoint.url)
    asyncio.run(engine.wake())
    assert not is_sleeping(endpoint.url)
    asyncio.run(engine.sleep())
    assert is_sleeping(endpoint.url)


def test_closing_it_leaves_no_process(engine: VllmEngine) -> None:
    engine.start()
    assert any(str(STUB) in child.cmdline() for child in psutil.Process().children())
    engine.close()
    assert not any(str(STUB) in child.cmdline() for child in psutil.Process().children())


@pytest.mark.slow
def test_its_death_with_the_resident_is_sure(tmp_path: Path) -> None:
    """The pool kills a resident that misses its deadline; its vLLM must not keep the GPU."""
    program = (
        "import os, signal, sys; from tenfold.serve.vllm import VllmEngine;"
        f"e = VllmEngine('m', parallel=1, context_tokens=128, command=(sys.executable, {str(STUB)!r})); e.start();"
        "print(e._child.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    child = int(done.stdout)
    if psutil.pid_exists(child):
        gone, _ = psutil.wait_procs([psutil.Process(child)], timeout=60)
        assert gone


def test_a_vllm_that_does_not_load_is_explained() -> None:
    engine = VllmEngine("broken", parallel=4, context_tokens=512, command=COMMAND)
    with pytest.raises(ResidentFailed, match="exit code 3 while it loaded 'broken'"):
        engine.start()


def test_a_missing_vllm_is_explained() -> None:
    engine = VllmEngine("m", parallel=4, context_tokens=512, command=("/no/such/vllm",))
    with pytest.raises(ResidentFailed, match="No such file") as caught:
        engine.start()
    assert "tenfold[vllm]" in caught.value.next_step


@pytest.fixture
def attached() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    arguments = ["serve", "m", "--host", "127.0.0.1", "--port", port, "--max-num-seqs", "1", "--max-model-len", "9"]
    server = subprocess.Popen([*COMMAND, *arguments], env=os.environ | {"VLLM_SERVER_DEV_MODE": "1"})
    url = f"http://127.0.0.1:{port}"
    while not is_healthy(url):
        assert server.poll() is None
        time.sleep(0.05)
    yield url
    server.terminate()
    server.wait()


def test_a_server_that_does_not_answer_is_explained() -> None:
    engine = VllmEngine("m", parallel=4, context_tokens=512, attach_url="http://127.0.0.1:9")
    with pytest.raises(ResidentFailed, match=r"http://127\.0\.0\.1:9 is not healthy"):
        engine.start()


def test_a_server_without_sleep_mode_is_explained_and_left_running(attached: str) -> None:
    engine = VllmEngine("m", parallel=4, context_tokens=512, attach_url=attached)
    with pytest.raises(ResidentFailed, match="404 to POST /sleep") as caught:
        engine.start()
    assert "--enable-sleep-mode" in caught.value.next_step
    assert not is_sleeping(attached)


@pytest.fixture
def running(engine: VllmEngine, run_resident) -> Iterator["RunningResident"]:
    yield from run_resident(ServeResident({"m": Served(engine, 4, 2048)}))


def test_the_resident_serves_it(running: "RunningResident") -> None:
    messages: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]
    with openai.OpenAI(base_url=f"{running.url}/v1", api_key="any", max_retries=0) as client:
        whole = client.chat.completions.create(model="m", messages=messages)
        assert whole.choices[0].message.content == "stub stub stub"
        stream = client.chat.completions.create(model="m", messages=messages, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "stub stub stub"
    running.wait_until(lambda: running.resident.counters().in_flight == 0)
    counters = running.resident.counters()
    # The stream states no usage, so its four events count as its tokens.
    assert (counters.units, counters.requests) == (3 + 4, 2)
