"""Prints campaigns, their copy, and what they did."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

from rich.padding import Padding
from rich.text import Text

from tenfold.ads.amounts import usd
from tenfold.ads.campaign_routes import PreviewOut
from tenfold.ads.contract import CampaignOut, Campaigns, Wish
from tenfold.ads.drawn import forecast
from tenfold.ads.lift import Added
from tenfold.ads.report import ReportOut, SpentOut
from tenfold.core.show import grid, machine, out, talk

MOST_LEFT_OUT = 10


def campaigns(found: Campaigns, json: bool) -> None:
    """Print a row for each campaign."""
    if json:
        machine(found)
        return
    if not found.campaigns:
        talk.print("no campaign yet: tenfold ads create --objective sales --budget 500USD --catalog demo", markup=False)
        return
    table = grid("campaign", "name", "account", "objective", "status", "budget", "billed", "reserved", words=5)
    for each in found.campaigns:
        money = each.money
        words = each.id, each.wish.name, each.account, each.wish.objective.value, each.status.value
        table.add_row(*words, usd(money.budget_micro), usd(money.billed_micro), usd(money.reserved_micro))
    out.print(table, markup=False)


def campaign(found: CampaignOut, json: bool) -> None:
    """Print a campaign."""
    if json:
        machine(found)
        return
    _campaign(found)


def preview(found: PreviewOut, json: bool) -> None:
    """Print all that may be shown of a campaign."""
    if json:
        machine(found)
        return
    _campaign(found.campaign)
    for each in found.variants:
        state = f"{each.state}, not shown: {each.faults[0]}" if each.faults else each.state
        out.print(f"{each.id}  {state}", markup=False, soft_wrap=True)
        lines = each.headline, each.body, f"[{each.call_to_action}] {each.url}"
        out.print(Padding(Text("\n".join(lines), overflow="fold"), (0, 0, 0, 2), expand=False))
    out.print(forecast(found.forecast), markup=False, soft_wrap=True)
    for use in {(use.kind, use.written, use.place, use.source): use for v in found.variants for use in v.uses}.values():
        if any(letter.isdigit() for letter in use.written) and use.kind != "name":
            where = f"{use.place}, {use.source}"
            talk.print(f"{use.kind}: {use.written} ({where})", style="dim", markup=False, soft_wrap=True)
    for line in found.left_out[:MOST_LEFT_OUT]:
        talk.print(f"left out: {line}", style="dim", markup=False, soft_wrap=True)
    if len(found.left_out) > MOST_LEFT_OUT:
        talk.print(f"and {len(found.left_out) - MOST_LEFT_OUT} more were left out", style="dim", markup=False)
    if found.campaign.status == "draft":
        talk.print(f"approve the copy and begin: tenfold ads live {found.campaign.id}", markup=False)


def report(found: ReportOut, why: SpentOut | None, json: bool) -> None:
    """Print what a campaign did."""
    if json:
        machine(found.model_dump(mode="json") | ({"spent": why.model_dump(mode="json")["spent"]} if why else {}))
        return
    totals = found.totals
    out.print(
        f"{found.name}: {totals.impressions} seen, {totals.clicks} clicked, {totals.conversions} conversions worth "
        f"{usd(totals.value_micro)}, for {usd(totals.billed_micro)} of {usd(found.plan_micro)} planned by now",
        markup=False,
        soft_wrap=True,
    )
    if found.cost_per_action_micro is not None:
        out.print(f"cost per action {usd(found.cost_per_action_micro)}", markup=False)
    if found.bound_by:
        out.print(f"bids were held down by: {_counts(found.bound_by)}", markup=False, soft_wrap=True)
    if found.lost:
        out.print(f"auctions not won: {_counts(found.lost)}", markup=False, soft_wrap=True)
    lift = found.lift
    out.print(
        f"{_added(lift)}; {lift.shown_people:,} people shown, {lift.held_out_people:,} held out; {lift.said}",
        markup=False,
        soft_wrap=True,
    )
    if lift.dollars is not None:
        out.print(_added(lift.dollars), markup=False, soft_wrap=True)
    if found.variants:
        table = grid("variant", "headline", "seen", "clicked", "conversions", "billed", words=2, folding={"headline"})
        for each in found.variants:
            figures = str(each.impressions), str(each.clicks), str(each.conversions), usd(each.billed_micro)
            table.add_row(each.variant, each.headline, *figures)
        out.print(table, markup=False)
    if found.hidden_variants:
        talk.print(
            f"{found.hidden_variants} variants were seen by too few people to be shown", style="dim", markup=False
        )
    for each in why.spent if why else ():
        at = dt.datetime.fromtimestamp(each.at, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
        out.print(f"{at}  {each.why}", markup=False, soft_wrap=True)


def _added(found: Added) -> str:
    between = (
        "" if found.low is None or found.high is None else f" (95% between {found.low:,.2f} and {found.high:,.2f})"
    )
    added = "" if found.incremental is None else f", really added {found.incremental:,.2f}{between}"
    return f"{found.counted}: attributed to clicks {found.attributed:,.2f}{added}"


def _campaign(found: CampaignOut) -> None:
    money, wish = found.money, found.wish
    ends = dt.datetime.fromtimestamp(found.ends_at, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
    out.print(
        f"{found.id}: {wish.name}, {wish.objective.value}, {found.status.value}, {wish.days:g} days"
        f"{'' if found.status == 'draft' else f' until {ends}'}{_cap(wish)}; "
        f"{usd(money.billed_micro)} billed and {usd(money.reserved_micro)} reserved of {usd(money.budget_micro)}; "
        f"{found.variants} variants may be shown, {found.waiting} wait for a yes",
        markup=False,
        soft_wrap=True,
    )


def _cap(wish: Wish) -> str:
    if wish.cost_per_action_micro is not None:
        return f", at most {usd(wish.cost_per_action_micro)} an action"
    return f", at least {wish.return_on_spend:g} times what it costs" if wish.return_on_spend is not None else ""


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda pair: -pair[1]))


def examples(found: Mapping[str, int], target: Path, json: bool) -> None:
    """Print how many examples each catalog gave."""
    if json:
        machine({"file": str(target), "examples": dict(found)})
        return
    table = grid("catalog", "examples", words=1)
    for name, count in found.items():
        table.add_row(name, f"{count:,}")
    out.print(table, markup=False)
    out.print(f"teach a model by them: tenfold llama tune {target}", markup=False, soft_wrap=True)
