"""The model card: what the model is, what it was taught, how its loss fell, and whether that was foretold."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tenfold.core.errors import UsageError
from tenfold.llama.journal import EvaluationLine
from tenfold.llama.ladder.prediction import Outcome
from tenfold.llama.progress import LossSample, TrainProgress
from tenfold.llama.recipe import Recipe
from tenfold.llama.shape import ModelShape

CURVE_FILE = "loss.svg"
_ROWS = 12
Point = TypeVar("Point", LossSample, EvaluationLine)
_WIDTH, _HEIGHT, _MARGIN = 640, 240, 40


@dataclass(frozen=True, slots=True)
class Card:
    """What a card tells.

    ``data``: what it was taught, one sentence each. ``parameters``: all, and those that one token passes through.
    ``prediction``: the registered one as JSON, none if there is none. ``outcome``: its score, once the run has one.
    ``left_out``: largest bias of an expert that the release does without. ``evaluations``: on documents held out.
    ``files``: names in the folder, with what each is for.
    """

    name: str
    licence: str
    recipe: Recipe
    progress: TrainProgress
    data: Sequence[str]
    parameters: tuple[int, int]
    prediction: dict[str, object] | None
    outcome: Outcome | None
    left_out: float
    evaluations: Sequence[EvaluationLine]
    files: dict[str, str]


def write(card: Card) -> str:
    """The card in Markdown, led by the keys that model hubs read."""
    shape, progress = card.recipe.model, card.progress
    total, active = card.parameters
    kind = "dense" if shape.is_dense else f"mixture of {shape.num_local_experts} experts and a shared one"
    lines = [
        "---",
        f"license: {card.licence.lower()}",
        "library_name: transformers",
        f"pipeline_tag: {'image-text-to-text' if shape.vision else 'text-generation'}",
        "tags: [tenfold, llama4]" if not shape.is_dense else "tags: [tenfold, llama]",
        "---",
        f"# {card.name}",
        "",
        f"A {kind}: {total:,} parameters, of which a token passes through {active:,}. Trained by Tenfold from nothing: "
        "no weights of another model are in it.",
        "",
        "| size | value |",
        "|---|---|",
        *(f"| {key} | {value} |" for key, value in shape.model_dump(exclude={"vision"}).items()),
        *(f"| vision.{key} | {value} |" for key, value in (shape.vision.model_dump() if shape.vision else {}).items()),
        "",
        "## Data",
        "",
        *(f"- {sentence}" for sentence in card.data),
        "",
        "## Training",
        "",
        _steps(card.recipe, progress),
        f"Last loss: {_loss(progress.loss)} nats per token of training text.",
        *_biases(card.left_out),
        "",
        f"![loss by step]({CURVE_FILE})",
        "",
        "| step | tokens | loss |",
        "|---|---|---|",
        *(f"| {each.step:,} | {each.tokens:,} | {each.loss:.4f} |" for each in thinned(progress.history)),
        "",
        *_held_out(card.evaluations),
        "The whole recipe:",
        "",
        "```json",
        card.recipe.model_dump_json(indent=1),
        "```",
        "",
        "## Prediction against outcome",
        "",
        *_prediction(card.prediction, card.outcome),
        "",
        "## Files",
        "",
        *(f"- `{name}`: {about}" for name, about in card.files.items()),
        "",
        "## Limits",
        "",
        "It continues text. It was not taught to follow instructions, and says false things fluently.",
        "",
        "## Licence",
        "",
        f"The weights are under {card.licence}. The data keep their own licences.",
        "",
    ]
    return "\n".join(lines)


def thinned(history: Sequence[Point]) -> list[Point]:
    """At most so many samples, evenly spread, the last one among them."""
    if len(history) <= _ROWS:
        return list(history)
    return [history[round(index * (len(history) - 1) / (_ROWS - 1))] for index in range(_ROWS)]


def read_prediction(path: Path) -> dict[str, object]:
    """Read a registered prediction.

    Raises:
        UsageError: it is no JSON object.
    """
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(
            f"cannot read the prediction {path}: {error}", next_step="give a file of tenfold ladder predict"
        ) from error
    if not isinstance(found, dict):
        raise UsageError(f"{path} holds no JSON object", next_step="give a file of tenfold ladder predict")
    return found


def curve_svg(history: Sequence[LossSample]) -> str:
    """The loss over tokens as a picture."""
    right, bottom = _WIDTH - _MARGIN // 2, _HEIGHT - _MARGIN
    frame = f'<path d="M{_MARGIN},8 V{bottom} H{right}" fill="none" stroke="#999"/>'
    inside = frame
    if history:
        low, high = min(each.loss for each in history), max(each.loss for each in history)
        most, span = history[-1].tokens, (high - low) or 1.0
        points = " ".join(
            f"{_MARGIN + each.tokens / most * (right - _MARGIN):.1f},{8 + (high - each.loss) / span * (bottom - 8):.1f}"
            for each in history
        )
        inside += f'<polyline points="{points}" fill="none" stroke="#0d9488" stroke-width="2"/>'
        inside += f'<text x="2" y="16">{high:.2f}</text><text x="2" y="{bottom}">{low:.2f}</text>'
        inside += f'<text x="{right}" y="{_HEIGHT - 14}" text-anchor="end">{most:,} tokens</text>'
    style = 'font-family="sans-serif" font-size="11"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {style}>{inside}</svg>\n'


def active_parameters(shape: ModelShape, sizes: dict[str, int]) -> tuple[int, int]:
    """Parameters in all, and those that one token passes through: of the experts, one."""
    total = sum(sizes.values())
    experts = sum(size for name, size in sizes.items() if ".experts." in name)
    return total, total - experts + (experts // shape.num_local_experts if experts else 0)


def _steps(recipe: Recipe, progress: TrainProgress) -> str:
    if recipe.model.vision is None:
        return f"{progress.step:,} steps of {recipe.step_tokens:,} tokens: {progress.tokens:,} tokens in all."
    pairs = recipe.microbatches * recipe.microbatch_sequences
    return (
        f"{progress.step:,} steps of {pairs:,} images with captions: {progress.tokens:,} tokens in all, without those "
        "that fill sequences up."
    )


def _loss(loss: float | None) -> str:
    return "none yet" if loss is None else f"{loss:.4f}"


def _biases(left_out: float) -> list[str]:
    if not left_out:
        return []
    return [
        "",
        f"Training balanced the experts by biases that had not faded yet (up to {left_out:.3f}). They are left out, so "
        "that some tokens go to another expert than in training.",
    ]


def _held_out(evaluations: Sequence[EvaluationLine]) -> list[str]:
    if not evaluations:
        return []
    rows = [f"| {each.step:,} | {each.tokens:,} | {each.loss:.4f} |" for each in thinned(evaluations)]
    return ["On documents held out:", "", "| step | tokens | loss |", "|---|---|---|", *rows, ""]


def _prediction(found: dict[str, object] | None, outcome: Outcome | None) -> list[str]:
    if found is None:
        return ["No prediction was registered for this run."]
    return [
        *_outcome(outcome),
        "As it was registered before the run:",
        "",
        "```json",
        json.dumps(found, indent=1),
        "```",
    ]


def _outcome(found: Outcome | None) -> list[str]:
    if found is None:
        return ["The run has not been scored against it.", ""]
    return [
        "| predicted | 95% interval | observed | error | interval |",
        "|---|---|---|---|---|",
        f"| {found.predicted:.4f} | {found.low:.4f} to {found.high:.4f} | {found.observed:.4f} | {found.error:+.2%} | "
        f"{'holds it' if found.inside else 'does not hold it'} |",
        "",
        f"Nats per token on documents held out, scored at {found.scored_at}; seal of the prediction: "
        f"`{found.prediction_sha256}`.",
        "",
    ]
