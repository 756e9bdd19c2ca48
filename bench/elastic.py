"""Elastic training to the bit: 1 -> 3 -> 2 workers -> kill -9 -> 1, and the coordinator killed too, beside Ray Train.

A model of 34 million parameters is trained for ten steps twice, in float32 and in bfloat16 with compiled layers: once
by one worker that nothing disturbs, once through all of the above. The state at the end (parameters and both moments)
must be the same bytes. Workers are the pool's own residents, loaded and parked.

A planned resize runs from the order until each worker that was woken computes a microbatch with the run's parameters,
and each that was put to sleep has handed in what it had in hand. ``steps_lost`` is of both kills together: microbatches
that were computed again, in steps, and finished steps that were gone; the coordinator is killed in mid-step. The
baseline is Ray Train's elastic resize from 1 to 3 workers (``elastic_ray.py``), of the same model in float32.

    python bench/elastic.py [--without-ray]

From a fresh clone some 5 minutes on 2 quiet cores; pyarrow and fsspec, which Ray Train needs, are installed into the
cache folder. The last line is one JSON object.
"""

import argparse
import json
import multiprocessing
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import ray
import torch

from elastic_processes import PRECISIONS, STEPS, TOKEN, coordinate, park, recipe_of
from tenfold.core.paths import cache_dir
from tenfold.llama.checkpoint import checkpoint_files, read_checkpoint
from tenfold.llama.data.stdlib import prepare
from tenfold.llama.live import live_paths
from tenfold.llama.runs import read_run, train_folder
from tenfold.llama.status import fetch_status
from tenfold.llama.vectors import layout_of
from tenfold.llama.wire import TrainStatus

HERE = Path(__file__).parent
PATIENCE_S = 400.0
RAY_NEEDS = ("pyarrow==26.0.1", "fsspec==2026.9.0")


class Training:
    """A run of its own home: a coordinator, and parked workers."""

    def __init__(self, precision: str, text: Path, home: Path, workers: int) -> None:
        self.precision, self.text, self.home = precision, text, home
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["tenfold.llama.coordinator", "tenfold.llama.resident"])
        self.port = 0
        self.coordinator = self.start_coordinator()
        self.computed = [self.context.Value("q", 0, lock=False) for _ in range(workers)]
        self.orders, self.workers = [], []
        for number in range(workers):
            mine, theirs = self.context.Pipe()
            arguments = (precision, text, home, f"n0/cpu{number}", self.port, theirs, self.computed[number])
            self.workers.append(self.context.Process(target=park, args=arguments, daemon=True))
            self.workers[-1].start()
            self.orders.append(mine)
        self.answers(range(workers))

    def start_coordinator(self) -> multiprocessing.process.BaseProcess:
        reader, writer = self.context.Pipe(duplex=False)
        arguments = (self.precision, self.text, self.home, self.port, writer)
        process = self.context.Process(target=coordinate, args=arguments, daemon=True)
        process.start()
        self.port = reader.recv()
        return process

    def order(self, what: str, numbers: range) -> float:
        """Give an order; seconds until the last has obeyed."""
        began = time.monotonic()
        for number in numbers:
            self.orders[number].send(what)
        return max(self.answers(numbers)) - began

    def answers(self, numbers: range) -> list[float]:
        for number in numbers:
            if not self.orders[number].poll(PATIENCE_S):
                sys.exit(f"error: worker {number} of {self.precision} said nothing for {PATIENCE_S:.0f} s")
        return [self.orders[number].recv() for number in numbers]

    def status(self) -> TrainStatus:
        return fetch_status(f"127.0.0.1:{self.port}", TOKEN)

    def reach(self, step: int, in_hand: int = 0) -> TrainStatus:
        """Wait for a step, and until so many microbatches of the next are in."""
        microbatches = recipe_of(self.precision).microbatches
        deadline = time.monotonic() + PATIENCE_S
        while (now := self.status()).step < step or (in_hand and now.accepted % microbatches < in_hand):
            if time.monotonic() > deadline:
                sys.exit(f"error: {self.precision}: no step {step} after {PATIENCE_S:.0f} s")
            time.sleep(0.01)
        return now

    def again(self) -> float:
        """Steps' worth of microbatches that were computed more than once, counted at the end of the run."""
        microbatches = recipe_of(self.precision).microbatches
        return sum(count.value for count in self.computed) / microbatches - STEPS

    def finish(self) -> str:
        """Let the run end and stop all; sha256 of its state."""
        self.reach(STEPS)
        self.coordinator.terminate()
        self.coordinator.join()
        folder = train_folder(self.home)
        spans = layout_of(recipe_of(self.precision).model).spans
        _, state = read_checkpoint(checkpoint_files(folder)[0], read_run(folder), spans)
        return state.sha256()

    def close(self) -> None:
        for process in (self.coordinator, *self.workers):
            process.kill()
            process.join()
        for path in live_paths(train_folder(self.home)):
            path.unlink(missing_ok=True)


