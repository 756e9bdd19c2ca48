"""``tenfold pool``: what the pool did and why, from its ledger; a pool that has stopped can be asked too."""

from typing import Annotated

from cyclopts import App

from tenfold.core.command import Json, whole
from tenfold.core.paths import home_dir

app = App(name="pool")


@app.default
def moves(*, moves: Annotated[int, whole("How many moves to list.")] = 20, json: Json = False) -> None:
    """List the last moves with their reasons and prices."""
    from tenfold.cli import show
    from tenfold.cli.history import read_moves

    show.moves(read_moves(home_dir(), moves), json)


@app.command
def why(workload: str, *, json: Json = False) -> None:
    """Tell why WORKLOAD has its slots, what one more would be worth, and who would get the next."""
    from tenfold.cli import why as reasons
    from tenfold.core.show import record

    found = reasons.why(home_dir(), workload)
    record(found.model_dump(), reasons.tell(found), json)


@app.command
def shadow(*, json: Json = False) -> None:
    """Sum up what a pool in shadow mode would have done, and what that would have been worth."""
    from tenfold.cli import show
    from tenfold.cli.history import read_shadow

    show.shadow(read_shadow(home_dir()), json)
