"""The steps of training between products, as functions of our own in C, with their gradients.

For bfloat16 on CPUs with AVX-512, and AMX where there is that; ``kernels.c`` is built once for each machine, in a
second or two. torch's own compiler makes several passes over memory of each of these steps, and a loop over single
numbers of some.

Shape letters: N tokens, D width, F hidden width of a feed-forward, B sequences, T positions, W width of a token's
queries, keys and values together, V vocabulary.
"""

import ctypes
import functools
import hashlib
import logging
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tenfold.core.paths import cache_dir
from tenfold.llama.shape import ModelShape

log = logging.getLogger(__name__)

SOURCE = Path(__file__).with_suffix(".c")
FLAGS = (
    "-O3", "-ffp-contract=off", "-fno-math-errno", "-shared", "-fPIC", "-mfma", "-mavx512f", "-mavx512bw", "-mavx512vl",
    "-mavx512dq", "-mavx512bf16",
)  # fmt: skip
NEEDED = {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_bf16", "fma"}
WITH_AMX = ("-mamx-tile", "-mamx-bf16")
AMX = {"amx_tile", "amx_bf16"}
"""Where the CPU has these too, attention multiplies by them."""
BLOCK = 32
"""Positions that attention takes at a time; a sequence must be whole blocks."""

Context = torch.autograd.function.FunctionCtx
Backward = torch.autograd.function.BackwardCFunction


class _Heads(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_long) for name in ("T", "H", "K", "C")),
        *((name, ctypes.c_void_p) for name in ("cosines", "sines")),
        *((name, ctypes.c_int) for name in ("halves", "unit")),
        ("eps", ctypes.c_float),
    )


@functools.cache
def library() -> ctypes.CDLL | None:
    """The functions, built if they were not; none where the CPU lacks what they need or no compiler can build them."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or NEEDED - _cpu_flags():
        return None
    built = cache_dir() / "train" / f"kernels-{version()}.so"
    try:
        if not built.exists():
            _build(compiler, built)
        found = ctypes.CDLL(str(built))
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("%s cannot build what makes training faster, so torch does it: %s", compiler, error)
        return None
    found.judge.restype = ctypes.c_double
    return found if found.kernels_usable() else None


@functools.cache
def version() -> str:
    """Tell the functions from those of another Tenfold, and of a CPU with other instructions."""
    return hashlib.sha256(" ".join(_flags()).encode() + SOURCE.read_bytes()).hexdigest()[:16]


def _flags() -> tuple[str, ...]:
    return FLAGS if AMX - _cpu_flags() else (*FLAGS, *WITH_AMX)


def _build(compiler: str, built: Path) -> None:
    built.parent.mkdir(parents=True, exist_ok=True)
    made = built.with_suffix(f".{os.getpid()}")
    command = [compiler, *_flags(), str(SOURCE), "-o", str(made), "-lm"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise OSError(done.stderr)
    made.rename(built)


def fit(shape: ModelShape) -> bool:
    """Whether the functions can train a model of this shape, in sequences of whole blocks of 32 positions."""
    return (
        shape.hidden_size % 16 == shape.vocab_size % 16 == shape.intermediate_size % 16 == 0
        and shape.intermediate_size_mlp % 16 == shape.head_dim % 32 == 0
        and shape.head_dim <= 128
        and library() is not None
    )


def _cpu_flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    return set(next((line for line in text.splitlines() if line.startswith("flags")), "").split())


def _call(name: str, *arguments: Tensor | float | ctypes.Structure | None) -> float:
    """Call a function on contiguous tensors of the types that it reads."""
    given: list[object] = []
    for each in arguments:
        if isinstance(each, Tensor):
            assert each.is_contiguous(), name
            given.append(ctypes.c_void_p(each.data_ptr()))
        elif isinstance(each, ctypes.Structure):
            given.append(ctypes.byref(each))
        elif isinstance(each, float):
            given.append(ctypes.c_float(each))
        else:
            given.append(each if each is None else ctypes.c_long(each))
    found = library()
    assert found is not None, "fit was not asked"
    answer = getattr(found, name)(*given)
    if name.startswith("attention") and answer:
        raise MemoryError(f"{name}: there is no memory for a head's keys and values")
    return answer


class Normed(torch.autograd.Function):
    """Add to the residual stream and normalise it by its root mean square."""

    @staticmethod
    def forward(ctx: Context, x_ND: Tensor, added_ND: Tensor, weight_D: Tensor, eps: float) -> tuple[Tensor, Tensor]:
        """Return ``x_ND + added_ND``, and the same normalised."""
        sum_ND, out_ND, scale_N = torch.empty_like(x_ND), torch.empty_like(x_ND), torch.empty(len(x_ND))
        given = (x_ND.contiguous(), added_ND.contiguous(), weight_D, eps)
        _call("norm_forward", *x_ND.shape, *given, sum_ND, out_ND, scale_N)
        ctx.save_for_backward(sum_ND, weight_D, scale_N)
        # The last norm's sum is read by nobody: none then, not zeros.
        ctx.set_materialize_grads(False)
        return sum_ND, out_ND

    @staticmethod
    def backward(
        ctx: torch.autograd.function.BackwardCFunction, *gradients: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        """The sum's gradient is that of both that were added."""
        sum_ND, weight_D, scale_N = list(ctx.saved_tensors)
        beside_ND, gradient_ND = gradients
        assert gradient_ND is not None, "what is normalised is read"
        beside_ND = None if beside_ND is None else beside_ND.contiguous()
        by_sum_ND, by_weight_D = torch.empty_like(sum_ND), torch.zeros_like(weight_D)
        _call("norm_backward", *sum_ND.shape, gradient_ND.contiguous(), beside_ND, sum_ND, weight_D, scale_N,
              by_sum_ND, by_weight_D)  # fmt: skip
        return by_sum_ND, by_sum_ND, by_weight_D, None


