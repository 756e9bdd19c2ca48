"""Answers from what the business wrote, and things found by what they are for."""

import re
from collections.abc import Mapping, Sequence
from math import log

import numpy as np

from tenfold.agents import answer
from tenfold.agents.choose import choices_of, costs, fits
from tenfold.agents.describe import sentences_of
from tenfold.agents.reading.acts import masked
from tenfold.agents.reading.question import Reading
from tenfold.agents.reading.token import plain, stem, stems_of
from tenfold.agents.reading.words import SAME_POLICY, SMALL_STEMS
from tenfold.agents.shop import Shop
from tenfold.agents.wording import Draft, label, price, stock
from tenfold.catalog.passage import Passage
from tenfold.catalog.search import Found
from tenfold.reply.reply import Reply

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
SURE = 0.35
"""Cosine from which a passage is taken to be about a question that has a word of policies."""
ALIKE = 0.50
"""Cosine from which a passage is taken to be about any question, if it has half of its words too."""
TOLD = 0.55
"""Score from which a passage with a word that only texts have is taken to tell what was asked."""
TOLD_NOVEL = 0.65
"""The same where the question also has a word that is nowhere here."""
HALF = 0.5
"""Of a question's words that only texts have, by how rare they are: what the quoted sentences must hold."""
WHOLE = 0.6
"""Coverage from which a passage holds all that a question says."""
NEAR = 0.60
"""Cosine from which a passage is taken to be about a question whatever its words."""
NEED = 0.20
"""Cosine from which an item is named for what it is for."""
WINDOWS = 2
"""Pairs of sentences that are quoted at most."""
SHORT = 60
"""Words up to which a passage is quoted whole."""
EMBEDDED = 16
"""Pairs of sentences that are compared by meaning; chosen by words."""
_KINDS = (
    (
        re.compile(r"\bhow (much|expensive)|\bcosts?\b|\bfees?\b|\bprice\b|\bfree\b"),
        re.compile(r"[$€£]\s?\d|\d\s?(usd|eur|gbp)|free", re.IGNORECASE),
    ),
    (
        re.compile(
            r"\bhow (long|fast|soon|quick\w*|late)|\bwhen\b|\b(after|within) \d|\bopen\b|\bhours\b|\d (days|"
            r"weeks|months)"
        ),
        re.compile(
            r"\b(\d+|one|two|three) ?(\w+ )?(minutes?|hours?|days?|weeks?|months?|years?|am|pm)\b|\d:\d\d",
            re.IGNORECASE,
        ),
    ),
    (
        re.compile(r"\bwhere\b|\baddress\b|\blocat"),
        re.compile(r"\d+ [A-Z]\w+ |\b(street|avenue|road|find us|located)\b", re.IGNORECASE),
    ),
)
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


def passage_answer(shop: Shop, question: str, *, is_sure: bool = True) -> Reply | None:
    """Answer by two sentences of the best passage; none where no passage is about the question.

    ``is_sure``: the question must have a word of policies; else only a passage that is close to it will do.
    """
    # "Do you have a repair kit?" asks for a thing, and not about repairs.
    text = masked(shop, plain(question))
    if not shop.passages or (is_sure and not POLICY.search(text)):
        return None
    question = _in_its_words(shop, question)
    found = shop.passage_index.search(question, 8)
    if not found:
        return None
    best = max(found, key=lambda each: 0.7 * each.cosine + 0.3 * each.coverage)
    is_close = best.cosine >= ALIKE and best.coverage >= 0.4 and (is_sure or not _is_novel(shop, _asked(question)))
    is_about = best.cosine >= SURE or (best.cosine >= 0.3 and best.coverage >= 0.3)
    is_said = best.coverage >= 0.6 and best.cosine >= 0.2
    if not (is_close or (is_sure and (is_about or is_said))):
        return None
    return _quoted(_ranked(shop, question, [each for each in found if each.cosine >= best.cosine - 0.15]))


def told_by_texts(shop: Shop, question: str, *, is_how: bool = False) -> Reply | None:
    """Answer by what the shop wrote, where the question has words that only its texts have.

    What a shop writes about is what its customers ask: a pharmacy's "prescription", a hotel's "luggage". A word that
    neither texts nor catalog have makes it less likely that they tell what was asked. ``is_how``: it asks how something
    is done, which no catalog tells.
    """
    if not shop.passages:
        return None
    asked = _asked(question)
    own = asked & shop.own_stems
    question = _in_its_words(shop, question)
    found = shop.passage_index.search(question, 8)
    if not found:
        return None
    ranked = _ranked(shop, question, found)
    score, window, passage = ranked[0]
    is_novel = _is_novel(shop, asked)
    weight = {each: _rarity(shop, each) for each in own}
    has_own = bool(own) and _covers(f"{passage.title} {window}", weight) >= HALF
    is_near = found[0].cosine >= NEAR and not is_novel
    # "How should I store a down sleeping bag?": all of its words are the catalog's too, and stand together in a text.
    is_whole = is_how and not is_novel and len(asked) > 1 and found[0].coverage >= WHOLE and score >= TOLD
    if is_near or is_whole or (has_own and score >= (TOLD_NOVEL if is_novel else TOLD)):
        return _quoted(ranked)
    return None


