"""``tenfold serve``: what models there are, who used them, and how fast one is on this machine."""

import datetime as dt
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from tenfold.core.command import Json, whole
from tenfold.core.paths import cache_dir, home_dir

app = App(name="serve")


@app.default
def models(*, json: Json = False) -> None:
    """List the models that the running pool serves, and how its backends do."""
    from tenfold.pool.client import ask
    from tenfold.pool.runfile import require_running
    from tenfold.serve import show

    url = require_running(home_dir()).url
    show.models(ask(url, "/v1/models"), ask(url, "/api/backends"), json)


@app.command
def meter(
    *,
    day: Annotated[str, Parameter(help="As 2026-11-28, by UTC; default: today.")] = "",
    json: Json = False,
) -> None:
    """Show what each product and tenant used of models in a day."""
    from tenfold.core.errors import UsageError
    from tenfold.pool.client import ask
    from tenfold.pool.metering.view import MeterView
    from tenfold.pool.runfile import require_running
    from tenfold.serve import show

    try:
        query = f"?day={dt.date.fromisoformat(day)}" if day else ""
    except ValueError as error:
        raise UsageError(f"--day {day!r} is no date", next_step="write it as 2026-11-28") from error
    told = ask(require_running(home_dir()).url, f"/api/meter{query}")
    show.meter(MeterView.model_validate_json(told), json)


@app.command
def bench(
    model: Annotated[str, Parameter(help="A name in /v1/models; default: the default chat model.")] = "",
    *,
    most: Annotated[int, whole("Largest batch.", least=1)] = 16,
    tokens: Annotated[int, whole("Tokens of each answer.", least=2)] = 32,
    config: Annotated[Path | None, Parameter(help="Path of tenfold.toml; default: the one in this folder.")] = None,
    json: Json = False,
) -> None:
    """Measure tokens per CPU- or GPU-second by batch, and what a slot of it would earn at today's price."""
    from tenfold.pool.runfile import find_running
    from tenfold.serve import show
    from tenfold.serve.bench import bench_model, read_settings

    running = find_running(home_dir())
    url = running.url if running else None
    found = bench_model(read_settings(config), model, cache=cache_dir(), most=most, tokens=tokens, url=url)
    show.bench(found, json)
