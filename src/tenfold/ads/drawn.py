"""A campaign as HTML: figures, pictures, variants, and why money was spent. Pure functions of what the API tells."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Literal

from tenfold.ads import pictures
from tenfold.ads.amounts import usd
from tenfold.ads.contract import CampaignOut, ForecastOut, VariantOut
from tenfold.ads.lift import Added
from tenfold.ads.report import ReportOut, SpentOut

_BOUND = {
    "budget": "The budget holds bids down: with more of it, more would be won at the same worth.",
    "cap": "The cap on the cost of an action holds bids down: a higher cap would win more.",
    "nothing": "Nothing holds bids down: it wins what is worth its price.",
}


_HELD = {"budget": "its budget", "cap": "its cap", "supply": "that no more people come"}


def forecast(found: ForecastOut | None) -> str:
    """What a campaign will come to, in sentences."""
    if found is None:
        return "Too few pages were asked for lately to forecast anything."
    spend, seen, actions = found.spend_micro, found.impressions, found.actions
    told = (
        f"Forecast, right in 9 of 10 cases: {usd(spend.low)} to {usd(spend.high)} spent",
        f"{seen.low:,.0f} to {seen.high:,.0f} times seen",
        f"{actions.low:,.0f} to {actions.high:,.0f} actions",
    )
    warnings = "".join(f" {each[:1].upper()}{each[1:]}." for each in found.says)
    return f"{', '.join(told)}. What holds it back is {_HELD[found.holds]}.{warnings}"


def parts(campaign: CampaignOut, report: ReportOut, spent: SpentOut, now: float) -> Iterator[tuple[str, str]]:
    """Title and content of each part of a campaign's page."""
    yield "So far", _figures(campaign, report)
    chart = pictures.spending(report, campaign.money.budget_micro, campaign.starts_at, campaign.ends_at, now)
    yield "Spent against plan", f"{chart}{_key({'ads-spent': 'spent', 'ads-plan': 'evenly'})}"
    bids = pictures.multipliers(report.minutes)
    yield (
        "What holds bids down",
        _bound(report)
        + (f"{bids}{_key({'ads-budget': 'budget multiplier', 'ads-cap': 'cap multiplier'})}" if bids else ""),
    )
    yield "What it really added", _lift(report)
    yield "By variant", _variants(report)
    yield "Why this spend", _why(spent)


def variant(found: VariantOut) -> str:
    """A variant as it is shown, with what it rests on."""
    picture = _picture(found)
    claims = "".join(
        f"<li><b>{escape(each.kind)}</b> {escape(each.written)}"
        f'<small class="ads-muted"> {escape(each.place)}, {escape(each.source)}</small></li>'
        for each in found.uses
    )
    faults = "".join(f'<p class="ads-fault">not shown: {escape(each)}</p>' for each in found.faults)
    return (
        f'{picture}<h3>{_marked(found, "headline")}</h3><p>{_marked(found, "body")}</p>{faults}<span class="ads-call">'
        f"{escape(found.call_to_action)}</span>"
        f'<small class="ads-muted">{escape(found.url)} · {escape(found.state)} · by {escape(found.written_by)}</small>'
        f"<details><summary>what it rests on</summary><ul>{claims}</ul></details>"
    )


