"""``tenfold agents``: the agents of businesses."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from tenfold.core.command import Json

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
