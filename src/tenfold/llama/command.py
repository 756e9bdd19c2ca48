"""``tenfold train``: how the training run stands."""

from cyclopts import App

from tenfold.core.command import Json
from tenfold.core.errors import NotRunning
from tenfold.core.paths import home_dir

app = App(name="train")


@app.default
def train(run: str | None = None, *, json: Json = False) -> None:
    """Show a training run: step, loss, tokens, last checkpoint; RUN by its name, or else the one written to last."""
    from tenfold.llama import show
    from tenfold.llama.runs import describe

    found = describe(home_dir(), run)
    if found is None:
        raise NotRunning(f"no training run in {home_dir()}", next_step="start one with 'tenfold up'")
    show.run(found, json)
