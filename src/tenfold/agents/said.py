"""A reply as the API gives it: in words, with its claims and what they rest on."""

from tenfold.agents.contract import Cited, Said, SaidClaim
from tenfold.catalog.item import Item, Variant
from tenfold.catalog.passage import Passage
from tenfold.reply.reply import Answer, Clarify, Evidence, HandOff, Reply, Unknown
from tenfold.reply.write import text_of


def said_of(reply: Reply) -> Said:
    """Write a reply whose slots are filled."""
    text = text_of(reply)
    if isinstance(reply, Answer):
        return Said(type="answer", text=text, claims=_claims_of(reply))
    if isinstance(reply, Clarify):
        return Said(type="clarify", text=text, choices=reply.choices)
    if isinstance(reply, Unknown):
        return Said(
            type="unknown",
            text=text,
            as_of=reply.as_of.isoformat(),
            searched=reply.searched,
            claims=_claims_of(reply.nearest),
        )
    assert isinstance(reply, HandOff)
    return Said(type="handoff", text=text, reason=reply.reason)


def _claims_of(answer: Answer | None) -> tuple[SaidClaim, ...]:
    if answer is None:
        return ()
    return tuple(
        SaidClaim(text=claim.text, evidence=tuple(cited(answer.evidence[each]) for each in claim.evidence))
        for claim in answer.claims
    )


def cited(evidence: Evidence) -> Cited:
    """Tell what a claim rests on."""
    source = evidence.source
    if isinstance(source, Passage):
        published = source.published.isoformat() if source.published else None
        fetched = source.fetched.isoformat()
        return Cited(id=evidence.id, title=source.title, url=source.url, published=published, fetched=fetched)
    if isinstance(source, Variant):
        return Cited(
            id=evidence.id,
            product=source.id,
            title=", ".join(f"{name}: {value}" for name, value in source.options.items()),
            url=source.url,
            price=str(source.offer.price),
            available=source.offer.available,
        )
    assert isinstance(source, Item)
    return Cited(id=evidence.id, product=source.id, title=source.title, url=source.url)
