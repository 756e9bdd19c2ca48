"""A run over two machines whose link is cut: it goes on where it is trained, and both compute for it again after.

The machines are network namespaces; ``tenfold train`` runs in each.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from fault.two_hosts import TwoHosts, refusal, two_hosts
from tenfold.core.errors import TenfoldError
from tenfold.llama.alone import train_alone
from tenfold.llama.checkpoint import checkpoint_files, read_checkpoint
from tenfold.llama.journal import read_steps
from tenfold.llama.run_file import read_run_file
from tenfold.llama.runs import read_run, train_folder
from tenfold.llama.status import fetch_status
from tenfold.llama.vectors import layout_of
from tenfold.llama.wire import TrainStatus

STEPS = 300
RUN = """
name = "far"
[model]
{model}
[train]
steps = {steps}
sequence_tokens = 32
microbatch_sequences = 2
microbatches = 6
[data]
folder = "{data}"
"""

pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(refusal()), reason=refusal() or "-"),
]


@pytest.fixture
def run_file(recipe, text, tmp_path) -> Path:
    sizes = recipe.model.model_dump(include=recipe.model.model_fields_set)
    path = tmp_path / "far.toml"
    model = "\n".join(f"{key} = {value}" for key, value in sizes.items())
    path.write_text(RUN.format(model=model, steps=STEPS, data=text))
    return path


@contextmanager
def training(hosts: TwoHosts, host: str, home: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [*hosts.within(host), sys.executable, "-m", "tenfold.cli.main", "train", *words],
        env={**os.environ, "TENFOLD_HOME": str(home)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(condition: Callable[[], bool], what: str) -> float:
    """Seconds until it holds."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + 120, f"waited 120 s in vain for {what}"
        time.sleep(0.05)
    return time.monotonic() - began


def state_sha256(home: Path) -> str:
    folder = train_folder(home, "far")
    run = read_run(folder)
    return read_checkpoint(checkpoint_files(folder)[0], run, layout_of(run.recipe.model).spans)[1].sha256()


def test_a_run_goes_on_while_the_link_is_cut_is_whole_again_after_and_has_the_same_bits(run_file, tmp_path):
    here, there, alone = (tmp_path / name for name in ("here", "there", "alone"))
    for home in (here, there):
        home.mkdir()
        (home / "token").write_text("known to both")
    with two_hosts() as hosts, hosts.on("a") as call, ExitStack() as started:
        address = f"{hosts.address('a')}:7777"

        def status() -> TrainStatus | None:
            try:
                return call(fetch_status, address, "known to both").result()
            except (OSError, EOFError, TenfoldError):
                return None

        def workers() -> int:
            found = status()
            return found.workers if found else 0

        trained = started.enter_context(training(hosts, "a", here, str(run_file), "--listen", address))
        joined = started.enter_context(training(hosts, "b", there, str(run_file), "--join", address))
        until(lambda: workers() == 2, "both machines at work")
        until(lambda: status().step >= 5, "steps")
        hosts.cut()
        gone_s = until(lambda: workers() == 1, "the other machine to be missed")
        step = status().step
        until(lambda: status().step >= step + 5, "steps of one machine")
        hosts.mend()
        back_s = until(lambda: workers() == 2, "the other machine again")
        left_at = status().step
        assert trained.wait(300) == 0
        assert joined.wait(60) == 0
    print(f"missed after {gone_s:.1f} s, back {back_s:.1f} s after the link, {STEPS - left_at} steps together")
    lines = read_steps(train_folder(here, "far"))
    assert [line.step for line in lines] == list(range(1, STEPS + 1))
    assert lines[-1].workers == 2
    train_alone(read_run_file(run_file), alone)
    assert state_sha256(here) == state_sha256(alone)
