"""``tenfold load``: play a day against a running pool, with a progress bar."""

import asyncio
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from tenfold.core.command import Json, whole
from tenfold.core.paths import home_dir
from tenfold.core.show import machine, out, talk
from tenfold.core.written import parse_duration_s

if TYPE_CHECKING:
    from tenfold.world.report import DayReport

app = App(name="load")


@app.default
def load(
    *,
    day: Annotated[str, Parameter(help="How long the day takes, e.g. 5m or 90s.")] = "5m",
    rank_peak: Annotated[float | None, Parameter(help="Ranking requests a second at the day's peak.")] = None,
    chat_peak: Annotated[float | None, Parameter(help="Chat requests a second in a burst.")] = None,
    seed: Annotated[int, whole("Of the arrivals.", least=0)] = 0,
    json: Json = False,
) -> None:
    """Play a day of ranking and chat traffic against the running pool."""
    from tenfold.pool.runfile import require_running
    from tenfold.world.report import table

    url = require_running(home_dir()).url
    found = asyncio.run(_play(url, parse_duration_s(day), rank_peak, chat_peak, seed))
    if json:
        machine(found)
    else:
        out.print(table(found))


async def _play(
    url: str, duration_s: float, rank_peak_per_s: float | None, chat_burst_per_s: float | None, seed: int
) -> "DayReport":
    """Play one day that suits the pool at ``url``, and report on it."""
    from tenfold.world import client
    from tenfold.world.bar import run

    day = client.day_for(
        await client.fetch_state(url),
        duration_s,
        rank_peak_per_s=rank_peak_per_s,
        chat_burst_per_s=chat_burst_per_s,
        seed=seed,
    )
    asked = f"{len(day.rank_at_s)} ranking and {len(day.chat_at_s)} chat requests"
    talk.print(f"  a day in {day.duration_s:g} s: {asked}", style="dim", markup=False)
    return await run(url, day, talk)
