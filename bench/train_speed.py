"""How fast is our training step? transformers' Llama 4 with the same weights on the same tokens answers beside it.

    python bench/train_speed.py [--experts 8 16 64] [--rounds 3] [--sequences 16] [--width 256]

A step is forward and backward of a batch of 256-token sequences in bfloat16 on one thread; the peer is compiled, and
so is ours where ``llama/kernels.c`` does not fit. Ours also rounds the float32 weights before and writes a float32
gradient after, as each microbatch of a run does; the peer holds its weights in bfloat16. transformers lives in a
virtual environment of its own, which takes torch from ours, and in a process of its own. Steps of both take turns, the
fastest product of matrices (``tenfold.llama.peak``) is measured beside each of ours, and all is CPU time: so other
work on the machine matters little. Losses and lengths of gradients are compared. At 64 experts the peer takes 4
sequences at a time, for memory.

The last line is one JSON object: ``times_faster`` and ``mfu`` (model FLOP/s over that product's) by count of experts,
and ``speed_64_over_8``: our tokens/s at the most experts over those at the fewest. ``peer_operations`` is how many
times ours the peer's operations are, since it runs every expert on every token, and ``peer_mfu`` counts them all.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from contextlib import ExitStack
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
from tenfold.llama.flops import flops_per_token, parameters_of
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
        self._said = ""

    def start(self, sequences: int) -> None:
        print(sequences, file=self._process.stdin, flush=True)

    def wait(self) -> None:
        """Until the step that was started is done."""
        self._said = self._said or self._process.stdout.readline()
        if not self._said:
            raise SystemExit(f"transformers ended with exit code {self._process.wait()}")

    def end(self) -> tuple[float, float, float]:
        """Loss, length of the gradient and CPU-seconds."""
        self.wait()
        said, self._said = json.loads(self._said), ""
        return said["loss"], said["norm"], said["cpu_s"]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class Measured:
    """Both of one count of experts, and what their rounds took; times are CPU-seconds of a step."""

    def __init__(self, experts: int, asked: argparse.Namespace, python: Path, folder: Path) -> None:
        """Start the peer's first step, which compiles it."""
        self.shape = shape_of(experts, asked.width)
        many = experts >= MANY_EXPERTS
        self._at_a_time, self._rounds = (FEW_SEQUENCES, 2) if many else (asked.sequences, asked.rounds)
        batch = folder / "batch.npy"
        window_BT = np.random.default_rng(1).integers(0, self.shape.vocab_size, (asked.sequences, TOKENS + 1))
        np.save(batch, window_BT)
        self._ours = Ours(self.shape, window_BT)
        self.peer = Peer(python, self.shape, self._ours.weights(), batch)
        self.peer.start(self._at_a_time)
        self._tokens = asked.sequences * TOKENS
        self._ours_s: list[float] = []
        self._peer_s: list[float] = []
        self._peaks: list[float] = []

    def take_turns(self) -> dict[str, float]:
        """Compare the first steps, then measure; what is told of it."""
        loss, length, first_s = self._ours.step()
        peer_loss, peer_length, _ = self.peer.end()
        off, length_off = abs(loss / peer_loss - 1), abs(length / peer_length - 1)
        if off > LOSS_WITHIN or length_off > LENGTH_WITHIN:
            raise SystemExit(f"not the same model: loss differs by {off:.2%}, length of gradient by {length_off:.2%}")
        self._ours.step()
        for _ in range(self._rounds):
            self._peaks.append(measure_peak(bfloat16=True))
            self._ours_s += [self._ours.step()[2] for _ in range(2)]
            self._peaks.append(measure_peak(bfloat16=True))
            self.peer.start(self._at_a_time)
            self._peer_s.append(self.peer.end()[2])
        return self._told() | {"loss": loss, "peer_loss": peer_loss, "first_step_s": round(first_s, 1)}

    def _told(self) -> dict[str, float]:
        ours, peer = self._tokens / statistics.median(self._ours_s), self._tokens / statistics.median(self._peer_s)
        flops, peak = flops_per_token(self.shape, TOKENS), statistics.median(self._peaks)
        counted = parameters_of(self.shape)
        # It runs every expert on every token: six operations a parameter that is idle in ours.
        peer_flops = flops + 6 * (counted.total - counted.active)
        return {
            "tokens_per_s": round(ours, 1), "peer_tokens_per_s": round(peer, 1), "times_faster": round(ours / peer, 3),
            "flops_per_s": round(ours * flops), "peak_flops_per_s": round(peak), "mfu": round(ours * flops / peak, 4),
            "peer_operations": round(peer_flops / flops, 2), "peer_mfu": round(peer * peer_flops / peak, 4),
        }  # fmt: skip


def table_of(told: dict[str, dict[str, float]]) -> Table:
    """A row for each count of experts."""
    beside = ("transformers", "times faster", "its operations", "best product", "MFU", "its MFU", "loss", "its loss")
    table = Table("experts", "tokens/s", *beside)
    for experts, row in told.items():
        table.add_row(
            experts, f"{row['tokens_per_s']:,.0f}", f"{row['peer_tokens_per_s']:,.0f}", f"{row['times_faster']:.2f}",
            f"{row['peer_operations']:.1f} x", f"{row['peak_flops_per_s'] / 1e9:.0f}", f"{row['mfu']:.0%}",
            f"{row['peer_mfu']:.0%}", f"{row['loss']:.4f}", f"{row['peer_loss']:.4f}",
        )  # fmt: skip
    return table


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
    told: dict[str, dict[str, float]] = {}
    with ExitStack() as opened:
        measured: dict[int, Measured] = {}
        # All peers compile at once.
        for experts in asked.experts:
            folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="tenfold-speed-")))
            measured[experts] = Measured(experts, asked, python, folder)
            opened.callback(measured[experts].peer.close)
        for each in measured.values():
            each.peer.wait()
        for experts, each in measured.items():
            told[str(experts)] = each.take_turns()
            talk.print(f"{experts} experts: {told[str(experts)]}", style="dim")
    Console(width=140).print(table_of(told))
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