class Gated(torch.autograd.Function):
    """SwiGLU: the sigmoid-weighted gate times up; a row holds both beside each other."""

    @staticmethod
    def forward(ctx: Context, gate_up_N2F: Tensor) -> Tensor:
        """Shape (N, F)."""
        gate_up_N2F = gate_up_N2F.contiguous()
        n, hidden = len(gate_up_N2F), gate_up_N2F.shape[1] // 2
        out_NF = gate_up_N2F.new_empty(n, hidden)
        _call("swiglu_forward", n, hidden, gate_up_N2F, out_NF)
        ctx.save_for_backward(gate_up_N2F)
        return out_NF

    @staticmethod
    def backward(ctx: Backward, *gradients: Tensor) -> Tensor:
        """By both halves of a row."""
        (gate_up_N2F,) = ctx.saved_tensors
        by_N2F = torch.empty_like(gate_up_N2F)
        _call("swiglu_backward", len(by_N2F), by_N2F.shape[1] // 2, gradients[0].contiguous(), gate_up_N2F, by_N2F)
        return by_N2F


@dataclass(frozen=True, slots=True)
class Heads:
    """How a layer's attention reads a token's row; tables of (T, C / 2) turn positions, none where they do not turn."""

    shape: ModelShape
    cos_TC: Tensor | None
    sin_TC: Tensor | None

    def told(self, positions: int) -> _Heads:
        """As the functions read it; the tables must live as long."""
        shape = self.shape
        tables = [None if each is None else each.data_ptr() for each in (self.cos_TC, self.sin_TC)]
        unit = int(shape.use_qk_norm and self.cos_TC is not None)
        sizes = (positions, shape.num_attention_heads, shape.num_key_value_heads, shape.head_dim)
        return _Heads(*sizes, *tables, int(shape.is_dense), unit, shape.rms_norm_eps)


class _Attending(Backward):
    heads: Heads


class Attended(torch.autograd.Function):
    """Causal attention of rows that hold queries, keys and values, turned by position on the way."""

    @staticmethod
    def forward(ctx: _Attending, rows_BTW: Tensor, heads: Heads) -> Tensor:
        """Shape (B, T, H x C)."""
        rows_BTW = rows_BTW.contiguous()
        b, t, _ = rows_BTW.shape
        shape = heads.shape
        out = rows_BTW.new_empty(b, t, shape.num_attention_heads * shape.head_dim)
        total_BHT = torch.empty(b, shape.num_attention_heads, t)
        _call("attention_forward", b, heads.told(t), rows_BTW, out, total_BHT)
        ctx.save_for_backward(rows_BTW, out, total_BHT)
        ctx.heads = heads
        return out

    @staticmethod
    def backward(ctx: _Attending, *gradients: Tensor) -> tuple[Tensor, None]:
        """Scores are made again."""
        rows_BTW, out, total_BHT = list(ctx.saved_tensors)
        by_BTW = torch.empty_like(rows_BTW)
        b, t, _ = rows_BTW.shape
        _call("attention_backward", b, ctx.heads.told(t), rows_BTW, out, total_BHT, gradients[0].contiguous(), by_BTW)
        return by_BTW, None


def judge(logits_NV: Tensor, targets_N: Tensor, weights_N: Tensor) -> tuple[Tensor, Tensor]:
    """As ``readout.judge``; the gradient takes the place of the logits."""
    loss = _call("judge", *logits_NV.shape, logits_NV, targets_N.contiguous(), weights_N.float().contiguous())
    return torch.tensor(loss, dtype=torch.float32), logits_NV
