"""What physics and kernels make of a training run, before any run is looked at: the share of the peak to expect.

Constants are the scheme's priors, rounded, and written down before the fit: the regression in ``utilisation.py`` learns
only how runs differ from this. Sources: kernels (FlashAttention-3, DeepGEMM, Transformer Engine reports) and the usual
ablations of papers on Megatron, MegaScale and PaLM.
"""

import math

from tenfold.compute.run import DEFAULT_CONTEXT, Run, goodput, shape, training_flops

# Speed of matrix products over 16 bits: conversions, and layers that stay wide, take part of the doubling.
SHORT_GAIN = {"fp8": 1.4, "fp4": 1.7}
# Grouped products of experts gain less, as they are small and wait for memory and network.
EXPERTS_GAIN = 0.5
# 32-bit products run on half-speed units since Ampere (TF32), and on ordinary units before.
TF32_GAIN = 0.5
TF32_SINCE = 2020
# Causal attention reaches this part of what matrix products reach.
ATTENTION_SPEED = 0.4
# The more FLOPs an accelerator has per byte of memory bandwidth, the less of its peak is reached; exponent.
INTENSITY_SLOPE = 0.4
INTENSITY_CENTRE = 200.0
BENCHMARK_GAIN = 0.15
STEADY_GAIN = 0.1
EXPERTS_LOSS = 0.3
# Loss per factor e below the size at which matrices fill an accelerator.
SMALL_LOSS = 0.15
SMALL_PARAMS = 3.7e9
# Loss per year before fused attention and sharded optimisers were common.
EARLY_LOSS = 0.12
MATURE_YEAR = 2022.5
# A run that does not say when it is, is as the newest.
YEAR_SPAN = (2019.0, 2026.0)


def within(value: float, low: float, high: float) -> float:
    """The value, or the edge of the data if it lies beyond: slopes are not stretched where nothing was seen."""
    return min(max(value, low), high)


def filling_params(run: Run) -> float:
    """Parameters of a dense model whose matrices are as large: experts are small ones of a large number."""
    return within(run.active_params / math.sqrt(run.total_params / run.active_params), 5e7, 3e12)


def smallness(run: Run) -> float:
    """How far matrices lie below ``SMALL_PARAMS``, in logs."""
    return max(0.0, math.log(SMALL_PARAMS / filling_params(run)))


def early_years(run: Run) -> float:
    """Years before ``MATURE_YEAR``."""
    return max(0.0, MATURE_YEAR - within(run.year or YEAR_SPAN[1], *YEAR_SPAN))


def log_intensity(run: Run) -> float:
    """Log of 16-bit FLOPs per byte of memory bandwidth, over ``INTENSITY_CENTRE``."""
    kind = run.accelerator
    return math.log(kind.peak_16bit_flops / kind.memory_bytes_per_s / INTENSITY_CENTRE)


def has_experts(run: Run) -> bool:
    """Whether a token passes through a part of the parameters only."""
    return run.total_params > run.active_params


def product_speed(run: Run) -> float:
    """Speed of large matrix products in the run's format, over 16 bits."""
    if run.precision == "fp32":
        wide = run.accelerator.entry.fp32_tflops
        slow = 1.0 if wide is None else wide.value * 1e12 / run.accelerator.peak_16bit_flops
        return slow if run.accelerator.entry.year < TF32_SINCE else TF32_GAIN
    gain = SHORT_GAIN.get(run.precision, 1.0) - 1
    return 1 + gain * (EXPERTS_GAIN if has_experts(run) else 1.0)


def mix_speed(run: Run) -> float:
    """Speed of a token's FLOPs, attention among them, over 16-bit products."""
    layers, hidden = shape(run)
    attention = 6 * layers * hidden * (run.context or DEFAULT_CONTEXT)
    share = attention / (6 * run.active_params + attention)
    return 1 / ((1 - share) / product_speed(run) + share / ATTENTION_SPEED)


def likely_count(run: Run) -> float:
    """Accelerators of a run that does not say: what finishes it in 45 days at 35% of peak, 32,000 at most."""
    peak_hours = training_flops(run) / (3600 * run.accelerator.peak_16bit_flops)
    return within(peak_hours / 0.35 / (45 * 24), 1, 32000)


def failures_factor(run: Run) -> float:
    """Share of counted time that is progress; 1 if only the steady state counts."""
    return 1.0 if run.measured == "throughput" else goodput(run.count or likely_count(run))


def expected_share(run: Run) -> float:
    """Share of the 16-bit peak over the counted time, up to a factor that all runs share."""
    log_share = (
        BENCHMARK_GAIN * (run.kind == "benchmark")
        + STEADY_GAIN * (run.measured == "throughput")
        - EXPERTS_LOSS * has_experts(run)
        - INTENSITY_SLOPE * log_intensity(run)
        - SMALL_LOSS * smallness(run)
        - EARLY_LOSS * early_years(run)
    )
    return failures_factor(run) * mix_speed(run) * math.exp(log_share)
