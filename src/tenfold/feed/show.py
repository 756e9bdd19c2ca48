"""Prints a feed, and what is remembered of a person."""

from tenfold.core.show import grid, machine, out
from tenfold.feed.contract import Feed, Known


def feed(found: Feed, json: bool) -> None:
    """Print the cards, best first."""
    if json:
        machine(found)
        return
    chosen = "chosen by the ranking model" if found.by == "rank" else f"the popular list: {found.because}"
    out.print(f"{found.person}, {found.surface}: {chosen}", markup=False)
    if not found.cards:
        out.print("nothing is left to show", markup=False)
        return
    table = grid("item", "title", "why", folding={"why"})
    for card in found.cards:
        table.add_row(str(card.item), card.title, card.reason)
    out.print(table, markup=False)


def known(found: Known, json: bool) -> None:
    """Print what a person watched, the latest first."""
    if json:
        machine(found)
        return
    held_out = ", held out: gets the popular list" if found.holdout else ""
    out.print(f"{found.person}: {found.events} events, {len(found.blocked)} items blocked{held_out}", markup=False)
    table = grid("item", "title", "genres")
    for card in reversed(found.watched):
        table.add_row(str(card.item), card.title, ", ".join(card.genres))
    out.print(table, markup=False)
