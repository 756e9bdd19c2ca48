"""What serving a language model takes: accelerators that read prompts, and accelerators that generate."""

import math
from dataclasses import dataclass

from tenfold.compute.accelerators import Accelerator, Precision
from tenfold.compute.facilities import Bill, Facility, bill
from tenfold.compute.interval import Interval
from tenfold.compute.measured import ServingRow, nearest_measured
from tenfold.compute.parallel import Parallel, cache_precision, computed_in, least_replica, shared_by
from tenfold.compute.roofline import Bound, Deployment, serve
from tenfold.compute.served import ServedModel
from tenfold.core.errors import InfeasibleError

# Mean load over the load at which answers get slow: what is kept free for peaks within the hour.
HEADROOM = Interval(0.6, 0.7, 0.8)
# Half-widths of 80% intervals on the log scale. With whole sources left out of the choice of constants, 80% of rows
# were within 0.24 (dense) and 0.41 (mixtures); sources set apart showed that engines differ more (docs/log.md).
DENSE_LOG_HALF_WIDTH = 0.45
MIXTURE_LOG_HALF_WIDTH = 0.75
# Other makers' accelerators were measured by few.
OTHER_MAKERS_LOG_HALF_WIDTH = 0.4


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

    @property
    def answer_tokens(self) -> float:
        """Tokens per answer, one for each prompt."""
        return max(1.0, self.prompt_tokens * self.output_tokens_per_s / self.input_tokens_per_s)

    @property
    def longest_tokens(self) -> float:
        """Cache of a sequence whose answer ends."""
        return max(self.context_tokens, 2 * self.context_tokens - self.prompt_tokens)


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens per second of one accelerator, and what bounds them."""

    tokens_per_s: float
    bound: Bound
    batch: float


@dataclass(frozen=True, slots=True)
class InferenceEstimate:
    """Accelerators for the traffic, by phase, and the rates behind them (per accelerator, before headroom).

    ``answer_tokens_per_s`` is what one accelerator generates if it reads the prompts too, as benchmarks report it; none
    where answers would be slower than they may be, since the prompts that are read between take too long.
    ``assumed`` says what was not given.
    """

    prefill_tokens_per_s: Interval
    decode_tokens_per_s: Interval
    answer_tokens_per_s: Interval | None
    prefill_bound: str
    decode_bound: str
    decode_batch: float
    prefill_accelerators: Interval
    decode_accelerators: Interval
    accelerators: Interval
    bill_per_day: Bill
    prefill_parallel: Parallel
    decode_parallel: Parallel
    cache_precision: Precision
    assumed: tuple[str, ...]
    nearest: tuple[ServingRow, ...]


def prefill_rate(deployed: Deployment, traffic: Traffic) -> Rate:
    """Reading prompts: tokens computed per second and accelerator."""
    rate, bound = deployed.prefill(traffic.prompt_tokens, traffic.cached_share)
    return Rate(rate, bound, math.inf)


def decode_rate(deployed: Deployment, traffic: Traffic) -> Rate:
    """Generating: tokens per second and accelerator at the largest batch that memory and speed allow.

    Raises:
        InfeasibleError: weights do not fit, or even a batch of one sequence per replica is too slow.
    """
    model, name, replica = deployed.model, deployed.accelerator.name, deployed.replica
    per_sequence = model.attended(traffic.context_tokens) * deployed.cache_bytes_per_token
    if deployed.free_bytes < per_sequence:
        need = least_replica(model, deployed.accelerator, deployed.precision)
        raise InfeasibleError(
            f"{model.title} in {deployed.precision} does not fit on {replica} {name} with "
            f"{traffic.context_tokens:,.0f} tokens of cache",
            next_step=f"use a replica of {max(2 * replica, need)} or more",
        )
    step = deployed.step(traffic.context_tokens)
    batch = step.largest_batch(deployed.most_sequences(traffic.longest_tokens), 1 / traffic.user_tokens_per_s)
    if batch * replica < 1:
        raise InfeasibleError(
            f"{model.title} on {replica} {name} cannot reach {traffic.user_tokens_per_s:g} tokens/s for "
            f"one answer: one step takes {step.seconds(1 / replica) * 1e3:.0f} ms",
            next_step="use a larger replica, a faster accelerator, or a lower speed",
        )
    return Rate(batch / step.seconds(batch), step.bound(batch), batch)


def engine_interval(deployed: Deployment) -> Interval:
    """How far engines are from the roofline: a factor around 1."""
    width = MIXTURE_LOG_HALF_WIDTH if deployed.model.is_mixture else DENSE_LOG_HALF_WIDTH
    other = 0.0 if deployed.engine_share == 1 else OTHER_MAKERS_LOG_HALF_WIDTH
    return Interval.around(1.0, math.hypot(width, other))


def estimate_inference(
    model: ServedModel,
    accelerator: Accelerator,
    traffic: Traffic,
    facility: Facility,
    *,
    precision: Precision,
    cache: Precision | None = None,
    prefill: Parallel | None = None,
    decode: Parallel | None = None,
) -> InferenceEstimate:
    """Estimate the fleet for a traffic.

    Args:
        model: what is served.
        accelerator: kind used.
        traffic: what is asked.
        facility: where.
        precision: of weights; matrix products too where the accelerator has it, else they are in 16 bits.
        cache: of keys and values; default: as engines choose it.
        prefill: how the accelerators of a replica share the weights while reading prompts; default: the fewest that
            hold them, as engines share them out.
        decode: the same while generating.
    Raises:
        InfeasibleError: weights and cache do not fit, or one answer cannot be that fast.
    """
    default = shared_by(model, accelerator, least_replica(model, accelerator, precision))
    kept = cache or cache_precision(model, accelerator, precision)
    reading, generating = (
        Deployment(model, accelerator, precision, kept, parallel or default) for parallel in (prefill, decode)
    )
    read, generated = prefill_rate(reading, traffic), decode_rate(generating, traffic)
    prefill_speed = engine_interval(reading).scaled(read.tokens_per_s)
    decode_speed = engine_interval(generating).scaled(generated.tokens_per_s)
    computed = max(traffic.input_tokens_per_s * (1 - traffic.cached_share), 1e-9)
    answered = max(traffic.output_tokens_per_s, 1e-9)
    prefill_need = prefill_speed.times(HEADROOM).inverse().scaled(computed)
    decode_need = decode_speed.times(HEADROOM).inverse().scaled(answered)
    need = prefill_need.plus(decode_need)
    together = serve(
        generating,
        prompt_tokens=traffic.prompt_tokens,
        answer_tokens=traffic.answer_tokens,
        context_tokens=traffic.context_tokens,
        cached_share=traffic.cached_share,
        user_tokens_per_s=traffic.user_tokens_per_s,
    )
    # Less than one answer on the whole replica is none that keeps the speed.
    is_fast = together.sequences * generating.replica >= 1
    return InferenceEstimate(
        prefill_tokens_per_s=prefill_speed,
        decode_tokens_per_s=decode_speed,
        answer_tokens_per_s=engine_interval(generating).scaled(together.tokens_per_s) if is_fast else None,
        prefill_bound=read.bound,
        decode_bound=generated.bound,
        decode_batch=generated.batch,
        prefill_accelerators=prefill_need,
        decode_accelerators=decode_need,
        accelerators=need,
        bill_per_day=bill(accelerator, facility, need.scaled(24)),
        prefill_parallel=reading.parallel,
        decode_parallel=generating.parallel,
        cache_precision=kept,
        assumed=_assumed(generating, cache is None, prefill is None, decode is None),
        nearest=nearest_measured(model, accelerator, precision, traffic.prompt_tokens),
    )


def _assumed(deployed: Deployment, cache: bool, prefill: bool, decode: bool) -> tuple[str, ...]:
    """What nobody said."""
    found = []
    if prefill or decode:
        phases = "a replica" if prefill and decode else "a replica in prefill" if prefill else "a replica in decode"
        default = shared_by(
            deployed.model,
            deployed.accelerator,
            least_replica(deployed.model, deployed.accelerator, deployed.precision),
        )
        found.append(f"{phases} is {default}")
    if cache:
        found.append(f"keys and values are kept in {deployed.cache_precision}")
    computed = computed_in(deployed.accelerator, deployed.precision)
    if computed != deployed.precision:
        found.append(f"{deployed.accelerator.name} has no {deployed.precision}: products are computed in {computed}")
    return tuple(found)
