"""How fast the recommender learns, beside RecBole's and RecTools' SASRec on the same events, width and core.

Every loss of the peers takes turns with Tenfold, all by one thread, each for as many CPU-seconds, several times. A
target event is an item that had to be told from others; CPU is that of training alone. NDCG@10 on each person's last
item is what each had learned by then: at equal core time.

The peers are installed into virtual environments of their own in the cache, the first time (some minutes). One that
cannot be installed is left out, and the line before the last says why.

    python bench/rank_speed.py [--data NAME.txt] [--width 64] [--seconds 40] [--rounds 2]

NAME.txt is S3-Rec's; by default events made from a seed, of Beauty's size. A quarter of an hour of one quiet core. The
last line is one JSON object. ``times_faster``: than the faster loss of each library, the lower of the two;
``times_faster_softmax``: than the fastest of those losses that, as Tenfold's, tell an item from many others (RecTools'
one negative per target is fast and learns the least per event).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

# Before torch and numpy are imported: one core for everybody.
os.environ["OMP_NUM_THREADS"] = "1"

import torch
from rich.console import Console
from rich.table import Table

import sparse_events
from tenfold.core.paths import cache_dir
from tenfold.rank.evaluate import measure, queries_last
from tenfold.rank.fit import fit
from tenfold.rank.learn import Learning, prepared
from tenfold.rank.ranker import Ranker
from tenfold.rank.read.s3_rec import read_s3_rec
from tenfold.rank.recipe import Recipe
from tenfold.rank.stream import split_last

HERE = Path(__file__).parent / "rank_peers"
INSTALL_S = 900
TORCH = "torch==2.13.0+cpu"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
# RecBole names old versions of tools that it uses for tuning only; what training needs is listed instead.
RECBOLE = ("numpy<2", "scipy", "pandas", "tqdm", "colorlog", "colorama", "scikit-learn", "pyyaml", "tabulate", "thop",
           "tensorboard", "plotly", "texttable", "psutil", "setuptools<81")  # fmt: skip
talk = Console(stderr=True, width=120)


@dataclass(frozen=True)
class Peer:
    """A library, its script, and the losses that it may use."""

    name: str
    version: str
    losses: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return cache_dir() / "bench" / f"{self.name}-{self.version}"

    def install(self) -> None:
        """Make its virtual environment.

        Raises:
            RuntimeError: it cannot be installed; says why.
        """
        done = self.folder / "installed"
        if done.exists():
            return
        talk.print(f"installing {self.name} {self.version}, some minutes the first time", style="dim")
        began = time.monotonic()
        python = self.folder / "bin" / "python"
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        steps = [[sys.executable, "-m", "venv", str(self.folder)], [*pip, TORCH]]
        if self.name == "recbole":
            steps += [[*pip, "--no-deps", f"recbole=={self.version}"], [*pip, *RECBOLE]]
        else:
            steps += [[*pip, f"rectools[torch]=={self.version}"]]
        for step in steps:
            left_s = INSTALL_S - (time.monotonic() - began)
            ended = _run(step, left_s)
            if ended is not None and TORCH in step:
                ended = _run([*step, "--index-url", TORCH_INDEX], left_s)
            if ended is not None:
                raise RuntimeError(f"{self.name}: {' '.join(step[1:])[:80]}: {ended}")
        done.touch()

    def train(self, loss: str, data: Path, width: int, seconds: float, people: int) -> "Trained":
        """Train it in its own process, of which only training is timed."""
        script = [str(self.folder / "bin" / "python"), f"{self.name}_sasrec.py"]
        ended = subprocess.run(
            [*script, str(data), loss, str(width), str(seconds), str(people)],
            cwd=HERE, env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
            capture_output=True, text=True, timeout=60 * 30, check=False,
        )  # fmt: skip
        if ended.returncode:
            raise RuntimeError(f"{self.name} with {loss}: {ended.stderr.strip()[-300:]}")
        figures = json.loads(ended.stdout.strip().splitlines()[-1])
        return Trained(figures["events"] / figures["cpu_s"], figures["ndcg10"], figures["events"])


@dataclass(frozen=True)
class Trained:
    """Target events per CPU-second, what came of them, and how many they were."""

    per_s: float
    ndcg10: float
    events: int


PEERS = (
    Peer("recbole", "1.2.1", ("CE", "BPR")),
    Peer("rectools", "0.19.0", ("softmax", "sampled_softmax", "BCE", "gBCE")),
)
SOFTMAX = (Peer("recbole", "1.2.1", ("CE",)), Peer("rectools", "0.19.0", ("softmax", "sampled_softmax", "gBCE")))


def _run(step: list[str], left_s: float) -> str | None:
    """What went wrong, if anything did."""
    try:
        subprocess.run(step, check=True, timeout=max(1.0, left_s), capture_output=True)
    except subprocess.CalledProcessError as error:
        return error.stderr.decode(errors="replace").strip()[-300:]
    except subprocess.TimeoutExpired:
        return f"it took more than {INSTALL_S} s"
    return None


def tenfold(data: Path, width: int, seconds: float, people: int) -> Trained:
    """Train Tenfold's network for some CPU-seconds, in as many epochs as they give."""
    torch.set_num_threads(1)
    stream = read_s3_rec(data)[0]
    known, test = split_last(stream.events)
    train, _ = split_last(known)
    trial = Recipe(width=width, epochs=1)
    network, lessons = prepared(stream, train, Learning(trial))
    began = time.process_time()
    fit(network, lessons, trial, 0, lambda _: None)
    an_epoch_s = time.process_time() - began
    recipe = Recipe(width=width, epochs=max(1, round(seconds / an_epoch_s)))
    network, lessons = prepared(stream, train, Learning(recipe))
    began = time.process_time()
    fit(network, lessons, recipe, 0, lambda _: None)
    cpu_s = time.process_time() - began
    queries = queries_last(known, test)[:people]
    _, ndcg = measure(Ranker(network, recipe).answer, queries)
    return Trained(recipe.epochs * len(train) / cpu_s, float(ndcg.mean()), recipe.epochs * len(train))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a NAME.txt as S3-Rec has it")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=40.0, help="CPU-seconds of each training")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--people", type=int, default=2000, help="whose last item is looked for")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = (arguments.data or sparse_events.write(Path(folder))).resolve()
        how = (data, arguments.width, arguments.seconds, arguments.people)
        turns: list[tuple[Peer, str]] = []
        problems = []
        for peer in PEERS:
            try:
                peer.install()
                turns += [(peer, loss) for loss in peer.losses]
            except RuntimeError as error:
                problems.append(str(error))
        rounds: list[dict[str, Trained]] = []
        for _ in range(arguments.rounds):
            told = {"tenfold": tenfold(*how)}
            for peer, loss in turns:
                try:
                    told[f"{peer.name} {loss}"] = peer.train(loss, *how)
                except (RuntimeError, subprocess.TimeoutExpired) as error:
                    problems.append(str(error))
            rounds.append(told)
            talk.print({name: f"{found.per_s:,.0f}/s {found.ndcg10:.4f}" for name, found in told.items()}, style="dim")
    report(rounds, problems, arguments.width)


