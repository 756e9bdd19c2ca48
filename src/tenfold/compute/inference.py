"""What serving a language model takes: a roofline of prefill and decode, then what measured systems reach of it.

Roofline: each phase needs FLOPs, bytes from memory and bytes over the network; kernels reach published shares of the
peaks; communication overlaps with computation. Real engines reach a share of that roofline, which is taken from
published measurements of open engines (``serving_runs.csv``), never from the fleet that is being estimated.
"""

import csv
import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import Field

from tenfold.compute.accelerators import Accelerator, Precision, find_accelerator
from tenfold.compute.facilities import Bill, Facility, bill
from tenfold.compute.interval import Interval
from tenfold.compute.served import ServedModel, find_served_model
from tenfold.core.errors import InfeasibleError
from tenfold.core.frozen import Frozen

DATA_FILE = "serving_runs.csv"
# Shares of the peaks that kernels reach. Matrix products: DeepGEMM's grouped FP8 kernels, about 1,200 of 1,979 TFLOP/s
# on H800. Attention: FlashMLA, 580 of 989. Memory: FlashMLA, 3,000 of 3,350 GB/s, less some for smaller reads.
# Network: DeepEP, about 43 of 50 GB/s. All published in February 2025.
MATMUL_SHARE = 0.6
ATTENTION_SHARE = 0.6
MEMORY_SHARE = 0.85
NETWORK_SHARE = 0.85
# Part of memory for weights and cache; the rest is activations and the engine's own.
USABLE_MEMORY = 0.9
# Mean load over the load at which answers get slow: what is kept free for peaks within the hour.
HEADROOM = Interval(0.6, 0.7, 0.8)
BYTES_PER_PARAM: dict[Precision, float] = {"fp32": 4, "bf16": 2, "fp16": 2, "fp8": 1, "fp4": 0.5}


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is asked of the fleet, as means over the time considered.

    Args:
        input_tokens_per_s: prompt tokens, cached ones included.
        output_tokens_per_s: generated tokens.
        cached_share: share of the prompt tokens whose cache is there already.
        prompt_tokens: tokens per prompt.
        context_tokens: cache length that an output token attends to, on average.
        user_tokens_per_s: least speed of one answer.
    """

    input_tokens_per_s: float
    output_tokens_per_s: float
    cached_share: float = 0.0
    prompt_tokens: float = 2000
    context_tokens: float = 2500
    user_tokens_per_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens per second of one accelerator, and what bounds them."""

    tokens_per_s: float
    bound: Literal["compute", "memory", "network"]
    batch: float


@dataclass(frozen=True, slots=True)
class InferenceEstimate:
    """Accelerators for the traffic, by phase, and the rates behind them (per accelerator, before headroom)."""

    prefill_tokens_per_s: Interval
    decode_tokens_per_s: Interval
    prefill_bound: str
    decode_bound: str
    decode_batch: float
    prefill_accelerators: Interval
    decode_accelerators: Interval
    accelerators: Interval
    bill_per_day: Bill


def least_replica(model: ServedModel, accelerator: Accelerator, precision: Precision) -> int:
    """Accelerators that hold the weights in two thirds of their usable memory, as a power of two."""
    need = model.total_params * BYTES_PER_PARAM[precision]
    each = accelerator.memory_bytes * USABLE_MEMORY * 2 / 3
    return 2 ** max(0, math.ceil(math.log2(need / each)))


def prefill_rate(
    model: ServedModel, accelerator: Accelerator, precision: Precision, traffic: Traffic, replica: int
) -> Rate:
    """Roofline of reading prompts: tokens computed per second and accelerator.

    A new token attends to the cached prefix and to half of the new part of its prompt.
    """
    cached = traffic.cached_share
    attended = traffic.prompt_tokens * (cached + (1 - cached) / 2)
    compute_s = 2 * model.active_params / (accelerator.peak_flops(precision) * MATMUL_SHARE)
    compute_s += model.prefill_flops_per_pair() * attended / (accelerator.peak_16bit_flops * ATTENTION_SHARE)
    # With long batches a token is sent once to each server that it needs and is copied inside.
    visited = min(model.experts_per_token, model.servers_per_token or model.experts_per_token)
    network_s = _network_s(model, accelerator, replica, visited)
    return Rate(1 / max(compute_s, network_s), "compute" if compute_s >= network_s else "network", math.inf)


