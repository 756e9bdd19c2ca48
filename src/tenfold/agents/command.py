"""``tenfold agents``: agents of businesses, what they know, how they do, and a chat with them."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from tenfold.core.command import Json, whole

app = App(name="agents", help="Agents of businesses: what they know, and what they answer.")

Business = Annotated[str, Parameter(help="The business, as its keys call it: shop.example.")]


@app.command
def add(
    business: Business,
    *,
    feed: Annotated[
        tuple[str, ...],
        Parameter(help="What is sold, path or address: CSV, Google Merchant, Shopify, JSON-LD; demo: a shop we ship."),
    ] = (),
    site: Annotated[tuple[str, ...], Parameter(help="A site's address, its sitemap's, or a folder of its pages.")] = (),
    docs: Annotated[tuple[str, ...], Parameter(help="Folder or file of texts: policies, questions.")] = (),
    name: Annotated[str, Parameter(help="What customers call the business.")] = "",
    currency: Annotated[str, Parameter(help="Of prices that name none.")] = "USD",
    origin: Annotated[tuple[str, ...], Parameter(help="Site whose pages show the widget: https://shop.example.")] = (),
    json: Json = False,
) -> None:
    """Give a business an agent, or bring what it knows up to date."""
    from tenfold.agents import onboarding, show
    from tenfold.core.paths import cache_dir, home_dir
    from tenfold.pool.runfile import require_running

    sources = onboarding.sources_of(feed, site, docs)
    url = require_running(home_dir()).url
    added = onboarding.add(url, home_dir(), cache_dir(), business, name, sources, currency, origin, show.progress(json))
    show.added(added, json)


@app.command(name="list")
def listed(*, json: Json = False) -> None:
    """List the businesses that have an agent, and how fresh what it knows is."""
    from tenfold.agents import show
    from tenfold.agents.contract import Businesses
    from tenfold.core.paths import home_dir
    from tenfold.pool.client import ask
    from tenfold.pool.runfile import require_running

    url = require_running(home_dir()).url
    show.businesses(Businesses.model_validate_json(ask(url, "/v1/agents/businesses")), json)


@app.command
def chat(
    business: Business,
    *,
    thread: Annotated[str, Parameter(help="Go on with this thread; default: a new one.")] = "",
    evidence: Annotated[bool, Parameter(negative="", help="Show what each sentence rests on.")] = False,
) -> None:
    """Chat with a business's agent, as a customer; an empty line ends."""
    from tenfold.agents.terminal import talk
    from tenfold.core.paths import home_dir
    from tenfold.pool.runfile import require_running

    talk(require_running(home_dir()).url, business, thread, evidence=evidence)


@app.command
def inbox(
    business: Business,
    thread: Annotated[str, Parameter(help="Show this thread; default: list those that wait for a human.")] = "",
    *,
    say: Annotated[str, Parameter(help="Write this to the customer.")] = "",
    hand_back: Annotated[bool, Parameter(negative="", help="Let the agent go on.")] = False,
    json: Json = False,
) -> None:
    """Answer customers who wait for a human."""
    from tenfold.agents import show
    from tenfold.agents.terminal import Inbox
    from tenfold.core.errors import UsageError
    from tenfold.core.paths import home_dir
    from tenfold.pool.runfile import require_running

    found = Inbox(require_running(home_dir()).url, business)
    if not thread:
        if say or hand_back:
            raise UsageError("--say and --hand-back need a thread", next_step=f"tenfold agents inbox {business}")
        show.waiting(found.waiting(), json)
        return
    if say:
        found.say(thread, say)
    if hand_back:
        found.hand_back(thread)
    show.thread(found.thread(thread), json)


@app.command(name="set")
def set_(
    business: Business,
    *,
    file: Annotated[Path, Parameter(help="TOML with settings of the business; what it leaves out stays.")],
    json: Json = False,
) -> None:
    """Set what a business wants: who is told of hand-offs, its channels, its orders' system, what its sales earn."""
    from tenfold.agents.onboarding import change_settings
    from tenfold.core.paths import home_dir
    from tenfold.core.show import record
    from tenfold.pool.runfile import require_running

    now = change_settings(require_running(home_dir()).url, business, file)
    record(now.model_dump(), "\n".join(f"{key} = {value!r}" for key, value in now.model_dump().items()), json)


@app.command
def secret(business: Business, *, json: Json = False) -> None:
    """Print the secret by which the shop signs who a customer is, and checks what it is told."""
    from tenfold.agents.office import SecretOut
    from tenfold.core.paths import home_dir
    from tenfold.core.show import record
    from tenfold.pool.client import ask
    from tenfold.pool.runfile import require_running

    url = require_running(home_dir()).url
    found = SecretOut.model_validate_json(ask(url, f"/v1/agents/{business}/secret"))
    record(found.model_dump(), found.secret, json)


@app.command
def ask(
    business: Annotated[str, Parameter(help="Name of the business.")],
    *,
    file: Annotated[Path, Parameter(help='Questions, one JSON object a line: {"id", "question"}.')],
    feed: Annotated[Path | None, Parameter(help="What is sold: CSV, Google Merchant, Shopify, JSON-LD.")] = None,
    docs: Annotated[Path | None, Parameter(help="Folder or file of texts: policies, questions.")] = None,
    currency: Annotated[str, Parameter(help="Of prices that name none.")] = "USD",
    json: Json = False,
) -> None:
    """Answer questions of a file as the agent would, without a pool."""
    from tenfold.agents.ask import answers, now_utc, questions_of, shop_from_files
    from tenfold.agents.shops import Embedding
    from tenfold.core.paths import cache_dir
    from tenfold.core.show import record

    questions, now = questions_of(file), now_utc()
    shop = shop_from_files(business, feed, docs, Embedding(cache_dir()), now, currency)
    for answered in answers(shop, questions, now):
        record(answered, f"{answered['id']}: {answered['text']}", json)


@app.command
def search(
    *,
    docs: Annotated[Path, Parameter(help="Folder of documents: .md, .txt, .html, .json; a file's name is its id.")],
    queries: Annotated[Path, Parameter(help='Queries, one JSON object a line: {"id", "query"}.')],
    k: Annotated[int, whole("How many documents to give for each.", least=1)] = 20,
    json: Json = False,
) -> None:
    """Find the documents that fit each query of a file, best first, without a pool."""
    from datetime import UTC, datetime

    from tenfold.catalog.find import open_embedder, open_library, read_queries
    from tenfold.core.paths import cache_dir
    from tenfold.core.show import record, talk

    asked = read_queries(queries)
    with talk.status("reading the documents") as shown:
        embedder = open_embedder(cache_dir(), shown.update)
        library = open_library(docs, datetime.now(UTC), embedder)
    for skipped in library.skipped:
        talk.print(f"skipped {skipped.where}: {skipped.why}", style="dim", markup=False, soft_wrap=True)
    for query, found in library.answer(asked, k):
        record({"id": query.id, "results": found}, f"{query.id}: {', '.join(found)}", json)
