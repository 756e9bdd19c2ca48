"""``tenfold watch``: what the policy would do with a Ray cluster that others use, without touching it."""

import asyncio
import math
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from tenfold.core.command import Json
from tenfold.core.errors import ClusterUnreachable, NotRunning
from tenfold.core.paths import home_dir
from tenfold.core.show import talk
from tenfold.core.written import parse_duration_s

if TYPE_CHECKING:
    from tenfold.ledger.recorder import Recorder
    from tenfold.ledger.retention import Retention
    from tenfold.watch.watch import WatchView
    from tenfold.watch.watch_file import WatchFile

LEDGER = "watch"
TOKEN_VARIABLE = "RAY_AUTH_TOKEN"
"""Where Ray's own commands look for the token of a cluster that asks for one."""

app = App(name="watch")


@app.default
def watch(
    file: Path = Path("watch.toml"),
    *,
    duration: Annotated[
        str | None, Parameter(name="--for", help="How long, e.g. 10m or 8h; default: to Ctrl-C.")
    ] = None,
    json: Json = False,
) -> None:
    """Watch the cluster that FILE names; start, place and move nothing there."""
    from tenfold.core.config import LedgerSettings, StoreSettings
    from tenfold.core.store import place_of, store_url
    from tenfold.ledger.ledger import Ledger
    from tenfold.ledger.past import days_of
    from tenfold.ledger.recorder import Recorder
    from tenfold.ledger.retention import Retention
    from tenfold.watch import show
    from tenfold.watch.watch_file import load_watch_file

    settings = load_watch_file(file)
    duration_s = None if duration is None else parse_duration_s(duration)
    home = home_dir()
    home.mkdir(parents=True, exist_ok=True)
    # A file also where the pool of this home has a server: a cluster is watched without a pool.
    url = store_url(StoreSettings(), home, LEDGER)
    ledger = Recorder(lambda: Ledger(url, mends=True), place_of(url))
    retention = Retention(url=url, folder=days_of(home, LEDGER), keep_days=LedgerSettings().keep_days)
    try:
        with show.line(talk, quiet=json) as tell:
            found = asyncio.run(_watch(settings, str(file), ledger, retention, duration_s, tell))
    finally:
        ledger.close()
    show.summary(found, json)


@app.command
def report(*, json: Json = False) -> None:
    """Sum up the last watch, also while it goes on."""
    from tenfold.core.config import StoreSettings
    from tenfold.core.store import store_url
    from tenfold.ledger.past import open_ledger
    from tenfold.watch import show
    from tenfold.watch.watch import WatchView

    home = home_dir()
    url = store_url(StoreSettings(), home, LEDGER)
    with open_ledger(home, url, "watch a cluster with 'tenfold watch'") as ledger:
        found = ledger.latest("watch")
    if not found:
        raise NotRunning("nothing was watched yet", next_step="watch a cluster with 'tenfold watch'")
    show.summary(WatchView.model_validate(found[0].body), json)


async def _watch(
    settings: "WatchFile",
    origin: str,
    ledger: "Recorder",
    retention: "Retention",
    duration_s: float | None,
    tell: Callable[["WatchView"], None],
) -> "WatchView":
    """Read and decide every tick until ``duration_s`` is over or somebody stops it."""
    import aiohttp

    from tenfold.ledger.retention import forget_forever
    from tenfold.policy.shadow import change_body
    from tenfold.watch.ray_dashboard import Dashboard
    from tenfold.watch.watch import Watch

    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    until = math.inf if duration_s is None else time.monotonic() + duration_s
    forgetting = asyncio.create_task(forget_forever(ledger, retention))
    await ledger.opened()
    async with aiohttp.ClientSession() as session:
        dashboard = Dashboard(session, settings, os.environ.get(TOKEN_VARIABLE))
        last = time.monotonic()
        reading = await dashboard.read()
        found = Watch(settings, origin, reading)
        ledger.append("watch_started", settings.dashboard, settings.model_dump(mode="json"))
        changes = found.observe(reading, settings.tick_s)
        while True:
            ledger.tend()
            for change in changes:
                ledger.append("shadow_move", change.slot, change_body(change))
            view = found.view()
            ledger.append("watch", settings.dashboard, view.model_dump(mode="json"))
            tell(view)
            if await _ends(stopped, settings.tick_s, until):
                forgetting.cancel()
                return view
            now = time.monotonic()
            try:
                changes = found.observe(await dashboard.read(), now - last)
                last = now
            except ClusterUnreachable as error:
                # A cluster that restarts is watched on when it is back.
                found.miss(str(error))
                changes = []


async def _ends(stopped: asyncio.Event, tick_s: float, until: float) -> bool:
    """Wait for the next tick; true when somebody stops the watch, or its end comes before a whole tick is over."""
    left_s = until - time.monotonic()
    try:
        await asyncio.wait_for(stopped.wait(), min(tick_s, max(0.0, left_s)))
    except TimeoutError:
        return left_s < tick_s
    return True
