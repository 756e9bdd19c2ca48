"""Two runs beside one another: what differs between them, and what came of it. Imports no torch."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import Field

from tenfold.core.errors import UsageError
from tenfold.llama.curve import mean_loss
from tenfold.llama.journal import StepLine, read_evaluations, read_steps
from tenfold.llama.progress import Record
from tenfold.llama.runs import described_run
from tenfold.llama.standing import Standing, standing_of

MARKS = 8
"""Rows of the comparison: each holds an eighth of the tokens that both have."""


HELD_OUT_KEYS = ("sequence_tokens", "evaluate_sequences")
"""Of a recipe: which of the held-out tokens are predicted, and from how many before them."""


class Difference(Record):
    """A key with another value."""

    key: str
    a: object
    b: object


class Mark(Record):
    """Losses after so many tokens, nats per token."""

    tokens: int
    a: float
    b: float


class Comparison(Record):
    """Two runs."""

    a: Standing
    b: Standing
    differs: tuple[Difference, ...] = Field(description="of recipes, shapes and data")
    marks: tuple[Mark, ...] = Field(description="training loss, each the mean over the tokens since the mark before")
    held_out: tuple[Mark, ...] = Field(description="held-out loss where both were evaluated")

    @property
    def same_data(self) -> bool:
        """Whether both are known to be trained and judged on the same data."""
        return self.a.data is not None and self.b.data is not None and self.a.data.sha256 == self.b.data.sha256

    @property
    def same_held_out(self) -> bool:
        """Whether both are known to be judged by the same held-out tokens, each with as much before it."""
        return self.same_data and not any(each.key in HELD_OUT_KEYS for each in self.differs)


def compare(home: Path, a: str, b: str) -> Comparison:
    """Compare two runs of a home.

    Raises:
        UsageError: there is no such run, or both are one.
        AssetError: a ``run.json`` is damaged.
    """
    if a == b:
        raise UsageError(f"{a!r} and {b!r} are the same run", next_step="give two; tenfold train list shows them")
    found, tables, steps, evaluated = [], [], [], []
    for name in (a, b):
        folder, run = described_run(home, name)
        standing = standing_of(name, folder, run.recipe)
        found.append(standing)
        tables.append(dict(_flat({**run.recipe.model_dump(), "data": _data(standing)})))
        steps.append(read_steps(folder))
        evaluated.append({line.tokens: line.loss for line in read_evaluations(folder)})
    both = sorted(evaluated[0].keys() & evaluated[1].keys())
    return Comparison(
        a=found[0],
        b=found[1],
        differs=tuple(_differences(*tables)),
        marks=tuple(_marks(*steps)),
        held_out=tuple(Mark(tokens=at, a=evaluated[0][at], b=evaluated[1][at]) for at in both),
    )


def _data(standing: Standing) -> dict[str, object] | None:
    return None if standing.data is None else standing.data.model_dump(exclude={"folder"})


def _flat(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _differences(a: Mapping[str, object], b: Mapping[str, object]) -> Iterator[Difference]:
    for key in dict.fromkeys([*a, *b]):
        if a.get(key) != b.get(key):
            yield Difference(key=key, a=a.get(key), b=b.get(key))


def _marks(a: Sequence[StepLine], b: Sequence[StepLine]) -> Iterator[Mark]:
    if not a or not b:
        return
    end = min(a[-1].tokens, b[-1].tokens)
    for place in range(MARKS):
        after, until = end * place / MARKS, end * (place + 1) / MARKS
        losses = mean_loss(a, after, until), mean_loss(b, after, until)
        if losses[0] is not None and losses[1] is not None:
            yield Mark(tokens=round(until), a=losses[0], b=losses[1])
