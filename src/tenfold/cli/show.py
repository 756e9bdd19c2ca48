"""How the commands of a pool print: a table for people, JSON for machines."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tenfold.core.show import grid, machine, out
from tenfold.pool.runfile import RunFile
from tenfold.pool.state import MoveView, PoolState, ShadowView

if TYPE_CHECKING:
    from tenfold.cli.prepare import AssetRow


def ready(url: str, seconds: float, json: bool) -> None:
    """Print the address and what to try."""
    if json:
        machine({"ready": True, "url": url, "seconds": round(seconds, 2)})
        return
    out.print(f"\nThe pool is ready at [bold]{url}[/bold] after {seconds:.0f} s. Three things to try:\n")
    out.print(f"  watch   open {url} in a browser", markup=False)
    out.print("  load    tenfold load --day 5m        (in another terminal)", markup=False)
    body = '{"model":"smollm2-135m","messages":[{"role":"user","content":"What is a tree?"}],"max_tokens":40}'
    out.print(f"  chat    curl {url}/v1/chat/completions -d '{body}'", markup=False, soft_wrap=True)
    out.print("\nCtrl-C stops it.", style="dim")


def state(run: RunFile, found: PoolState, json: bool) -> None:
    """Print slots and workloads."""
    if json:
        machine({"run": run, "state": found})
        return
    out.print(
        f"{run.url}  {'ready' if found.ready else found.phase}  epoch {found.epoch}  "
        f"policy {found.policy}  controller {found.controller}",
        markup=False,
    )
    if found.shadow is not None:
        shadow(found.shadow, json=False)
    for alarm in found.alarms:
        out.print(f"alarm: {alarm}", style="red", markup=False)
    workloads = grid("workload", "slots", "demand/s", "done/s", "p95", "shed", "last slot", "next slot")
    for row in found.workloads:
        workloads.add_row(
            row.workload,
            f"{row.slots}",
            "-" if row.arrival_per_s is None else f"{row.arrival_per_s:.1f}",
            f"{row.units_per_s:,.1f} {row.unit}s",
            "-" if row.latency_p95_s is None else f"{row.latency_p95_s * 1e3:.0f} ms",
            str(row.shed_total),
            micro(row.value_last_slot_usd_per_s),
            micro(row.value_next_slot_usd_per_s),
        )
    out.print(workloads)
    for row in found.workloads:
        if row.ended:
            out.print(f"{row.workload}: {row.ended}", markup=False)
    slots = grid("slot", "cores", "awake", "residents")
    for slot in found.slots:
        residents = "  ".join(f"{r.workload} {r.doing}{f' ({r.pid})' if r.pid else ''}" for r in slot.residents)
        slots.add_row(slot.slot, ",".join(map(str, slot.cores)), slot.awake or "-", residents)
    out.print(slots)


def shadow(found: ShadowView, json: bool) -> None:
    """Print what would have been."""
    if json:
        machine(found)
        return
    slots = ", ".join(f"{workload} {count}" for workload, count in sorted(found.slots.items()))
    out.print(
        f"In {dt.timedelta(seconds=round(found.seconds))} of watching it would have made {found.moves} moves.\n"
        f"Expected value of the slots as they were ${found.real_usd:.4g}, with those moves ${found.shadow_usd:.4g} "
        f"({found.gain or 0.0:+.1%}).\nNow it would have {slots}.",
        markup=False,
    )


def moves(rows: Sequence[MoveView], json: bool) -> None:
    """Print moves."""
    if json:
        machine(list(rows))
        return
    table = grid("time", "slot", "move", "seconds", "gain", "reason")
    for row in rows:
        table.add_row(
            f"{dt.datetime.fromtimestamp(row.at):%H:%M:%S}",
            row.slot,
            f"{row.donor or 'idle'} > {row.receiver or 'idle'}{'' if row.state == 'done' else ' ' + row.state}",
            "-" if row.seconds is None else f"{row.seconds:.2f}",
            micro(row.gain_usd_per_s),
            row.reason,
        )
    out.print(table)


def assets(cache: Path, rows: Sequence["AssetRow"], json: bool) -> None:
    """Print what is in the cache."""
    if json:
        machine({"cache": str(cache), "assets": list(rows)})
        return
    out.print(f"cache: {cache}", markup=False)
    table = grid("asset", "status", "purpose", "source", "license")
    for row in rows:
        table.add_row(row.name, row.status, row.purpose, row.source, row.license)
    out.print(table)


def micro(usd_per_s: float) -> str:
    """Write money per second in millionths of a dollar."""
    return f"{millionths(usd_per_s)} µ$/s"


def millionths(usd: float) -> str:
    """Write the number of millionths in a sum of dollars, to three digits or the last whole one."""
    number = usd * 1e6
    return f"{number:,.0f}" if abs(number) >= 999.5 else f"{number:.3g}"
