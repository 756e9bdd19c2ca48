"""How fast the recommender learns, beside RecBole's and RecTools' SASRec on the same events, width and core.

All take turns, each by one thread for as many CPU-seconds, several times. A target event is an item that had to be
told from others; CPU is that of training alone. NDCG@10 on each person's last item is what each had learned by then: at
equal core time. Tenfold learns twice: by the recipe that it ships, and at its fastest settings (``FASTEST``: blocks
without SwiGLU, one head, fewer negatives, every item with its own embedding), which must not be worse than the peers.
Each peer has two losses: its fastest, which tells an item from one other (BPR, BCE), and its fastest softmax, which
tells it from many.

The peers are installed into virtual environments of their own in the cache, the first time (a minute or two). One that
cannot be installed is left out, and the line before the last says why.

    python bench/rank_speed.py [--data NAME.txt] [--width 64] [--seconds 15] [--rounds 2]

NAME.txt is S3-Rec's; by default events made from a seed, of Beauty's size. Five minutes of one quiet core. The last
line is one JSON object. ``times_faster``: Tenfold's fastest settings against the faster loss of each library, the lower
of the two; ``times_faster_softmax``: against the softmax of each; ``times_faster_shipped``: the recipe that ships
against the faster loss; ``ndcg10_no_lower``: whether the fastest settings learned as much as the best of the peers.
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
        return cache_dir() / "bench" / f"{self.name}-{self.version}-torch-{torch.__version__}"

    def install(self) -> None:
        """Make its virtual environment.

        Raises:
            RuntimeError: it cannot be installed; says why.
        """
        began, python = time.monotonic(), self.folder / "bin" / "python"
        done = self.folder / "installed"
        if not done.exists():
            talk.print(f"installing {self.name} {self.version}, a minute or two the first time", style="dim")
            self._must([sys.executable, "-m", "venv", str(self.folder)], INSTALL_S)
        # The same torch for all, and little to download. Told anew each time, since another checkout may be gone.
        (here,) = self.folder.glob("lib/python*/site-packages")
        (here / "tenfold-packages.pth").write_text(f"{Path(torch.__file__).parents[1]}\n")
        if done.exists():
            return
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        if self.name == "recbole":
            steps = [[*pip, "--no-deps", f"recbole=={self.version}"], [*pip, *RECBOLE]]
        else:
            steps = [[*pip, f"rectools[torch]=={self.version}"]]
        for step in steps:
            self._must(step, INSTALL_S - (time.monotonic() - began))
        done.touch()

    def _must(self, step: list[str], left_s: float) -> None:
        ended = _run(step, left_s)
        if ended is not None:
            raise RuntimeError(f"{self.name}: {' '.join(step[1:])[:80]}: {ended}")

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


PEERS = (Peer("recbole", "1.2.1", ("BPR", "CE")), Peer("rectools", "0.19.0", ("BCE", "sampled_softmax")))
SOFTMAX = ("CE", "sampled_softmax")
SHIPPED, FAST = "tenfold, shipped recipe", "tenfold, fastest settings"
FASTEST = {"widen": 0, "heads": 1, "negatives": 64, "batch_events": 4000, "own_dropout": 0.0}


def _run(step: list[str], left_s: float) -> str | None:
    """What went wrong, if anything did."""
    try:
        subprocess.run(step, check=True, timeout=max(1.0, left_s), capture_output=True)
    except subprocess.CalledProcessError as error:
        return error.stderr.decode(errors="replace").strip()[-300:]
    except subprocess.TimeoutExpired:
        return f"it took more than {INSTALL_S} s"
    return None


def tenfold(recipe: Recipe, data: Path, seconds: float, people: int) -> Trained:
    """Train Tenfold's network for some CPU-seconds, in as many epochs as they give."""
    torch.set_num_threads(1)
    stream = read_s3_rec(data)[0]
    known, test = split_last(stream.events)
    train, _ = split_last(known)
    trial = recipe.model_copy(update={"epochs": 1})
    network, lessons = prepared(stream, train, Learning(trial))
    began = time.process_time()
    fit(network, lessons, trial, 0, lambda _: None)
    an_epoch_s = time.process_time() - began
    recipe = recipe.model_copy(update={"epochs": max(1, round(seconds / an_epoch_s))})
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
    parser.add_argument("--seconds", type=float, default=15.0, help="CPU-seconds of each training")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--people", type=int, default=2000, help="whose last item is looked for")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = (arguments.data or sparse_events.write(Path(folder))).resolve()
        of_run = (arguments.seconds, arguments.people)
        turns: list[tuple[Peer, str]] = []
        problems = []
        for peer in PEERS:
            try:
                peer.install()
                turns += [(peer, loss) for loss in peer.losses]
            except RuntimeError as error:
                problems.append(str(error))
        recipes = {SHIPPED: Recipe(width=arguments.width), FAST: Recipe(width=arguments.width, **FASTEST)}
        rounds: list[dict[str, Trained]] = []
        for _ in range(arguments.rounds):
            told = {name: tenfold(recipe, data, *of_run) for name, recipe in recipes.items()}
            for peer, loss in turns:
                try:
                    told[f"{peer.name} {loss}"] = peer.train(loss, data, arguments.width, *of_run)
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
        turns = [turn for turn in rounds if name in turn]
        systems[name] = {
            "events_per_cpu_s": statistics.median(turn[name].per_s for turn in turns),
            "ndcg10": statistics.mean(turn[name].ndcg10 for turn in turns),
            # Of each round by itself, so that a machine that slows down slows all down.
            "times": statistics.median(turn[FAST].per_s / turn[name].per_s for turn in turns),
            "times_shipped": statistics.median(turn[SHIPPED].per_s / turn[name].per_s for turn in turns),
        }
        cells = (
            f"{systems[name][key]:{form}}"
            for key, form in (("events_per_cpu_s", ",.0f"), ("times", ".1f"), ("ndcg10", ".4f"))
        )
        table.add_row(name, *cells)
    talk.print(table)
    for problem in problems:
        print(f"left out: {problem}")
    peers_ndcg10 = [systems[name]["ndcg10"] for name in systems if name not in (SHIPPED, FAST)]
    told = {
        "times_faster": lowest(systems, "times"),
        "times_faster_softmax": lowest(systems, "times", SOFTMAX),
        "times_faster_shipped": lowest(systems, "times_shipped"),
        "ndcg10_no_lower": systems[FAST]["ndcg10"] >= max(peers_ndcg10, default=0.0),
    }
    print(json.dumps({**told, "width": width, "systems": systems}))


def lowest(systems: dict[str, dict[str, float]], key: str, losses: tuple[str, ...] | None = None) -> float | None:
    """Times faster than the faster loss (of ``losses``) of each peer, the lowest; none where a peer is missing."""
    by_peer = [
        [
            systems[name][key]
            for loss in peer.losses
            if (name := f"{peer.name} {loss}") in systems and (losses is None or loss in losses)
        ]
        for peer in PEERS
    ]
    return min(min(times) for times in by_peer) if all(by_peer) else None


if __name__ == "__main__":
    main()
