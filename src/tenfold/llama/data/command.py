"""``tenfold data``: make training data of documents, and see what a folder of it holds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from tenfold.core.command import Json, amount, whole
from tenfold.core.show import machine, out, talk

if TYPE_CHECKING:
    from tenfold.llama.data.pairs import PairChoices

app = App(name="data")

TEXT = "text"


@app.command
def build(
    folder: Path,
    *sources: Path,
    column: Annotated[str, Parameter(help="Name of the texts in rows of .jsonl and .parquet.")] = TEXT,
    vocab_size: Annotated[int, whole("Tokens of the tokenizer that is trained.", 257)] = 8192,
    tokenizer: Annotated[Path | None, Parameter(help="A tokenizer.json that is there already.")] = None,
    held_out: Annotated[float, amount("Share of the documents that is never trained on.")] = 0.02,
    near: Annotated[bool, Parameter(help="Leave out documents that nearly repeat another.")] = True,
    licence: Annotated[str, Parameter(help="Of the documents; model cards tell it.")] = "",
    images: Annotated[
        int | None, whole("Pairs: each row of .jsonl names an 'image' too; pixels of each side to draw it in.", 8)
    ] = None,
    group: Annotated[
        str | None, Parameter(help="With --images: name of the texts in rows that say what is held out together.")
    ] = None,
    openmoji: Annotated[
        bool,
        Parameter(help="Of OpenMoji's pictures (fetched, 31 MB) and their names, held out by family.", negative=""),
    ] = False,
    json: Json = False,
) -> None:
    """Write FOLDER from SOURCES: text files (a document each), .jsonl, .parquet, or folders of these."""
    from tenfold.core.errors import UsageError
    from tenfold.llama.data.build import Choices
    from tenfold.llama.data.build import build as write
    from tenfold.llama.data.pairs import PairChoices, build_pairs

    if openmoji and (sources or images is None):
        raise UsageError(
            "--openmoji is a source of its own, of images", next_step="tenfold data build FOLDER --openmoji --images 32"
        )
    if not sources and not openmoji:
        raise UsageError("there is nothing to build from", next_step="tenfold data build FOLDER SOURCE...")
    if images is not None:
        if tokenizer is not None:
            raise UsageError(
                "--tokenizer is not for --images: the tokens of pairs have one more, for images",
                next_step="leave one of them out",
            )
        pairs = PairChoices(images, column, vocab_size, held_out, licence, group)
        if openmoji:
            sources, pairs = _openmoji(pairs)
        with _bar() as progress:
            build_pairs(folder, sources, pairs, progress)
    elif group is not None:
        raise UsageError("--group is for --images", next_step="leave it out, or give --images")
    else:
        choices = Choices(column, vocab_size, tokenizer, held_out, near, licence)
        with _bar() as progress:
            write(folder, sources, choices, progress)
    show(folder, json=json)


def _openmoji(choices: "PairChoices") -> "tuple[tuple[Path], PairChoices]":
    """Rows of OpenMoji's pictures, and the choices with the names of their captions and groups, and their licence."""
    from dataclasses import replace

    from tenfold.core.paths import cache_dir
    from tenfold.llama.data.openmoji import CAPTION, FAMILY, LICENCE, draw_emoji

    with _bar() as progress:
        rows = draw_emoji(cache_dir(), progress)
    column = CAPTION if choices.column == TEXT else choices.column
    licence, group = choices.licence or LICENCE, choices.group or FAMILY
    return (rows,), replace(choices, column=column, licence=licence, group=group)


@contextmanager
def _bar() -> Iterator[Callable[[str, float], None]]:
    """A bar that shows what is being done, and the share done."""
    from rich.progress import Progress

    with Progress(console=talk, transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)


@app.command
def show(folder: Path, *, json: Json = False) -> None:
    """Check a folder of training data to the last byte, and say what it holds."""
    from tenfold.llama.data.index import check_data

    index = check_data(folder, anew=True)
    if json:
        machine(index)
        return
    held = "" if index.held_out_documents is None else f" ({index.held_out_documents:,} documents)"
    twice = f"{index.exact_duplicates:,} repeated and {index.near_duplicates:,} nearly repeated others"
    out.print(f"{folder}: {index.documents:,} documents, {index.text_bytes:,} bytes", markup=False)
    out.print(f"  to train on   {index.training_tokens:,} tokens", markup=False)
    out.print(f"  held out      {index.held_out_tokens:,} tokens{held}", markup=False)
    out.print(f"  left out      {twice}", markup=False)
    if index.passed_over:
        out.print(f"  passed over   {index.passed_over:,} files that hold neither text nor rows", markup=False)
    if index.images is not None:
        each = f"{index.images.side} x {index.images.side} pixels, {index.images.held_out:,} held out"
        out.print(f"  images        {index.images.count:,}, {each}", markup=False)
    out.print(f"  vocabulary    {index.vocab_size:,}", markup=False)
    out.print(f"  sha256        {index.sha256}", markup=False)
