"""How fast one accelerator of a replica reads prompts and generates: a roofline with what engines lose on top.

Per token: matrix products, attention or the reading of its cache, activations between kernels, what tensor and expert
parallelism exchange. Per step: the weights, read once, and a fixed time for launches and synchronisation. The constants
are those with which measured engines are met best (``serving_runs.csv``; ``bench/fit_serving.py`` finds them).

Quantities are per accelerator; ``sequences`` are those of the whole batch over all accelerators of the replica.
"""

import math
from dataclasses import dataclass
from typing import Literal

from tenfold.compute.accelerators import Accelerator, Precision
from tenfold.compute.parallel import BYTES_PER_CACHED, BYTES_PER_PARAM, USABLE_MEMORY, Parallel, computed_in
from tenfold.compute.served import ServedModel

Bound = Literal["compute", "memory", "network"]


@dataclass(frozen=True, slots=True)
class Constants:
    """What engines reach and lose; shares are of peaks, times are seconds."""

    matmul_dense_16: float = 0.75
    matmul_dense_8: float = 0.63
    matmul_dense_4: float = 0.41
    matmul_mixture_16: float = 0.44
    matmul_mixture_8: float = 0.42
    matmul_mixture_4: float = 0.33
    memory: float = 0.81
    attention: float = 0.55
    # Generating with a compressed cache takes so many times longer than its products would.
    latent_decode: float = 1.3
    links: float = 0.83
    # Vectors of the model's width that a layer writes and reads beside its weights: always, and for each expert.
    activations: float = 7.5
    activations_per_expert: float = 13.6
    launch_s_per_layer: float = 7.6e-6
    sync_s_per_layer: float = 24e-6
    step_s: float = 1.1e-3
    # Host's time for each sequence of a step, and for each request; the accelerators of its group wait for it.
    sequence_s: float = 5.0e-6
    request_s: float = 0.19e-3
    # Engines on other makers' accelerators, beside NVIDIA's.
    other_makers: float = 0.47

    def matmul(self, model: ServedModel, computed: Precision) -> float:
        """Share of the peak that matrix products reach."""
        width = {"fp8": "8", "fp4": "4"}.get(computed, "16")
        share: float = getattr(self, f"matmul_{'mixture' if model.is_mixture else 'dense'}_{width}")
        return share