@dataclass(frozen=True, slots=True)
class DecodeStep:
    """Seconds that the parts of one decoding step take: the weights once, the rest per sequence in the batch."""

    weights_s: float
    matmul_s: float
    attention_s: float
    cache_s: float
    network_s: float

    def busy_s(self, batch: float) -> float:
        """Computing and reading: weights stream in while products are made of them, caches while attention is."""
        return max(self.weights_s, batch * self.matmul_s) + batch * max(self.attention_s, self.cache_s)

    def seconds(self, batch: float) -> float:
        """The whole step, with the network overlapped."""
        return max(self.busy_s(batch), batch * self.network_s)

    def bound(self, batch: float) -> Literal["compute", "memory", "network"]:
        """What the step waits for most."""
        if self.busy_s(batch) < batch * self.network_s:
            return "network"
        reading = self.weights_s > batch * self.matmul_s or self.cache_s > self.attention_s
        return "memory" if reading else "compute"

    def largest_batch(self, most: float, deadline_s: float) -> float:
        """The largest batch up to ``most`` within the deadline, by halving: a step never shrinks with its batch."""
        low, high = 0.0, most
        if self.seconds(most) <= deadline_s:
            return most
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self.seconds(middle) <= deadline_s else (low, middle)
        return low


def decode_rate(
    model: ServedModel, accelerator: Accelerator, precision: Precision, traffic: Traffic, replica: int
) -> Rate:
    """Roofline of generating: tokens per second and accelerator at the largest batch that memory and speed allow.

    Raises:
        InfeasibleError: weights do not fit, or even a batch of one sequence per replica is too slow.
    """
    weights = model.total_params * BYTES_PER_PARAM[precision] / replica
    free = accelerator.memory_bytes * USABLE_MEMORY - weights
    per_sequence = traffic.context_tokens * model.cache_bytes_per_token()
    if free < per_sequence:
        raise InfeasibleError(
            f"{model.title} in {precision} does not fit on {replica} {accelerator.name} with "
            f"{traffic.context_tokens:,.0f} tokens of cache",
            next_step=f"use a replica of {max(2 * replica, least_replica(model, accelerator, precision))} or more",
        )
    bandwidth = accelerator.memory_bytes_per_s * MEMORY_SHARE
    attention = model.decode_flops_per_pair() * traffic.context_tokens
    step = DecodeStep(
        weights_s=weights / bandwidth,
        matmul_s=2 * model.active_params / (accelerator.peak_flops(precision) * MATMUL_SHARE),
        attention_s=attention / (accelerator.peak_16bit_flops * ATTENTION_SHARE),
        cache_s=per_sequence / bandwidth,
        # Short batches go to each expert directly, for latency.
        network_s=_network_s(model, accelerator, replica, model.experts_per_token),
    )
    batch = step.largest_batch(free / per_sequence, 1 / traffic.user_tokens_per_s)
    if batch * replica < 1:
        raise InfeasibleError(
            f"{model.title} on {replica} {accelerator.name} cannot reach {traffic.user_tokens_per_s:g} tokens/s for "
            f"one answer: reading the weights alone takes {step.weights_s * 1e3:.0f} ms a step",
            next_step="use a larger replica, a faster accelerator, or a lower speed",
        )
    return Rate(batch / step.seconds(batch), step.bound(batch), batch)


def _network_s(model: ServedModel, accelerator: Accelerator, replica: int, visited: int) -> float:
    """Seconds of network per token that goes to ``visited`` places; those on its own scale-up links are free."""
    network, near = accelerator.entry.network_gbit_per_s, accelerator.entry.scale_up_count
    if replica <= near or network is None:
        return 0.0
    return model.exchanged_bytes_per_token(visited * (1 - near / replica)) / (network.value / 8 * 1e9 * NETWORK_SHARE)


