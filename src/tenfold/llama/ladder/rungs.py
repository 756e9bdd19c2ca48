"""The rungs of a ladder: shapes with one dial, a few of them for each budget, several budgets from one trunk.

A trunk is trained at a constant rate; where a smaller budget would begin to decay, its checkpoint stays, and that
budget's rung is a branch that decays from there (WSD; Haegele et al. 2024). So a width costs little more than its
largest budget.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tenfold.core.errors import UsageError
from tenfold.llama.data.index import read_index
from tenfold.llama.flops import flops_per_token, parameters_of
from tenfold.llama.ladder.needs import settings_of
from tenfold.llama.recipe import Recipe
from tenfold.llama.run_file import RunFile
from tenfold.llama.shape import ModelShape

HEAD = 32
WIDEST = 128
"""Heads of the widest shape considered."""
EXPERTS = 4
SEQUENCE_TOKENS = 128
SEQUENCES = 16
WARMUP_STEPS = 40
"""At widths of 96 and 128, 10 left twice the rate unstable."""
RATE_SHARE = 0.5
"""Of the learning rate that the law of ``needs`` gives: batches here are an eighth of those that it was fitted on."""
DECAY_SHARE = 0.2
EVALUATED = 256
TOKENS_PER_PARAM = 60.0
"""Around which sizes are chosen: below some hundred steps wide models are behind narrow ones."""
LEAST_STEPS = 60


@dataclass(frozen=True, slots=True)
class Rung:
    """One size and one budget. ``trunk``: name of the run that it begins from; its own if it is the trunk."""

    run: RunFile
    trunk: str
    params: int
    flops: float

    @property
    def steps(self) -> int:
        """Steps of the whole run, those of its trunk too."""
        assert self.run.recipe.steps is not None
        return self.run.recipe.steps


def shape_of(width: int, vocab: int) -> ModelShape:
    """The shape of a width: as deep as it is wide, a mixture in every second layer."""
    hidden = round(8 / 3 * width / 16) * 16
    return ModelShape(
        vocab_size=vocab,
        hidden_size=width,
        num_hidden_layers=max(2, width // HEAD),
        num_attention_heads=width // HEAD,
        num_key_value_heads=_key_value_heads(width // HEAD),
        head_dim=HEAD,
        intermediate_size_mlp=hidden,
        intermediate_size=hidden // 2,
        num_local_experts=EXPERTS,
    )


def _key_value_heads(heads: int) -> int:
    return next(each for each in (heads // 2, heads // 3, 1) if each >= 1 and heads % each == 0)


def widths_of(flops: float, count: int, vocab: int) -> list[int]:
    """Widths whose parameters are nearest to a sixtieth of the tokens that the budget pays for, narrowest first."""
    sizes = {width: parameters_of(shape_of(width, vocab)).without_embeddings for width in _widths()}
    best = math.log(flops / (6 * TOKENS_PER_PARAM)) / 2
    return sorted(sorted(sizes, key=lambda width: abs(math.log(sizes[width]) - best))[:count])


def width_of(params: float, vocab: int) -> int:
    """The width whose parameters are nearest to these."""
    return min(
        _widths(),
        key=lambda width: abs(math.log(parameters_of(shape_of(width, vocab)).without_embeddings / params)),
    )


def _widths() -> range:
    return range(HEAD, HEAD * WIDEST + 1, HEAD)


def rungs_of(budgets: Sequence[float], sizes: int, data: Path, seed: int = 0) -> list[Rung]:
    """The rungs of a ladder, each trunk before its branches.

    Their names hold a digest of all that they are trained by, so that two ladders of one home are two.

    Raises:
        UsageError: a budget is too small for some dozens of steps of its smallest shape.
        AssetError: the data is damaged.
    """
    index = read_index(data)
    plain = _rungs_of(budgets, sizes, index.vocab_size, data, seed, "ladder")
    told = "".join(rung.run.recipe.identity(index.sha256) for rung in plain)
    ladder = f"ladder-{hashlib.sha256(told.encode()).hexdigest()[:8]}"
    return _rungs_of(budgets, sizes, index.vocab_size, data, seed, ladder)


def _rungs_of(budgets: Sequence[float], sizes: int, vocab: int, data: Path, seed: int, ladder: str) -> list[Rung]:
    wanted: dict[int, list[float]] = {}
    for flops in budgets:
        widths = widths_of(flops, sizes, vocab)
        trained = [width for width in widths if steps_of(width, flops, vocab) >= LEAST_STEPS]
        for width in trained or [_past_warm_up(widths[0], flops, vocab)]:
            wanted.setdefault(width, []).append(flops)
    found = []
    for width, costs in sorted(wanted.items()):
        trunk = f"{ladder}-w{width}"
        ends = sorted({steps_of(width, flops, vocab) for flops in costs}, reverse=True)
        keep = tuple(steps - round(DECAY_SHARE * steps) for steps in ends[1:])
        found.append(_rung(trunk, width, ends[0], vocab, data, seed, keep_at=keep))
        found += [
            _rung(f"{trunk}-s{steps}", width, steps, vocab, data, seed, trunk=(trunk, start))
            for steps, start in zip(ends[1:], keep, strict=True)
        ]
    return found


def target_of(name: str, params: float, flops: float, vocab: int, data: Path | None, seed: int = 0) -> Rung:
    """The run that a prediction is about: the width nearest to its size, trained for its budget.

    Raises:
        UsageError: the budget is too small for some dozens of steps of it.
    """
    width = _past_warm_up(width_of(params, vocab), flops, vocab)
    return _rung(name, width, steps_of(width, flops, vocab), vocab, data, seed)


def steps_of(width: int, flops: float, vocab: int) -> int:
    """Steps that a budget pays for."""
    return round(flops / _step_flops(width, vocab))


def _step_flops(width: int, vocab: int) -> float:
    return flops_per_token(shape_of(width, vocab), SEQUENCE_TOKENS) * SEQUENCE_TOKENS * SEQUENCES


def _past_warm_up(width: int, flops: float, vocab: int) -> int:
    """The width.

    Raises:
        UsageError: the budget pays for too few of its steps to speak of training.
    """
    steps = steps_of(width, flops, vocab)
    if steps < LEAST_STEPS:
        raise UsageError(
            f"{flops:.3g} FLOPs are {steps} steps at width {width}, still in the warm-up",
            next_step=f"give budgets of {LEAST_STEPS * _step_flops(width, vocab):.2g} or more",
        )
    return width


def _rung(
    name: str,
    width: int,
    steps: int,
    vocab: int,
    data: Path | None,
    seed: int,
    *,
    keep_at: tuple[int, ...] = (),
    trunk: tuple[str, int] | None = None,
) -> Rung:
    shape = shape_of(width, vocab)
    params = parameters_of(shape).without_embeddings
    recipe = Recipe(
        seed=seed,
        model=shape,
        sequence_tokens=SEQUENCE_TOKENS,
        microbatch_sequences=SEQUENCES,
        microbatches=1,
        steps=steps,
        learning_rate=RATE_SHARE * settings_of(params).learning_rate,
        warmup_steps=WARMUP_STEPS,
        decay_share=DECAY_SHARE,
        keep_at=keep_at,
        from_run=None if trunk is None else trunk[0],
        from_step=None if trunk is None else trunk[1],
        evaluate_sequences=EVALUATED,
    )
    flops = steps * recipe.step_tokens * flops_per_token(shape, SEQUENCE_TOKENS)
    return Rung(RunFile(name, recipe, data), name if trunk is None else trunk[0], params, flops)
