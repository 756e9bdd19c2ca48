"""``tenfold rank``: how good the ranking model is, and what it ranks for a user."""

from typing import Annotated

from cyclopts import App

from tenfold.core.command import Json, whole
from tenfold.core.paths import cache_dir, home_dir

app = App(name="rank")


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