def _picture(found: VariantOut) -> str:
    """The advertiser's own image, cropped to a square by the page and captioned with the name of what it shows."""
    if not found.image.startswith("https://"):
        return ""
    caption = escape(found.caption)
    return (
        f'<figure><img class="ads-cropped" src="{escape(found.image)}" alt="{caption}" loading="lazy">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _marked(found: VariantOut, part: Literal["headline", "body"]) -> str:
    """A part of the copy in which each fact points to where the advertiser has written it."""
    text = found.headline if part == "headline" else found.body
    told, at = "", 0
    for use in sorted((each for each in found.uses if each.part == part), key=lambda each: each.start):
        source = escape(f"{use.kind}: “{use.written}”, {use.place}, {use.source}")
        told += f'{escape(text[at : use.start])}<mark title="{source}">{escape(text[use.start : use.end])}</mark>'
        at = use.end
    return told + escape(text[at:])


def _figures(campaign: CampaignOut, report: ReportOut) -> str:
    totals, money = report.totals, campaign.money
    figures = {
        "billed": f"{usd(money.billed_micro)} of {usd(money.budget_micro)}",
        "reserved": usd(money.reserved_micro),
        "seen": f"{totals.impressions:,}",
        "clicked": f"{totals.clicks:,}",
        "conversions": f"{totals.conversions:,}",
        "worth": usd(totals.value_micro),
    }
    if report.cost_per_action_micro is not None:
        figures["per action"] = usd(report.cost_per_action_micro)
    if report.credited_micro:
        figures["given back"] = usd(report.credited_micro)
    rows = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures.items())
    return f'<dl class="ads-figures">{rows}</dl>'


def _bound(report: ReportOut) -> str:
    if not report.bound_by:
        return '<p class="ads-muted">No auction yet.</p>'
    most = max(report.bound_by, key=lambda name: report.bound_by[name])
    lost = _counts(report.lost)
    told = f'<p class="ads-muted">Auctions not won: {lost}.</p>' if lost else ""
    return f"<p>{_BOUND.get(most, escape(most))}</p>{told}"


def _lift(report: ReportOut) -> str:
    lift = report.lift
    people = f"{lift.shown_people:,} people were shown it, {lift.held_out_people:,} were held out for the comparison."
    said = f"{escape(lift.said[:1].upper() + lift.said[1:])}."
    dollars = "" if lift.dollars is None else f"<p>{_added(lift.dollars)}</p>"
    if lift.incremental is None or lift.low is None or lift.high is None:
        return f"<p>{_added(lift)}</p>{dollars}<p class='ads-muted'>{people} {said}</p>"
    chart = pictures.interval(lift.low, lift.high, lift.incremental, lift.attributed)
    key = _key({"ads-added": "really added, with 95%", "ads-attributed": "credited to clicks"})
    return f"<p>{_added(lift)} {said}</p>{chart}{key}{dollars}<p class='ads-muted'>{people}</p>"


def _added(found: Added) -> str:
    credited = f"Clicks are credited with {found.attributed:,.2f} {escape(found.counted)}."
    if found.incremental is None or found.low is None or found.high is None:
        return credited
    told = f"{found.incremental:,.2f} {escape(found.counted)}, between {found.low:,.2f} and {found.high:,.2f}"
    return f"{credited} Really added: {told}."


def _variants(report: ReportOut) -> str:
    rows = "".join(
        f"<tr><td>{escape(each.headline or each.variant)}</td><td>{each.impressions:,}</td><td>{each.clicks:,}</td>"
        f"<td>{each.conversions:,}</td><td>{usd(each.billed_micro)}</td></tr>"
        for each in report.variants
    )
    hidden = (
        f'<p class="ads-muted">{report.hidden_variants} more were seen by too few people to be shown.</p>'
        if report.hidden_variants
        else ""
    )
    if not rows:
        return hidden or '<p class="ads-muted">Nothing was shown yet.</p>'
    head = "<tr><th>variant</th><th>seen</th><th>clicked</th><th>conv.</th><th>billed</th></tr>"
    return f'<div class="ads-scroll"><table>{head}{rows}</table></div>{hidden}'


def _why(spent: SpentOut) -> str:
    rows = "".join(f"<li>{escape(each.why)}</li>" for each in spent.spent)
    return f"<ul>{rows}</ul>" if rows else '<p class="ads-muted">Nothing was spent yet.</p>'


def _counts(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{escape(name)} {count:,}" for name, count in ordered)


def _key(names: Mapping[str, str]) -> str:
    return (
        f'<p class="ads-key">{"".join(f"<span class={cls}>{escape(name)}</span>" for cls, name in names.items())}</p>'
    )
