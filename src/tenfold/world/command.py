"""``tenfold load``: play a day against a running pool; ``tenfold world``: draw a log of events without one."""

import asyncio
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from tenfold.core.command import Json, whole
from tenfold.core.errors import TenfoldError
from tenfold.core.paths import cache_dir, home_dir
from tenfold.core.show import machine, out, talk
from tenfold.core.written import parse_duration_s

if TYPE_CHECKING:
    from tenfold.world.advertisers import Market
    from tenfold.world.report import DayReport

app = App(name="load")
world = App(name="world")
VISITS = 2.0
"""Of each person in a day."""

PEOPLE_FOR_ADS = 600
"""At least so many come where somebody advertises: a tenth are held out, and 30 of them must be reached to compare."""


@app.default
def load(
    *,
    day: Annotated[str, Parameter(help="How long the day takes, e.g. 5m or 90s.")] = "5m",
    rank_peak: Annotated[float | None, Parameter(help="Ranking requests a second at the day's peak.")] = None,
    chat_peak: Annotated[float | None, Parameter(help="Chat requests a second in a burst.")] = None,
    people: Annotated[
        int | None,
        whole("People who come to the feed, twice a day each; default: one a second, 600 for ads at least.", least=0),
    ] = None,
    correlation: Annotated[
        float, Parameter(help="Of what people like on one surface with what they like on another, 0 to 1.")
    ] = 1.0,
    advertise: Annotated[
        Path | None,
        Parameter(help="Catalog of a shop that advertises to them for the day; or demo, one that is shipped."),
    ] = None,
    budget: Annotated[str, Parameter(help="What it may spend, and each rival too.")] = "100USD",
    objective: Annotated[str, Parameter(help="What it wants: reach, traffic, leads or sales.")] = "sales",
    rivals: Annotated[int, whole("Others who advertise to the same people.", least=0)] = 2,
    clicks: Annotated[
        float | None, Parameter(help="Mean chance of a click; default: that of the Open Bandit log, 0.0038.")
    ] = None,
    seed: Annotated[int, whole("Of all that happens.", least=0)] = 0,
    json: Json = False,
) -> None:
    """Play a day of people and programs who use the running pool."""
    from tenfold.ads import show
    from tenfold.pool.runfile import require_running
    from tenfold.world.report import ads_in_words, in_words, table

    url, duration_s = require_running(home_dir()).url, parse_duration_s(day)
    least = 0 if advertise is None else PEOPLE_FOR_ADS
    count = max(least, round(duration_s)) if people is None else people
    market = None
    if advertise is not None:
        market = _opened(advertise, objective, budget, duration_s, rivals, clicks)
    try:
        found = asyncio.run(_play(url, duration_s, rank_peak, chat_peak, count, correlation, seed, market))
    except BaseException:
        # A day that breaks off was a campaign all the same.
        if market is not None and not json:
            with suppress(TenfoldError):
                show.report(market.report(), None, json=False)
        raise
    if json:
        machine(found.model_dump(mode="json") | ({"campaign": market.report()} if market is not None else {}))
        return
    out.print(table(found))
    if found.people is not None:
        out.print(in_words(found.people), markup=False)
    if market is not None and found.ads is not None:
        out.print(ads_in_words(found.ads), markup=False)
        show.report(market.report(), None, json=False)


def _opened(
    catalog: Path, objective: str, budget: str, duration_s: float, rivals: int, clicks: float | None
) -> "Market":
    from tenfold.ads.amounts import read_micro
    from tenfold.world.advertisers import Wanted, open_market
    from tenfold.world.audience import CLICKS, Temper

    temper = Temper(clicks=CLICKS if clicks is None else clicks)
    return open_market(catalog, Wanted(objective, read_micro(budget), duration_s), rivals, temper)


async def _play(
    url: str,
    duration_s: float,
    rank_peak_per_s: float | None,
    chat_burst_per_s: float | None,
    people: int,
    correlation: float,
    seed: int,
    market: "Market | None",
) -> "DayReport":
    """Play one day that suits the pool at ``url``, and report on it."""
    import aiohttp

    from tenfold.core.minilm import load_minilm
    from tenfold.pool.runfile import own_headers
    from tenfold.world import client
    from tenfold.world.audience import audience_of
    from tenfold.world.bar import run
    from tenfold.world.people import DAY_S, People, draw_crowd, surfaces_shown
    from tenfold.world.shoppers import Shoppers

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
    speed = DAY_S / day.duration_s
    async with (
        aiohttp.ClientSession(url) as session,
        aiohttp.ClientSession(url, headers=own_headers(home_dir())) as servers,
    ):
        shown = await surfaces_shown(session)
        drawn = partial(draw_crowd, cache_dir(), people, seed, surfaces=shown, correlation=correlation)
        crowd = await asyncio.to_thread(drawn)
        shoppers = None
        if market is not None:
            embed = load_minilm(cache_dir()).embed
            audience = audience_of(crowd.tastes, crowd.genres, embed, market.temper)
            shoppers = Shoppers(session, servers, audience, market.shops, seconds_per_s=speed, seed=seed)
        here = People(session, crowd, seconds_per_s=speed, seed=seed, shoppers=shoppers)
        if shoppers is not None:
            assert market is not None
            await asyncio.to_thread(market.begin)
            shoppers.need([here.name(person) for person in range(people)], day.duration_s)
        coming = asyncio.create_task(here.come(day.visit_at_s.tolist(), day.duration_s))
        report = await run(url, day, talk)
        await coming
        if shoppers is not None:
            await shoppers.finish()
        told = {"people": here.report(), "ads": None if shoppers is None else shoppers.report()}
        return report.model_copy(update=told)


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
