"""Prints the models of a pool, who used them, and how fast one is."""

import orjson

from tenfold.core.show import grid, machine, out
from tenfold.pool.metering.view import MeterView
from tenfold.serve.bench import Bench


def models(listed: bytes, backends: bytes, json: bool) -> None:
    """Print the models' names, the default chat model first, and the backends."""
    names = [model["id"] for model in orjson.loads(listed)["data"]]
    others = orjson.loads(backends)
    if json:
        machine({"models": names, "backends": others})
        return
    of = {model: other["name"] for other in others for model in other["models"]}
    table = grid("model", "served by")
    for name in names:
        table.add_row(name, of.get(name, "this pool"))
    out.print(table, markup=False)
    if others:
        table = grid("backend", "url", "state", "in work", "answered", "failed", words=3)
        for other in others:
            counts = (str(other[name]) for name in ("in_flight", "answered", "failed"))
            table.add_row(other["name"], other["url"], other["state"], *counts)
        out.print("", table, markup=False)


def meter(view: MeterView, json: bool) -> None:
    """Print a day's use."""
    if json:
        machine(view)
        return
    out.print(f"{view.day} (UTC)", markup=False)
    if not view.rows:
        out.print("nobody has used a model", markup=False)
        return
    counted = ("requests", "refused", "tokens in", "tokens out", "slot s", "USD")
    table = grid("product", "tenant", "key", "model", *counted, words=4)
    for row in view.rows:
        counts = (f"{count:,}" for count in (row.requests, row.refused, row.tokens_in, row.tokens_out))
        who = (row.product, row.tenant or "-", row.key or "-", row.model or "-")
        table.add_row(*who, *counts, f"{row.slot_s:,.1f}", f"{row.usd:.6f}")
    out.print(table, markup=False)


def bench(found: Bench, json: bool) -> None:
    """Print how fast a model is by batch, and what that earns."""
    if json:
        machine(found)
        return
    per = f"{found.unit} per {found.second}"
    out.print(
        f"{found.model}, {found.engine}; a unit earns {found.price_usd:.3g} USD ({found.price_source}), "
        f"a slot has {found.seconds_per_slot_second:g} {found.second}s a second",
        markup=False,
        soft_wrap=True,
    )
    table = grid("batch", per, "units a slot-second", "USD a slot-hour", words=1)
    for row in found.rows:
        name = f"{row.batch}" if row.what == "decode" else f"{row.batch} ({row.what})"
        earns = "-" if row.usd_per_slot_hour is None else f"{row.usd_per_slot_hour:.4f}"
        units = "-" if row.units_per_slot_s is None else f"{row.units_per_slot_s:.1f}"
        table.add_row(name, f"{row.tokens_per_s:.1f}", units, earns)
    out.print(table, markup=False)
