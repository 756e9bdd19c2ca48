"""``tenfold train``: train a run by its file, or see how training stands."""

from pathlib import Path
from typing import Annotated

from cyclopts import App

from tenfold.core.command import Json, whole
from tenfold.core.errors import NotRunning
from tenfold.core.paths import home_dir

app = App(name="train")

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