def _is_novel(shop: Shop, asked: set[str]) -> bool:
    """Whether a word of the question is neither in the texts nor in the catalog."""
    known = shop.passage_stems | set(shop.lexicon.items_by_stem) | shop.option_stems
    return any(not each[0].isdigit() for each in asked - known)


def _rarity(shop: Shop, stem: str) -> float:
    return log(1 + len(shop.passages) / (1 + shop.passage_counts.get(stem, 0)))


def _quoted(ranked: Sequence[tuple[float, str, Passage]]) -> Reply:
    draft = Draft()
    for score, window, passage in ranked[:WINDOWS]:
        if score >= ranked[0][0] - 0.15:
            draft.say(f"{passage.title}: {window}", passage)
    return draft.answer()


def _ranked(shop: Shop, question: str, found: Sequence[Found[Passage]]) -> list[tuple[float, str, Passage]]:
    """Two sentences each of passages, best first: by meaning, by words, and by the kind of fact that is asked for."""
    asked, kind = _asked(question), _kind(question)
    weight = {each: _rarity(shop, each) for each in asked}
    windows = [(window, each.what) for each in found for window in _windows(each.what)]
    windows.sort(key=lambda each: -_covers(f"{each[1].title} {each[0]}", weight))
    windows = windows[:EMBEDDED]
    asked_D = shop.model.embed([question])[0]
    cosine_W = shop.embedded([f"{passage.title}. {window}" for window, passage in windows]) @ asked_D
    scored = []
    for (window, passage), cosine in zip(windows, cosine_W, strict=True):
        covers = _covers(window, weight) + 0.5 * _covers(passage.title, weight)
        has_kind = kind is not None and kind.search(window) is not None
        scored.append((float(cosine) + 0.35 * covers + (0.1 if has_kind else 0.0), window, passage))
    kept: list[tuple[float, str, Passage]] = []
    for score, window, passage in sorted(scored, key=lambda each: -each[0]):
        # Windows overlap by a sentence: of those that share one, the best.
        sentences = set(sentences_of(window))
        if not any(passage is other and sentences & set(sentences_of(said)) for _, said, other in kept):
            kept.append((score, window, passage))
    return kept


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


def _in_its_words(shop: Shop, question: str) -> str:
    """The question, and the shop's own words for what it calls otherwise: "deliver" where it never says "ship"."""
    text = plain(question)
    phrases = {each for group in SAME_POLICY for each in group if " " in each and _is_said(each, text)}
    # "Take it back" is not "take" as in "do you take cards?".
    stems = set(stems_of(question)) - {stem(word) for each in phrases for word in each.split()}
    added = []
    for group in SAME_POLICY:
        own = [each for each in group if stem(each) in shop.passage_stems]
        said = [each for each in group if each in phrases or stem(each) in stems]
        if not set(said) & set(own):
            added += own[:1] if said else []
    return " ".join([question, *added])


def _is_said(phrase: str, text: str) -> bool:
    """Whether a verb with its particle is said, also around what it is about: "send the red mug back"."""
    verb, particle = phrase.split()
    return re.search(rf"\b{verb} (\w+ ){{0,4}}{particle}\b", text) is not None


def _asked(question: str) -> set[str]:
    return {each for each in stems_of(question) if each not in SMALL_STEMS}


def _windows(passage: Passage) -> list[str]:
    """Two sentences after one another, all such of a passage; a short one whole."""
    sentences = sentences_of(passage.text)
    if len(passage.text.split()) <= SHORT:
        return [passage.text]
    return [" ".join(sentences[at : at + 2]) for at in range(max(1, len(sentences) - 1))]


def _kind(question: str) -> re.Pattern[str] | None:
    """What the fact that is asked for looks like: an amount, a time, a place."""
    text = plain(question)
    return next((looks for asks, looks in _KINDS if asks.search(text)), None)


def _covers(text: str, weight: Mapping[str, float]) -> float:
    """Share of the words asked that a text has, rare ones counting more."""
    has = sum(weight[each] for each in set(stems_of(text)) & weight.keys())
    return has / sum(weight.values()) if weight else 0.0
