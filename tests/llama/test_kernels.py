"""Our own functions between products give what torch gives, and the same bits in every process."""

import multiprocessing
import subprocess
from pathlib import Path

import pytest
import torch
import train_processes

from tenfold.llama import kernels
from tenfold.llama.attention import Positions
from tenfold.llama.model import Layer, LlamaForCausalLM, network_of
from tenfold.llama.readout import judge
from tenfold.llama.shape import ModelShape, VisionShape
from tenfold.llama.vision import VisionLayer
from tenfold.llama.worker import GradientComputer

needs_kernels = pytest.mark.skipif(
    kernels.library() is None, reason="this CPU has no AVX-512 for bfloat16, or there is no C compiler"
)
SIZES = {
    "vocab_size": 288, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32,
    "intermediate_size_mlp": 96, "intermediate_size": 64,
}  # fmt: skip
SHAPES = {
    "mixture": ModelShape(**SIZES, num_local_experts=4),
    "wide heads without norm": ModelShape(**SIZES | {"head_dim": 64}, num_local_experts=4, use_qk_norm=False),
    "widest heads, one for all": ModelShape(**SIZES | {"head_dim": 128, "num_key_value_heads": 1}, num_local_experts=4),
    "dense": ModelShape(**SIZES, num_local_experts=0, use_qk_norm=False, no_rope_layer_interval=0),
}


def drawn(*size: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed)).bfloat16()


def off(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found.float() - expected.float()).norm() / expected.float().norm())


def gradients(function, *inputs: torch.Tensor) -> list[torch.Tensor]:
    """What it gives, then the gradient by each input of that times fixed numbers."""
    inputs = [each.detach().clone().requires_grad_() for each in inputs]
    out = function(*inputs)
    out.backward(drawn(*out.shape, seed=9).to(out.dtype))
    return [out.detach(), *(each.grad for each in inputs)]


@pytest.mark.parametrize("fault", ["refuses", "hangs", "writes what is no library"])
def test_a_machine_whose_compiler_fails_trains_without_and_says_so(fault, tmp_path, monkeypatch, caplog):
    def run(command, **_):
        if fault == "hangs":
            raise subprocess.TimeoutExpired(command, 120)
        Path(command[command.index("-o") + 1]).write_text("none")
        return subprocess.CompletedProcess(command, int(fault == "refuses"), "", "no such option")

    monkeypatch.setattr(kernels, "_cpu_flags", lambda: kernels.NEEDED)
    monkeypatch.setattr(kernels, "cache_dir", lambda: tmp_path)
    monkeypatch.setattr(kernels.shutil, "which", lambda _: "/usr/bin/cc")
    monkeypatch.setattr(kernels.subprocess, "run", run)
    assert kernels.library.__wrapped__() is None
    assert "so torch does it" in caplog.text


@needs_kernels
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("layer", [0, 3], ids=["turned", "unturned"])
def test_attention_is_torchs(name, layer):
    shape = SHAPES[name]
    model = LlamaForCausalLM(shape)
    model.initialise(0)
    attention, positions = model.model.layers[layer].self_attn, Positions.of(96, shape, torch.device("cpu"))
    for each in attention.parameters():
        each.data = (8 * each.data).bfloat16().float()
    x_BTD = drawn(2, 96, 64)
    expected = gradients(lambda x: attention(x, positions), x_BTD.float())
    expected += [each.grad.clone() for each in attention.parameters()]
    attention.zero_grad()
    attention.bfloat16().by_kernels = True
    found = gradients(lambda x: attention(x, positions), x_BTD)
    found += [each.grad for each in attention.parameters()]
    assert max(map(off, found, expected)) < 0.02


