"""The ``tenfold`` command: what it takes, what it prints, how it exits.

Data goes to standard output (``--json`` for machines), talk to standard error. Exit codes: 0 ok, 1 failed, 2 usage,
3 infeasible.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter
from rich.console import Console

from tenfold import __version__
from tenfold.cli.compute import compute
from tenfold.cli.numbers import whole
from tenfold.cli.plan import plan_app
from tenfold.cli.pool import pool_app
from tenfold.cli.replay import replay_app
from tenfold.cli.watch import watch_app
from tenfold.core.errors import AlreadyRunning, NotRunning, TenfoldError, UsageError
from tenfold.core.paths import cache_dir, home_dir

app = App(
    name="tenfold",
    help="One fungible pool of accelerators for training, serving and ranking.",
    version=__version__,
    help_format="plaintext",
)
app.command(compute)
app.command(plan_app)
app.command(replay_app)
app.command(pool_app)
app.command(watch_app)
talk = Console(stderr=True, highlight=False)

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON on standard output.")]
Config = Annotated[
    Path | None, Parameter(name="--config", help="Path of tenfold.toml; default: the one in this folder.")
]


@app.command
def up(
    *,
    config: Config = None,
    host: Annotated[str | None, Parameter(help="Address to listen on.")] = None,
    port: Annotated[int | None, whole("Port to listen on; 0 picks a free one.")] = None,
    address: Annotated[str | None, Parameter(help="Join the Ray cluster at host:port instead of starting one.")] = None,
    shadow: Annotated[bool, Parameter(negative="", help="Move nothing; record what it would have done.")] = False,
    json: Json = False,
) -> None:
    """Bring up the pool and stay until Ctrl-C."""
    from tenfold.cli import prepare, show
    from tenfold.cli.runfile import find_running, read_run_file
    from tenfold.cli.stop import stop_leftovers
    from tenfold.cli.supervisor import Supervisor, check_memory, listen
    from tenfold.core.config import load_config
    from tenfold.ledger.ledger import LEDGER_FILE, require_usable

    began = time.monotonic()
    settings = load_config(config)
    if port is not None and not 0 <= port <= 65535:
        raise UsageError(f"--port {port} is not a port", next_step="give a number from 0 to 65535; 0 picks a free one")
    policy = "shadow" if shadow else None
    given = {"host": host, "port": port, "policy": policy}
    chosen = {key: value for key, value in given.items() if value is not None}
    settings = settings.model_copy(update={"pool": settings.pool.model_copy(update=chosen)})
    home = home_dir()
    running = find_running(home)
    if running is not None:
        raise AlreadyRunning(
            f"a pool runs from {home} already, at {running.url}", next_step="use it, or stop it with 'tenfold down'"
        )
    # The residents of a cluster outlive their supervisor, and keep their state for the next.
    before = read_run_file(home) if address is not None else None
    left = stop_leftovers(home, adopting=address is not None)
    if left:
        talk.print(f"stopped {len(left)} processes that a killed pool had left", markup=False)
    # Refused before minutes of downloads, not after them.
    listen(settings.pool.host, settings.pool.port).close()
    check_memory(settings)
    require_usable(home / LEDGER_FILE)
    prepare.ensure(cache_dir(), talk)

    def ready(url: str) -> None:
        show.ready(url, time.monotonic() - began, json)

    def say(text: str) -> None:
        talk.print(f"  {text}", style="dim", markup=False, soft_wrap=True)

    asyncio.run(Supervisor(settings, home, cache_dir(), address, say, before).run(ready))


@app.command
def down(*, json: Json = False) -> None:
    """Stop the pool that runs from this home; leaves no process behind."""
    from tenfold.cli import show, stop
    from tenfold.cli.runfile import require_running

    home = home_dir()
    stopped = stop.stop_leftovers(home) or stop.stop_pool(home, require_running(home))
    show.record({"stopped": stopped}, f"stopped {len(stopped)} processes", json)


@app.command
def status(*, json: Json = False) -> None:
    """Show slots, workloads and the last moves."""
    from tenfold.cli import client, show
    from tenfold.cli.runfile import require_running

    run = require_running(home_dir())
    show.state(run, client.get_state(run.url), json)


@app.command
def train(*, json: Json = False) -> None:
    """Show the training run: step, loss, tokens, last checkpoint."""
    from tenfold.cli import show
    from tenfold.llama import checkpoint

    found = checkpoint.describe(home_dir())
    if found is None:
        raise NotRunning(f"no training run in {home_dir()}", next_step="start one with 'tenfold up'")
    show.training(found, json)


@app.command
def rank(
    user: Annotated[int | None, whole("A user of MovieLens.")] = None,
    *,
    k: Annotated[int, whole("How many items.")] = 10,
    json: Json = False,
) -> None:
    """Show the ranking model's quality, or rank the catalog for USER."""
    from tenfold.cli import client, show
    from tenfold.cli.runfile import require_running
    from tenfold.rank import artifact

    if user is None:
        show.ranker(artifact.describe(cache_dir()), json)
    else:
        show.ranked(client.rank(require_running(home_dir()).url, user, k), json)


@app.command
def assets(*, json: Json = False) -> None:
    """Fetch and verify the models and data that the pool needs."""
    from tenfold.cli import prepare, show

    try:
        prepare.ensure(cache_dir(), talk, quick=False)
    finally:
        # Also without a network: what is damaged or missing is to be seen.
        show.assets(cache_dir(), prepare.inventory(cache_dir(), quick=False), json)


@app.command
def load(
    *,
    day: Annotated[str, Parameter(help="How long the day takes, e.g. 5m or 90s.")] = "5m",
    rank_peak: Annotated[float | None, Parameter(help="Ranking requests a second at the day's peak.")] = None,
    chat_peak: Annotated[float | None, Parameter(help="Chat requests a second in a burst.")] = None,
    seed: Annotated[int, whole("Of the arrivals.", least=0)] = 0,
    json: Json = False,
) -> None:
    """Play a day of ranking and chat traffic against the running pool."""
    from tenfold.cli import show
    from tenfold.cli.runfile import require_running
    from tenfold.cli.traffic import play_day

    run = require_running(home_dir())
    show.report(play_day(run.url, day, rank_peak, chat_peak, seed, talk), json)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(tokens, exit_on_error=False, print_error=False, result_action="return_none")
    except CycloptsError as error:
        talk.print(f"error: {error}", style="red", markup=False)
        talk.print("see 'tenfold --help'", markup=False)
        sys.exit(2)
    except TenfoldError as error:
        talk.print(f"error: {error}", style="red", markup=False)
        if error.next_step:
            talk.print(f"next:  {error.next_step}", markup=False)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
