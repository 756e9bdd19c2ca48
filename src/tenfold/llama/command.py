"""``tenfold train``: train a run by its file, or see how training stands. ``tenfold llama``: what becomes of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from tenfold.core.command import Json, amount, whole
from tenfold.core.errors import NotRunning, UsageError
from tenfold.core.paths import cache_dir, home_dir

if TYPE_CHECKING:
    from tenfold.llama.runs import RunDescription
    from tenfold.llama.standing import Standing

app = App(name="train")
llama = App(name="llama")

Workers = Annotated[int, whole("Processes that compute gradients, each with one thread.", 1)]


@app.default
def train(
    run: str | None = None,
    *,
    workers: Workers = 1,
    listen: Annotated[
        str | None,
        Parameter(help="HOST:PORT at which other machines may join that have this home's token; 0.0.0.0:PORT: at all."),
    ] = None,
    join: Annotated[str | None, Parameter(help="HOST:PORT at which RUN is trained: compute for it here.")] = None,
    json: Json = False,
) -> None:
    """Train the run of a file (RUN ends in .toml), here and without a pool; or show a run.

    Ctrl-C ends it after the step in hand, a second Ctrl-C at once; the same command goes on.
    Shown are step, loss, tokens and checkpoints; RUN by its name, or else the one written to last.
    """
    if run is not None and run.endswith(".toml"):
        from tenfold.llama import train_command
        from tenfold.llama.run_file import read_run_file

        if join is not None and listen is not None:
            raise UsageError("--join and --listen are for different machines", next_step="give one of them")
        if join is not None:
            train_command.join(read_run_file(Path(run)), home_dir(), join, workers)
        else:
            train_command.train(read_run_file(Path(run)), home_dir(), workers, json, Path(run), listen)
        return
    if join is not None or listen is not None:
        raise UsageError("--join and --listen are for training", next_step="give the run's file, which ends in .toml")
    from tenfold.llama import show

    show.run(*_described(run), json)


def _described(run: str | None) -> tuple["RunDescription", "Standing"]:
    from tenfold.llama.runs import describe
    from tenfold.llama.standing import standing_of

    found = describe(home_dir(), run)
    if found is None:
        raise NotRunning(
            f"no training run in {home_dir()}", next_step="start one with 'tenfold up' or 'tenfold train run.toml'"
        )
    return found, standing_of(found.name, found.folder, found.run.recipe)


@app.command(name="list")
def list_runs(*, json: Json = False) -> None:
    """List the runs of this home, the one written to last first: how far each is, and what it reached."""
    from tenfold.llama import show
    from tenfold.llama.standing import standings

    show.runs(standings(home_dir()), json)


@app.command
def diff(
    a: str,
    b: str,
    *,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"], help="Write a page with both curves there.")] = None,
    json: Json = False,
) -> None:
    """Compare two runs: what differs of recipe, shape and data, and what came of it after equally many tokens."""
    from tenfold.llama import show
    from tenfold.llama.compare import compare

    found = compare(home_dir(), a, b)
    if out is not None:
        from tenfold.llama.report import comparison
        from tenfold.page.shelf import write_page

        write_page(out, comparison(found), "--out")
    show.difference(found, json)


@app.command(name="show")
def show_run(run: str | None = None, *, json: Json = False) -> None:
    """Show where a run stands, and the page with its curves; RUN by its name, or the one that was written to last."""
    from tenfold.llama import show
    from tenfold.llama.report import fresh_report

    found, standing = _described(run)
    path = fresh_report(found.folder, found.name)
    if json:
        show.machine({"standing": standing, "report": path})
    else:
        show.run(found, standing, json)
        show.out.print(f"its page: {path}", markup=False, soft_wrap=True)


@app.command
def resume(run: str, *, workers: Workers = 1, json: Json = False) -> None:
    """Go on with a run that was stopped, here and without a pool, by the recipe and the data that it began with."""
    from tenfold.llama import train_command
    from tenfold.llama.run_data import needed_data
    from tenfold.llama.run_file import RunFile
    from tenfold.llama.runs import described_run

    folder, meta = described_run(home_dir(), run)
    train_command.train(RunFile(run, meta.recipe, needed_data(folder, run).folder), home_dir(), workers, json)


@llama.command
def release(
    run: str | None = None,
    *,
    out: Annotated[
        Path | None, Parameter(name=["--out", "-o"], help="Folder to write; default: release-STEP in the run's folder.")
    ] = None,
    data: Annotated[
        Path | None, Parameter(help="The prepared data of the run; default: what it was trained on, where it lay.")
    ] = None,
    licence: Annotated[str, Parameter(help="SPDX name of the weights' licence.")] = "Apache-2.0",
    prediction: Annotated[Path | None, Parameter(help="A prediction registered before the run, as JSON.")] = None,
    gguf: Annotated[bool, Parameter(help="Also write what llama.cpp loads.")] = True,
    without_biases: Annotated[
        bool, Parameter(negative="", help="Leave out experts' biases that have not faded to 0 yet.")
    ] = False,
    json: Json = False,
) -> None:
    """Write a run's weights as others' software loads them; RUN by its name, or the one that was written to last."""
    from tenfold.llama import show
    from tenfold.llama.release.release import release as write

    released = write(
        home_dir(),
        run,
        out,
        data=data or _data_of(run),
        licence=licence,
        prediction=prediction,
        with_gguf=gguf,
        without_biases=without_biases,
    )
    show.released(released, json)


def _data_of(run: str | None) -> Path:
    """Where the data of a run are; those of the standard library where nobody wrote it down."""
    from tenfold.llama.data.stdlib import text_folder
    from tenfold.llama.run_data import data_of
    from tenfold.llama.runs import describe

    found = describe(home_dir(), run)
    kept = None if found is None else data_of(found.folder)
    return text_folder(cache_dir()) if kept is None else kept.folder


@llama.command
def tune(
    data: Path,
    *,
    out: Annotated[Path, Parameter(name=["--out", "-o"], help="Folder to write the adapter to.")],
    base: Annotated[Path | None, Parameter(help="GGUF file of the model; default: SmolLM2, which serve runs.")] = None,
    rank: Annotated[int, whole("Of the adapter's matrices.", 1)] = 8,
    epochs: Annotated[int, whole("Times that each example is learned.", 1)] = 2,
    learning_rate: Annotated[float, amount("After warm-up, until the second half.")] = 1e-3,
    longest: Annotated[int, whole("Tokens of an example at most; longer ones are left out.", 8)] = 1024,
    held_out: Annotated[float, amount("Share of the examples that is not learned, to judge by.")] = 0.1,
    seed: Annotated[int, whole("Of the draws.")] = 0,
    threads: Annotated[int | None, whole("Threads; default: all cores.", 1)] = None,
    json: Json = False,
) -> None:
    """Teach a chat model by examples: DATA is a JSONL of chats, or of prompts with completions."""
    from tenfold.llama import tune_command

    lesson = {"rank": rank, "alpha": 2.0 * rank, "epochs": epochs, "learning_rate": learning_rate}
    more = {"longest": longest, "held_out": held_out, "seed": seed}
    tune_command.tune(base, data, out, {**lesson, **more}, threads, json)
