"""How fast is our training step? transformers' Llama 4 with the same weights on the same tokens answers beside it.

    python bench/train_speed.py [--experts 8 16 64] [--rounds 3] [--sequences 16] [--width 256]

A step is forward and backward of a batch of 256-token sequences in bfloat16, one thread, compiled on both sides. Ours
also rounds the float32 weights before and writes a float32 gradient after, as each microbatch of a run does; the peer
holds its weights in bfloat16. transformers lives in a virtual environment of its own, which takes torch from ours, and
in a process of its own. Steps of both take turns, the fastest product of matrices (``tenfold.llama.peak``) is measured
beside each of ours, and all is CPU time: so other work on the machine matters little. Losses and lengths of gradients
are compared. At 64 experts the peer takes 4 sequences at a time, for memory.

The last line is one JSON object: ``times_faster`` and ``mfu`` (model FLOP/s over that product's) by count of experts,
and ``speed_64_over_8``: our tokens/s at the most experts over those at the fewest.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

# Before torch and numpy are imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from safetensors.torch import save_file

from tenfold.llama import kernels
from tenfold.llama.flops import flops_per_token
from tenfold.llama.model import LlamaForCausalLM
from tenfold.llama.pace import keep_freed_memory
from tenfold.llama.peak import measure_peak
from tenfold.llama.recipe import Recipe
from tenfold.llama.shape import ModelShape
from tenfold.llama.vectors import Bound, initial_parameters, layout_of
from train_peers.environment import TRANSFORMERS, transformers_python

TOKENS = 256
MANY_EXPERTS, FEW_SEQUENCES = 64, 4
LOSS_WITHIN, LENGTH_WITHIN = 0.003, 0.03
"""Of the peer's, relative: bfloat16 has 8 bits, and the two sum in other orders."""

HERE = Path(__file__).parent / "train_peers"
talk = Console(stderr=True, width=140)


@dataclass
class Measured:
    """Rounds of one count of experts; times are CPU-seconds of a step."""

    ours_s: list[float] = field(default_factory=list)
    peer_s: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    loss: float = 0.0
    peer_loss: float = 0.0
    compile_s: float = 0.0


def shape_of(experts: int, width: int) -> ModelShape:
    """Eight layers with heads of 32 channels; hidden widths of twice and four times the width."""
    return ModelShape(
        vocab_size=8192, hidden_size=width, num_hidden_layers=8, num_attention_heads=width // 32,
        num_key_value_heads=width // 128, head_dim=32, intermediate_size_mlp=4 * width, intermediate_size=2 * width,
        num_local_experts=experts,
    )  # fmt: skip


class Ours:
    """Our network on flat vectors, as a worker of a run holds it."""

    def __init__(self, shape: ModelShape, window_BT: NDArray[np.int64]) -> None:
        layout = layout_of(shape)
        self.parameters = torch.from_numpy(initial_parameters(Recipe(model=shape), layout))
        self.spans = layout.spans
        self.gradients, self.trained = torch.zeros(layout.size), layout.trained
        self.model = LlamaForCausalLM(shape)
        self.bound = Bound(self.model, layout, self.parameters, self.gradients, bfloat16=True)
        if kernels.fit(shape):
            self.model.use_kernels()
        else:
            self.model.compile_layers()
        self.window_BT = torch.from_numpy(window_BT)

    def weights(self) -> dict[str, torch.Tensor]:
        return {
            span.name: self.parameters[span.part].view(span.shape).clone()
            for span in self.spans
            if span.kind != "balance"
        }

    def step(self) -> tuple[float, float, float]:
        """Loss, length of the gradient and CPU-seconds."""
        started = time.process_time()
        self.bound.load()
        loss, _ = self.model.losses(self.window_BT)
        loss.backward()
        self.bound.store()
        spent = time.process_time() - started
        return float(loss.detach()), float(self.gradients[: self.trained].norm()), spent


