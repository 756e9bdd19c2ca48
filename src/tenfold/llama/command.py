"""``tenfold train``: train a run by its file, or see how training stands. ``tenfold llama``: what becomes of it."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from tenfold.core.command import Json, whole
from tenfold.core.errors import NotRunning
from tenfold.core.paths import cache_dir, home_dir

app = App(name="train")
llama = App(name="llama")

Workers = Annotated[int, whole("Processes that compute gradients, each with one thread.", 1)]


@app.default
def train(run: str | None = None, *, workers: Workers = 1, json: Json = False) -> None:
    """Train the run of a file (RUN ends in .toml), here and without a pool; or show a run.

    Shown are step, loss, tokens and checkpoints; RUN by its name, or else the one written to last.
    """
    from tenfold.llama import show
    from tenfold.llama.runs import describe

    if run is not None and run.endswith(".toml"):
        from tenfold.llama import train_command
        from tenfold.llama.run_file import read_run_file

        train_command.train(read_run_file(Path(run)), home_dir(), workers, json)
        return
    found = describe(home_dir(), run)
    if found is None:
        raise NotRunning(f"no training run in {home_dir()}", next_step="start one with 'tenfold up'")
    show.run(found, json)


@llama.command
def release(
    run: str | None = None,
    *,
    out: Annotated[
        Path | None, Parameter(name=["--out", "-o"], help="Folder to write; default: release-STEP in the run's folder.")
    ] = None,
    data: Annotated[
        Path | None, Parameter(help="The prepared data of the run; default: the standard library's.")
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
    from tenfold.llama.data.stdlib import text_folder
    from tenfold.llama.release.release import release as write

    released = write(
        home_dir(),
        run,
        out,
        data=data or text_folder(cache_dir()),
        licence=licence,
        prediction=prediction,
        with_gguf=gguf,
        without_biases=without_biases,
    )
    show.released(released, json)
