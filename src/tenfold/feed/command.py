"""``tenfold feed``: a person's feed, and what the feed remembers of them."""

from typing import Annotated
from urllib.parse import quote, urlencode

from cyclopts import App, Parameter

from tenfold.core.command import Json, whole
from tenfold.core.paths import home_dir

app = App(name="feed")


@app.default
def feed(
    person: Annotated[str, Parameter(help="Any name; a new one begins with what most people begin with.")],
    *,
    surface: Annotated[str, Parameter(help="The place that shows it.")] = "home",
    k: Annotated[int, whole("How many items.", least=1)] = 10,
    history: Annotated[bool, Parameter(negative="", help="Show what is remembered of PERSON instead.")] = False,
    json: Json = False,
) -> None:
    """Show a person's feed, and why each item is in it."""
    from tenfold.feed import show
    from tenfold.feed.contract import Feed, Known
    from tenfold.pool.client import ask
    from tenfold.pool.runfile import require_running

    url = require_running(home_dir()).url
    if history:
        show.known(Known.model_validate_json(ask(url, f"/v1/feed/people/{quote(person, safe='')}")), json)
        return
    asked = urlencode({"person": person, "surface": surface, "k": k})
    show.feed(Feed.model_validate_json(ask(url, f"/v1/feed?{asked}")), json)
