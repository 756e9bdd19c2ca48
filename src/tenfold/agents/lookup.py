"""Answers from what the business wrote, and things found by what they are for."""

import re
from collections.abc import Sequence

import numpy as np

from tenfold.agents import answer
from tenfold.agents.choose import choices_of, costs, fits
from tenfold.agents.describe import sentences_of
from tenfold.agents.reading.question import Reading
from tenfold.agents.reading.token import plain
from tenfold.agents.shop import Shop
from tenfold.agents.tells import Telling
from tenfold.agents.wording import Draft, label, price, stock
from tenfold.catalog.item import Item
from tenfold.reply.reply import Answer

POLICY = re.compile(
    r"\b(polic(y|ies)|returns?|returned|returning|refunds?|refunded|exchanges?|shipping|ship|ships|shipped|"
    r"(send|sending|sent|bring|bringing|take|taking|give|giving|get) (\w+ ){0,4}back|money back|"
    r"deliver|delivery|"
    r"delivered|deliveries|postage|warrant(y|ies)|guarantees?|payments?|pay|paypal|visa|mastercard|klarna|"
    r"credit cards?|"
    r"debit|installments?|invoice|cash|open|opening|hours|close[sd]?|closing|holidays?|sundays?|saturdays?|"
    r"mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|weekends?|"
    r"locat(ed|ion)|where (are|is) (you|your|the (shop|store))|address|store in|parking|phone|telephone|"
    r"e-?mail|contact|reach you|"
    r"gift ?(cards?|wrap\w*|certificates?|receipts?)|vouchers?|coupons?|promo|discounts?|student|loyalty|"
    r"rewards?|points|membership|"
    r"newsletter|privacy|my data|third part(y|ies)|personal data|gdpr|cookies|track(ing)?|cancel\w*|"
    r"price[- ]match\w*|repairs?|"
    r"spare parts|assembly|"
    r"assemble|install\w*|tax(es)?|vat|customs|duties|international\w*|abroad|overseas|countries|express|"
    r"overnight|same[- ]day|"
    r"pick ?up|collect|click and collect|backorders?|pre-?orders?|restock\w*|be back|come back|size guide|"
    r"size chart|made in|vegan|wholesale|bulk|jobs?|hiring|"
    r"careers?|sustainab\w+|"
    r"recycl\w+|faq|terms|account|reviews?|fees?|final sale|clearance|damaged|defective|proof of purchase|receipt)\b"
)
ENOUGH, LEAST = 0.9, 0.1
"""Further windows are quoted until those quoted have so much of the sureness of all, and as long as the next has so
much of the first one's."""
NEED = 0.20
"""Cosine from which an item is named for what it is for."""
WINDOWS = 3
"""Windows that are quoted at most."""
_NEEDS = re.compile(
    r"\b(something|anything|thing|stuff|way|place|tool|device|game|gift|present) .*\b(for|to|that|when|i can|"
    r"so|which|in|on)\b|"
    r"\b(what|which) .*\b(can|could|should|would) (i|help)\b|\bi (want|need|would like|'d like|have|like|love) to \w+|"
    r"\b(help me|recommend|suggest|gift for|present for)\b|\bmy \w+ (is|are|\w+s)\b|"
    r"\bi('m| am| get| feel| keep| can't| cannot| suffer| struggle)\b(?! looking| searching| after)|"
    r"\bi need .* (for|to)\b|"
    r"\bso (that )?(i|my|we|he|she|they)\b|\bthe \w+ (in|on|at) my \w+ (is|are)\b|\b\w+ (loves?|likes?|"
    r"enjoys?) \w+ing\b"
)


def worth_quoting(told: Sequence[Telling]) -> list[Telling]:
    """The first windows of those that may tell what was asked; one where it is sure, more where several are near."""
    whole = sum(each.sureness for each in told)
    kept: list[Telling] = []
    for each in told[:WINDOWS]:
        so_far = sum(one.sureness for one in kept)
        if kept and (so_far >= ENOUGH * whole or each.sureness < LEAST * kept[0].sureness):
            break
        kept.append(each)
    return kept


def quoted(told: Sequence[Telling]) -> Answer:
    """What windows say, word by word, with the sentences around them; where they touch nothing is said twice."""
    draft = Draft()
    for at, each in enumerate(told):
        passage = each.passage
        if isinstance(passage, Item):
            draft.say(f"{passage.title}: “{each.window}”", passage)
        elif all(one.passage is not passage for one in told[:at]):
            for part in _around([one.window for one in told if one.passage is passage], passage.text):
                draft.say(f"{passage.title}: {part}", passage)
    return draft.answer()


def _around(windows: Sequence[str], text: str) -> list[str]:
    """Parts of a text: its windows, and the sentence before and after each, which often limits what it says."""
    if text in windows:
        return [text]
    sentences = sentences_of(text)
    places: set[int] = set()
    for window in windows:
        at = next(n for n in range(len(sentences)) if " ".join(sentences[n : n + 2]) == window)
        places.update(range(max(0, at - 1), min(len(sentences), at + 3)))
    parts, end = [], 0
    for place, sentence in enumerate(sentences):
        start = text.index(sentence, end)
        end = start + len(sentence)
        if place in places and place - 1 in places:
            parts[-1] = parts[-1][0], end
        elif place in places:
            parts.append((start, end))
    return [text[start:end] for start, end in parts]


def similar(shop: Shop, question: str, reading: Reading) -> answer.Found | None:
    """Things that may serve what the customer needs, where the question says why and not what."""
    text = plain(question)
    is_policy = shop.passages and POLICY.search(text) and not re.search(r"\b(something|anything|way|use|gift)\b", text)
    if not shop.items or not _NEEDS.search(text) or is_policy:
        return None
    asked_D = shop.model.embed([question])[0]
    items = list(shop.items.values())
    cosine_I = np.maximum(shop.title_vectors_ID @ asked_D, shop.help_vectors_ID @ asked_D)
    described = {each.what.id: each.cosine for each in shop.item_index.search(question, 10) if each.what.description}
    cosine_I = np.maximum(cosine_I, [described.get(item.id, 0.0) for item in items])
    near = [int(at) for at in np.argsort(-cosine_I)[:3] if cosine_I[at] >= max(NEED, cosine_I.max() - 0.12)]
    kept = [shop.now(items[at]) for at in near]
    draft, shown = Draft(), []
    for item in kept:
        choices = [each for each in choices_of([item]) if fits(each, reading.wishes) and costs(each, reading.amounts)]
        for each in sorted(choices, key=lambda each: (not each.is_there, each.price))[:1]:
            draft.say(f"{label(each)} may suit: it costs {price(each)} and is {stock(each)}.", each)
            shown.append(each)
    return answer.Found(draft.answer(), tuple(shown)) if draft.claims else None
