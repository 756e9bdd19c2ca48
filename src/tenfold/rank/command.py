"""``tenfold rank``: the pool's ranking model, and a recommender on anyone's data."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from tenfold.core.command import Json, whole
from tenfold.core.paths import cache_dir, home_dir
from tenfold.core.show import talk

if TYPE_CHECKING:
    from tenfold.rank.features import Embed
    from tenfold.rank.stream import Stream

app = App(name="rank")

Seed = Annotated[int, whole("Seed of all that is drawn.")]
Epochs = Annotated[int | None, whole("Passes over the events, in place of the recipe's.", least=1)]
Skip = Annotated[bool, Parameter(name="--skip-bad-rows", negative="", help="Leave out rows that cannot be used.")]
Text = Annotated[bool, Parameter(help="Read titles and descriptions with the embedding model, 120 a second.")]
Model = Annotated[Path | None, Parameter(name="--model", help="Folder of the model; default: ranker/ beside the data.")]


@app.default
def rank(
    user: Annotated[int | None, whole("A user of MovieLens.")] = None,
    *,
    k: Annotated[int, whole("How many items.")] = 10,
    json: Json = False,
) -> None:
    """Show the ranking model's quality, or rank the catalog for USER."""
    from tenfold.pool.client import ask
    from tenfold.pool.runfile import require_running
    from tenfold.rank import artifact, show
    from tenfold.rank.contract import RankResponse

    if user is None:
        show.quality(artifact.describe(cache_dir()), json)
        return
    answer = ask(require_running(home_dir()).url, "/v1/rank", {"user": user, "k": k})
    show.ranked(RankResponse.model_validate_json(answer), json)


@app.command
def fit(
    directory: Path,
    *,
    model: Model = None,
    epochs: Epochs = None,
    seed: Seed = 0,
    text: Text = False,
    more: Annotated[bool, Parameter(negative="", help="Learn only what is new since the model that is there.")] = False,
    skip_bad_rows: Skip = False,
    json: Json = False,
) -> None:
    """Learn from the events in DIRECTORY, and write a model that ranks for anyone.

    DIRECTORY holds NAME.inter (RecBole), NAME.txt (S3-Rec), or a table events.csv or events.parquet with columns
    person and item and, where known, at, surface, action, rating, watched; items.csv or items.parquet may describe
    items. A run that was stopped goes on where it was.
    """
    from tenfold.rank import show
    from tenfold.rank.recipe import Recipe
    from tenfold.rank.recommender import Recommender

    stream = _read(directory, skip_bad_rows)
    folder = model or _beside(directory)
    recipe = Recipe() if epochs is None else Recipe(epochs=epochs)
    recommender = Recommender(recipe=recipe, embed=_embed(text), seed=seed, name=directory.resolve().stem)
    with _bar("fitting", quiet=json) as progress:
        if more:
            recommender.load(folder).go_on(stream, progress=progress)
        else:
            recommender.fit(stream, progress=progress, keep=folder / "training.pt")
    recommender.save(folder)
    show.fitted(recommender.snapshot.meta, folder, json)


@app.command
def evaluate(
    directory: Path,
    *,
    split: Annotated[
        Literal["time", "last"] | None,
        Parameter(help="Judge on what comes after one time (default), or on each person's last event (without times)."),
    ] = None,
    epochs: Epochs = None,
    seed: Seed = 0,
    text: Text = False,
    skip_bad_rows: Skip = False,
    json: Json = False,
) -> None:
    """Show how well a model of the events in DIRECTORY finds those it has not seen, beside three simple systems."""
    from tenfold.rank import show
    from tenfold.rank.recipe import Recipe
    from tenfold.rank.recommender import Recommender

    recipe = Recipe() if epochs is None else Recipe(epochs=epochs)
    recommender = Recommender(recipe=recipe, embed=_embed(text), seed=seed, name=directory.resolve().stem)
    stream = _read(directory, skip_bad_rows)
    recommender.give(stream)
    with _bar("evaluating", quiet=json) as progress:
        evaluation = recommender.evaluate(split or ("time" if stream.timed else "last"), progress=progress)
    show.evaluation(evaluation, json)


@app.command
def recommend(
    directory: Path,
    person: str,
    *,
    surface: Annotated[str | None, Parameter(help="Where it will be shown; default: anywhere.")] = None,
    k: Annotated[int, whole("How many items.", least=1)] = 10,
    model: Model = None,
    skip_bad_rows: Skip = False,
    json: Json = False,
) -> None:
    """Rank for PERSON, whose events are in DIRECTORY, by the model that ``fit`` wrote."""
    from tenfold.rank import show
    from tenfold.rank.recommender import Recommender

    recommender = Recommender().load(model or _beside(directory)).give(_read(directory, skip_bad_rows))
    show.recommended(recommender.recommend(recommender.person(person), surface, k), json)


def _beside(directory: Path) -> Path:
    """Where the model of a data set is kept by default."""
    return (directory if directory.is_dir() else directory.parent) / "ranker"


def _read(directory: Path, skip_bad_rows: bool) -> "Stream":
    from tenfold.rank.read.folder import read_folder

    stream, complaints = read_folder(directory, skip_bad_rows=skip_bad_rows)
    if complaints.count:
        talk.print(f"left out {complaints.count} rows\n{complaints.told()}", markup=False)
    return stream


def _embed(text: bool) -> "Embed | None":
    if not text:
        return None
    from tenfold.core.minilm import load_minilm

    return load_minilm(cache_dir()).embed


@contextmanager
def _bar(doing: str, *, quiet: bool) -> Iterator[Callable[[float], None]]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("  {task.description}"), BarColumn(40), TimeRemainingColumn())
    with Progress(*columns, console=talk, disable=quiet) as bar:
        task = bar.add_task(doing, total=1.0)
        yield lambda done: bar.update(task, completed=done)