@needs_kernels
def test_norm_and_gate_are_torchs():
    norm = LlamaForCausalLM(SHAPES["dense"]).model.norm
    norm.weight.data = 1 + 0.1 * drawn(64).float()

    def added(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.cat(norm.add(x, y))

    def gate(x: torch.Tensor) -> torch.Tensor:
        gate_NF, up_NF = x.chunk(2, dim=-1)
        return torch.nn.functional.silu(gate_NF) * up_NF

    x, y, rows = drawn(1, 50, 64), drawn(1, 50, 64, seed=2), 30 * drawn(50, 96)

    def alone(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return norm.add(x, y)[1]

    expected = [*gradients(added, x.float(), y.float()), *gradients(alone, x.float(), y.float())]
    expected.append(norm.weight.grad.clone())
    norm.zero_grad()
    norm.by_kernels = True
    found = [*gradients(added, x, y), *gradients(alone, x, y), norm.weight.grad]
    expected += gradients(gate, rows.float())
    found += gradients(kernels.Gated.apply, rows)
    assert max(map(off, found, expected)) < 0.006


@needs_kernels
def test_cross_entropy_is_torchs_and_what_is_no_number_stays_none():
    logits_NV, targets_N, weights_N = 5 * drawn(40, 288), torch.arange(40) * 7, torch.rand(40)
    expected = judge(logits_NV, targets_N, weights_N)
    found = kernels.judge(logits_NV.clone(), targets_N, weights_N)
    assert float(found[0]) == pytest.approx(float(expected[0]), rel=1e-6)
    assert off(found[1], expected[1]) < 0.004
    for wrong in (float("nan"), float("inf")):
        logits_NV[3, 5] = wrong
        assert not torch.isfinite(kernels.judge(logits_NV.clone(), targets_N, weights_N)[0])


@pytest.mark.parametrize(
    "by_kernels", [pytest.param(True, marks=needs_kernels), pytest.param(False, marks=pytest.mark.soak)]
)
def test_bfloat16_by_kernels_or_compiled_gives_equal_bits_in_every_process(context, recipe, text, by_kernels):
    sizes = {"hidden_size": 32, "head_dim": 32, "intermediate_size_mlp": 64, "vocab_size": 320}
    asked = recipe.model_copy(
        update={"bfloat16": True, "compile": not by_kernels, "model": recipe.model.model_copy(update=sizes)}
    ).model_dump_json()
    found = []
    for _ in range(2):
        reader, writer = multiprocessing.Pipe(duplex=False)
        process = context.Process(target=train_processes.compute, args=(asked, text, by_kernels, writer))
        process.start()
        writer.close()
        found.append(reader.recv())
        process.join()
    train_processes.compute(asked, text, by_kernels, sender := Kept())
    assert found == [sender.kept] * 2
    assert len(set(found[0])) == 2
    if by_kernels:
        train_processes.compute(asked, text, False, without := Kept())
        assert without.kept != sender.kept


class Kept:
    """What would have been sent."""

    def send(self, value: list[tuple[float, str]]) -> None:
        self.kept = value


@pytest.mark.parametrize("by_kernels", [True, False])
def test_layers_that_read_images_are_compiled_beside_kernels_too(by_kernels, monkeypatch):
    model = network_of(ModelShape(**SIZES, num_hidden_layers=2, num_local_experts=4, vision=VisionShape()))
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda layer, **_: compiled.append(type(layer)))
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    if by_kernels:
        model.use_kernels()
    model.compile_layers()
    assert compiled == [VisionLayer] * 2 + ([] if by_kernels else [Layer] * 2)


@pytest.mark.parametrize(
    ("compiled", "fits", "threads", "told"),
    [
        (False, True, 1, "kernels"),
        (True, True, 1, "kernels"),
        (False, False, 1, "products in bfloat16"),
        (True, False, 1, "torch's compiler"),
        (False, True, 2, "products in bfloat16"),
    ],
)
def test_a_worker_tells_by_what_it_computes(compiled, fits, threads, told, recipe, text, monkeypatch):
    monkeypatch.setattr(kernels, "fit", lambda _: fits)
    monkeypatch.setattr("tenfold.llama.worker.bfloat16_is_fast", lambda: True)
    asked = recipe.model_copy(update={"compile": compiled, "bfloat16": True})
    found = GradientComputer(asked, text, threads).numerics().split(", ")
    assert f"torch {torch.__version__}" in found
    assert told in found[-1] if threads == 1 else found[-2:] == [told, "2 threads"]
