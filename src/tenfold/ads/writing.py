"""From what an advertiser gave to copy that may be shown: read, made into facts, written, and put through the gate."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

import aiohttp

from tenfold.ads.campaign import Campaign, Objective
from tenfold.ads.claim import FactSheet
from tenfold.ads.contract import UseOut, VariantOut
from tenfold.ads.copy_gate import CopyGate
from tenfold.ads.copywriter import Chat, drafts
from tenfold.ads.facts import fact_sheet
from tenfold.ads.settings import AdsSettings
from tenfold.ads.variants import Angle, Draft, Variant, written
from tenfold.catalog.gathered import Gathered, Skipped
from tenfold.catalog.ingest.documents import read_document
from tenfold.catalog.ingest.source import feed_of, joined, read_html
from tenfold.core.errors import InfeasibleError
from tenfold.product.calls import Json, Late, call
from tenfold.product.context import Context

log = logging.getLogger(__name__)

MOST_SUBJECTS = 8
"""Items or pages of one campaign that are written about."""
MOST_OF_SUBJECT = 4
"""Variants of each."""
MODEL_SUBJECTS = 4
MODEL_ANGLES: tuple[Angle, ...] = ("detail", "price")
"""Of so many subjects the language model is asked for these angles: a draft takes seconds of a slot."""


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
        gate = CopyGate(sheet, subject.id, now)
        found += [_out(each, sheet, campaign, gate) for each in kept]
    if campaign.objective is not Objective.REACH:
        told = len(found)
        found = [each for each in found if each.url]
        if told and not found:
            raise InfeasibleError(
                f"a click on campaign {campaign.name!r} would lead nowhere: nothing that is advertised has an address",
                next_step="give --page https://shop.example, or a column 'url' in the catalog",
            )
    if not found:
        raise InfeasibleError(
            f"nothing can be said of campaign {campaign.name!r}: {_why_not(sheet.left_out)}",
            next_step="give a catalog with titles and prices, or a page that says what it is about",
        )
    return found


def write_if_possible(
    sheet: FactSheet, campaign: Campaign, model_drafts: Mapping[str, Sequence[Draft]] | None = None
) -> list[VariantOut]:
    """As ``write``; nothing where nothing may be said any more."""
    try:
        return write(sheet, campaign, model_drafts)
    except InfeasibleError as error:
        log.info("campaign %s: %s", campaign.id, error)
        return []


def chat_of(context: Context, settings: AdsSettings, campaign: Campaign) -> Chat:
    """Who writes: a model of the pool, or of an endpoint which the settings name."""
    named: Json = {"model": settings.writer_model} if settings.writer_model else {}
    if settings.writer == "serve":

        async def ask_pool(body: Json) -> Json | Late:
            return await context.pool.chat(
                {**body, **named}, deadline_s=settings.writer_deadline_s, tenant=campaign.account
            )

        return ask_pool
    key = os.environ.get("TENFOLD_ADS_WRITER_KEY", "")
    headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def chat(body: Json) -> Json | Late:
        async with aiohttp.ClientSession() as session:
            url = f"{settings.writer_url.rstrip('/')}/chat/completions"
            return await call(session, url, {**body, **named}, headers, settings.writer_deadline_s)

    return chat


async def ask_model(chat: Chat, sheet: FactSheet, campaign: Campaign) -> dict[str, list[Draft]]:
    """Ask a language model for drafts about each subject; one that is late is done without."""
    found: dict[str, list[Draft]] = {}
    for subject in sheet.subjects[:MODEL_SUBJECTS]:
        came, _ = await drafts(chat, sheet, subject, MODEL_ANGLES, campaign.objective, datetime.now(UTC))
        if not came:
            break
        found[subject.id] = came
    return found


def faults_now(variant: VariantOut, sheet: FactSheet, now: datetime) -> tuple[str, ...]:
    """Why what a variant says is not so by a sheet; nothing if all of it still holds."""
    gate = CopyGate(sheet, variant.subject, now)
    return gate.faults(variant.headline, variant.body, variant.call_to_action)


def _uses(variant: Variant, sheet: FactSheet, gate: CopyGate) -> Iterator[UseOut]:
    checked = gate.check(variant.headline, is_headline=True), gate.check(variant.body)
    parts: tuple[Literal["headline", "body"], ...] = ("headline", "body")
    for part, found in zip(parts, checked, strict=True):
        for use in found.uses:
            claim, span = sheet.by_id[use.claim], sheet.by_id[use.claim].spans[0]
            yield UseOut(
                part=part,
                start=use.start,
                end=use.end,
                kind=claim.kind,
                written=span.text,
                source=span.source,
                place=span.place,
            )


def _until(variant: Variant, sheet: FactSheet) -> float | None:
    ends = [until.timestamp() for id in variant.claims if (until := sheet.by_id[id].until) is not None]
    return min(ends, default=None)


def _out(variant: Variant, sheet: FactSheet, campaign: Campaign, gate: CopyGate) -> VariantOut:
    claims = sheet.by_id
    subject = sheet.subject(variant.subject)
    return VariantOut(
        id=variant.id,
        subject=variant.subject,
        caption=subject.name if variant.image and subject is not None else "",
        uses=tuple(_uses(variant, sheet, gate)),
        until=_until(variant, sheet),
        regulated=subject.regulated if subject is not None else "",
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
