"""``tenfold ads``: make a campaign, see its copy, take it live, change it, and read what it did."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from tenfold.ads.campaign import Approval, Objective
from tenfold.core.command import Json, whole

app = App(name="ads", help="Ads: give an objective and a budget, and it does the rest.")

Id = Annotated[str, Parameter(help="The campaign, as 'tenfold ads list' names it.")]


@app.command
def create(
    *,
    objective: Annotated[Objective, Parameter(help="What to get more of: reach, traffic, leads or sales.")],
    budget: Annotated[str, Parameter(help="Billed for the whole campaign at most: 500USD.")],
    days: Annotated[float, Parameter(help="How long it runs.")] = 7.0,
    page: Annotated[str, Parameter(help="Where a click leads; default: each item's own address.")] = "",
    catalog: Annotated[
        Path | None,
        Parameter(
            help="What is advertised: CSV, Google Merchant or Shopify; a page: .html, .md; demo: a shop we ship."
        ),
    ] = None,
    name: Annotated[str, Parameter(help="What you call it; default: from the catalog or page.")] = "",
    account: Annotated[str, Parameter(help="Who pays.")] = "",
    cost_per_action: Annotated[str, Parameter(help="What an action may cost on average: 4USD.")] = "",
    return_on_spend: Annotated[float | None, Parameter(help="What sales must bring per dollar spent.")] = None,
    interests: Annotated[tuple[str, ...], Parameter(help="Who it is for; default: who is likely interested.")] = (),
    surfaces: Annotated[tuple[str, ...], Parameter(help="Places where it may stand; default: all.")] = (),
    excluded: Annotated[tuple[str, ...], Parameter(help="Categories of content beside which it never stands.")] = (),
    approval: Annotated[Approval, Parameter(help="Who approves copy: auto (the gate), review (you), locked.")] = (
        Approval.REVIEW
    ),
    live: Annotated[bool, Parameter(negative="", help="Approve all copy and take it live at once.")] = False,
    json: Json = False,
) -> None:
    """Make a campaign as a draft: its copy is written and shown, nothing is charged until it is live."""
    from tenfold.ads import client, show
    from tenfold.ads.amounts import read_micro
    from tenfold.ads.contract import NewCampaign

    sources = client.sources(catalog)
    wish: dict[str, object] = {
        "name": name or (catalog.stem if catalog else page),
        "objective": objective.value,
        "budget_micro": read_micro(budget),
        "days": days,
        "page": page,
        "catalog": sources[0]["name"] if sources else "",
        "cost_per_action_micro": read_micro(cost_per_action) if cost_per_action else None,
        "return_on_spend": return_on_spend,
        "interests": interests,
        "surfaces": surfaces,
        "excluded": excluded,
        "approval": approval.value,
    }
    new = client.checked(NewCampaign, {"account": account, "wish": wish, "sources": sources})
    made = client.create(new)
    if live:
        made = client.go_live(made.campaign.id, anyway=False)
    show.preview(made, json)


@app.command(name="list")
def listed(*, account: Annotated[str, Parameter(help="Only of this account.")] = "", json: Json = False) -> None:
    """List campaigns, the newest first."""
    from tenfold.ads import client, show

    show.campaigns(client.campaigns(account), json)


@app.command(name="show")
def shown(campaign: Id, *, json: Json = False) -> None:
    """Show a campaign: what was asked for, and where its money is."""
    from tenfold.ads import client, show

    show.campaign(client.campaign(campaign), json)


@app.command
def preview(
    campaign: Id,
    *,
    approve: Annotated[tuple[str, ...], Parameter(help="Say yes to these variants, or to 'all' that wait.")] = (),
    reject: Annotated[tuple[str, ...], Parameter(help="Say no to these variants.")] = (),
    json: Json = False,
) -> None:
    """Show everything that may be shown of a campaign; with --approve or --reject, decide."""
    from tenfold.ads import client, show

    for variant in approve:
        client.judge(campaign, variant, approved=True)
    for variant in reject:
        client.judge(campaign, variant, approved=False)
    show.preview(client.preview(campaign), json)


@app.command
def refresh(
    campaign: Id,
    *,
    catalog: Annotated[Path, Parameter(help="The changed catalog or page.")],
    json: Json = False,
) -> None:
    """Write from a changed catalog: what no longer holds is taken down, and what does is added."""
    from tenfold.ads import client, show
    from tenfold.ads.contract import NewSources

    new = client.checked(NewSources, {"sources": client.sources(catalog)})
    show.preview(client.renew(campaign, new.sources), json)


@app.command
def live(
    campaign: Id,
    *,
    anyway: Annotated[bool, Parameter(negative="", help="Also if the forecast says it would not be shown.")] = False,
    json: Json = False,
) -> None:
    """Approve all copy that waits, and take a draft live."""
    from tenfold.ads import client, show

    show.preview(client.go_live(campaign, anyway=anyway), json)


@app.command
def pause(campaign: Id, *, json: Json = False) -> None:
    """Show a campaign no more, until it is resumed."""
    from tenfold.ads import client, show

    show.campaign(client.step(campaign, "paused"), json)


@app.command
def resume(campaign: Id, *, json: Json = False) -> None:
    """Go on with a campaign that was paused."""
    from tenfold.ads import client, show

    show.campaign(client.step(campaign, "live"), json)


@app.command
def end(campaign: Id, *, json: Json = False) -> None:
    """End a campaign for good."""
    from tenfold.ads import client, show

    show.campaign(client.step(campaign, "ended"), json)


@app.command
def edit(
    campaign: Id,
    *,
    name: Annotated[str | None, Parameter(help="What you call it.")] = None,
    budget: Annotated[str, Parameter(help="Billed for the whole campaign at most: 500USD.")] = "",
    days: Annotated[float | None, Parameter(help="How long it runs, from its beginning.")] = None,
    page: Annotated[str | None, Parameter(help="Where a click leads.")] = None,
    cost_per_action: Annotated[str, Parameter(help="What an action may cost on average: 4USD.")] = "",
    return_on_spend: Annotated[float | None, Parameter(help="What sales must bring per dollar spent.")] = None,
    no_cap: Annotated[bool, Parameter(negative="", help="Take the cap away.")] = False,
    excluded: Annotated[tuple[str, ...], Parameter(help="Categories of content beside which it never stands.")] = (),
    approval: Annotated[Approval | None, Parameter(help="Who approves copy: auto, review or locked.")] = None,
    json: Json = False,
) -> None:
    """Change a campaign, at any time; what is left out stays."""
    from tenfold.ads import client, show
    from tenfold.ads.amounts import read_micro
    from tenfold.ads.contract import Edit

    change = client.checked(
        Edit,
        {
            "name": name,
            "budget_micro": read_micro(budget) if budget else None,
            "days": days,
            "page": page,
            "cost_per_action_micro": read_micro(cost_per_action) if cost_per_action else None,
            "return_on_spend": return_on_spend,
            "no_cap": no_cap,
            "excluded": excluded or None,
            "approval": approval.value if approval else None,
        },
    )
    show.campaign(client.edit(campaign, change), json)


@app.command(name="top-up")
def top_up(
    campaign: Id,
    amount: Annotated[str, Parameter(help="How much to add to the budget: 50USD.")],
    *,
    id: Annotated[str, Parameter(help="A name of your own; one sent again under it adds nothing.")] = "",
    json: Json = False,
) -> None:
    """Add to a campaign's budget."""
    from tenfold.ads import client, show
    from tenfold.ads.amounts import read_micro

    show.campaign(client.top_up(campaign, read_micro(amount), id), json)


@app.command
def report(
    campaign: Id,
    *,
    why: Annotated[
        bool, Parameter(negative="", help="Also say of the latest impressions why each was bought.")
    ] = False,
    json: Json = False,
) -> None:
    """Report what a campaign did, why, and what it really added."""
    from tenfold.ads import client, show

    show.report(client.report(campaign), client.spent(campaign) if why else None, json)


@app.command(name="examples")
def examples_of(
    *,
    catalog: Annotated[tuple[Path, ...], Parameter(help="A shop's catalog, page, or folder of these; one for each.")],
    target: Annotated[Path, Parameter(name=["--out", "-o"], help="The JSONL to write.")],
    objective: Annotated[Objective, Parameter(help="What the ads shall bring.")] = Objective.SALES,
    each: Annotated[int, whole("Examples of each item, at most.", 1)] = 4,
    seed: Annotated[int, whole("Of the draws.")] = 0,
    json: Json = False,
) -> None:
    """Write examples that teach a model to write ads which pass the gate: for 'tenfold llama tune'."""
    from tenfold.ads import show
    from tenfold.ads.examples import write_examples

    show.examples(write_examples(catalog, target, objective, each=each, seed=seed), target, json)