class ServingRow(Frozen):
    """One line of ``serving_runs.csv``: what an engine was measured to do."""

    run: str
    model: str
    accelerator: str
    precision: Precision
    replica: int = Field(description="accelerators that share the weights")
    phase: Literal["prefill", "decode"]
    prompt_tokens: float
    context_tokens: float
    user_tokens_per_s: float = Field(description="speed of one answer; sets the batch")
    tokens_per_s: float = Field(description="per accelerator")
    source: str
    source_date: str
    provenance: Literal["looked up", "memory", "project notes"]

    def roofline(self) -> float:
        """Tokens per second and accelerator by the roofline alone."""
        traffic = Traffic(
            1,
            1,
            prompt_tokens=self.prompt_tokens,
            context_tokens=self.context_tokens,
            user_tokens_per_s=self.user_tokens_per_s,
        )
        rate = prefill_rate if self.phase == "prefill" else decode_rate
        return rate(
            find_served_model(self.model), find_accelerator(self.accelerator), self.precision, traffic, self.replica
        ).tokens_per_s


@cache
def serving_runs() -> tuple[ServingRow, ...]:
    """All measurements."""
    lines = csv.DictReader((files("tenfold.compute") / DATA_FILE).read_text().splitlines())
    return tuple(ServingRow.model_validate(line) for line in lines)


@cache
def engine_share(phase: Literal["prefill", "decode"], sparse: bool) -> Interval:
    """Share of the roofline that measured engines reach: the geometric mean, and at least 25% to either side.

    The measurements are of a mixture of experts over many servers. A dense model exchanges nothing, and tuned entries
    to MLPerf are up to 1.75 times above this share, so its interval reaches there.
    """
    logs = [math.log(row.tokens_per_s / row.roofline()) for row in serving_runs() if row.phase == phase]
    mean = sum(logs) / len(logs)
    spread = math.sqrt(sum((value - mean) ** 2 for value in logs) / len(logs))
    share = Interval.around(math.exp(mean), max(math.log(1.25), 1.28 * spread))
    return share if sparse else Interval(share.low, share.mid, max(share.high, 1.75 * share.mid))


def estimate_inference(
    model: ServedModel,
    accelerator: Accelerator,
    traffic: Traffic,
    facility: Facility,
    *,
    precision: Precision,
    prefill_replica: int | None = None,
    decode_replica: int | None = None,
) -> InferenceEstimate:
    """Estimate the fleet for a traffic.

    Args:
        model: what is served.
        accelerator: kind used.
        traffic: what is asked.
        facility: where.
        precision: of weights and matrix products; the cache and attention are in 16 bits.
        prefill_replica: accelerators that share the weights while reading prompts; default: the least that hold them.
        decode_replica: the same while generating.
    Raises:
        InfeasibleError: weights and cache do not fit, or one answer cannot be that fast.
    """
    least = least_replica(model, accelerator, precision)
    prefill = prefill_rate(model, accelerator, precision, traffic, prefill_replica or least)
    decode = decode_rate(model, accelerator, precision, traffic, decode_replica or least)
    sparse = model.total_params > model.active_params
    prefill_speed = engine_share("prefill", sparse).scaled(prefill.tokens_per_s)
    decode_speed = engine_share("decode", sparse).scaled(decode.tokens_per_s)
    computed = max(traffic.input_tokens_per_s * (1 - traffic.cached_share), 1e-9)
    prefill_need = prefill_speed.times(HEADROOM).inverse().scaled(computed)
    decode_need = decode_speed.times(HEADROOM).inverse().scaled(max(traffic.output_tokens_per_s, 1e-9))
    need = prefill_need.plus(decode_need)
    return InferenceEstimate(
        prefill_tokens_per_s=prefill_speed,
        decode_tokens_per_s=decode_speed,
        prefill_bound=prefill.bound,
        decode_bound=decode.bound,
        decode_batch=decode.batch,
        prefill_accelerators=prefill_need,
        decode_accelerators=decode_need,
        accelerators=need,
        bill_per_day=bill(accelerator, facility, need.scaled(24)),
    )
