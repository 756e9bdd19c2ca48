"""What a customer wants done, which a person or an order's system has to do: told by words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tenfold.agents.reading.token import plain, tokens_of
from tenfold.agents.shop import Shop

_WHO = (
    r"(a |an |the |some |your |my |one of your )?(real |live |actual |human |customer |store |shop |sales |"
    r"support |service )*"
    r"(human|person|people|someone|somebody|agent|representative|rep|operator|manager|supervisor|staff|employee|"
    r"team member|customer (service|support|care)|support team|advisor|adviser|clerk|associate|colleague|humans|"
    r"receptionist|reception|(front|store|help|service|info\w*) desk|owner|expert|specialist|technician|consultant)"
)
_HUMAN = re.compile(
    rf"\b(speak|talk|chat|connect|transfer|switch|put|get|reach|contact|escalate|hand|need|want|give|call|bring)\b"
    rf"[\w' ]{{0,22}}?\b(to |with |through to |over to |me |on to )*{_WHO}\b(?! size)|"
    r"^\W*(human|agent|representative|operator|real person|live agent|person)( please)?\W*$|"
    r"\b(not|no more|don't want)( to)?( chat| talk| speak| deal)?( to| with)? ?(a |an |the |this )?(bots?|"
    r"robots?|machine|chatbot|ai)\b|\b(real|actual|live) (human|"
    r"person|agent)\b|"
    r"\bhuman (being|agent|help|support|operator|please)\b|\b(call|phone|ring) me\b(?! an?\b)|\bstop the bot\b|"
    r"\bput me through\b|"
    r"\b(mit (einem|einer|jemandem)[\w ]*(menschen|mitarbeiter\w*|person|sprechen|reden))\b|\b(hablar|habla)\b[\w ]*"
    r"\b(persona|humano|agente|alguien)\b|\bparler\b[\w àé']*\b(humain|personne|quelqu'un|conseill\w+)\b|"
    r"\bparlare\b[\w ]*\b(persona|operatore|umano|qualcuno)\b|\bfalar\b[\w ]*\b(pessoa|humano|atendente|alguém)\b"
)
_NOT_HUMAN = re.compile(
    r"\b(gift|present|something|anything|one|item|product|size)\b[\w ]* for (a|the|my) person\b|"
    r"\b\d+ (people|persons?|employees|staff)\b"
)

_POLICY = re.compile(
    r"\b(policy|policies|how (do|can|does|would|should|long|many|much|to)|what (is|are|if|happens|does|do)|"
    r"what's|which|"
    r"can (i|you|we|customers?)|could i|may i|am i able|is it possible|is there|are there|do you|does|when (do|"
    r"does|will|can)|"
    r"do i|will (it|they|you|there)|who pays|who|where do|where can|in case)\b"
)


@dataclass(frozen=True, slots=True)
class Act:
    """Something to be done: ``name`` of what, with what was said of it, as an order's number."""

    name: str
    facts: Mapping[str, str] = field(default_factory=dict)


