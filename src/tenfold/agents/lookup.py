"""Answers from what the business wrote, and things found by what they are for."""

import re

from tenfold.agents.answer import Found
from tenfold.agents.choose import choices_of, costs, fits
from tenfold.agents.describe import sentences_of
from tenfold.agents.reading.question import Reading
from tenfold.agents.reading.token import plain, stems_of
from tenfold.agents.reading.words import SMALL_STEMS
from tenfold.agents.shop import Shop
from tenfold.agents.wording import Draft, label, price, stock
from tenfold.catalog.passage import Passage
from tenfold.reply.reply import Reply

POLICY = re.compile(
    r"\b(polic(y|ies)|returns?|returned|returning|refunds?|refunded|exchanges?|shipping|ship|ships|shipped|"
    r"deliver|delivery|"
    r"delivered|deliveries|postage|warrant(y|ies)|guarantees?|payments?|pay|paypal|visa|mastercard|klarna|"
    r"credit cards?|"
    r"debit|installments?|invoice|cash|open|opening|hours|close[sd]?|closing|holidays?|sundays?|saturdays?|"
    r"mondays?|weekends?|"
    r"locat(ed|ion)|where (are|is) (you|your|the (shop|store))|address|store in|parking|phone|telephone|"
    r"e-?mail|contact|reach you|"
    r"gift ?(cards?|wrap\w*|certificates?|receipts?)|vouchers?|coupons?|promo|discounts?|student|loyalty|"
    r"rewards?|points|membership|"
    r"newsletter|privacy|personal data|gdpr|cookies|track(ing)?|cancel\w*|price[- ]match\w*|repairs?|"
    r"spare parts|assembly|"
    r"assemble|install\w*|tax(es)?|vat|customs|duties|international\w*|abroad|overseas|countries|express|"
    r"overnight|same[- ]day|"
    r"pick ?up|collect|click and collect|backorders?|pre-?orders?|restock\w*|wholesale|bulk|jobs?|hiring|"
    r"careers?|sustainab\w+|"
    r"recycl\w+|faq|terms|account|reviews?|fees?|final sale|clearance|damaged|defective|proof of purchase|receipt)\b"
)
SURE = 0.35
"""Cosine from which a passage is taken to be about a question that has a word of policies."""
ALIKE = 0.50
"""Cosine from which a passage is taken to be about any question, if it has half of its words too."""
NEED = 0.30
"""Cosine from which an item is named for what it is for."""
_NEEDS = re.compile(
    r"\b(something|anything|what)\b.*\b(for|to|that|when|i can|so)\b|\b(i need|i want|looking for|help me|gift|"
    r"present|recommend|"
    r"suggest|which .* (should|would)|what (should|would|can|could) i|keeps?|so (that )?i)\b"
)


def passage_answer(shop: Shop, question: str, *, is_sure: bool = True) -> Reply | None:
    """Answer by two sentences of the best passage; none where no passage is about the question.

    ``is_sure``: the question must have a word of policies; else only a passage that is close to it will do.
    """
    text = plain(question)
    if not shop.passages or (is_sure and not POLICY.search(text)):
        return None
    found = shop.passage_index.search(question, 8)
    if not found:
        return None
    asked = _asked(question)
    best = max(found, key=lambda each: 0.7 * each.cosine + 0.3 * each.coverage)
    is_close = best.cosine >= ALIKE and best.coverage >= 0.4
    if not (is_close or (is_sure and (best.cosine >= SURE or best.coverage >= 0.6))):
        return None
    windows = [
        (window, each.what)
        for each in found
        if each.cosine >= best.cosine - 0.15
        for window in _windows(each.what, asked)
    ]
    windows = sorted(windows, key=lambda each: -_covers(f"{each[1].title} {each[0]}", asked))[:12]
    vectors = shop.model.embed([question, *(f"{passage.title}. {window}" for window, passage in windows)])
    scores = vectors[1:] @ vectors[0]
    ranked = sorted(
        range(len(windows)),
        key=lambda at: -(float(scores[at]) + 0.35 * _covers(f"{windows[at][1].title} {windows[at][0]}", asked)),
    )
    draft = Draft()
    window, passage = windows[ranked[0]]
    draft.say(f"{passage.title}: {window}", passage)
    return draft.answer()


def similar(shop: Shop, question: str, reading: Reading) -> Found | None:
    """Things that may serve what the customer needs, where the question says why and not what."""
    if not shop.items or not _NEEDS.search(plain(question)):
        return None
    found = [each for each in shop.item_index.search(question, 5) if each.cosine >= NEED]
    if not found:
        return None
    top = max(each.cosine for each in found)
    kept = [shop.now(each.what) for each in found if each.cosine >= top - 0.06][:3]
    draft, shown = Draft(), []
    for item in kept:
        choices = [each for each in choices_of([item]) if fits(each, reading.wishes) and costs(each, reading.amounts)]
        for each in sorted(choices, key=lambda each: (not each.is_there, each.price))[:1]:
            draft.say(f"{label(each)} may suit: it costs {price(each)} and is {stock(each)}.", each)
            shown.append(each)
    return Found(draft.answer(), tuple(shown)) if draft.claims else None


def _asked(question: str) -> set[str]:
    return {each for each in stems_of(question) if each not in SMALL_STEMS}


def _windows(passage: Passage, asked: set[str]) -> list[str]:
    """Two sentences after one another, where one of them has a word of the question; the first two otherwise."""
    sentences = sentences_of(passage.text)
    pairs = [" ".join(sentences[at : at + 2]) for at in range(max(1, len(sentences) - 1))]
    touched = [each for each in pairs if asked & set(stems_of(each))]
    return touched or pairs[:2]


def _covers(text: str, asked: set[str]) -> float:
    return len(asked & set(stems_of(text))) / len(asked) if asked else 0.0