def undisturbed(precision: str, text: Path, home: Path) -> str:
    """One worker from start to end."""
    training = Training(precision, text, home, workers=1)
    try:
        training.order("wake", range(1))
        return training.finish()
    finally:
        training.close()


def disturbed(precision: str, text: Path, home: Path) -> tuple[str, dict[str, float], float]:
    """1 -> 3 -> 2 -> kill -9 -> 1, then the coordinator; the state's sha256, seconds per resize, steps lost."""
    training = Training(precision, text, home, workers=3)
    seconds = {}
    try:
        seconds["0 -> 1"] = training.order("wake", range(1))
        training.reach(2)
        seconds["1 -> 3"] = training.order("wake", range(1, 3))
        training.reach(4)
        seconds["3 -> 2"] = training.order("sleep", range(1))
        planned = training.reach(6)
        if planned.rejected:
            sys.exit(f"error: {precision}: {planned.rejected} microbatches were computed twice in planned moves")
        seconds["worker killed"] = timed(lambda: lose_worker(training))
        before = training.reach(8, in_hand=recipe_of(precision).microbatches // 2)
        seconds["coordinator killed"] = timed(lambda: lose_coordinator(training))
        gone = max(0, before.step - training.status().step)
        sha256 = training.finish()
        return sha256, seconds, gone + training.again()
    finally:
        training.close()


def lose_worker(training: Training) -> None:
    """Kill one of the two in the middle of a microbatch; done once the other has had one accepted."""
    training.workers[1].kill()
    accepted = training.status().accepted
    while training.status().accepted == accepted:
        time.sleep(0.001)


def lose_coordinator(training: Training) -> None:
    """Kill it, and start it as the nursery would; done once it has accepted a microbatch."""
    training.coordinator.kill()
    training.coordinator.join()
    training.coordinator = training.start_coordinator()
    while not training.status().accepted:
        time.sleep(0.001)


def timed(act: Callable[[], None]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def ray_resize(text: Path) -> float:
    """Seconds of Ray Train's elastic resize from 1 to 3 workers."""
    needs = cache_dir() / "bench" / f"ray-train-{ray.__version__}"
    if not (needs / "installed").exists():
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--target", str(needs), *RAY_NEEDS], check=True)
        (needs / "installed").touch()
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="tfr", dir=memory, ignore_cleanup_errors=True) as folder:
        ran = subprocess.run(
            [sys.executable, str(HERE / "elastic_ray.py"), str(text), folder],
            env={**os.environ, "PYTHONPATH": str(needs), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    if ran.returncode:
        sys.exit(f"error: Ray Train did not resize: {ran.stderr[-2000:]}")
    return float(ran.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--without-ray", action="store_true", help="leave the baseline out")
    asked = parser.parse_args()
    text = prepare(cache_dir(), lambda _what, _share: None)
    params = layout_of(recipe_of("float32").model).size
    print(f"{params:,} parameters; {platform.machine()}, {os.cpu_count()} cores of {socket.gethostname()}, ", end="")
    print(f"torch {torch.__version__}, Ray {ray.__version__}", flush=True)
    same, slowest, lost = True, 0.0, 0.0
    for precision in PRECISIONS:
        with tempfile.TemporaryDirectory(prefix="elastic-") as folder:
            expected = undisturbed(precision, text, Path(folder) / "undisturbed")
            sha256, seconds, again = disturbed(precision, text, Path(folder) / "disturbed")
        print(f"{precision}: undisturbed {expected[:16]}, disturbed {sha256[:16]}")
        print("  " + ", ".join(f"{what} {value:.2f} s" for what, value in seconds.items()), flush=True)
        print(f"  computed again after two kills: {again:.2f} steps", flush=True)
        same &= sha256 == expected
        slowest = max(slowest, seconds["1 -> 3"], seconds["3 -> 2"])
        lost = max(lost, again)
    baseline = None if asked.without_ray else ray_resize(text)
    if baseline is not None:
        print(f"Ray Train, 1 -> 3: {baseline:.1f} s from the new node's start to the first microbatch")
    figures = {"same_sha": same, "resize_s": round(slowest, 3), "baseline_s": baseline and round(baseline, 2)}
    print(json.dumps({**figures, "steps_lost": round(lost, 2)}))


if __name__ == "__main__":
    main()
