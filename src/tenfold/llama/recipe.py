"""What is trained and how: the numbers that make a run what it is.

Two runs with the same recipe and text give the same parameters, bit for bit, on the same instruction set and torch
build, whatever workers came and went.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from tenfold.core.errors import ConfigError
from tenfold.core.frozen import Frozen
from tenfold.llama.shape import ModelShape

RUN_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
"""What a run may be named; its folder is named so too."""


class Recipe(Frozen):
    """A training run: the model, the batch, the schedule and the seed."""

    seed: int = 0
    model: ModelShape = ModelShape()
    sequence_tokens: int = Field(256, ge=2, description="tokens predicted per sequence")
    microbatch_sequences: int = Field(4, ge=1, description="sequences whose gradient one worker computes at a time")
    microbatches: int = Field(12, ge=1, description="microbatches a step; 12 divides evenly by 1, 2, 3, 4, 6 workers")
    steps: int | None = Field(None, ge=1, description="steps after which the run is over; none: it has no end")
    learning_rate: float = Field(3e-3, gt=0, description="after warm-up; constant from there until the decay")
    warmup_steps: int = Field(10, ge=0)
    decay_share: float = Field(0.2, ge=0, le=1, description="share of the steps, the last, in which the rate decays")
    from_run: str | None = Field(
        None, pattern=RUN_NAME, description="run of the same home from whose checkpoint this one begins: its trunk"
    )
    from_step: int | None = Field(None, ge=1, description="step of that checkpoint; the trunk keeps it by keep_at")
    keep_at: tuple[int, ...] = Field((), description="steps whose checkpoints stay, so that runs may begin there")
    beta_1: float = Field(0.9, ge=0, lt=1)
    beta_2: float = Field(0.95, ge=0, lt=1)
    epsilon: float = Field(1e-8, gt=0)
    weight_decay: float = Field(0.1, ge=0, description="on matrices only, not on norms")
    gradient_norm_limit: float = Field(1.0, gt=0, description="gradients longer than this are scaled down to it")
    spike_factor: float = Field(
        10.0,
        ge=0,
        description="an update whose gradient is so many times the usual norm is left out, once in a row; 0: none",
    )
    skip_limit: int = Field(
        20, ge=1, description="after so many gradients in a row that are no numbers the run ends as diverged"
    )
    evaluate_every: int = Field(0, ge=0, description="steps between evaluations; 0: only at the run's end")
    evaluate_sequences: int = Field(64, ge=1, description="held-out sequences of an evaluation, the same each time")
    balance_weight: float = Field(
        0.01, ge=0, description="weight of the load-balancing loss of a model without biases of experts"
    )
    balance_rate: float = Field(0.01, ge=0, description="by how much a step moves the bias of an expert")
    bfloat16: bool = Field(True, description="matrix products in bfloat16 where the CPU can; all else in float32")
    compile: bool = Field(
        False, description="whether layers are compiled where no functions of our own fit: faster, after half a minute"
    )

    @model_validator(mode="after")
    def _branch_is_whole(self) -> Self:
        if (self.from_run is None) != (self.from_step is None):
            raise ValueError("from_run and from_step go together: a run and the step of one of its checkpoints")
        if self.from_step is not None and self.steps is not None and self.from_step > self.decay_start:
            raise ValueError(
                f"from_step {self.from_step} is past step {self.decay_start}, where the decay of "
                f"{self.steps} steps begins"
            )
        return self

    @property
    def microbatch_tokens(self) -> int:
        """Tokens predicted in one microbatch."""
        return self.microbatch_sequences * self.sequence_tokens

    @property
    def step_tokens(self) -> int:
        """Tokens predicted in one step: the global batch, constant whatever the number of workers."""
        return self.microbatches * self.microbatch_tokens

    @property
    def decay_start(self) -> int:
        """Steps before the decay begins; 0 for a run without an end, which never decays."""
        return 0 if self.steps is None else self.steps - round(self.decay_share * self.steps)

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of the update that finishes ``step`` (counted from 0): warm-up, stable, decay (WSD)."""
        return self.learning_rate * min(1.0, (step + 1) / (self.warmup_steps + 1)) * self.decay_at(step)

    def decay_at(self, step: int) -> float:
        """What the decay leaves of the rate: 1 before it, then 1 - sqrt(share of it done) (Haegele et al. 2024)."""
        if self.steps is None or step < self.decay_start:
            return 1.0
        return 1.0 - min(1.0, (step - self.decay_start) / (self.steps - self.decay_start)) ** 0.5

    def balance_at(self, step: int) -> float:
        """What is left of the balancing of experts after this update: 1 before the decay, exactly 0 from its middle on.

        So the second half of the decay trains the network as it is released, without biases.
        """
        if self.steps is None or step < self.decay_start:
            return 1.0
        return max(0.0, 1.0 - 2.0 * (step + 1 - self.decay_start) / (self.steps - self.decay_start))

    def evaluates_after(self, steps: int) -> bool:
        """Whether held-out loss is measured once so many steps are finished."""
        return steps == self.steps or bool(self.evaluate_every and steps and steps % self.evaluate_every == 0)

    def identity(self, text_sha256: str) -> str:
        """Digest of the recipe and the text: checkpoints with another one do not belong to the run.

        A key that was added later, and is as it was before, does not count: so older runs keep their identity.
        """
        unchanged: dict[str, set[str]] = {}
        for (table, key), before in BEFORE.items():
            if getattr(getattr(self, table) if table else self, key) == before:
                unchanged.setdefault(table, set()).add(key)
        left_out: dict[str, Any] = {key: True for key in unchanged.pop("", set())} | unchanged
        return hashlib.sha256(f"{self.model_dump_json(exclude=left_out)}\n{text_sha256}".encode()).hexdigest()


BEFORE: Mapping[tuple[str, str], object] = {
    ("", "steps"): None,
    ("", "decay_share"): 0.2,
    ("", "from_run"): None,
    ("", "from_step"): None,
    ("", "keep_at"): (),
    ("", "spike_factor"): 0.0,
    ("", "skip_limit"): 20,
    ("", "evaluate_every"): 0,
    ("", "evaluate_sequences"): 64,
    ("", "compile"): False,
    ("", "balance_rate"): 0.0,
    ("model", "use_qk_norm"): True,
    ("model", "tie_word_embeddings"): False,
    ("model", "expert_bias"): False,
    ("model", "vision"): None,
}
"""What a run meant that was saved before a key was there: by its table (``model``, or empty) and its name.

Each key that is added to a recipe gets a line here, so that older runs go on as they were; its default is for new runs.
"""


def as_saved(table: object) -> object:
    """A recipe's table as it was saved with a run, with the keys that were not there yet."""
    if not isinstance(table, dict):
        return table
    filled = {"model": {}, **table}
    for (inner, key), before in BEFORE.items():
        if inner:
            filled[inner] = {key: before, **filled[inner]}
        else:
            filled.setdefault(key, before)
    return filled


def recipe_from_settings(settings: Mapping[str, object]) -> Recipe:
    """The recipe that ``[train]`` of ``tenfold.toml`` asks for; the pool's own keys of that table are not looked at.

    Raises:
        ConfigError: ``seed`` is not an integer.
    """
    seed = settings.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise ConfigError(f"train.seed is {seed!r}, not an integer", next_step="set seed in [train] to a whole number")
    return Recipe(seed=seed)