class Peer:
    """transformers in its own process; ``start`` begins a step, ``end`` waits for it."""

    def __init__(self, python: Path, shape: ModelShape, weights: dict[str, torch.Tensor], batch: Path) -> None:
        folder = batch.parent
        told = shape.model_dump(exclude={"expert_bias", "vision", "rope_theta"}) | {
            "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
            "pad_token_id": None,
        }
        (folder / "config.json").write_text(json.dumps(told))
        save_file(weights, folder / "weights.safetensors")
        files = [str(folder / name) for name in ("config.json", "weights.safetensors")]
        command = [str(python), str(HERE / "with_transformers.py"), *files, str(batch), "eager", "compile"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(self, sequences: int) -> None:
        print(sequences, file=self._process.stdin, flush=True)

    def end(self) -> tuple[float, float, float]:
        """Loss, length of the gradient and CPU-seconds."""
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"transformers ended with exit code {self._process.wait()}")
        said = json.loads(line)
        return said["loss"], said["norm"], said["cpu_s"]

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(60)


def measure(experts: int, asked: argparse.Namespace, python: Path, folder: Path) -> Measured:
    """Compile both at once, then take turns."""
    shape = shape_of(experts, asked.width)
    batch = folder / "batch.npy"
    window_BT = np.random.default_rng(1).integers(0, shape.vocab_size, (asked.sequences, TOKENS + 1))
    np.save(batch, window_BT)
    ours, found = Ours(shape, window_BT), Measured()
    peer = Peer(python, shape, ours.weights(), batch)
    at_a_time = FEW_SEQUENCES if experts >= MANY_EXPERTS else asked.sequences
    try:
        peer.start(at_a_time)
        found.loss, length, found.compile_s = ours.step()
        found.peer_loss, peer_length, _ = peer.end()
        off, length_off = abs(found.loss / found.peer_loss - 1), abs(length / peer_length - 1)
        if off > LOSS_WITHIN or length_off > LENGTH_WITHIN:
            raise SystemExit(f"not the same model: loss differs by {off:.2%}, length of gradient by {length_off:.2%}")
        ours.step()
        for _ in range(2 if experts >= MANY_EXPERTS else asked.rounds):
            found.peaks.append(measure_peak(bfloat16=True))
            found.ours_s += [ours.step()[2] for _ in range(2)]
            found.peaks.append(measure_peak(bfloat16=True))
            peer.start(at_a_time)
            found.peer_s.append(peer.end()[2])
    finally:
        peer.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experts", type=int, nargs="+", default=[8, 16, 64])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sequences", type=int, default=16)
    parser.add_argument("--width", type=int, default=256)
    asked = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    python = transformers_python(talk)
    tokens = asked.sequences * TOKENS
    table = Table(
        "experts", "tokens/s", "transformers", "times faster", "GFLOP/s", "best product", "MFU", "loss", "its"
    )
    told: dict[str, dict[str, float]] = {}
    for experts in asked.experts:
        folder = Path(tempfile.mkdtemp(prefix="tenfold-speed-"))
        try:
            found = measure(experts, asked, python, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        ours, peer = tokens / statistics.median(found.ours_s), tokens / statistics.median(found.peer_s)
        flops = flops_per_token(shape_of(experts, asked.width), TOKENS)
        peak = statistics.median(found.peaks)
        told[str(experts)] = row = {
            "tokens_per_s": round(ours, 1), "peer_tokens_per_s": round(peer, 1), "times_faster": round(ours / peer, 3),
            "flops_per_s": round(ours * flops), "peak_flops_per_s": round(peak), "mfu": round(ours * flops / peak, 4),
            "loss": found.loss, "peer_loss": found.peer_loss, "first_step_s": round(found.compile_s, 1),
        }  # fmt: skip
        table.add_row(
            str(experts), f"{ours:,.0f}", f"{peer:,.0f}", f"{ours / peer:.2f}", f"{ours * flops / 1e9:.0f}",
            f"{peak / 1e9:.0f}", f"{row['mfu']:.0%}", f"{found.loss:.4f}", f"{found.peer_loss:.4f}",
        )  # fmt: skip
        talk.print(f"{experts} experts: {row}", style="dim")
    Console(width=140).print(table)
    first, last = str(min(asked.experts)), str(max(asked.experts))
    summary = {
        "times_faster": {key: row["times_faster"] for key, row in told.items()},
        "mfu": {key: row["mfu"] for key, row in told.items()},
        f"speed_{last}_over_{first}": round(told[last]["tokens_per_s"] / told[first]["tokens_per_s"], 3),
        "by_experts": told,
        "versions": {"torch": torch.__version__, "transformers": TRANSFORMERS.partition("==")[2]},
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