_HAD = r"(?:i|we) (?:\w+ )?(?:bought|got|ordered|received|rented|hired|booked|collected|picked up|purchased)"
_FAULT = (
    r"came (?:undone|off|apart|loose)|fell (?:off|apart)|(?:has|have|had|was|were|is) (?:the )?wrong(?: \w+)?|stole|"
    r"was stolen|got stolen|is leaking|was leaking|leaks|no longer (?:works?|closes?|holds?)|already broken|"
    r"went missing"
)
_ACTS: tuple[tuple[str, str, bool], ...] = (
    # name, pattern, whether a general question about it ("can I cancel ...?") is for the policies first
    ("cancel", r"\bcancel\w*\b.*\b(order|purchase|subscription|it|payment|delivery|booking|membership)\b|"
               r"\b(order|purchase)\b.*\bcancel\w*", True),
    ("exchange", r"\b(exchange|swap|replace|replacement)\b.*\b(my|the|this|it|i (bought|ordered|received|"
    r"got))\b", True),
    ("return", r"\b(return|returning|send (it |them |this )?back|sending back|give back)\b.*"
               r"\b(my|this|it|them|i (bought|ordered|received|got|purchased))\b|\bstart a return\b|\breturn label\b|"
               r"\b(want|like|need|have|going|wish) to return\b|\bwant .* returned\b", True),
    ("refund", r"\b(refund me|my refund|my money back|want (my |a |the )?(full |partial )?(money|refund)|"
               r"need (my |a |the )?(full |partial )?refund|get (my|a) refund for|refund for (my|the|this|order)|"
               r"give me (my|a) (money|refund)|refund (my|the|this|order)|demand a refund|issue a refund|"
               r"(want|need|like) .{0,30}\brefunded|haven't (received|gotten|got) .{0,12}refund|"
               r"refund .{0,20}(not|n't|yet))\b", True),
    ("status", r"\bwhere('s| is| are)\b.{0,20}\b(my|the)\b.{0,30}\b(order|package|parcel|delivery|shipment|"
    r"stuff|refund|items?)\b|"
               r"\btracking (number|info\w*|link) (for|of) (my|order)|\bmy tracking\b|"
               r"\border status\b|\bstatus of (my|the|order|an order)\b|"
               r"\b(has|did|will|when|is) .{0,25}\bmy (order|package|parcel|delivery|shipment|item)\b|"
               r"\b(hasn't|hasnt|has not|haven't|have not|didn't|did not|never|not yet|still not|hadn't)\b.{0,22}"
               r"\b(arriv\w*|receiv\w*|show\w* up|been delivered|come|shipped|delivered|got\w*)\b|\bstill waiting\b|"
               r"\b(my|the) (order|package|parcel|delivery|shipment) (is|was|has|hasn't|never|got|says|"
               r"still)\b", False),
    ("status", r"\btrack (my |the |an |this )?(order|package|parcel|delivery|shipment|purchase)\b", True),
    ("address", r"\b(change|update|edit|correct|modify|fix|wrong|new)\b.{0,30}\b(address|shipping details|"
    r"delivery date)\b", True),
    ("order", r"\b(change|modify|edit|update|amend|add\b.*\bto|remove\b.*\bfrom)\b.{0,30}\b(my|the|an|existing|"
    r"pending|recent)\b"
              r".{0,15}\border\b|\border (number|no\.?|id|#)|\border\b.{0,12}[#]\s?\w+|[#]w?\d{4,}\b|"
              r"\bmy (last|recent|previous|existing|pending|latest) (order|purchase)s?\b|\bi (placed|made) (an|"
              r"my|the) order\b", False),
    ("account", r"\b(my|an|the) account\b|\b(log|sign|logging|signing)[ -]?(in|into|on)\b.*\b(my|can't|cannot|"
    r"unable|trouble|me|fail\w*)\b|"
                r"\b(can't|cannot|unable|trouble)\b.*\b(log|sign)[ -]?(in|into)\b|\b(my|reset|forgot\w*|"
                r"change)\b.{0,20}\bpassword\b|"
                r"\blocked out\b|\bdelete my\b|\bmy (profile|loyalty points|points|invoice|receipt|membership|"
                r"personal data|"
                r"gift card balance|store credit|saved card|email address|subscription|payment method|credit card)\b|"
                r"\b(update|change|remove)\b.{0,20}\b(my|the)\b.{0,12}\b(email|phone|card|payment)\b|"
                r"unsubscribe me", True),
    ("payment", r"\b(charged|billed)\b.{0,25}\b(twice|double|wrong\w*|too much|extra|again|incorrect\w*|"
    r"2 times|more)\b|"
                r"\b(double|over)[ -]?charged?\b|\b(payment|card|transaction)\b.{0,25}\b(declined|fail\w*|"
                r"rejected|not go(ing)? through|"
                r"didn't go|won't go|didn't work)\b|\bunauthori[sz]ed\b|\bdidn't (order|buy|authori[sz]e)\b", False),
    ("complaint", r"\b(i|my|we|it|they|that|one|order|package|which|this|item|box)\b.{0,60}\b(arrived?|came|"
    r"received|got|bought|is|was|are|"
                  r"were|has|sent me|keeps?|delivered)\b.{0,30}\b(broken|damaged|defective|faulty|cracked|torn|"
                  r"scratched|smashed|"
                  r"wrong (item|one|size|colou?r|product|thing)|incomplete|ruined|leaking|dead on arrival|"
                  r"shattered|ripped|stained|"
                  r"missing|fell apart|falling apart|never works)\b|\b(stopped|quit|stops) working\b|"
                  r"\b(doesn't|does not|don't|won't|not|isn't) (work|working|turn on|turning on|charge|"
                  r"charging|start|starting)\b.{0,20}"
                  r"(anymore|any more|at all|properly|since|after)|\b(broke|broken|died|fell apart|tore|ripped|"
                  r"cracked|exploded|"
                  r"caught fire)\b.{0,15}\b(after|when|within|in|on|already|the first)\b|"
                  r"\b(complain|complaint|unacceptable|outrageous|furious|terrible service|awful|disgusted|"
                  r"lawyer|sue you|suing|"
                  r"legal action|rip[- ]?off|scam(med)?|fraud|worst|disappointed|ridiculous|fed up|angry|shame on)\b|"
                  r"\b(you|they) (sent|shipped|delivered|gave|mailed) (me|us) (the |a |an )?(wrong|incorrect|"
                  r"broken|damaged|different|another)\b|"
                  r"\b(wrong|damaged|broken|defective) (item|product|one|size)\b.{0,15}\b(sent|received|"
                  r"arrived|delivered|came)\b|"
                  r"\bgot (the )?wrong\b|\bmissing (from|in) (my|the)\b", False),
    ("complaint", r"(?<!if )\bthe \w+ (\w+ )?(arrived|came)\b.{0,30}\b(broken|damaged|defective|faulty|cracked|torn|"
                  r"scratched|smashed|incomplete|ripped|stained|missing|wrong)\b", False),
    ("complaint", rf"\b{_HAD}\b.{{0,60}}\b({_FAULT})\b|\b({_FAULT})\b.{{0,60}}\b{_HAD}\b", True),
)  # fmt: skip
_PATTERNS = tuple((name, re.compile(pattern), is_general) for name, pattern, is_general in _ACTS)
_OWN = re.compile(r"\b(my|mine|our|(i|we) (\w+ )?(bought|ordered|received|got|purchased|placed|rented|hired|booked|"
                  r"collected|picked up)|i want to|i need to|i'd like to|"
                  r"i would like to|i have to|please|refund me|give me|i demand|i want (a|my)|i need (a|my)|"
                  r"i expect)\b|^(cancel|return|refund|exchange|"
                  r"change|update|track|delete|"
                  r"reset|start|remove|replace)\b")  # fmt: skip