def report(rounds: list[dict[str, Trained]], problems: list[str], width: int) -> None:
    """Print a table, what could not be had, and one JSON object."""
    table = Table("system and loss", "target events per CPU-second", "times", "NDCG@10", box=None)
    systems: dict[str, dict[str, float]] = {}
    for name in rounds[0]:
        found = [turn[name] for turn in rounds if name in turn]
        systems[name] = {
            "events_per_cpu_s": statistics.median(each.per_s for each in found),
            "ndcg10": statistics.mean(each.ndcg10 for each in found),
            # Of each round by itself, so that a machine that slows down slows all down.
            "times": statistics.median(turn["tenfold"].per_s / turn[name].per_s for turn in rounds if name in turn),
        }
        cells = (
            f"{systems[name][key]:{form}}"
            for key, form in (("events_per_cpu_s", ",.0f"), ("times", ".1f"), ("ndcg10", ".4f"))
        )
        table.add_row(name, *cells)
    talk.print(table)
    for problem in problems:
        print(f"left out: {problem}")
    told = {"times_faster": lowest(systems, PEERS), "times_faster_softmax": lowest(systems, SOFTMAX)}
    print(json.dumps({**told, "width": width, "systems": systems}))


def lowest(systems: dict[str, dict[str, float]], peers: tuple[Peer, ...]) -> float | None:
    """Times faster than the faster loss of each peer, the lowest; none where a peer is missing."""
    by_peer = [
        [systems[name]["times"] for name in (f"{peer.name} {loss}" for loss in peer.losses) if name in systems]
        for peer in peers
    ]
    return min(min(times) for times in by_peer) if all(by_peer) else None


if __name__ == "__main__":
    main()
