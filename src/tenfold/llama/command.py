"""``tenfold train``: how the training run stands."""

from cyclopts import App

from tenfold.core.command import Json
from tenfold.core.errors import NotRunning
from tenfold.core.paths import home_dir

app = App(name="train")


@app.default
def train(*, json: Json = False) -> None:
    """Show the training run: step, loss, tokens, last checkpoint."""
    from tenfold.llama import checkpoint, show

    found = checkpoint.describe(home_dir())
    if found is None:
        raise NotRunning(f"no training run in {home_dir()}", next_step="start one with 'tenfold up'")
    show.run(found, json)
