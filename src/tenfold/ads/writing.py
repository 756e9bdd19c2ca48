"""From what an advertiser gave to copy that may be shown: read, made into facts, written, and put through the gate."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from tenfold.ads.campaign import Campaign
from tenfold.ads.claim import FactSheet
from tenfold.ads.contract import VariantOut
from tenfold.ads.copywriter import drafts
from tenfold.ads.facts import fact_sheet
from tenfold.ads.variants import ANGLES, Draft, Variant, written
from tenfold.catalog.gathered import Gathered, Skipped
from tenfold.catalog.ingest.documents import read_document
from tenfold.catalog.ingest.source import feed_of, joined, read_html
from tenfold.core.errors import InfeasibleError
from tenfold.product.pool_client import PoolClient

log = logging.getLogger(__name__)

MOST_SUBJECTS = 8
"""Items or pages of one campaign that are written about."""
MOST_OF_SUBJECT = 4
"""Variants of each."""
MODEL_ANGLES = 2
"""Angles of each subject for which the language model is asked, too."""


def gathered_of(texts: Mapping[str, str], now: datetime, currency: str = "USD") -> Gathered:
    """Read what an advertiser gave, by file name: a feed, a page, or a text."""
    found = Gathered()
    for name, text in texts.items():
        kind = name.rpartition(".")[2].casefold()
        if kind in ("html", "htm"):
            found += joined([read_html(text, name, "", now, name)], currency)
        elif kind in ("csv", "tsv", "xml", "json"):
            found += feed_of(text, name, currency)
        else:
            found += read_document(text, name, now)
    return found


def sheet_of(texts: Mapping[str, str]) -> FactSheet:
    """The facts of what an advertiser gave."""
    return fact_sheet(gathered_of(texts, datetime.now(UTC)))


def write(
    sheet: FactSheet, campaign: Campaign, model_drafts: Mapping[str, Sequence[Draft]] | None = None
) -> list[VariantOut]:
    """Write variants about the first subjects of a sheet: what passes the gate, templates where nothing else does.

    Raises:
        InfeasibleError: nothing may be said of what was given; says why.
    """
    now = datetime.now(UTC)
    found: list[VariantOut] = []
    for subject in sheet.subjects[:MOST_SUBJECTS]:
        mine = (model_drafts or {}).get(subject.id, ())
        kept, refused = written(mine, sheet, subject, campaign.objective, now, MOST_OF_SUBJECT)
        for each in refused:
            log.info("a draft about %s is refused: %s", subject.name, "; ".join(each.faults))
        found += [_out(each, sheet, campaign) for each in kept]
    if not found:
        raise InfeasibleError(
            f"nothing can be said of campaign {campaign.name!r}: {_why_not(sheet.left_out)}",
            next_step="give a catalog with titles and prices, or a page that says what it is about",
        )
    return found


async def ask_model(
    pool: PoolClient, sheet: FactSheet, campaign: Campaign, deadline_s: float
) -> dict[str, list[Draft]]:
    """Ask the pool's language model for drafts about each subject; one that is late is done without."""
    found: dict[str, list[Draft]] = {}
    chat = partial(pool.chat, deadline_s=deadline_s, tenant=campaign.account)
    for subject in sheet.subjects[:MOST_SUBJECTS]:
        came, _ = await drafts(chat, sheet, subject, ANGLES[:MODEL_ANGLES], campaign.objective, datetime.now(UTC))
        if not came:
            break
        found[subject.id] = came
    return found


def _out(variant: Variant, sheet: FactSheet, campaign: Campaign) -> VariantOut:
    claims = {claim.id: claim for claim in sheet.claims}
    return VariantOut(
        id=variant.id,
        headline=variant.headline,
        body=variant.body,
        call_to_action=variant.call,
        url=variant.url or campaign.page,
        image=variant.image,
        state="waiting",
        claims=tuple(span.text for id in variant.claims if id in claims for span in claims[id].spans),
        written_by=variant.writer,
    )


def _why_not(left_out: Sequence[Skipped]) -> str:
    told = "; ".join(f"{each.where}: {each.why}" for each in left_out[:3])
    return told or "there is nothing in it to advertise"
