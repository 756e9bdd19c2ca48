"""A day of load on a real pool that suffers one fault after the other: what fails, and how soon the pool is whole.

Brings up `tenfold up` with a home and a cache of its own, plays a day of ranking and chat over HTTP in an open loop,
and does each fault in turn, followed by a watch until the pool is whole: healthz says ready, every slot has its
residents loaded and somebody at work, training's step grows, and a chat and a ranking request are answered. A fault
counts only if it is proved to have happened (a process is dead and another has its place, one is stopped and goes on or
is replaced, the disk said that it is full, a file was read again). A pool that is not whole in time is replaced by a
fresh one.

    python bench/faults.py [--only NAME,...] [--list] [--day 4m] [--seed 1] [--limit-s 45]

Per fault: `failed` requests of the day, but for those that were streaming from what died (`cut`), those whose
connection broke with the killed front that held it, before a byte of an answer (`in_hand`), and those that were shed
with 429 (`shed`); `whole_s` from the fault's end until the pool is whole; `steps_lost` by how many steps training fell
back. Models and data are fetched and prepared first where they are missing, which takes time of its own.

The last line is one JSON object.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from fault.catalog import CUT_LINK, FAULTS
from fault.kinds import ANY_STREAMS, Fault, let_go
from fault.link import cut, ray_cluster
from fault.load import Load, Tally
from fault.pool import NotHappened, prepare, running
from fault.trial import Suffered, explain, settle, suffer, tallies
from tenfold.core.written import parse_duration_s

START_S = 60.0
WARM_S = 10.0
LAST_ANSWER_S = 15.0
"""How long the last requests may take; those without an answer by then count as failed."""

Row = tuple[Suffered, Tally]


def play(faults: list[Fault], options: argparse.Namespace, rows: list[Row], *words: str) -> None:
    """Do the faults, on one pool for as long as it gets over them, and add what they did to ``rows``.

    ``words`` are more arguments of ``tenfold up``.
    """
    day_s, seed, limit_s = parse_duration_s(options.day), options.seed, options.limit_s
    left = list(faults)
    while left:
        with tempfile.TemporaryDirectory(prefix="tenfold-faults-") as root, running(Path(root), *words) as pool:
            load = Load(pool.url, day_s, seed)
            time.sleep(WARM_S)
            if not settle(pool, START_S):
                raise RuntimeError(f"the pool does not work before any fault: {pool.missing(-1)}")
            suffered = []
            while left:
                suffered.append(suffer(pool, left.pop(0), limit_s))
                say(suffered[-1])
                was_hurt = suffered[-1].happened and suffered[-1].whole_s is None
                if was_hurt or not settle(pool, limit_s):
                    explain(pool)
                    break
            let_go(pool)
            unanswered = load.stop(LAST_ANSWER_S)
            suffered[-1] = replace(suffered[-1], own_failed=suffered[-1].own_failed + unanswered)
            rows += zip(suffered, tallies(suffered, load), strict=True)
        if remains := pool.left_behind():
            print(f"  left behind: {', '.join(remains)}", file=sys.stderr)


def play_cut_link(options: argparse.Namespace, rows: list[Row]) -> None:
    """Cut the link between two hosts of a pool that joined a Ray cluster.

    Raises:
        NotHappened: no network namespaces may be made here.
    """
    with ray_cluster() as hosts, tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
        config.write("[pool.kinds.cpu]\nslots = 2\n")
        config.flush()
        fault = Fault(CUT_LINK.name, CUT_LINK.text, cut(hosts), ANY_STREAMS)
        with hosts.inside("a"):
            play([fault], options, rows, "--address", hosts.ray_address, "--config", config.name)


def say(each: Suffered) -> None:
    """Tell of a fault as soon as it is over."""
    whole = "not whole" if each.whole_s is None else f"whole after {each.whole_s:.1f} s"
    print(f"{each.fault.name}: {whole}; {each.note}", file=sys.stderr, flush=True)


def table(rows: list[Row]) -> str:
    """Lay out all faults, one a line."""
    lines = [
        f"{'fault':<20}{'failed':>7}{'in hand':>9}{'cut':>5}{'shed':>6}"
        f"{'answered':>10}{'whole':>9}{'steps lost':>12}  note"
    ]
    for each, counted in rows:
        whole = "-" if each.whole_s is None else f"{each.whole_s:.1f} s"
        failed = counted.failed + each.own_failed
        note = each.note if each.whole_s is None else counted.ends if failed else ""
        lines.append(
            f"{each.fault.name:<20}{failed:>7}{counted.in_hand:>9}{counted.cut:>5}{counted.shed:>6}"
            f"{counted.answered:>10}{whole:>9}{each.steps_lost:>12}  {note}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names of faults, separated by commas")
    parser.add_argument("--list", action="store_true", help="name all faults and do nothing")
    parser.add_argument("--day", default="4m")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit-s", type=float, default=45.0, help="how long a pool has to become whole")
    options = parser.parse_args()
    everything = [*FAULTS, CUT_LINK]
    if options.list:
        print("\n".join(f"{fault.name:<20}{fault.text}" for fault in everything))
        return
    wanted = [name for name in options.only.split(",") if name] or [fault.name for fault in everything]
    if unknown := set(wanted) - {fault.name for fault in everything}:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; see --list")
    prepare()
    began = time.monotonic()
    rows: list[Row] = []
    try:
        play([fault for fault in FAULTS if fault.name in wanted], options, rows)
        if CUT_LINK.name in wanted:
            try:
                play_cut_link(options, rows)
            except NotHappened as error:
                print(f"{CUT_LINK.name} is left out: {error}")
    finally:
        # Also after a Ctrl-C, or when a pool does not come up: what the pools before it went through.
        print(f"{platform.machine()}, {os.cpu_count()} cores, seed {options.seed}, {time.monotonic() - began:.0f} s")
        print(table(rows))
    for each, _ in rows:
        if not each.happened:
            print(f"{each.fault.name} is not counted: {each.note}")
    found = {
        each.fault.name: {
            "failed": counted.failed + each.own_failed,
            "in_hand": counted.in_hand,
            "cut": counted.cut,
            "whole_s": None if each.whole_s is None else round(each.whole_s, 1),
            "steps_lost": each.steps_lost,
        }
        for each, counted in rows
        if each.happened
    }
    print(json.dumps({"faults": found}))


if __name__ == "__main__":
    main()
