"""Teaches a model by examples, and writes what it learned as an adapter."""

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from pydantic import Field

from tenfold.core.errors import TenfoldError, UsageError
from tenfold.core.frozen import Frozen
from tenfold.core.paths import new_folder
from tenfold.llama.checkpoint import StateVectors
from tenfold.llama.model import LlamaForCausalLM
from tenfold.llama.readout import judge, mean_loss
from tenfold.llama.recipe import Recipe
from tenfold.llama.tune.adapter import adapter_layout, attach, initial_adapter, save_adapter
from tenfold.llama.tune.examples import Example, read_examples
from tenfold.llama.tune.taught import Taught, read_taught
from tenfold.llama.vectors import Bound, gradient_norm, update

RECORD_FILE = "tune.json"


class Lesson(Frozen):
    """How a model is taught."""

    rank: int = Field(8, ge=1, description="of the two matrices beside each")
    alpha: float = Field(16.0, gt=0, description="their product counts alpha / rank times")
    epochs: int = Field(2, ge=1, description="times that each example is learned")
    batch: int = Field(4, ge=1, description="examples a step")
    learning_rate: float = Field(1e-3, gt=0, description="after warm-up, until the decay over the second half")
    held_out: float = Field(0.1, ge=0, lt=1, description="share of the examples that is judged by")
    longest: int = Field(1024, ge=8, description="tokens of an example at most; longer ones are left out")
    seed: int = 0

    def recipe(self, examples: int) -> Recipe:
        """The optimiser's part: schedule, clipping and rates are those of any run."""
        steps = self.epochs * -(-examples // self.batch)
        return Recipe(
            seed=self.seed,
            steps=steps,
            learning_rate=self.learning_rate,
            warmup_steps=min(10, steps // 10),
            decay_share=0.5,
            beta_2=0.99,
            weight_decay=0.0,
        )


class TuneStep(Frozen):
    """One finished step."""

    step: int
    steps: int = Field(description="of the whole lesson")
    loss: float = Field(description="nats per token of the replies, before its update")
    tokens: int = Field(description="read so far, prompts with them")
    seconds: float = Field(description="since the start")


class Tuned(Frozen):
    """What came of it."""

    folder: Path
    model: str = Field(description="that was taught")
    file: Path = Field(description="its GGUF file")
    lesson: Lesson
    data: Path
    data_sha256: str
    examples: int = Field(description="learned")
    held_out: int = Field(description="examples judged by")
    too_long: int = Field(description="examples left out")
    tokens: int = Field(description="read in all")
    reply_tokens: int = Field(description="learned in one epoch")
    loss_before: float | None = Field(description="of the replies held out, nats per token; none: none are held out")
    loss_after: float | None
    losses: tuple[float, ...] = Field(description="by step")
    parameters: int = Field(description="of the adapter")
    seconds: float


def tune(
    model: Path, data: Path, folder: Path, lesson: Lesson, on_step: Callable[[TuneStep], None] = lambda _: None
) -> Tuned:
    """Teach the model of a GGUF file by a file of examples; the folder with the adapter appears whole or not at all.

    Raises:
        UsageError: the folder is there, the model cannot be taught, or the examples make no sense.
        TenfoldError: the loss is no number any more.
    """
    if folder.exists():
        raise UsageError(f"{folder} is there already", next_step="give another folder with -o, or move it away")
    began = time.monotonic()
    taught = read_taught(model)
    examples = read_examples(data, taught, held_out=lesson.held_out, longest=lesson.longest)
    # Made first: a place that cannot be written is told before minutes of teaching, not after them.
    with new_folder(folder) as fresh:
        before = mean_of(taught.network, examples.held_out)
        attach(taught.network, lesson.rank, lesson.alpha / lesson.rank)
        layout = adapter_layout(taught.network)
        parameters_P, steps = _learn(taught, examples.learned, lesson, on_step)
        tuned = Tuned(
            folder=folder,
            model=taught.name,
            file=model,
            lesson=lesson,
            data=data,
            data_sha256=examples.sha256,
            examples=len(examples.learned),
            held_out=len(examples.held_out),
            too_long=examples.too_long,
            tokens=steps[-1].tokens,
            reply_tokens=sum(each.reply_tokens for each in examples.learned),
            loss_before=before,
            loss_after=mean_of(taught.network, examples.held_out),
            losses=tuple(each.loss for each in steps),
            parameters=layout.size,
            seconds=round(time.monotonic() - began, 3),
        )
        save_adapter(
            fresh, layout, parameters_P, taught.shape,
            rank=lesson.rank, alpha=lesson.alpha, name=folder.name, model=taught.name,
        )  # fmt: skip
        (fresh / RECORD_FILE).write_text(tuned.model_dump_json(indent=1) + "\n")
    return tuned


def mean_of(network: LlamaForCausalLM, examples: Sequence[Example]) -> float | None:
    """Mean loss of the replies' tokens in nats; none without examples."""
    total = sum(each.reply_tokens for each in examples)
    with torch.no_grad():
        losses = [float(_loss(network, each)) * each.reply_tokens for each in examples]
    return sum(losses) / total if total else None


def _learn(
    taught: Taught, examples: Sequence[Example], lesson: Lesson, on_step: Callable[[TuneStep], None]
) -> tuple[np.ndarray, list[TuneStep]]:
    """The adapter's parameters after the lesson, which the network then has too, and its steps."""
    network, recipe, layout = taught.network, lesson.recipe(len(examples)), adapter_layout(taught.network)
    assert recipe.steps is not None
    state = StateVectors(initial_adapter(layout, lesson.seed), *(np.zeros(layout.size, np.float32) for _ in "12"))
    gradient_P = np.zeros(layout.size, np.float32)
    bound = Bound(network, layout, torch.from_numpy(state.parameters_P), torch.from_numpy(gradient_P), bfloat16=False)
    draw, began, tokens = random.Random(lesson.seed), time.monotonic(), 0
    waiting: list[Example] = []
    steps: list[TuneStep] = []
    for step in range(recipe.steps):
        if not waiting:
            waiting = draw.sample(examples, len(examples))
        batch, waiting = waiting[: lesson.batch], waiting[lesson.batch :]
        total = sum(each.reply_tokens for each in batch)
        bound.load()
        mean = 0.0
        for example in batch:
            loss = _loss(network, example) * (example.reply_tokens / total)
            loss.backward()
            mean += float(loss.detach())
            tokens += len(example.tokens_T)
        bound.store()
        norm = gradient_norm(layout, gradient_P)
        if not np.isfinite(norm):
            raise TenfoldError(f"the loss is no number any more at step {step}", next_step="lower --learning-rate")
        update(recipe, layout, state, gradient_P, norm, step)
        done = TuneStep(step=step + 1, steps=recipe.steps, loss=mean, tokens=tokens, seconds=time.monotonic() - began)
        steps.append(done)
        on_step(done)
    return state.parameters_P, steps


def _loss(network: LlamaForCausalLM, example: Example) -> torch.Tensor:
    """Mean loss of the example's replies, in nats."""
    tokens_T, counts_T = torch.from_numpy(example.tokens_T), torch.from_numpy(example.is_reply_T)
    hidden_TD = network.hidden(network.embed(tokens_T[None, :-1]))[0][0]
    said_T = counts_T[1:]
    matrix_VD = network.lm_head.weight.to(hidden_TD.dtype)
    return mean_loss(hidden_TD[said_T], matrix_VD, tokens_T[1:][said_T], None, judge)