CONSTANTS = Constants()
# Published for DeepEP: about 43 of 50 GB/s.
NETWORK_SHARE = 0.85
# Links that no data sheet gives: a PCIe slot of 16 lanes.
PLAIN_LINK_BYTES_PER_S = 64e9
# Sequences that engines take at once at most, in each group of accelerators.
MOST_SEQUENCES = 2048


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model on accelerators: in which formats, and how one replica is shared out."""

    model: ServedModel
    accelerator: Accelerator
    precision: Precision
    cache_precision: Precision
    parallel: Parallel
    constants: Constants = CONSTANTS

    @property
    def replica(self) -> int:
        """Accelerators that share the weights."""
        return self.parallel.replica

    @property
    def engine_share(self) -> float:
        """How fast engines are here beside NVIDIA's accelerators."""
        return 1.0 if self.accelerator.entry.title.startswith("NVIDIA") else self.constants.other_makers

    @property
    def weight_bytes(self) -> float:
        """Weights kept in memory: experts are split over the replica, the rest over tensor and pipeline."""
        model, parallel = self.model, self.parallel
        common = (model.total_params - model.routed_params) / (parallel.tensor * parallel.pipeline)
        return (common + model.routed_params / self.replica) * BYTES_PER_PARAM[self.precision]

    @property
    def cache_bytes_per_token(self) -> float:
        """Cache per token and sequence: tensor parallelism repeats what it cannot split."""
        model = self.model
        copies = self.parallel.tensor
        if model.latent is None:
            copies = max(1, self.parallel.tensor / (model.kv_heads or model.heads))
        return copies * model.cache_bytes_per_token(BYTES_PER_CACHED[self.cache_precision])

    @property
    def free_bytes(self) -> float:
        """Memory left for caches."""
        return self.accelerator.memory_bytes * USABLE_MEMORY - self.weight_bytes

    @property
    def bytes_per_s(self) -> float:
        """Memory bandwidth that kernels reach."""
        return self.accelerator.memory_bytes_per_s * self.constants.memory

    @property
    def attention_flops(self) -> float:
        """FLOP/s that attention reaches."""
        return self.accelerator.peak_16bit_flops * self.constants.attention

    def matmul_s(self) -> float:
        """Matrix products of one token."""
        computed = computed_in(self.accelerator, self.precision)
        peak = self.accelerator.peak_flops(computed) * self.constants.matmul(self.model, computed)
        return 2 * self.model.active_params / peak

    def activations_s(self) -> float:
        """Vectors of one token that go from kernel to kernel through memory."""
        model, constants = self.model, self.constants
        vectors = model.layers * constants.activations
        vectors += model.moe_layers * model.experts_per_token * constants.activations_per_expert
        return vectors * model.hidden * 2 / self.bytes_per_s

    def links_s(self) -> float:
        """Exchange of one token while nothing is computed: sums of tensor parallelism, tokens sent to experts near by.

        A group of ``tensor`` accelerators has a token together, and sends it to the experts of other groups.
        """
        model, tensor = self.model, self.parallel.tensor
        # Two sums a layer, each of 2 bytes sent and received by every accelerator of the group.
        sums_s = (tensor - 1) * 8 * model.layers * model.hidden / self._sums_bytes_per_s()
        near = model.experts_per_token * (1 - 1 / self.parallel.groups) * (1 - self._far())
        return sums_s + model.exchanged_bytes_per_token(near) / self._link_bytes_per_s()

    def network_s(self, visited: int) -> float:
        """Exchange of one token over the network, for ``visited`` places; overlapped with computing."""
        bytes_per_s = self._network_bytes_per_s()
        if not self.model.is_mixture or bytes_per_s is None:
            return 0.0
        return self.model.exchanged_bytes_per_token(visited * self._far()) / bytes_per_s

    def _link_bytes_per_s(self) -> float:
        """What one accelerator sends over fast links, or else its slot, while it receives as much."""
        link = self.accelerator.entry.link_gb_per_s
        return (link.value * 1e9 if link else PLAIN_LINK_BYTES_PER_S) / 2 * self.constants.links

    def _network_bytes_per_s(self) -> float | None:
        """What one accelerator sends over the network; none if nothing is known of it."""
        network = self.accelerator.entry.network_gbit_per_s
        return None if network is None else network.value / 8 * 1e9 * NETWORK_SHARE

    def _sums_bytes_per_s(self) -> float:
        """What sums go by: a group that is larger than fast links reach waits for the network."""
        fast, network = self._link_bytes_per_s(), self._network_bytes_per_s()
        if self.parallel.tensor <= self.accelerator.entry.scale_up_count or network is None:
            return fast
        return min(fast, network)

    def _far(self) -> float:
        """Share of a stage, over which its experts are spread, that fast links do not reach."""
        return max(0.0, 1 - self.accelerator.entry.scale_up_count / (self.replica / self.parallel.pipeline))

    def request_s(self) -> float:
        """Host's time for one request, during which its accelerators wait."""
        return self.constants.request_s * self.parallel.pipeline * self.parallel.waiting / self.engine_share

    def prefill(self, prompt_tokens: float, cached_share: float) -> tuple[float, Bound]:
        """Prompt tokens per second that are not cached, and what bounds them.

        A new token attends to the cached prefix and to half of the new part of its prompt.
        """
        model = self.model
        attended = model.attended(prompt_tokens * (cached_share + (1 - cached_share) / 2))
        seconds = self.matmul_s() + self.activations_s() + self.links_s()
        seconds += model.prefill_flops_per_pair() * attended / self.attention_flops
        # With long batches a token is sent once to each server that it needs and is copied inside.
        network_s = self.network_s(min(model.experts_per_token, model.servers_per_token or model.experts_per_token))
        return self.engine_share / max(seconds, network_s), "compute" if seconds >= network_s else "network"

    def step(self, context_tokens: float) -> "DecodeStep":
        """What one step of generating takes, with that cache length on average."""
        model, constants = self.model, self.constants
        attended = model.attended(context_tokens)
        flops = model.decode_flops_per_pair() * (constants.latent_decode if model.latent else 1)
        passes = self.parallel.pipeline
        synced = model.layers if self.parallel.tensor > 1 else model.moe_layers if self.parallel.expert > 1 else 0
        per_byte = BYTES_PER_PARAM[self.precision] / self.bytes_per_s
        return DecodeStep(
            common_s=(model.total_params - model.routed_params) / self.parallel.tensor * per_byte,
            routed_s=model.routed_params / (self.replica / passes) * per_byte,
            missed=1 - model.experts_per_token / model.experts if model.experts else 0.0,
            matmul_s=self.matmul_s(),
            attention_s=flops * attended / self.attention_flops,
            cache_s=attended * self.cache_bytes_per_token / self.bytes_per_s,
            other_s=self.activations_s() + self.links_s() + constants.sequence_s * self.parallel.waiting,
            # Short batches go to each expert directly, for latency.
            network_s=self.network_s(model.experts_per_token),
            fixed_s=constants.launch_s_per_layer * model.layers * passes
            + constants.sync_s_per_layer * synced * passes
            + constants.step_s * passes,
            together=self.replica / passes,
            engine_share=self.engine_share,
        )

    def most_sequences(self, longest_tokens: float) -> float:
        """Sequences at once, per accelerator: what engines take, and memory holds if all are at their longest."""
        by_memory = self.free_bytes / (self.model.attended(longest_tokens) * self.cache_bytes_per_token)
        return min(by_memory, MOST_SEQUENCES * self.parallel.groups * self.parallel.pipeline / self.replica)


