"""Prints what agents know, what they said, and who waits."""

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING

from tenfold.agents.contract import Businesses, MessageOut, ThreadOut, Threads
from tenfold.core.show import grid, machine, out, talk

if TYPE_CHECKING:
    from tenfold.agents.onboarding import Added

MOST_SKIPPED = 10


def progress(json: bool) -> Callable[[str, float], None]:
    """What tells how far it is, on standard error; nothing where a program reads."""

    def say(what: str, share: float) -> None:
        if not json:
            talk.print(f"  {what}" + (f" ({share:.0%})" if 0 < share < 1 else ""), style="dim", markup=False)

    return say


def added(found: "Added", json: bool) -> None:
    """Print what was read, what was skipped and why, and where to chat."""
    if json:
        machine(
            {
                "business": found.business,
                "read": [
                    {
                        "source": each.source,
                        "items": each.items,
                        "variants": each.variants,
                        "passages": each.passages,
                        "skipped": [{"where": skip.where, "why": skip.why} for skip in each.skipped],
                        "added": each.change.added,
                        "changed": each.change.changed,
                        "removed": each.change.removed,
                        "same": each.change.same,
                        "offers": each.change.offers,
                    }
                    for each in found.read
                ],
                "tag": found.tag,
                "chat": found.chat,
                "mcp": found.mcp,
                "seconds": round(found.seconds, 2),
            }
        )
        return
    table = grid("source", "items", "variants", "passages", "new", "changed", "gone", "prices and stock", "skipped")
    for each in found.read:
        change = each.change
        read = each.items, each.variants, each.passages
        counts = *read, change.added, change.changed, change.removed, change.offers
        table.add_row(each.source, *map(str, counts), str(len(each.skipped)))
    out.print(table, markup=False)
    for each in found.read:
        for skip in each.skipped[:MOST_SKIPPED]:
            out.print(f"skipped {skip.where}: {skip.why}", markup=False, soft_wrap=True)
        if len(each.skipped) > MOST_SKIPPED:
            out.print(
                f"... and {len(each.skipped) - MOST_SKIPPED} more in {each.source}; all with --json", markup=False
            )
    name = found.business.id
    out.print(f"{name} has an agent, after {found.seconds:.1f} s.", markup=False)
    if found.tag:
        out.print(f"On its pages:  {found.tag}", markup=False, soft_wrap=True)
    else:
        out.print("On its pages:  the tag printed when its key was made (see 'tenfold keys')", markup=False)
    out.print(f"Try it:        tenfold agents chat {name}, or {found.chat}", markup=False, soft_wrap=True)
    out.print(f"For programs:  {found.mcp}", markup=False, soft_wrap=True)


def businesses(found: Businesses, json: bool) -> None:
    """Print who has an agent."""
    if json:
        machine(found)
        return
    if not found.businesses:
        out.print("no business has an agent; give one by 'tenfold agents add'", markup=False)
        return
    table = grid("business", "items", "passages", "read")
    for each in found.businesses:
        read = min((source.read_at for source in each.sources), default=None)
        table.add_row(each.id, str(each.items), str(each.passages), _when(read) if read else "never")
    out.print(table, markup=False)


def message(found: MessageOut, *, evidence: bool) -> None:
    """Print a message of the agent or of a human."""
    out.print(f"{'' if found.role == 'agent' else f'({found.role}) '}{found.text}", markup=False, soft_wrap=True)
    if evidence and found.said is not None:
        for claim in found.said.claims:
            for each in claim.evidence:
                dated = each.published or each.fetched or ""
                where = each.url or each.product or each.id
                out.print(
                    f"    {claim.text}  <- {each.title or each.id}, {where} {dated}".rstrip(), style="dim", markup=False
                )


def waiting(found: Threads, json: bool) -> None:
    """Print the threads that wait for a human."""
    if json:
        machine(found)
        return
    if not found.threads:
        out.print("nobody waits for a human", markup=False)
        return
    table = grid("thread", "channel", "last message", "not sent")
    for each in found.threads:
        table.add_row(each.id, each.channel, _when(each.last_at), str(len(each.unsent) or ""))
    out.print(table, markup=False)


def thread(found: ThreadOut, json: bool) -> None:
    """Print a thread."""
    if json:
        machine(found)
        return
    out.print(f"{found.id} on {found.channel}, held by {found.held_by}", markup=False)
    for each in found.messages:
        out.print(f"{_when(each.at)}  {each.role:<8}  {each.text}", markup=False, soft_wrap=True)
    for unsent in found.unsent:
        out.print(f"not sent: {unsent.text}  ({unsent.why})", markup=False, soft_wrap=True)


def _when(at: float) -> str:
    return f"{dt.datetime.fromtimestamp(at):%Y-%m-%d %H:%M}"
