"""The ``tenfold`` command: what it takes, what it prints, how it exits.

Data goes to standard output (``--json`` for machines), talk to standard error. Exit codes: 0 ok, 1 failed, 2 usage,
3 infeasible.
"""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Group, Parameter

import tenfold
from tenfold.core.command import Json, whole
from tenfold.core.errors import AlreadyRunning, TenfoldError, UsageError
from tenfold.core.paths import cache_dir, home_dir
from tenfold.core.show import record, talk

app = App(
    name="tenfold",
    help="An AI platform on one fungible pool of accelerators.",
    version=lambda: tenfold.__version__,
    help_format="plaintext",
)

POOL = Group("The pool", sort_key=0)
OPTIONS = Group("Options", sort_key=9)
GROUPS = {
    POOL: {
        "tenfold.cli.pool:app": ("pool", "List the pool's moves, and tell why each workload has what it has."),
        "tenfold.cli.keys:app": ("keys", "List, make and revoke the API keys of this pool."),
        "tenfold.world.command:app": ("load", "Play a day of people and programs who use the running pool."),
        "tenfold.world.command:world": (
            "world",
            "Draw a log of what people with hidden interests do on five surfaces.",
        ),
    },
    Group("Products", sort_key=1): {
        "tenfold.feed.command:app": ("feed", "Show a person's feed, and why each item is in it."),
        "tenfold.ads.command:app": ("ads", "Ads: give an objective and a budget, and it does the rest."),
        "tenfold.agents.command:app": ("agents", "Agents of businesses: what they know, and what they answer."),
        "tenfold.assistant.command:app": ("assistant", "Ask what dated sources say, and get who said it and when."),
    },
    Group("Models", sort_key=2): {
        "tenfold.llama.data.command:app": ("data", "Make training data of documents: text, JSON Lines, Parquet."),
        "tenfold.llama.command:app": ("train", "Train a run of your own without a pool, or show how training stands."),
        "tenfold.llama.command:llama": (
            "llama",
            "Release a trained model for others' software, or teach a chat model by examples.",
        ),
        "tenfold.rank.command:app": ("rank", "Show the ranking model's quality, or rank the catalog for USER."),
        "tenfold.serve.command:app": ("serve", "List models, meter their use, or measure how fast one is here."),
    },
    Group("Planning and evidence", sort_key=3): {
        "tenfold.compute.command:app": ("compute", "What training, inference and ranking take on which accelerators."),
        "tenfold.llama.ladder.command:app": ("ladder", "What small runs say of the model with ten times the compute."),
        "tenfold.plan.command:app": ("plan", "What to commit to now, and what to keep as an option."),
        "tenfold.replay.command:app": (
            "replay",
            "Play a recorded week again under any policy: what each would have done.",
        ),
        "tenfold.watch.command:app": (
            "watch",
            "Watch a Ray cluster that others use: what Tenfold would do there, and its worth.",
        ),
    },
}
"""Commands that packages bring, with their help: each is imported when it is called, so that none slows the others."""

for flag in ("--help", "--version"):
    app[flag].group = OPTIONS

for group, commands in GROUPS.items():
    for place, (command, about) in commands.items():
        app.command(place, name=command, help=about, group=group)

Config = Annotated[
    Path | None, Parameter(name="--config", help="Path of tenfold.toml; default: the one in this folder.")
]


@app.command(group=POOL)
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
    import asyncio

    from tenfold.cli import prepare, show
    from tenfold.cli.stop import stop_leftovers
    from tenfold.cli.supervisor import Supervisor, check_memory, listen
    from tenfold.core.store import store_url
    from tenfold.ledger.ledger import LEDGER, require_ledger
    from tenfold.pool.runfile import find_running, read_run_file
    from tenfold.wiring import load_config

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
    require_ledger(store_url(settings.store, home, LEDGER))
    prepare.ensure(cache_dir(), talk)

    def ready(url: str) -> None:
        show.ready(url, time.monotonic() - began, json)

    def say(text: str) -> None:
        talk.print(f"  {text}", style="dim", markup=False, soft_wrap=True)

    asyncio.run(Supervisor(settings, home, cache_dir(), address, say, before).run(ready))


@app.command(group=POOL)
def down(*, json: Json = False) -> None:
    """Stop the pool that runs from this home; leaves no process behind."""
    from tenfold.cli import stop
    from tenfold.pool.runfile import require_running

    home = home_dir()
    stopped = stop.stop_leftovers(home) or stop.stop_pool(home, require_running(home))
    record({"stopped": stopped}, f"stopped {len(stopped)} processes", json)


@app.command(group=POOL)
def status(*, json: Json = False) -> None:
    """Show slots, workloads and the last moves."""
    from tenfold.cli import show
    from tenfold.pool.client import get_state
    from tenfold.pool.runfile import require_running

    run = require_running(home_dir())
    show.state(run, get_state(run.url), json)


@app.command(group=POOL)
def assets(*, json: Json = False) -> None:
    """Fetch and verify the models and data that the pool needs."""
    from tenfold.cli import prepare, show

    try:
        prepare.ensure(cache_dir(), talk, quick=False)
    finally:
        # Also without a network: what is damaged or missing is to be seen.
        show.assets(cache_dir(), prepare.inventory(cache_dir(), quick=False), json)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    # Before numpy is imported. Matrices are small here, so a second thread of BLAS mostly spins: 19 CPU-seconds and
    # not 4 to leave each known run out of a fit, beside other programs. What trains chooses its own number.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(tokens, exit_on_error=False, print_error=False, result_action="return_none")
    except CycloptsError as error:
        talk.print(f"error: {error}", style="red", markup=False)
        talk.print(f"next:  see '{' '.join(('tenfold', *(error.command_chain or ())))} --help'", markup=False)
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
