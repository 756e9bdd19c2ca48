"""``tenfold load``: play a day against a running pool; ``tenfold world``: draw a log of events without one."""

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from tenfold.core.command import Json, whole
from tenfold.core.paths import cache_dir, home_dir
from tenfold.core.show import machine, out, talk
from tenfold.core.written import parse_duration_s

if TYPE_CHECKING:
    from tenfold.world.report import DayReport

app = App(name="load")
world = App(name="world")
VISITS = 2.0
"""Of each person in a day."""


@app.default
def load(
    *,
    day: Annotated[str, Parameter(help="How long the day takes, e.g. 5m or 90s.")] = "5m",
    rank_peak: Annotated[float | None, Parameter(help="Ranking requests a second at the day's peak.")] = None,
    chat_peak: Annotated[float | None, Parameter(help="Chat requests a second in a burst.")] = None,
    people: Annotated[
        int | None, whole("People who come to the feed, twice a day each; default: one for each second.", least=0)
    ] = None,
    correlation: Annotated[
        float, Parameter(help="Of what people like on one surface with what they like on another, 0 to 1.")
    ] = 1.0,
    seed: Annotated[int, whole("Of all that happens.", least=0)] = 0,
    json: Json = False,
) -> None:
    """Play a day of people and programs who use the running pool."""
    from tenfold.pool.runfile import require_running
    from tenfold.world.report import in_words, table

    url, duration_s = require_running(home_dir()).url, parse_duration_s(day)
    count = round(duration_s) if people is None else people
    found = asyncio.run(_play(url, duration_s, rank_peak, chat_peak, count, correlation, seed))
    if json:
        machine(found)
        return
    out.print(table(found))
    if found.people is not None:
        out.print(in_words(found.people), markup=False)


async def _play(
    url: str,
    duration_s: float,
    rank_peak_per_s: float | None,
    chat_burst_per_s: float | None,
    people: int,
    correlation: float,
    seed: int,
) -> "DayReport":
    """Play one day that suits the pool at ``url``, and report on it."""
    import aiohttp

    from tenfold.world import client
    from tenfold.world.bar import run
    from tenfold.world.people import DAY_S, People, draw_crowd, surfaces_shown

    day = client.day_for(
        await client.fetch_state(url),
        duration_s,
        rank_peak_per_s=rank_peak_per_s,
        chat_burst_per_s=chat_burst_per_s,
        visits=VISITS * people,
        seed=seed,
    )
    asked = f"{len(day.rank_at_s)} ranking and {len(day.chat_at_s)} chat requests, {len(day.visit_at_s)} visits"
    talk.print(f"  a day in {day.duration_s:g} s: {asked}", style="dim", markup=False)
    if not people:
        return await run(url, day, talk)
    async with aiohttp.ClientSession(url) as session:
        shown = await surfaces_shown(session)
        drawn = partial(draw_crowd, cache_dir(), people, seed, surfaces=shown, correlation=correlation)
        crowd = await asyncio.to_thread(drawn)
        here = People(session, crowd, seconds_per_s=DAY_S / day.duration_s, seed=seed)
        coming = asyncio.create_task(here.come(day.visit_at_s.tolist()))
        report = await run(url, day, talk)
        await coming
        return report.model_copy(update={"people": here.report()})


@world.default
def draw(
    directory: Path,
    /,
    *,
    people: Annotated[int, whole("People of the world.")] = 500,
    days: Annotated[int, whole("Days that the log is of.")] = 14,
    correlation: Annotated[
        float, Parameter(help="Of what a person likes on one surface with what they like on another, 0 to 1.")
    ] = 0.5,
    drift: Annotated[float, Parameter(help="Part of what people like that is new each day, 0 to 1.")] = 0.01,
    pages: Annotated[float, Parameter(help="Pages that a person opens a day, on average.")] = 3.0,
    seed: Annotated[int, whole("Of all that is drawn.", least=0)] = 0,
    json: Json = False,
) -> None:
    """Draw what people with hidden interests do on five surfaces, and write it to DIRECTORY as events and items.

    `tenfold rank fit DIRECTORY` learns from it. Needs no running pool.
    """
    from tenfold.world.events import Terms, draw_log
    from tenfold.world.files import write_log
    from tenfold.world.show import summary_of, table

    log = draw_log(Terms(people, days, correlation, drift, pages), seed)
    paths = write_log(log, directory)
    found = summary_of(log, seed)
    if json:
        machine(found)
        return
    out.print(table(found))
    for path in paths:
        out.print(f"wrote {path}", markup=False, soft_wrap=True)