_ORDER = re.compile(r"(?:order|#)\s*(?:number|no\.?|id|#|is|:)*\s*#?\s*([a-z]{0,3}-?\d[\w-]{2,})", re.IGNORECASE)


def wants_human(shop: Shop, question: str) -> bool:
    """Whether the customer asks for a person, which is granted at any time."""
    text = masked(shop, plain(question))
    return _HUMAN.search(text) is not None and not _NOT_HUMAN.search(text)


def act_of(shop: Shop, question: str) -> Act | None:
    """What the customer wants done, if it is not to be told something."""
    text = plain(question)
    if any(re.search(rf"\b{re.escape(topic.casefold())}\b", text) for topic in shop.human_topics):
        return Act("topic")
    said = masked(shop, text)
    is_general = _POLICY.search(said) is not None and not _is_personal(said)
    for name, pattern, asks_policy in _PATTERNS:
        if pattern.search(said) and not (is_general and asks_policy):
            if asks_policy and not _OWN.search(said) and not _ORDER.search(text):
                continue
            order = _ORDER.search(question)
            return Act(name, {"order": order.group(1)} if order else {})
    return None


_SUPPOSES = re.compile(r"\b(if|in case|suppose|what happens when) (i|we|you|it|they|the|my|a|an|there)\b")


def _is_personal(text: str) -> bool:
    """Whether it is about something that this customer has: an order's number, or what was bought."""
    if _ORDER.search(text):
        return True
    # "Do I get my money back if I change my mind?" asks what would be.
    return not _SUPPOSES.search(text) and bool(
        re.search(
            r"\bmy (order|refund|return|purchase|account|package|money|password|payment|subscription|email|address)\b",
            text,
        )
        or re.search(r"\bi (just |already |recently )?(bought|ordered|received|got|purchased|placed)\b", text)
    )


def masked(shop: Shop, text: str) -> str:
    """The text with what the shop sells read as "item", so that "Return of the King" is not a return."""
    parts, at = [], 0
    titles = shop.title_runs
    tokens = tokens_of(text)
    place = 0
    while place < len(tokens):
        length = next(
            (
                n
                for n in (5, 4, 3, 2)
                if place + n <= len(tokens) and tuple(t.stem for t in tokens[place : place + n]) in titles
            ),
            0,
        )
        if length:
            parts += [text[at : tokens[place].start], "item"]
            at = tokens[place + length - 1].end
        place += length or 1
    return "".join([*parts, text[at:]])
