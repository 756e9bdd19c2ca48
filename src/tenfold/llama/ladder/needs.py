"""What the larger run takes: settings to start from, accelerator-hours and money, data against what is owned."""

from dataclasses import dataclass

from tenfold.compute.accelerators import Accelerator
from tenfold.compute.facilities import Facility
from tenfold.compute.interval import Interval
from tenfold.compute.run import Run
from tenfold.compute.training import estimate_training
from tenfold.llama.ladder.law import Best

RATE_EXPONENT = -0.3
BATCH_EXPONENT = 0.6
RATE_AT_BILLION = 6e-4
BATCH_AT_BILLION = 1e6
"""Peak learning rate and tokens a step as powers of the parameters, the form of Porian et al. 2024.

A sweep of models of 0.4M to 25M parameters has its best rates at 5.7e-3 x (N / 0.4M)^-0.3 (the source of
bench/ladder_sets/sweep_edu.csv); OpenEuroLLM's best rates fall faster (-0.5), and its batches grow as N^0.5; DeepSeek
LLM (2024) has batches of 0.292 C^0.327 tokens, N^0.65 at its best sizes. A start for a sweep, not a finding.
"""

GOOD_REPEATS = 4.0
"""Up to four passes over the same text are nearly as good as new text (Muennighoff et al. 2023)."""
TOKEN_BYTES = 2.0
TEXT_BYTES_PER_TOKEN = 4.0
"""Of byte-pair encodings of English: what the text itself takes beside its tokens."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to start: peak learning rate, and tokens a step."""

    learning_rate: float
    batch_tokens: float


@dataclass(frozen=True, slots=True)
class Compute:
    """Accelerator-hours and money on one kind of accelerator, with 80% intervals."""

    accelerator: str
    facility: str
    accelerator_hours: Interval
    owned_usd: Interval | None
    rent_usd: Interval | None


@dataclass(frozen=True, slots=True)
class Data:
    """Text that the run sees, against what there is.

    ``repeats``: times that each token is seen if only what is owned is used. ``enough_unique``: fewest different tokens
    with which nothing repeats more than four times.
    """

    tokens: float
    owned_tokens: float
    repeats: float
    enough_unique: float
    storage_gb: float

    @property
    def missing(self) -> float:
        """Different tokens still to be had."""
        return max(0.0, self.enough_unique - self.owned_tokens)


def settings_of(params: float, reference: tuple[float, Settings] | None = None) -> Settings:
    """Learning rate and batch for a size.

    Args:
        params: parameters without embeddings.
        reference: a size whose settings are known to be good; the powers lead from it.
    """
    size, known = reference or (1e9, Settings(RATE_AT_BILLION, BATCH_AT_BILLION))
    return Settings(
        known.learning_rate * (params / size) ** RATE_EXPONENT,
        known.batch_tokens * (params / size) ** BATCH_EXPONENT,
    )


def compute_of(
    best: Best, accelerator: Accelerator, facility: Facility, *, total_params: float | None, context: int | None
) -> Compute:
    """Accelerator-hours and cost of the best run, through the calibrated model of ``tenfold compute``."""
    total = max(total_params or best.params, best.params)
    run = Run(best.params, total, best.tokens, accelerator, context=context)
    estimate = estimate_training(run, facility)
    return Compute(
        accelerator.name,
        facility.name,
        estimate.accelerator_hours,
        estimate.bill.owned_usd,
        estimate.bill.rent_usd,
    )


def data_of(tokens: float, owned_tokens: float) -> Data:
    """What a run over so many tokens needs of text."""
    unique = tokens / GOOD_REPEATS
    seen = min(tokens, max(owned_tokens, unique))
    return Data(
        tokens=tokens,
        owned_tokens=owned_tokens,
        repeats=tokens / owned_tokens if owned_tokens else float("inf"),
        enough_unique=unique,
        storage_gb=seen * (TOKEN_BYTES + TEXT_BYTES_PER_TOKEN) / 1e9,
    )
