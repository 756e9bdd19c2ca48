"""``tenfold agents``: the agents of businesses."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from tenfold.core.command import Json, whole

app = App(name="agents", help="Agents of businesses: what they know, and what they answer.")


@app.command
def ask(
    business: Annotated[str, Parameter(help="Name of the business.")],
    *,
    file: Annotated[Path, Parameter(help='Questions, one JSON object a line: {"id", "question"}.')],
    feed: Annotated[Path | None, Parameter(help="What is sold, as CSV: id, title, options, price, stock.")] = None,
    docs: Annotated[Path | None, Parameter(help="Folder of documents that may be cited.")] = None,
    json: Json = False,
) -> None:
    """Answer questions of a file as the agent would, without a pool."""
    from tenfold.agents.ask import answers, now_utc, questions_of, shop_from_files
    from tenfold.core.minilm import load_minilm
    from tenfold.core.paths import cache_dir
    from tenfold.core.show import record

    questions, now = questions_of(file), now_utc()
    shop = shop_from_files(business, feed, docs, load_minilm(cache_dir()), now)
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