@dataclass(frozen=True, slots=True)
class DecodeStep:
    """Seconds that the parts of one step take; ``*_s`` without a batch are fixed, the others per sequence."""

    common_s: float
    routed_s: float
    missed: float
    matmul_s: float
    attention_s: float
    cache_s: float
    other_s: float
    network_s: float
    fixed_s: float
    together: float
    engine_share: float

    def weights_s(self, sequences: float) -> float:
        """Reading the weights that the batch needs: few sequences miss some experts."""
        return self.common_s + self.routed_s * (1 - self.missed ** (sequences * self.together))

    def busy_s(self, sequences: float) -> float:
        """Reading weights, computing and exchanging; engines hide little of one behind the other."""
        per_sequence = self.matmul_s + max(self.attention_s, self.cache_s) + self.other_s
        return self.weights_s(sequences) + sequences * per_sequence + self.fixed_s

    def seconds(self, sequences: float) -> float:
        """The whole step, with the network overlapped."""
        return max(self.busy_s(sequences), sequences * self.network_s) / self.engine_share

    def bound(self, sequences: float) -> Bound:
        """What the step waits for most."""
        if self.busy_s(sequences) < sequences * self.network_s:
            return "network"
        reading = self.weights_s(sequences) > sequences * self.matmul_s or self.cache_s > self.attention_s
        return "memory" if reading else "compute"

    def largest_batch(self, most: float, deadline_s: float, beside_s: float = 0.0) -> float:
        """The largest batch up to ``most`` within the deadline, by halving: a step never shrinks with its batch.

        ``beside_s`` is what else each sequence takes of the accelerator between two of its tokens.
        """
        low, high = 0.0, most
        if self.seconds(most) + most * beside_s <= deadline_s:
            return most
        for _ in range(60):
            middle = (low + high) / 2
            fits = self.seconds(middle) + middle * beside_s <= deadline_s
            low, high = (middle, high) if fits else (low, middle)
        return low


@dataclass(frozen=True, slots=True)
class Served:
    """Answers of one accelerator that reads prompts and generates: tokens per second, and sequences at once."""

    tokens_per_s: float
    sequences: float


def serve(
    deployed: Deployment,
    *,
    prompt_tokens: float,
    answer_tokens: float,
    context_tokens: float | None = None,
    cached_share: float = 0.0,
    user_tokens_per_s: float | None = None,
    most: float = math.inf,
) -> Served:
    """What benchmarks measure: prompts are read between the steps of those who wait for their next token.

    Args:
        deployed: model, accelerators and how they share it.
        prompt_tokens: tokens per prompt.
        answer_tokens: tokens per answer.
        context_tokens: cache length while generating, on average; none: the prompt and half of the answer.
        cached_share: share of the prompt tokens whose cache is there already.
        user_tokens_per_s: least speed of one answer; none: as many at once as there is room for.
        most: sequences at once at most, per accelerator.
    """
    computed = prompt_tokens * (1 - cached_share)
    rate, _ = deployed.prefill(prompt_tokens, cached_share)
    beside_s = (computed / rate + deployed.request_s()) / answer_tokens
    step = deployed.step(context_tokens or prompt_tokens + answer_tokens / 2)
    room = min(most, deployed.most_sequences(max(context_tokens or 0, prompt_tokens + answer_tokens)))
    batch = room
    if user_tokens_per_s is not None:
        batch = step.largest_batch(room, 1 / user_tokens_per_s, beside_s)
    return Served(batch / (step.seconds(batch) + batch * beside_s), batch)
