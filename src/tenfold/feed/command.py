"""``tenfold feed``: a person's feed, what the feed remembers of them, and how its experiments stand."""

from typing import Annotated
from urllib.parse import quote, urlencode

from cyclopts import App, Parameter

from tenfold.core.command import Json, whole
from tenfold.core.paths import home_dir

app = App(name="feed", help="A person's feed, and why each item is in it; experiments; what is kept of a person.")

Name = Annotated[str, Parameter(help="The person's name, as events call it.")]


@app.default
def feed(
    person: Annotated[str, Parameter(help="Any name; a new one begins with what most people begin with.")],
    *,
    surface: Annotated[str, Parameter(help="The place that shows it.")] = "home",
    k: Annotated[int, whole("How many items.", least=1)] = 10,
    only: Annotated[tuple[str, ...], Parameter(help="An attribute that items must have, as Comedy.")] = (),
    without: Annotated[tuple[str, ...], Parameter(help="An attribute that items must not have.")] = (),
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
        show.known(Known.model_validate_json(ask(url, _path(person))), json)
        return
    asked = urlencode({"person": person, "surface": surface, "k": k, "only": only, "without": without}, doseq=True)
    show.feed(Feed.model_validate_json(ask(url, f"/v1/feed?{asked}")), json)


@app.command
def experiments(*, json: Json = False) -> None:
    """Show how the experiments stand, with intervals that hold however often you look."""
    from tenfold.feed import show
    from tenfold.feed.experiments import Experiments
    from tenfold.pool.client import ask
    from tenfold.pool.runfile import require_running

    url = require_running(home_dir()).url
    show.experiments(Experiments.model_validate_json(ask(url, "/v1/feed/experiments")), json)


@app.command
def export(person: Name) -> None:
    """Print all that is kept of a person, as JSON."""
    from tenfold.core.show import machine
    from tenfold.feed.contract import Export
    from tenfold.pool.client import ask
    from tenfold.pool.runfile import require_running

    url = require_running(home_dir()).url
    machine(Export.model_validate_json(ask(url, f"{_path(person)}?events=true")))


@app.command
def forget(person: Name, *, json: Json = False) -> None:
    """Delete all that is kept of a person, in the files that ranking learns from too."""
    import orjson

    from tenfold.core.show import record
    from tenfold.pool.client import ask
    from tenfold.pool.runfile import require_running

    url = require_running(home_dir()).url
    gone = orjson.loads(ask(url, _path(person), method="DELETE"))["forgotten"]
    text = f"{person}: {gone} events deleted; the next model that is trained does not know them"
    record({"person": person, "forgotten": gone}, text, json)


def _path(person: str) -> str:
    return f"/v1/feed/people/{quote(person, safe='')}"
