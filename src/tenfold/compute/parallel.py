"""How accelerators of one replica share a model: by matrices, layers or experts; and in which formats it is kept."""

import math
from dataclasses import dataclass

from tenfold.compute.accelerators import Accelerator, Precision
from tenfold.compute.served import ServedModel
from tenfold.core.errors import UsageError

# Formats of 4 bits carry a scale of 8 bits for every 16 numbers.
BYTES_PER_PARAM: dict[Precision, float] = {"fp32": 4, "bf16": 2, "fp16": 2, "fp8": 1, "fp4": 0.5625}
BYTES_PER_CACHED: dict[Precision, float] = {"fp32": 4, "bf16": 2, "fp16": 2, "fp8": 1, "fp4": 0.5625}
# Part of memory for weights and cache; the rest is activations and the engine's own.
USABLE_MEMORY = 0.9
# Part of the usable memory that weights take at most if nobody says how they are shared.
WEIGHTS_SHARE = 0.75


@dataclass(frozen=True, slots=True)
class Parallel:
    """Accelerators of one replica.

    Args:
        tensor: accelerators that split every matrix, and the heads of attention.
        pipeline: stages, each with its part of the layers.
        expert: accelerators that split the experts. Where that is more than ``tensor``, sequences are dealt out to
            ``expert / tensor`` groups, which compute attention each for its own.
    """

    tensor: int = 1
    pipeline: int = 1
    expert: int = 1

    def __post_init__(self) -> None:
        assert min(self.tensor, self.pipeline, self.expert) >= 1, self

    @property
    def replica(self) -> int:
        """All accelerators of the replica."""
        return self.pipeline * max(self.tensor, self.expert)

    @property
    def groups(self) -> int:
        """Groups of accelerators that have sequences of their own."""
        return max(1, self.expert // self.tensor)

    @property
    def waiting(self) -> int:
        """Accelerators of a stage that wait for one host: those of a group."""
        return max(self.tensor, self.expert) // self.groups

    def __str__(self) -> str:
        ways = {"tensor": self.tensor, "pipeline": self.pipeline, "expert": self.expert}
        return " x ".join(f"{name} {count}" for name, count in ways.items() if count > 1) or "one accelerator"


def least_replica(model: ServedModel, accelerator: Accelerator, precision: Precision) -> int:
    """Accelerators that hold the weights in three quarters of their usable memory, as a power of two."""
    need = model.total_params * BYTES_PER_PARAM[precision]
    each = accelerator.memory_bytes * USABLE_MEMORY * WEIGHTS_SHARE
    return 2 ** max(0, math.ceil(math.log2(need / each)))


def shared_by(model: ServedModel, accelerator: Accelerator, replica: int) -> Parallel:
    """What engines do with a replica of that size.

    Experts are spread over all of it. A dense model is split by matrices within fast links, by layers beyond them.
    """
    if model.is_mixture:
        return Parallel(expert=replica)
    tensor = math.gcd(replica, 2 ** int(math.log2(accelerator.entry.scale_up_count)))
    return Parallel(tensor=tensor, pipeline=replica // tensor)


def chosen(
    model: ServedModel,
    accelerator: Accelerator,
    precision: Precision,
    *,
    replica: int | None = None,
    tensor: int | None = None,
    pipeline: int | None = None,
    expert: int | None = None,
) -> Parallel:
    """The sharing that was asked for, the rest by default.

    Raises:
        UsageError: experts where there are none, or counts that do not divide each other.
    """
    if tensor is None and pipeline is None and expert is None:
        return shared_by(model, accelerator, replica or least_replica(model, accelerator, precision))
    if expert is not None and expert > 1 and not model.is_mixture:
        raise UsageError(
            f"--expert {expert}: {model.title} has no experts", next_step="give --tensor or --pipeline instead"
        )
    found = Parallel(tensor or 1, pipeline or 1, expert or 1)
    if max(found.tensor, found.expert) % min(found.tensor, found.expert):
        raise UsageError(
            f"--tensor {found.tensor} and --expert {found.expert} do not divide each other",
            next_step="give a multiple of one for the other, e.g. --tensor 2 --expert 8",
        )
    if replica is not None and replica != found.replica:
        raise UsageError(
            f"a replica of {replica} is not {found} ({found.replica} accelerators)",
            next_step="leave the replica out, or make the product of --pipeline and the larger of the others equal it",
        )
    return found


def computed_in(accelerator: Accelerator, precision: Precision) -> Precision:
    """The format of matrix products: that of the weights if the accelerator has it, else its own 16 bits."""
    known = accelerator.precisions()
    if precision in known:
        return precision
    return next(name for name in ("bf16", "fp16", "fp32") if name in known)


def cache_precision(model: ServedModel, accelerator: Accelerator, precision: Precision) -> Precision:
    """The format in which engines keep keys and values if nobody says.

    8 bits where weights are short and the accelerator computes in 8 bits. The compressed vector of MLA needs kernels
    of its own for that, which came with Blackwell.
    """
    short = precision in ("fp8", "fp4") and "fp8" in accelerator.precisions()
    if short and (model.latent is None or "fp4" in accelerator.precisions()):
        return "fp8"
    return "bf16"
