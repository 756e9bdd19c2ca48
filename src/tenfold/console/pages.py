"""Which pages the console has, in the order of their links: its own, then those that products bring."""

import importlib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from nicegui import ui

from tenfold.compute import page as compute
from tenfold.console.frame import LivePage, Page, StillPage
from tenfold.llama.ladder import page as ladder
from tenfold.plan import page as plan
from tenfold.pool.page import PoolPage
from tenfold.pool.state import PoolState
from tenfold.product.product import Product
from tenfold.rank.page import ranked_list
from tenfold.replay import page as replay
from tenfold.serve.page import chat_box


def own_pages(*, state: Callable[[], PoolState | None], base_url: Callable[[], str], home: Path) -> tuple[Page, ...]:
    """List the pages of the pool and of what is around it.

    Args:
        state: gives the latest state that this process has, or None before the first.
        base_url: gives the gateway's own address, for what a page asks of it.
        home: the pool's folder, where commands leave what they found.
    """
    pool = PoolPage(state, [partial(chat_box, base_url), partial(ranked_list, base_url)])
    return (
        LivePage("/", "Pool", pool.draw),
        StillPage("/plan", "Plan", partial(plan.html, home)),
        StillPage("/replay", "Replay", partial(replay.html, home)),
        StillPage("/compute", "Compute", compute.html, compute.STYLE),
        StillPage("/ladder", "Ladder", partial(ladder.html, home)),
    )


def product_pages(products: Iterable[Product], base_url: Callable[[], str]) -> tuple[Page, ...]:
    """List the pages of products: each at ``/name``, drawn by the function that its constant names."""
    return tuple(
        LivePage(f"/{each.name}", each.name.capitalize(), partial(_draw, each.page, base_url))
        for each in products
        if each.page is not None
    )


def _draw(named: str, base_url: Callable[[], str], heading: ui.element) -> None:
    module, _, function = named.partition(":")
    getattr(importlib.import_module(module), function)(heading, base_url)
